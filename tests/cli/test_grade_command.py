"""`localsmc grade` in real processes: completions and answers from other tools."""

import json
import os
import signal
import subprocess
import sys

import pytest
from program import PROGRAM

ROWS = [
    {"id": "a", "problem": "2+2?", "completion": "So the answer is 4.", "answer": "4"},
    {"id": "b", "problem": "2+3?", "completion": "The answer is \\boxed{6}", "answer": "2 + 3\n#### 5"},
    {"id": "c", "problem": "2+4?", "completion": "I do not know", "answer": 6},
    {"id": "d", "problem": "x?", "completion": "The answer is 1", "answer": None},
    {"id": "e", "problem": "half?", "completion": "Thus the answer is 0.5", "answer": "So \\boxed{\\frac12}"},
    {"id": "f", "problem": "y?", "completion": "the answer is 0", "answer": 7, "finish_reason": "length"},
]
VERDICTS = ["right", "wrong", "no-answer", "ungraded", "right", "truncated"]


def command(*arguments):
    return [sys.executable, "-c", PROGRAM, *map(str, arguments)]


def run(*arguments, stdin=""):
    child = subprocess.run(
        command(*arguments), input=stdin, capture_output=True, text=True, timeout=120, env=dict(os.environ)
    )
    return child.returncode, child.stdout, child.stderr


def jsonl(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def graded(stdin, *options):
    code, out, err = run("grade", "-", "--json", *options, stdin=stdin)
    assert code == 0, err
    return [json.loads(line) for line in out.splitlines()]


@pytest.fixture
def samples(tmp_path):
    path = tmp_path / "my samples.jsonl"
    path.write_text(jsonl(ROWS))
    return path


def test_rows_are_graded_in_order():
    lines = graded(jsonl(ROWS))
    assert [line["problem_id"] for line in lines] == list("abcdef")
    assert [line["verdict"] for line in lines] == VERDICTS
    assert [line["gold"] for line in lines] == ["4", "5", "6", None, "\\frac12", "7"]
    assert [line["answer"] for line in lines] == ["4", "6", None, "1", "0.5", None]


def test_the_table_counts_what_is_graded(samples):
    code, out, err = run("grade", samples)
    assert code == 0
    assert "|    6 |      5 | 40.0% |" in out
    assert "1 of 6 rows has no right answer" in err


def test_a_run_folder_is_reported_and_resumed(samples, tmp_path):
    folder = tmp_path / "a run"
    assert run("grade", samples, "-o", folder)[0] == 0
    whole = (folder / "results.jsonl").read_text()
    code, out, _ = run("report", folder)
    assert code == 0
    assert "given" in out
    assert "40.0%" in out
    (folder / "results.jsonl").write_text("".join(whole.splitlines(keepends=True)[:2]))
    assert run("grade", samples, "-o", folder)[0] == 0
    assert (folder / "results.jsonl").read_text() == whole
    code, _, err = run("grade", samples, "-o", folder, "--grader", "numeric")
    assert (code, "grader is numeric" in err) == (7, True)


@pytest.mark.parametrize(
    ("row", "options"),
    [
        ({"resps": [["The answer is 18"]], "doc": {"answer": "a #### 18"}}, ()),
        ({"messages": [{"role": "user", "content": "9?"}, {"role": "assistant", "content": "So \\boxed{18}"}],
          "answer": 18}, ()),
        ({"r": {"choices": [{"message": {"role": "assistant", "content": "\\boxed{18}"}}]}, "gold": "18"},
         ("--completion", "r.choices.0.message.content")),
        ({"answer": "18", "gold": "18"}, ()),
        ({"completion": "The answer is four.", "gold": ["4", "four"]}, ()),
        ({"a": "(B)", "right": "b"}, ("--answer", "a", "--gold", "right", "--grader", "choice")),
        ({"a": "Paris.", "right": "paris"}, ("--answer", "a", "--gold", "right", "--grader", "exact")),
    ],
)  # fmt: skip
def test_shapes_of_other_tools(row, options):
    [line] = graded(jsonl([row]), *options)
    assert line["verdict"] == "right"


CODE = {"completion": "```python\ndef f(x):\n    return x + 1\n```", "gold": "assert f(1) == 2\n#### f adds"}


def test_code_runs_only_where_it_is_allowed(tmp_path):
    rows = jsonl(
        [CODE, {**CODE, "completion": "def f(x):\n    return x"}, {**CODE, "gold": ["assert f(2) == 3"]}]
    )
    code, out, err = run("grade", "-", "--grader", "code", stdin=rows)
    assert (code, out) == (2, "")
    assert "the grader `code` runs the code in completions" in err
    assert "add `--run-code`" in err
    lines = graded(rows, "--grader", "code", "--run-code")
    assert [line["verdict"] for line in lines] == ["right", "wrong", "right"]
    assert lines[1]["reason"] == "AssertionError"
    code, out, err = run("grade", "-", "--run-code", stdin=rows)
    assert (code, "`--run-code` has no effect" in err) == (2, True)


def test_replies_are_graded_by_instructions_about_their_form():
    gold = {"instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}
    rows = [{"response": "a b", "gold": gold}, {"response": "a, b", "gold": json.dumps(gold)}]
    lines = graded(jsonl(rows), "--grader", "format")
    assert [line["verdict"] for line in lines] == ["right", "wrong"]
    assert [line["reason"] for line in lines] == [None, "punctuation:no_comma is not followed"]


def test_an_answer_is_taken_as_it_is():
    row = jsonl([{"text": "First 2, then 4", "gold": "4"}])
    [whole] = graded(row, "--answer", "text", "--grader", "numeric")
    assert (whole["answer"], whole["verdict"]) == ("First 2, then 4", "wrong")
    [found] = graded(row, "--completion", "text", "--grader", "numeric")
    assert (found["answer"], found["source"], found["verdict"]) == ("4", "fallback", "right")


def test_csv_from_standard_input():
    lines = graded("model_answer,solution\n2,2\n,3\n", "--answer", "model_answer", "--gold", "solution")
    assert [line["verdict"] for line in lines] == ["right", "no-answer"]


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "said"),
    [
        ((), "", 2, "no file is given"),
        (("-",), "", 6, "standard input has no rows"),
        (("-",), '{"a": 1}\n', 6, "available fields: `a`"),
        (("-", "--gold", "gold"), '{"completion": "1", "golds": 1}\n', 6, "did you mean `--gold golds`?"),
        (("-",), '{"completion": ["1", "2"], "gold": "4"}\n', 6, "a list of 2 values"),
        (("-",), '{"completion": "1", "gold": [["4", "5"]]}\n', 6, "is a list of lists"),
        (("-",), '{"completion": "1", "gold": ""}\n', 6, "has a right answer in `gold`"),
        (
            ("-", "--grader", "numeric"),
            '{"completion": "1", "gold": "red"}\n',
            6,
            "in row 1 (`red`)",
        ),
        (("-", "--completion", "a", "--answer", "b"), "{}", 2, "cannot be used together"),
        (("-", "--gold", ""), "{}", 2, "`--gold` is empty"),
        (("model.gguf",), "", 6, "no file at `model.gguf`"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(arguments, stdin, code, said):
    found, out, err = run("grade", *arguments, stdin=stdin)
    assert (found, out) == (code, "")
    assert said in err
    assert "hint: " in err
    assert "Traceback" not in err


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
def test_ctrl_c_keeps_what_is_graded(tmp_path):
    many = tmp_path / "many.jsonl"
    many.write_text(
        jsonl({"completion": f"x is \\boxed{{x+{i}}}", "gold": f"{i + 1}+x-1"} for i in range(300))
    )
    folder = tmp_path / "run"
    child = subprocess.Popen(
        command("grade", many, "-o", folder, "--json"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with child:
        first = child.stdout.readline()
        child.send_signal(signal.SIGINT)
        rest, err = child.communicate(timeout=60)
    shown = [json.loads(line) for line in [first, *rest.splitlines()]]
    kept = [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]
    assert child.returncode == 130
    assert [line["problem_id"] for line in shown] == [line["problem_id"] for line in kept]
    assert {line["verdict"] for line in kept} == {"right"}
    assert f"stopped after {len(kept)} of 300 rows; run the same command to resume" in err
