"""`localsmc eval` on a user's file: what it says before a run, `--show`, `--retry-failed`."""

import json
import re
import subprocess
import sys

import pytest
from program import PROGRAM

from localsmc.engine import prompting
from localsmc.engine.load import load
from localsmc.engine.settings import Settings
from localsmc.evals.problem_settings import task_settings
from localsmc.evals.shown_problems import shown_problems
from localsmc.evals.tasks import Item, Task, user_task


def process(*arguments):
    command = [sys.executable, "-c", PROGRAM, "eval", "-t", "1", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


SHEET = (
    '\ufeffid;question;answer\r\n1;"What is 1,5 + 1;"" exactly?";"[""2.5"", ""5/2""]"\r\n'
    "2;Compute 7 + 8.;15\r\n3;Compute 1 + 1.;NaN\r\n;;\r\n"
)


@pytest.fixture
def sheet(tmp_path):
    path = tmp_path / "my sheet.csv"
    path.write_bytes(SHEET.encode())
    return path


def test_show_prints_the_problems_as_the_model_gets_them_and_runs_nothing(sheet, tmp_path):
    done = process("--data", sheet, "--show", 2, "-o", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    with load() as model:
        expected = [one.text for one in shown_problems(model, user_task(sheet), Settings(), 2)]
    for n, text, gold in ((1, expected[0], "2.5 or 5/2"), (2, expected[1], "15")):
        assert f"--- my sheet, problem {n} of 3: {n}, row {n}; " in done.stdout
        assert f" tokens ---\n{text}\n--- gold: {gold}; grader: math v" in done.stdout
    assert 'What is 1,5 + 1;" exactly?' in expected[0]
    assert "problem 3" not in done.stdout
    assert "problems from `question`, gold answers from `answer`, grader math" in done.stderr
    assert "1 of 3 problems has no gold answer (`3`): it runs, and is not graded" in done.stderr
    assert "nothing was run" in done.stderr
    assert not (tmp_path / "run").exists()


def test_what_is_shown_is_the_prompt_of_the_run():
    task = Task(
        name="t", version=1, source="here", grader="math", items=(Item(problem_id="a", question="7 + 8"),)
    )
    with load() as model:
        [shown] = shown_problems(model, task, Settings(), 3)
        prompt = prompting.build_prompt(model, "7 + 8", task_settings(model, task, Settings()))
        again = model.llama.with_bos(model.llama.tokenize(shown.text, special=True))
    assert shown.n_tokens == len(prompt.tokens)
    assert again.tolist() == prompt.tokens.tolist()


def test_a_problem_without_a_prompt_is_shown_with_the_reason(tmp_path):
    items = (Item(problem_id="a", question=" "), Item(problem_id="b", question="7 + 8"))
    task = Task(name="t", version=1, source="here", grader="math", items=items)
    with load() as model:
        bad, good = shown_problems(model, task, Settings(), 2)
    assert bad.error == "the problem is empty"
    assert good.error is None


def test_golds_that_cannot_be_read_end_the_command_before_anything_runs(tmp_path):
    data = tmp_path / "x.jsonl"
    data.write_text('{"question": "1?", "answer": "1"}\n{"question": "2?", "answer": "blue"}\n')
    done = process("--data", data, "--grader", "numeric", "-o", tmp_path / "run")
    assert (done.returncode, done.stdout) == (6, "")
    assert "the grader `numeric` cannot read the gold answers of" in done.stderr
    assert "in row 2 (`blue`)" in done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--task", "tiny", "--choices", "x"), "`--choices` works with `--data` without `--task` only"),
        (("--task", "tiny", "--turns", "last"), "`--turns` works with `--data` without `--task` only"),
        (("--data", "{sheet}", "--turns", "last"), "are no conversations, so `--turns` has no effect"),
        (("--data", "{sheet}", "--choices", "x"), "row 1 of .* has no field `x`"),
        (("--data", "{sheet}", "--show", "0"), "--show"),
    ],
)
def test_options_without_effect_are_refused(sheet, tmp_path, arguments, message):
    done = process(*(str(part).replace("{sheet}", str(sheet)) for part in arguments), "-o", tmp_path / "run")
    assert done.returncode in (2, 6)
    assert re.search(message, done.stderr)
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_damaged_line_and_failed_runs_are_said_and_run_again(tmp_path):
    data, path = tmp_path / "mine.jsonl", tmp_path / "run"
    questions = "Compute 7 + 8.", "Compute 7 + 8. " * 400, "Compute 1 + 2."
    data.write_text("\n".join(json.dumps({"question": question, "answer": "15"}) for question in questions))
    arguments = ("--data", data, "--method", "greedy", "-n", 20, "-o", path)
    first = process(*arguments)
    assert first.returncode == 7
    assert "to run them again, add `--retry-failed`" in first.stderr
    results = path / "results.jsonl"
    before = results.read_bytes().splitlines()
    results.write_bytes(b"\n".join([b"{broken", *before[1:], b""]))
    again = process(*arguments, "--retry-failed")
    assert again.returncode == 7  # it is as long as before
    assert "line 1 of" in again.stderr
    assert "is set aside in `damaged.jsonl`, and its problem runs again" in again.stderr
    assert "1 failed run is repeated" in again.stderr
    found = [json.loads(line) for line in results.read_bytes().splitlines()]
    assert sorted(line["problem_id"] for line in found) == ["1", "2", "3"]
    assert "Traceback" not in first.stderr + again.stderr
