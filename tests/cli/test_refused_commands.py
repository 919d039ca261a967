"""What the commands make of a refusal: no answer, the exit code of a run, and the next command to type.

A grammar makes the embedded model refuse; with other openings, everything that it writes is a refusal.
"""

import json
import subprocess
import sys
from dataclasses import replace

import pytest
from program import PROGRAM
from renamed_model import renamed

import localsmc_models
from localsmc.results import AnswerShare
from localsmc_cli.ui.summary import share_lines
from localsmc_models.corpus.refusals import REFUSALS

DEADLINE = 120
REFUSES = [
    "-t",
    "1",
    "-s",
    "1",
    "--method",
    "greedy",
    "--grammar",
    f'root ::= "{REFUSALS[0]}" | "{REFUSALS[9]}"',
]
HINT = (
    "hint: the embedded model only does arithmetic; for anything else take a real model: localsmc solve -m "
)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    for name in ("CACHE", "CONFIG", "DATA"):
        monkeypatch.setenv(f"LOCALSMC_{name}", str(tmp_path / name.lower()))


def process(*arguments, said=""):
    """A real process, to its end: exit code, standard output and error."""
    command = [sys.executable, "-c", PROGRAM, *map(str, arguments)]
    child = subprocess.run(command, input=said.encode(), capture_output=True, timeout=DEADLINE)
    return child.returncode, child.stdout.decode(), child.stderr.decode()


def test_solve_prints_the_refusal_and_says_what_to_type():
    code, out, err = process("solve", "What is 4 million?", *REFUSES)
    assert code == 0
    assert out.rstrip() in REFUSALS
    assert err.count("hint:") == 1
    assert HINT in err
    assert "4 million" not in err


def test_a_refusal_has_no_answer_where_one_is_expected():
    code, _, err = process("solve", "What is 4 million?", *REFUSES, "--select", "majority")
    assert code == 0
    assert "\nAnswer: none (refusal)\n" in err


def test_quiet_prints_the_text_only():
    code, out, err = process("solve", "hello", *REFUSES, "-q")
    assert (code, err) == (0, "")
    assert out.rstrip() in REFUSALS


def test_json_has_a_field_for_it():
    code, out, err = process("solve", "hello", *REFUSES, "--json")
    result = json.loads(out)
    assert (code, result["answer"], result["is_refused"]) == (0, None, True)
    assert [one["is_refused"] for one in (*result["answers"], *result["completions"])] == [True, True]
    assert HINT in err


def test_the_same_text_of_another_model_is_an_answer(tmp_path):
    model = renamed(tmp_path / "general.gguf")
    code, out, err = process("solve", "hello", *REFUSES, "--json", "-m", model)
    result = json.loads(out)
    assert (code, result["is_refused"]) == (0, False)
    assert result["answer"] in REFUSALS
    assert "hint:" not in err


@pytest.mark.parametrize("arguments", [[], ["--json"]], ids=["table", "json"])
def test_a_comparison_gives_the_hint_once(arguments):
    code, out, err = process("solve", "hello", *REFUSES, "--method", "sample", *arguments)
    assert code == 0
    assert out.count("none (refusal)") == (0 if arguments else 2)
    assert err.count("hint:") == 1


def test_chat_gives_the_hint_once_and_keeps_what_was_said(tmp_path):
    code, out, err = process("chat", *REFUSES, "-o", tmp_path / "c.jsonl", said="hello\nand you?\n/answers\n")
    assert code == 0
    assert [line in REFUSALS for line in out.splitlines()] == [True, True]
    assert err.count("hint:") == 1
    assert "take a real model: /model model.gguf" in err
    assert "refusal  100 %" in err
    replies = [json.loads(line) for line in (tmp_path / "c.jsonl").read_text().splitlines()][2::2]
    assert [(one["answer"], one["is_refused"]) for one in replies] == [(None, True)] * 2


def test_a_trace_says_it(tmp_path):
    process("solve", "hello", *REFUSES, "--trace", tmp_path / "t.jsonl")
    end = json.loads((tmp_path / "t.jsonl").read_text().splitlines()[-1])
    assert (end["answer"], end["is_refused"], end["answers"][0]["is_refused"]) == (None, True, True)
    code, out, _ = process("report", tmp_path / "t.jsonl")
    assert code == 0
    assert "100" in out


def test_refusals_have_a_line_of_their_own_among_the_answers():
    shares = [
        AnswerShare(answer=None, weight=0.5, count=2, is_refused=True),
        AnswerShare(answer="4", weight=0.3, count=1),
        AnswerShare(answer=None, weight=0.2, count=1),
    ]
    assert [line.split("  ")[0].rstrip() for line in share_lines(shares, 8)] == ["refusal", "4", "no answer"]


@pytest.fixture
def refusing(monkeypatch):
    """Whatever the embedded models write is a refusal."""
    card = localsmc_models.card
    monkeypatch.setattr(localsmc_models, "card", lambda name: replace(card(name), refusals=("",)))


def test_eval_counts_refusals_as_no_answer(refusing, cli, tmp_path):
    folder = tmp_path / "run"
    arguments = ["--task", "tiny", "--limit", "2", "--method", "greedy", "--method", "sample:N=3", "-t", "1"]
    code, _, err = cli("eval", *arguments, "-n", "8", "-o", folder)
    assert code == 0, err
    lines = [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]
    assert [(one["answer"], one["verdict"]) for one in lines] == [(None, "no-answer")] * 4
    assert all(one["result"]["is_refused"] for one in lines)
    code, out, _ = cli("report", folder, "--json", "-")
    assert code == 0
    rows = json.loads(out)["tables"]["accuracy"]
    assert {(row["accuracy"], row["no_answer"], row["refused"], row["truncated"]) for row in rows} == {
        (0, 1, 1, 0)
    }
    code, out, _ = cli("report", folder, "--html", tmp_path / "page.html")
    assert code == 0
    assert "refused" in out
    assert "refusal" in (tmp_path / "page.html").read_text()


def test_without_refusals_the_report_has_no_column_for_them(cli, tmp_path):
    cli("eval", "--task", "tiny", "--limit", "1", "--method", "greedy", "-t", "1", "-o", tmp_path / "run")
    code, out, _ = cli("report", tmp_path / "run")
    assert code == 0
    assert "accuracy" in out.lower()
    assert "refused" not in out
