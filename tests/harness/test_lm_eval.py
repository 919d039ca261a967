"""Local tasks of the real lm-eval, offline. Only its own tasks are not read: they take it ten seconds."""

import hashlib
import json
import re
import subprocess
import sys

import numpy as np
import pytest

import localsmc

pytest.importorskip(
    "lm_eval", reason="lm-evaluation-harness is not installed: pip install 'localsmc[lm-eval]'"
)
pytestmark = pytest.mark.filterwarnings("ignore")  # those of lm-eval and what it imports

GENERATE = """
task: words
output_type: generate_until
doc_to_text: "{{question}}"
doc_to_target: "{{answer}}"
generation_kwargs: {until: ["\\n\\n"], max_gen_toks: 60}
filter_list:
  - name: last
    filter: [{function: regex, regex_pattern: "(\\\\d+)", group_select: -1}, {function: take_first}]
metric_list: [{metric: exact_match}]
"""
CHOOSE = """
task: options
output_type: multiple_choice
doc_to_text: prompt
doc_to_choice: choices
doc_to_target: gold
metric_list: [{metric: acc}, {metric: acc_norm}]
"""
ROLL = """
task: rolling
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: question
metric_list: [{metric: byte_perplexity}]
"""
DATA = {
    "words": [
        {"question": "What is 2 + 3?", "answer": "5"},
        {"question": "What is 17 * 23?", "answer": "391"},
    ],
    "options": [
        {"prompt": "17 * 23 = 340 + 51 =", "choices": ["391", "381"], "gold": 0},
        {"prompt": "2 + 3 =", "choices": ["7", "5"], "gold": 1},
    ],
}
DATA["rolling"] = DATA["words"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Runs a task with arguments of the model."""
    folder = tmp_path_factory.mktemp("tasks of lm-eval")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_DATASETS_OFFLINE", "1")
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setenv("HF_HOME", str(folder / "cache"))
        import lm_eval
        from lm_eval.tasks import TaskManager

        from localsmc.harness import register

        register()
        for name, text in (("words", GENERATE), ("options", CHOOSE), ("rolling", ROLL)):
            data = folder / f"{name}.jsonl"
            data.write_text("".join(json.dumps(row) + "\n" for row in DATA[name]))
            where = json.dumps({"data_files": {"test": str(data)}})
            source = f"dataset_path: json\ndataset_kwargs: {where}\ntest_split: test\n"
            (folder / f"{name}.yaml").write_text(text + source)
        tasks = TaskManager(include_path=str(folder), include_defaults=False)

        def call(task, arguments="", **options):
            return lm_eval.simple_evaluate(
                model="localsmc",
                model_args=f"threads=1,{arguments}",
                tasks=[task],
                task_manager=tasks,
                bootstrap_iters=0,
                **options,
            )

        yield call


def texts_of(found):
    return [sample["resps"][0][0] for sample in found["samples"]["words"]]


def test_generations_with_the_chat_template_are_those_of_solve(run, embedded):
    found = run("words", apply_chat_template=True)
    settings = localsmc.Settings(n_threads=1, n_predict=60, box="off", conclude="off", stop=("\n\n",))
    questions = [row["question"] for row in DATA["words"]]
    solved = [
        localsmc.solve(embedded, one, method=localsmc.Greedy(), settings=settings).text for one in questions
    ]
    assert texts_of(found) == solved
    right = [
        re.findall(r"\d+", text)[-1] == row["answer"] for text, row in zip(solved, DATA["words"], strict=True)
    ]
    assert found["results"]["words"]["exact_match,last"] == np.mean(right)


def test_a_method_with_its_options_writes_the_generations(run, embedded):
    found = run("words", "method=power-smc:N=4,alpha=3,seed=5", apply_chat_template=True)
    assert found["config"]["method"]["label"] == "power-smc:N=4,alpha=3"
    method = embedded.method("power-smc", particles=4, alpha=3.0)
    for sample, text in zip(found["samples"]["words"], texts_of(found), strict=True):
        context = sample["arguments"][0][0]
        seed = int.from_bytes(hashlib.sha256(f"5/0/{context}".encode()).digest()[:4], "big")
        settings = localsmc.Settings(
            n_threads=1, n_predict=60, seed=seed, raw=True, special=True, conclude="off", stop=("\n\n",)
        )
        assert text == localsmc.solve(embedded, context, method=method, settings=settings).text


def test_a_task_of_choices_has_the_figures_of_score(run, embedded):
    found = run("options")
    pairs = [(row["prompt"], f" {one}") for row in DATA["options"] for one in row["choices"]]
    expected = localsmc.score(embedded, pairs, settings=localsmc.Settings(n_threads=1))
    samples = found["samples"]["options"]
    got = [response[0] for sample in samples for response in sample["filtered_resps"]]
    np.testing.assert_allclose(got, [one.logp for one in expected], atol=1e-9)
    rows = zip(DATA["options"], (expected[:2], expected[2:]), strict=True)
    right = [np.argmax([one.logp for one in ours]) == row["gold"] for row, ours in rows]
    assert found["results"]["options"]["acc,none"] == np.mean(right)


def test_a_rolling_task_has_the_perplexity_of_score(run, embedded):
    found = run("rolling")
    texts = [row["question"] for row in DATA["rolling"]]
    scores = localsmc.score(embedded, [("", one) for one in texts], settings=localsmc.Settings(n_threads=1))
    n_bytes = sum(len(one.encode()) for one in texts)
    expected = np.exp(-sum(one.logp for one in scores) / n_bytes)
    assert found["results"]["rolling"]["byte_perplexity,none"] == pytest.approx(expected, rel=1e-3)


def test_what_lm_eval_cannot_say_to_the_model_is_refused(run):
    from lm_eval.loggers import EvaluationTracker

    with pytest.raises(localsmc.LocalSMCError, match="no argument `modle`"):
        run("options", "modle=a.gguf")
    with pytest.raises(localsmc.LocalSMCError, match="takes no name"):
        run("words", apply_chat_template="chatml", evaluation_tracker=EvaluationTracker())


def test_the_models_of_lm_eval_itself_are_still_known():
    """In a fresh process: lm-eval looks for its own models only while it knows none."""
    code = (
        "from localsmc.harness import register; register()\n"
        "from lm_eval.api.registry import get_model\n"
        "print(get_model('dummy').__name__, get_model('localsmc').__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["DummyLM", "HarnessModel"], done.stderr
