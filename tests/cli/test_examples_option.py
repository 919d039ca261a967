"""Worked examples on the command line: solve, chat and eval in real processes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from program import PROGRAM

SHIPPED = Path(__file__).parents[2] / "docs" / "examples" / "word_problems.jsonl"
BRIEF = ["-t", "1", "-N", "2", "-n", "12", "--seed", "1"]


def run(*arguments, stdin=""):
    child = subprocess.run(
        [sys.executable, "-c", PROGRAM, *map(str, arguments)],
        input=stdin, capture_output=True, text=True, timeout=120, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    return child.returncode, child.stdout, child.stderr


@pytest.fixture
def shipped(tmp_path):
    path = tmp_path / "my examples.jsonl"
    path.write_bytes(SHIPPED.read_bytes())
    return path


def test_solve_shows_them_and_says_so(shipped):
    code, out, err = run("solve", "What is 2 + 3?", *BRIEF, "--examples", shipped, "--json", "-v")
    config = json.loads(out)["method"]["config"]
    assert code == 0
    assert config["examples"]["n_pairs"] == 4
    assert err.index("Mia has 3 apples") < err.index("1 bag left") < err.index("What is 2 + 3?")


def test_a_text_is_put_before_the_problem(tmp_path):
    text, trace = tmp_path / "my notes", tmp_path / "trace.jsonl"
    text.write_text("Add the two numbers.\n")
    assert run("solve", "2, 3", *BRIEF, "--raw", "--examples", text, "--trace", trace)[0] == 0
    assert json.loads(trace.read_text().splitlines()[0])["prompt"] == "Add the two numbers.\n\n2, 3"


def test_chat_shows_them_before_the_conversation(shipped):
    code, out, err = run(
        "chat", *BRIEF, "--no-save", "--examples", shipped, "-v", stdin="What is 2 + 3?\nAnd 4 more?\n"
    )
    assert code == 0
    assert out.strip()
    assert err.count("Mia has 3 apples") == 2


def test_eval_shows_the_first_rows_records_them_and_resumes_with_no_others(shipped, tmp_path):
    folder = tmp_path / "a run"
    command = [
        "eval",
        "--task",
        "tiny",
        "--limit",
        "2",
        "--method",
        "greedy",
        "-n",
        "12",
        "-t",
        "1",
        "-o",
        folder,
    ]
    few = [*command, "--fewshot", "2", "--fewshot-data", shipped]
    assert run(*few)[:2] == (0, f"{folder}\n")
    [task] = json.loads((folder / "manifest.json").read_text())["tasks"]
    assert task["examples"]["n_pairs"] == 2
    lines = [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]
    assert {line["result"]["method"]["config"]["examples"]["n_pairs"] for line in lines} == {2}
    assert all(line["result"]["usage"]["cached_tokens"] > 50 for line in lines)
    code, _, err = run(*few, "-v")
    assert code == 0
    for other in (command, [*few[:-3], "3", *few[-2:]], [*command, "--examples", shipped]):
        code, _, err = run(*other)
        assert code == 7
        assert "was created with different" in err
        assert "Traceback" not in err


def test_eval_counts_the_beginning_once(shipped, tmp_path):
    command = ["eval", "--task", "tiny", "--limit", "2", "--method", "greedy", "-n", "4", "-t", "1", "-v"]
    code, _, err = run(*command, "--examples", shipped, "-o", tmp_path / "run")
    assert code == 0
    [line] = (tmp_path / "run" / "results.jsonl").read_text().splitlines()[:1]
    cached = json.loads(line)["result"]["usage"]["cached_tokens"]
    assert f"what prompts begin with took {cached} tokens" in err


@pytest.mark.parametrize(
    ("arguments", "code", "message", "hint"),
    [
        (["--examples", ""], 2, "`--examples` is empty", "give a file"),
        (["--examples", "none.txt"], 2, "`none.txt` cannot be read", "takes a text file"),
        (["--examples", "none.jsonl"], 6, "no file at `none.jsonl`", "`--examples`"),
        (["--fewshot", "0"], 2, "`--fewshot`: '0' is not a whole number", "--help"),
        (["--fewshot", "2"], 2, "the task `tiny` has no training problems", "`--fewshot-data FILE`"),
        (["--fewshot-data", SHIPPED], 2, "needs the number of examples", "add `--fewshot 4`"),
        (["--fewshot", "9", "--fewshot-data", SHIPPED], 6, "9 examples are asked for, but", "--fewshot 4"),
        (["--fewshot", "2", "--examples", SHIPPED], 2, "the examples are given twice", "remove"),
        (
            ["--fewshot", "2", "--fewshot-data", SHIPPED, "--answer", "solution"],
            6,
            "has no field `solution`",
            "choose one with `--answer FIELD`",
        ),
        (["--answer", "solution"], 2, "`--answer` works with `--data`", "remove it"),
        (["--raw", "--system", "Be brief."], 2, "`--system` has no effect", "remove `--raw` or `--system`"),
    ],
)
def test_mistakes_are_one_sentence_and_a_hint(cli, tmp_path, arguments, code, message, hint):
    result = cli("eval", "--task", "tiny", "--limit", "2", "-o", tmp_path / "run", *arguments)
    assert result[0] == code
    assert message in result[2]
    assert hint in result[2].split("hint: ")[1]
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("option", [["--examples"], ["--fewshot", "4", "--fewshot-data"]])
def test_a_problem_among_the_examples_is_refused(cli, shipped, tmp_path, option):
    code, _, err = cli("eval", "--data", shipped, *option, shipped, "-o", tmp_path / "run")
    assert code == 6
    assert "problem `1` of `my examples` is among the examples" in err


def test_examples_longer_than_the_context_end_the_evaluation(cli, shipped, tmp_path):
    code, _, err = cli(
        "eval", "--task", "tiny", "--limit", "2", "-o", tmp_path / "run", "--examples", shipped, "-c", "64"
    )
    assert code == 4
    assert "tokens before the problem, but the context holds 64" in err
