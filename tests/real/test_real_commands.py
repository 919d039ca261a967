"""The commands in real processes on the real models, by paths with spaces."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from program import PROGRAM

BRIEF = ["-t", "1", "-s", "1", "-n", "8"]


@pytest.fixture(autouse=True)
def folders(monkeypatch, tmp_path):
    """Folders of the test's own, and no width of the terminal that runs it."""
    for name in ("CACHE", "CONFIG", "DATA"):
        monkeypatch.setenv(f"LOCALSMC_{name}", str(tmp_path / name.lower()))
    monkeypatch.setenv("COLUMNS", "100")


def run(*arguments, said=""):
    child = subprocess.run(
        [sys.executable, "-c", PROGRAM, *map(str, arguments)],
        input=said,
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert "Traceback" not in child.stderr
    return child.returncode, child.stdout, child.stderr


def test_solve_with_an_instruction_model(smollm2_path, with_spaces):
    path = with_spaces(smollm2_path)
    code, output, errors = run("solve", "-m", path, *BRIEF, "-N", "2", "--json", "Name three colors.")
    assert code == 0, errors
    result = json.loads(output)
    assert result["model"]["params"] == 134_515_008
    assert result["model"]["path"] == str(path)
    assert result["text"]
    again = json.loads(run("solve", "-m", path, *BRIEF, "-N", "2", "--json", "Name three colors.")[1])
    assert again["completions"] == result["completions"]


def test_solve_with_a_base_model(gemma_path, with_spaces):
    code, output, errors = run(
        "solve", "-m", with_spaces(gemma_path), *BRIEF, "--raw", "--method", "greedy", "A B C D E"
    )
    assert code == 0, errors
    assert output.startswith(" F G H")


def test_a_chat_of_three_turns(smollm2_path, with_spaces, tmp_path):
    file = tmp_path / "a chat.jsonl"
    said = "Name a large city.\nIn which country is it?\nThank you.\n"
    code, output, errors = run(
        "chat", "-m", with_spaces(smollm2_path), *BRIEF, "-N", "2", "-o", file, said=said
    )
    assert code == 0, errors
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    messages = [line for line in lines if "role" in line]
    assert [line["role"] for line in messages] == ["user", "assistant"] * 3
    assert output == "".join(f"{line['content']}\n" for line in messages[1::2])
    assert [line["usage"]["cached_tokens"] > 0 for line in messages[1::2]] == [False, True, True]
