"""The command `localsmc bench`: its tables, its error messages, and what remains after a failure."""

import json
import math
import signal
import subprocess
import sys

import pytest
from program import PROGRAM

import localsmc
from localsmc.bench.measure import Bench
from localsmc.bench.speed_table import FORMATS
from localsmc.errors import ContextFull
from localsmc_cli.main import run
from localsmc_cli.options.choices import TABLE_FORMATS

SHAPE = "test:vocab=1024"

SMALL = ["bench", "-t", "1", "-N", "1,3", "-n", "6", "-r", "1"]

# Every sample is told of at once.
CHATTY = "import localsmc_cli.ui.progress; localsmc_cli.ui.progress.PERIOD = 0; " + PROGRAM


def popen(*arguments):
    command = [sys.executable, "-c", CHATTY, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_the_embedded_model_and_a_shape_in_one_table(capsys):
    assert (
        run(
            [
                *SMALL,
                "-m",
                localsmc.store.model_source.resolve(None).path.as_posix(),
                "--synthetic",
                SHAPE,
                "-o",
                "json",
            ]
        )
        == 0
    )
    found = json.loads(capsys.readouterr().out)
    assert {account["model"] for account in found} == {
        "localsmc tiny",
        f"{SHAPE.replace(':', ':Q4_0:')}, random weights",
    }
    assert [account["test"] for account in found if "random" in account["model"]] == [
        "plain decoding",
        "llama_decode, rows=1",
        "llama_decode, rows=3",
        "power-smc:N=1",
        "power-smc:N=3",
        "power-smc, rows=3",
    ]
    assert all(math.isfinite(account["tokens_per_second"]) for account in found)


def test_the_model_of_the_environment_is_taken_where_none_is_named(capsys, monkeypatch):
    monkeypatch.setenv("LLAMA_ARG_MODEL", "/no such.gguf")
    assert run(SMALL) == 3
    assert "/no such.gguf" in capsys.readouterr().err


MISTAKES = [
    (["-N", "0"], 2, "`--particles`: '0' is not a whole number"),
    (["-N", "1,x"], 2, "'x' is not a whole number"),
    (["-N", ""], 2, "'' is not a whole number"),
    (["-n", "1"], 2, "'1' is not a whole number from 2"),
    (["-r", "0"], 2, "`--repetitions`"),
    (["--alpha", "0.5"], 2, "is not a list of exponents of at least 1"),
    (["--alpha", "two"], 2, "is not a list of numbers such as 2,4"),
    (["--alpha", "2", "--method", "greedy"], 2, "`--alpha` applies to none of the methods"),
    (["--method", "fast"], 2, "no method is called `fast`"),
    (["--method", "sample", "--method", "sample"], 2, "is given twice"),
    (["--synthetic", "qwen9"], 2, "qwen9"),
    (["--synthetic", "qwen2.5-7b:Q9"], 2, "Q9"),
    (["--synthetic", "test"], 2, "but the replayed model has"),
    (["--synthetic", SHAPE, "--method", "speculative"], 2, "cannot be replayed"),
    (["-o", "xml"], 2, "`--output`"),
    (["-m", "/no/such.gguf"], 3, "/no/such.gguf"),
    (["-m", __file__], 3, "GGUF"),
    (["-p", " "], 2, "the problem is empty"),
    (["-q", "-v"], 2, "cannot be used together"),
    (["-b", "2", "-N", "4"], 4, "4 tokens per step do not fit in a batch of 2"),
    (["stray"], 2, "stray"),
]


@pytest.mark.parametrize(("arguments", "code", "message"), MISTAKES, ids=lambda value: str(value)[:40])
def test_mistakes_are_one_sentence_with_a_hint(capsys, arguments, code, message):
    assert run(["bench", "-t", "1", "-r", "1", *arguments]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert "hint:" in captured.err
    assert "Traceback" not in captured.err


def test_an_error_in_the_middle_loses_nothing(capsys, monkeypatch):
    measured = Bench._run

    def run_once(self, case, repetition):
        if case.kind == "rows":
            raise ContextFull("no more", hint="lower `-N`")
        return measured(self, case, repetition)

    monkeypatch.setattr(Bench, "_run", run_once)
    assert run([*SMALL, "-r", "9", "-o", "csv"]) == 4
    captured = capsys.readouterr()
    assert "Error: no more" in captured.err
    assert 1 < len(captured.out.splitlines()) <= 6


def test_what_was_measured_before_an_error_is_shown(capsys, tmp_path):
    none = tmp_path / "none.gguf"
    none.write_text("no model, though it is called one")
    assert (
        run(
            [
                *SMALL,
                "-o",
                "csv",
                "-m",
                localsmc.store.model_source.resolve(None).path.as_posix(),
                "-m",
                str(none),
            ]
        )
        == 3
    )
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 1 + 6
    assert "/none.gguf" in captured.err


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_ctrl_c_keeps_what_is_measured():
    with popen("bench", "-t", "1", "-N", "2", "-n", "8", "-r", "100000", "-o", "jsonl") as child:
        while b": 9/" not in child.stderr.readline():
            pass
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=60)
    assert child.returncode == 130
    assert b"Traceback" not in err
    found = [json.loads(line) for line in out.splitlines()]
    assert {account["test"] for account in found} >= {"plain decoding", "power-smc:N=2"}


def test_the_formats_written_out_are_the_librarys():
    assert tuple(FORMATS) == TABLE_FORMATS
