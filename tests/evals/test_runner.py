"""Evaluation runs: each result is written once, does not depend on interruptions, and is never lost."""

import contextlib
import json
import os
import random
import re
import signal
import subprocess
import sys
from dataclasses import replace

import pytest
from program import PROGRAM

import localsmc_models
from localsmc.engine.settings import Settings
from localsmc.errors import ConfigError, DecodeFailed, LocalSMCError, RunError, TaskError
from localsmc.evals.model_specs import parse_models
from localsmc.evals.run_folder import Key, RunFolder, key_of, read_manifest
from localsmc.evals.runner import Evaluation, Plan, seed_of
from localsmc.evals.tasks import Item, Task, load_task
from localsmc.llama import LoadOptions
from localsmc.methods.spec import parse_method

METHODS = ("power-smc:N=4,alpha=4", "sample:N=2", "greedy")


def plan(**changed):
    parts = {
        "tasks": (load_task("tiny", limit=3),),
        "models": parse_models(()),
        "methods": tuple(map(parse_method, METHODS)),
        "seeds": (0, 1),
        "settings": Settings(n_predict=60, n_threads=1),
    }
    return Plan(**parts | changed)


def run(path, wanted=None, **options):
    wanted = plan() if wanted is None else wanted
    with RunFolder(path, wanted.manifest()) as folder:
        return list(Evaluation(wanted, folder, **options))


def lines(path):
    return [json.loads(line) for line in (path / "results.jsonl").read_text().splitlines()]


def without_seconds(found):
    for line in found:
        if line["result"]:
            usage = line["result"]["usage"]
            del usage["seconds"]
            if usage["draft"]:
                del usage["draft"]["seconds"]
    return sorted(found, key=key_of)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "a run"
    run(path)
    return path


def test_a_run_has_every_line_once_and_whole(undisturbed):
    found, wanted = lines(undisturbed), plan()
    assert len(found) == len(wanted) == 3 * 3 * 2
    assert len(set(map(key_of, found))) == len(found)
    for line in found:
        result = line["result"]
        assert sum(completion["weight"] for completion in result["completions"]) == pytest.approx(1)
        assert all(len(one["tokens"]) == one["n_tokens"] for one in result["completions"])
        assert line["answer"] == result["answer"]
        assert len(line["steps"]["ess"]) == len(line["steps"]["rows"]) == result["usage"]["steps"]
        assert sum(line["steps"]["rows"]) <= result["usage"]["rows"]
        assert line["correct"] == (line["verdict"] == "right")
        given = {completion["answer"] for completion in result["completions"]} - {None}
        assert given <= set(line["verdicts"])
        assert line["verdicts"].get(line["gold"], "right") == "right"
    assert {line["verdict"] for line in found} <= {"right", "wrong", "no-answer", "truncated"}


def test_the_manifest_says_what_was_run(undisturbed):
    manifest = read_manifest(undisturbed)
    [model] = manifest["models"]
    assert model["sha256"] == localsmc_models.card("tiny").sha256
    assert model["params"] == lines(undisturbed)[0]["result"]["model"]["params"]
    assert [method["label"] for method in manifest["methods"]] == list(METHODS)
    assert manifest["methods"][0]["config"] == {"particles": 4, "alpha": 4.0, "select": "draw"}
    assert manifest["tasks"][0]["n_problems"] == 3
    assert manifest["settings"]["n_predict"] == 60


def test_a_run_that_was_cut_anywhere_ends_with_the_same_lines(undisturbed, tmp_path):
    whole = (undisturbed / "results.jsonl").read_bytes()
    expected, rng = without_seconds(lines(undisturbed)), random.Random(1)
    for i, end in enumerate([0, len(whole) - 1, *(rng.randrange(len(whole)) for _ in range(3))]):
        path = tmp_path / str(i)
        path.mkdir()
        (path / "manifest.json").write_bytes((undisturbed / "manifest.json").read_bytes())
        (path / "results.jsonl").write_bytes(whole[:end])
        n_there = whole[:end].count(b"\n")
        assert len(run(path)) == len(expected) - n_there
        assert (path / "results.jsonl").read_bytes().startswith(whole[:end].rpartition(b"\n")[0])
        assert without_seconds(lines(path)) == expected


def test_a_finished_run_is_left_as_it_is(undisturbed):
    before = (undisturbed / "results.jsonl").read_bytes()
    assert run(undisturbed) == []
    assert (undisturbed / "results.jsonl").read_bytes() == before


def test_stopping_loses_the_problem_at_work_only(tmp_path, undisturbed):
    calls = iter(range(10_000))
    n = len(run(tmp_path / "run", should_stop=lambda: next(calls) >= 150))
    assert 0 < n < len(plan())
    assert len(lines(tmp_path / "run")) == n
    run(tmp_path / "run")
    assert without_seconds(lines(tmp_path / "run")) == without_seconds(lines(undisturbed))


@pytest.mark.parametrize(
    ("changed", "part"),
    [
        ({"seeds": (0,)}, "seeds: seeds are 0, but were "),
        ({"methods": (parse_method("greedy"),)}, "methods: methods differ"),
        ({"tasks": (load_task("tiny", limit=4),)}, "tasks: tiny: n_problems is 4, but was 3"),
        ({"tasks": (load_task("tiny:seed=2", limit=3),)}, "tasks: tasks are tiny:seed=2, but were tiny"),
        ({"settings": replace(plan().settings, n_predict=61)}, "settings: n_predict is 61, but was [0-9]+$"),
        ({"settings": replace(plan().settings, conclude="off")}, "settings: conclude is off, but was auto$"),
        ({"load": LoadOptions(n_gpu_layers=3)}, "settings: n_gpu_layers is 3, but was "),
        ({"models": parse_models([str(localsmc_models.path("draft"))])}, "models: models are "),
    ],
)
def test_another_configuration_is_refused(undisturbed, changed, part):
    before = (undisturbed / "manifest.json").read_bytes()
    with pytest.raises(RunError, match=f"was created with different {part}"):
        run(undisturbed, plan(**changed))
    assert (undisturbed / "manifest.json").read_bytes() == before


def test_another_machine_is_said_and_no_obstacle(undisturbed):
    manifest = plan().manifest() | {"version": "9.9"}
    with RunFolder(undisturbed, manifest) as folder:
        assert folder.notices == ['the existing lines are from another version: "0.1.0"']


def custom(*items, grader="math"):
    return Task(name="mine", version=1, source="here", grader=grader, items=items)


def test_verdicts_and_a_problem_that_fails(tmp_path):
    task = custom(
        Item(problem_id="none", question="Compute 7 + 8."),
        Item(problem_id="long", question="Compute 7 + 8. " * 400, gold="15"),
        Item(problem_id="last", question="Compute 7 + 8.", gold="no such answer"),
    )
    wanted = plan(tasks=(task,), methods=(parse_method("greedy"),), seeds=(0,))
    none, long, last = run(tmp_path / "run", wanted)
    assert (none["verdict"], none["correct"], none["verdicts"]) == ("ungraded", None, {})
    assert (long["verdict"], long["result"]) == ("failed", None)
    assert "to conclude the completion, but the context holds 1024" in long["error"]
    assert (last["verdict"], last["correct"]) == ("wrong", False)
    [cut] = run(
        tmp_path / "cut",
        plan(
            tasks=(custom(Item(problem_id="cut", question="Compute 7 + 8.", gold="15")),),
            methods=(parse_method("greedy"),), seeds=(0,), settings=Settings(n_predict=2, conclude="off"),
        ),
    )  # fmt: skip
    assert (cut["verdict"], cut["answer"], cut["correct"]) == ("truncated", None, False)


def test_a_failed_decode_fails_one_line(tmp_path, monkeypatch, undisturbed):
    from localsmc.llama import LlamaContext

    decode, calls = LlamaContext.decode, iter(range(10_000))

    def broken(self, *arguments, **options):
        if next(calls) == 20:
            self.close()
            raise DecodeFailed("llama.cpp failed to decode")
        return decode(self, *arguments, **options)

    monkeypatch.setattr(LlamaContext, "decode", broken)
    run(tmp_path / "run")
    found = lines(tmp_path / "run")
    assert [line["error"] for line in found if line["error"]] == ["llama.cpp failed to decode"]
    expected = {key_of(line): line for line in without_seconds(lines(undisturbed))}
    assert all(line == expected[key_of(line)] for line in without_seconds(found) if not line["error"])


def test_every_problem_has_the_cells_that_it_would_have_alone(tmp_path):
    short, long = (
        Item(problem_id=name, question=text) for name, text in (("s", "7 + 8"), ("l", "7 + 8. " * 120))
    )
    parts = {"methods": (parse_method("sample:N=8"),), "seeds": (0,), "settings": Settings(n_predict=-1)}
    [alone] = run(tmp_path / "alone", plan(tasks=(custom(short),), **parts))
    both = run(tmp_path / "both", plan(tasks=(custom(short, long),), **parts))
    assert both[0]["cells"] == alone["cells"]


@pytest.mark.parametrize(
    ("question", "settings", "error"),
    [
        ("Compute 7 + 8. " * 400, Settings(n_ctx=8192, n_predict=5), "the context holds 1024"),
        ("\ud83d", Settings(n_predict=5), "half of a surrogate pair"),
    ],
)
def test_what_cannot_be_asked_fails_in_a_line_of_its_own(tmp_path, question, settings, error):
    task = custom(Item(problem_id="\ud83d", question=question), Item(problem_id="b", question="7 + 8"))
    wanted = plan(tasks=(task,), methods=(parse_method("greedy"),), seeds=(0,), settings=settings)
    bad, good = run(tmp_path / "run", wanted)
    assert error in bad["error"]
    assert good["result"] is not None
    assert run(tmp_path / "run", wanted) == []


def test_a_budget_that_ends_within_the_prompt_is_a_cut(tmp_path):
    task = custom(Item(problem_id="a", question="7 + 8", gold="15"))
    settings = Settings(n_predict=5, budget=1e-9)
    [cut] = run(
        tmp_path / "run",
        plan(tasks=(task,), methods=(parse_method("greedy"),), settings=settings, seeds=(0,)),
    )
    assert (cut["verdict"], cut["error"], cut["answer"]) == ("truncated", None, None)


def test_other_places_of_the_same_files_are_the_same_run(undisturbed, tmp_path):
    copy = tmp_path / "tiny.gguf"
    copy.write_bytes(localsmc_models.path("tiny").read_bytes())
    assert run(undisturbed, plan(models=parse_models([str(copy)]))) == []


def test_seeds_differ_by_everything_but_the_model():
    key = Key("tiny", "1", "a", "sample", 0)
    assert seed_of(key) == seed_of(key._replace(model="b"))
    others = [key._replace(**{name: "x"}) for name in ("task", "problem_id", "method", "seed")]
    assert len({seed_of(other) for other in (key, *others)}) == 5


def test_two_writers_are_kept_apart(tmp_path):
    manifest = plan().manifest()
    with (
        RunFolder(tmp_path / "run", manifest),
        pytest.raises(RunError, match="another process is writing"),
    ):
        RunFolder(tmp_path / "run", manifest)
    RunFolder(tmp_path / "run", manifest).close()


def test_folders_that_are_not_runs(tmp_path):
    manifest = plan().manifest()
    (tmp_path / "a file").write_text("x")
    with pytest.raises(RunError, match="cannot be written"):
        RunFolder(tmp_path / "a file", manifest)
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "results.jsonl").write_text("{}\n")
    with pytest.raises(RunError, match="has results but no manifest"):
        RunFolder(tmp_path / "x", manifest)


@pytest.mark.parametrize(
    ("text", "name", "options", "select"),
    [
        ("greedy", "greedy", {}, None),
        ("power-smc:N=16, alpha=4", "power-smc", {"particles": 16, "alpha": 4.0}, None),
        ("sample:temp=0.7,top-k=5,select=majority", "sample", {"temperature": 0.7, "top_k": 5}, "majority"),
        ("power-smc:stop_when_decided=1", "power-smc", {"stop_when_decided": 1.0}, None),
    ],
)
def test_methods_as_they_are_written(text, name, options, select):
    spec = parse_method(text)
    assert (spec.name, spec.options, spec.select) == (name, options, select)
    assert spec.label == text.replace(" ", "")


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("power_smc", "no method is called `power_smc`", "did you mean `power-smc`"),
        ("magic", "no method", "choose from: power-smc"),
        ("power-smc:alfa=4", "has no option `alfa`", "did you mean `alpha`"),
        ("power-smc:N", "`N` has no value", "power-smc:N=..."),
        ("power-smc:N=x", "`N=x` is not a whole number", "power-smc:N=4"),
        ("power-smc:alpha=x", "is not a number", "alpha=4"),
        ("power-smc:N=0", "`particles` is 0", None),
        ("sample:N=2,N=4", "has an option twice", "remove one"),
        ("sample:select=first", "`select` is `first`", "draw, argmax, majority"),
    ],
)
def test_methods_that_cannot_be(text, message, hint):
    with pytest.raises(ConfigError, match=message) as caught:
        parse_method(text)
    assert hint is None or hint in caught.value.hint


def test_models_have_names_of_their_own(tmp_path):
    copy = tmp_path / "tiny.gguf"
    copy.write_bytes(localsmc_models.path("tiny").read_bytes())
    assert [spec.name for spec in parse_models([str(localsmc_models.path("tiny")), str(copy)])] == [
        "tiny", "tiny (2)",
    ]  # fmt: skip
    with pytest.raises(ConfigError, match="is given twice"):
        parse_models([str(copy), str(copy)])


# --- the command --------------------------------------------------------------------------------


def command(*arguments):
    return [sys.executable, "-c", PROGRAM, "eval", *map(str, arguments)]


def process(*arguments):
    return subprocess.run(command(*arguments), capture_output=True, text=True, check=False)


SMALL = ("--task", "tiny", "--limit", 2, "--method", "sample:N=2", "--method", "greedy", "-n", 40, "-t", 1)


def test_the_command_writes_a_run_and_says_where(tmp_path):
    done = process(*SMALL, "-o", tmp_path / "a run")
    assert (done.returncode, done.stdout) == (0, f"{tmp_path / 'a run'}\n")
    assert "4/4 · 0 s left · tiny, tiny · sample:N=2" in done.stderr
    assert len(lines(tmp_path / "a run")) == 4


def size(path):
    return path.stat().st_size if path.exists() else 0


def disturbed(arguments, number, results, growth):
    """The exit code and standard error of a command that gets a signal once a file has grown."""
    wanted = size(results) + growth
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        while running.poll() is None and size(results) < wanted:
            with contextlib.suppress(subprocess.TimeoutExpired):
                running.wait(timeout=0.002)
        running.send_signal(number)
        _, err = running.communicate()
    return running.returncode, err


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ten_kills_leave_the_lines_of_an_undisturbed_run(tmp_path):
    data = tmp_path / "sums.jsonl"
    sums = [{"question": f"What is {i} * 7 + 5?", "answer": str(7 * i + 5)} for i in range(11, 71)]
    data.write_text("\n".join(map(json.dumps, sums)))
    arguments = ("--data", data, "--grader", "numeric", *SMALL[4:])
    assert process(*arguments, "-o", tmp_path / "whole").returncode == 0
    path, rng, n_kills = tmp_path / "run", random.Random(1), 0
    for _ in range(10):
        growth = rng.randrange(0, 6000)
        code, err = disturbed(command(*arguments, "-o", path), signal.SIGKILL, path / "results.jsonl", growth)
        n_kills += code == -signal.SIGKILL
        assert not err.strip() or "Traceback" not in err
    assert n_kills == 10, "the run is too short for its kills"
    assert process(*arguments, "-o", path).returncode == 0
    assert without_seconds(lines(path)) == without_seconds(lines(tmp_path / "whole"))


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c_keeps_what_is_done(tmp_path):
    path = tmp_path / "run"
    code, err = disturbed(
        command(*SMALL, "--limit", 60, "-o", path), signal.SIGINT, path / "results.jsonl", 1
    )
    assert code == 130
    assert "Traceback" not in err
    assert re.search(r"stopped after \d+ of 120 runs; run the same command to resume", err)
    assert 0 < len(lines(path)) < 120


@pytest.mark.parametrize(
    ("arguments", "code", "message", "hint"),
    [
        ((), 2, "no results folder is given", "add `-o run`"),
        (("-o", "{tmp}/run"), 2, "no problems are given", "add `--task tiny`"),
        (("-o", "{tmp}/run", "--task", "tinny"), 2, "no task is called `tinny`", "did you mean `tiny`"),
        (("-o", "{tmp}/run", "--task", "tiny", "--task", "tiny"), 2, "a task is given twice", "remove"),
        (("-o", "{tmp}/run", "--task", "tiny", "--answer", "x"), 2, "`--answer` works with", "remove it"),
        (("-o", "{tmp}/run", "--task", "tiny", *2 * ("--method", "greedy")), 2, "given twice", ""),
        (("-o", "{tmp}/run", "--task", "tiny", "--method", "greedy:N=2"), 2, "has no option `particles`", ""),
        (("-o", "{tmp}/run", "--data", "{tmp}/no file.jsonl"), 6, "no file at", "check the path"),
        (("-o", "{tmp}/run", "--task", "tiny", "-m", "{tmp}/no.gguf"), 3, "no model at", "give a GGUF file"),
        (("-o", "/proc/run", "--task", "tiny"), 7, "`/proc/run` cannot be written", "another folder"),
    ],
)  # fmt: skip
def test_bad_input_is_one_sentence_and_writes_nothing(tmp_path, arguments, code, message, hint):
    arguments = [str(argument).replace("{tmp}", str(tmp_path)) for argument in arguments]
    done = process(*arguments)
    assert (done.returncode, done.stdout) == (code, "")
    first, *rest = done.stderr.splitlines()
    assert first.startswith("Error: ")
    assert message in first
    assert hint in "\n".join(rest)
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_run_with_a_failed_problem_says_so(tmp_path):
    data = tmp_path / "mine.jsonl"
    questions = "Compute 7 + 8.", "Compute 7 + 8. " * 400
    data.write_text("\n".join(json.dumps({"question": question, "answer": "15"}) for question in questions))
    done = process("--data", data, "--method", "greedy", "-n", 20, "-o", tmp_path / "run")
    assert (done.returncode, done.stdout) == (7, f"{tmp_path / 'run'}\n")
    assert "1 of 2 runs failed" in done.stderr
    assert len(lines(tmp_path / "run")) == 2


def test_errors_have_their_codes():
    assert [kind.exit_code for kind in (LocalSMCError, TaskError, RunError)] == [1, 6, 7]


def test_methods_with_two_models_run_beside_others_and_go_on_where_they_were(tmp_path):
    wanted = plan(
        tasks=(load_task("tiny", limit=2),),
        methods=tuple(map(parse_method, ("sample", "speculative", "draft-smc:N=3"))),
        seeds=(0,),
    )
    whole = run(tmp_path / "whole", wanted)
    file = tmp_path / "cut" / "results.jsonl"
    run(tmp_path / "cut", wanted, should_stop=lambda: file.exists() and len(lines(file.parent)) == 2)
    assert len(lines(tmp_path / "cut")) == 2
    run(tmp_path / "cut", wanted)
    assert without_seconds(lines(tmp_path / "cut")) == without_seconds(lines(tmp_path / "whole"))
    manifest = read_manifest(tmp_path / "whole")
    assert [one["name"] for one in manifest["draft"]] == ["draft"]
    assert plan().manifest()["draft"] == []
    drafts = {line["method"]: line["result"]["usage"]["draft"] for line in whole}
    assert drafts["sample"] is None
    assert drafts["speculative"]["drafted"] >= drafts["speculative"]["kept"] > 0


def test_a_run_does_not_go_on_with_another_draft(tmp_path, random_llama):
    methods = tuple(map(parse_method, ("ssr:N=1",)))
    wanted = plan(tasks=(load_task("tiny", limit=1),), methods=methods, seeds=(0,))
    run(tmp_path / "run", wanted)
    other = plan(tasks=wanted.tasks, methods=methods, seeds=(0,), draft=str(random_llama))
    with pytest.raises(RunError, match="draft"):
        run(tmp_path / "run", other)


def test_a_draft_that_does_not_go_with_the_model_is_said_before_any_line(tmp_path, random_llama):
    wanted = plan(methods=tuple(map(parse_method, ("speculative",))), draft=str(random_llama))
    with pytest.raises(ConfigError, match="cannot draft for"):
        run(tmp_path / "run", wanted)
    assert lines(tmp_path / "run") == []
