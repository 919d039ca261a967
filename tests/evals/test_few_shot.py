"""Few-shot evaluations: where examples come from, and that a problem's runs do not depend on the others."""

import json
from dataclasses import replace

import pytest
from few_shot_runs import (
    EXAMPLES,
    PAIRS,
    QUESTIONS,
    assert_same_however_it_is_run,
    few_shot_plan,
    few_shot_task,
    run_few_shot,
    solved_texts,
)

from localsmc.engine.beginnings import beginning
from localsmc.engine.settings import Settings
from localsmc.errors import ConfigError, PromptTooLong, RunError, TaskError
from localsmc.evals.model_specs import parse_models
from localsmc.evals.run_folder import RunFolder
from localsmc.evals.runner import Evaluation
from localsmc.evals.tasks.few_shot import few_shot
from localsmc.llama import LlamaContext
from localsmc.text.examples import Examples, Pair

METHODS = (
    "power-smc:N=4,alpha=4", "sample:N=3", "power-mh:steps=2", "draft-smc:N=4", "cascade", "speculative",
    "ssr:N=2",
)  # fmt: skip


# --- where they come from ---------------------------------------------------------------------------


def written(tmp_path, rows, name="some rows.jsonl"):
    path = tmp_path / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_the_first_rows_are_shown_as_they_stand(tmp_path):
    rows = [{"question": f" What is {i}? ", "answer": f"It is <<{i}>>{i}\n#### {i}"} for i in range(5)]
    path = written(tmp_path, rows)
    assert few_shot("gsm8k", 2, data=path).pairs == (
        ("What is 0?", "It is <<0>>0\n#### 0"),
        ("What is 1?", "It is <<1>>1\n#### 1"),
    )
    assert few_shot(None, 5, data=path).pairs[-1] == ("What is 4?", "It is <<4>>4\n#### 4")


def test_fields_are_named_as_for_the_problems(tmp_path):
    path = written(tmp_path, [{"q": "What?", "a": "That.", "problem": "Why?", "answer": "So."}])
    assert few_shot(None, 1, data=path, question="q", answer="a").pairs == (("What?", "That."),)
    assert few_shot("math-500", 1, data=path).pairs == (("Why?", "So."),)


def test_more_examples_than_rows_are_refused(tmp_path):
    path = written(tmp_path, [{"question": "What?", "answer": "That."}])
    with pytest.raises(TaskError, match="4 examples are asked for, but .* has 1 row$") as caught:
        few_shot(None, 4, data=path)
    assert caught.value.hint == "use --fewshot 1"


@pytest.mark.parametrize("task", ["math-500", "aime-2024", "gpqa", "tiny", "tiny:levels=4", None])
def test_a_task_without_training_problems_says_where_to_take_them_from(task):
    with pytest.raises(ConfigError, match="no training problems to show") as caught:
        few_shot(task, 4)
    assert "--fewshot-data FILE" in caught.value.hint


def test_no_example_is_a_problem_that_is_evaluated():
    shown = Examples(pairs=(*PAIRS, Pair(QUESTIONS[2], "That is 21.")))
    bare = few_shot_plan(parse_models(()), ("greedy",), examples=None)
    with pytest.raises(TaskError, match="problem `p2` of `t` is among the examples"):
        few_shot_task(examples=shown)
    assert few_shot_task(order=(0, 1), examples=shown).examples is shown
    with pytest.raises(TaskError, match="problem `p2` of `t` is among the examples"):
        replace(bare, settings=Settings(examples=shown))


# --- runs -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The embedded model's runs; asserts that they do not depend on the others."""
    return assert_same_however_it_is_run(tmp_path_factory.mktemp("runs"), parse_models(()), METHODS)


def test_a_problem_comes_to_the_same_alone_in_shards_in_any_order_and_resumed(whole):
    assert len(whole) == len(QUESTIONS) * len(METHODS)


@pytest.mark.parametrize("method", METHODS)
def test_solve_comes_to_the_same(method, whole, embedded):
    [label] = {key[1] for key in whole if key[1].startswith(method.split(":")[0])}
    for problem in range(len(QUESTIONS)):
        assert solved_texts(embedded, problem, method) == whole[f"p{problem}", label]["texts"]


def test_what_is_shared_is_counted_as_cached_in_every_run(whole, embedded):
    n_shared = len(beginning(embedded, Settings(examples=EXAMPLES)))
    assert n_shared > 100
    # The strategies of ssr are chosen by another prompt: it gives the beginning up, and decodes it again.
    assert {key[1].split(":")[0]: one["cached_tokens"] for key, one in whole.items()} == {
        **{method.split(":")[0]: n_shared for method in METHODS},
        "ssr": 0,
    }
    for one in whole.values():
        assert one["prompt_tokens"] > n_shared


def test_a_recurrent_model_forks_the_whole_beginning(random_mamba, tmp_path):
    methods = ("sample:N=2", "power-smc:N=3")
    runs = assert_same_however_it_is_run(tmp_path, parse_models([str(random_mamba)]), methods, n_predict=6)
    assert all(one["cached_tokens"] > 50 for one in runs.values())


@pytest.mark.parametrize("settings", [{"n_batch": 1}, {"n_batch": 7}, {"raw": True}, {"system": "Be brief."}])
def test_other_settings_come_to_the_same_as_well(settings, tmp_path):
    methods = ("greedy",) if settings.get("n_batch") == 1 else ("sample:N=2", "greedy")
    assert_same_however_it_is_run(tmp_path, parse_models(()), methods, **settings)


@pytest.fixture
def batches(monkeypatch):
    """The number of tokens of each batch, and its sequences, of all contexts."""
    found, decode = [], LlamaContext.decode

    def recording(self, tokens, positions, seqs, **options):
        found.append((len(tokens), set(seqs.tolist())))
        return decode(self, tokens, positions, seqs, **options)

    monkeypatch.setattr(LlamaContext, "decode", recording)
    return found


def test_the_beginning_is_decoded_once(tmp_path, batches, embedded):
    runs = run_few_shot(tmp_path / "a run", few_shot_plan(parse_models(()), ("sample:N=2", "power-smc:N=4")))
    n_shared = len(beginning(embedded, Settings(examples=EXAMPLES)))
    spent = sum(one["prompt_tokens"] - one["cached_tokens"] + one["rows"] for one in runs.values())
    concluded = [one["concluded"] for one in runs.values() if one["concluded"]]
    spent += sum(one["prompt_tokens"] + one["rows"] for one in concluded)
    assert sum(n for n, _ in batches) == n_shared + spent


def test_what_a_method_made_it_decode_again_is_counted(tmp_path):
    plan = few_shot_plan(parse_models(()), ("greedy", "ssr:N=2"), order=(0, 1))
    with RunFolder(tmp_path / "a run", plan.manifest()) as folder:
        evaluation = Evaluation(plan, folder)
        found = []
        for line in evaluation:
            found.append(evaluation.n_shared_decoded)
            if line["method"] == "greedy":
                n_shared = line["result"]["usage"]["cached_tokens"]
    assert n_shared > 0
    # ssr chooses strategies by another prompt, which takes the cells of the beginning.
    assert found[::2] == [n_shared, found[1] + n_shared]


def test_solve_decodes_it_in_the_same_batches(tmp_path, batches, embedded):
    run_few_shot(tmp_path / "a run", few_shot_plan(parse_models(()), ("greedy",), (0,), conclude="off"))
    evaluated = [n for n, _ in batches]
    assert batches[0][1] != batches[-1][1]  # it is held in a sequence of its own
    batches.clear()
    solved_texts(embedded, 0, "greedy", conclude="off")
    assert [n for n, _ in batches] == evaluated


def test_examples_are_part_of_what_a_run_is(tmp_path):
    plan = few_shot_plan(parse_models(()), ("greedy",), order=(0,))
    run_few_shot(tmp_path / "run", plan)
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    recorded = manifest["tasks"][0]["examples"]
    assert (recorded["n_pairs"], recorded["pairs"]) == (2, [list(pair) for pair in PAIRS])
    for shown in (None, Examples(pairs=PAIRS[:1]), Examples(text="Mind the units.")):
        other = few_shot_plan(parse_models(()), ("greedy",), order=(0,), examples=shown)
        with pytest.raises(RunError, match="was created with different tasks: .*: examples differ$"):
            RunFolder(tmp_path / "run", other.manifest())
    other = replace(plan, settings=replace(plan.settings, examples=Examples(text="Mind the units.")))
    with pytest.raises(RunError, match="was created with different settings: examples differ$"):
        RunFolder(tmp_path / "run", other.manifest())


def test_examples_that_do_not_fit_are_refused_before_anything_runs(tmp_path):
    plan = few_shot_plan(parse_models(()), ("greedy",), n_ctx=64)
    with (
        RunFolder(tmp_path / "run", plan.manifest()) as folder,
        pytest.raises(PromptTooLong, match=r"the prompt has \d+ tokens before the problem, but .* holds 64"),
    ):
        list(Evaluation(plan, folder))


def test_a_problem_that_leaves_no_room_fails_alone(tmp_path, embedded):
    n_shared = len(beginning(embedded, Settings(examples=EXAMPLES)))
    plan = few_shot_plan(parse_models(()), ("greedy",), n_ctx=n_shared + 60, conclude="off")
    long = replace(plan.tasks[0].items[1], question="word " * 90)
    items = (plan.tasks[0].items[0], long, plan.tasks[0].items[2])
    plan = replace(plan, tasks=(replace(plan.tasks[0], items=items),))
    with RunFolder(tmp_path / "run", plan.manifest()) as folder:
        lines = list(Evaluation(plan, folder))
    assert [line["verdict"] == "failed" for line in lines] == [False, True, False]
    assert "tokens, but the context holds" in lines[1]["error"]
    assert lines[2]["result"]["usage"]["cached_tokens"] == n_shared
