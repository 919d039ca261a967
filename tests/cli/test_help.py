"""The help texts are short, grouped and have working examples; the reference page is built from them."""

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from localsmc_cli import reference
from localsmc_cli.main import run

ROOT = Path(__file__).parents[2]
PAGE = "docs/reference/cli.md"
LEAVES = dict(reference.leaves())
NEED_THE_HUB = ("models pull", "models rm")
NEED_A_TERMINAL = ("localsmc chat", "localsmc config edit", "EDITOR=nano localsmc config edit")
MAX_LINES = 72


@pytest.mark.parametrize("path", LEAVES)
def test_help_is_short_and_fits_a_narrow_window(path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    assert run([*path.split()[1:], "--help"]) == 0
    narrow = capsys.readouterr().out
    # What cannot be broken is: a list of choices, an example.
    wide = [line for line in narrow.splitlines() if len(line) > 60]
    assert all("localsmc " in line or "--" in line for line in wide), wide
    monkeypatch.setenv("COLUMNS", "80")
    assert run([*path.split()[1:], "--help"]) == 0
    assert len(capsys.readouterr().out.splitlines()) <= MAX_LINES


@pytest.mark.parametrize("path", LEAVES)
def test_all_options_are_in_one_of_the_two(path, capsys):
    command = LEAVES[path]
    rare = [one for one in command.params if getattr(one, "rare", False)]
    assert run([*path.split()[1:], "--help-all" if rare else "--help"]) == 0
    whole = capsys.readouterr().out
    assert run([*path.split()[1:], "--help"]) == 0
    short = capsys.readouterr().out
    for option in (one for one in command.params if isinstance(one, click.Option)):
        spelled = max(option.opts, key=len)
        assert spelled in whole
        assert (f"{spelled} " in short or f"{spelled}\n" in short or f"{spelled}," in short) is (
            option not in rare
        )


@pytest.mark.parametrize("path", LEAVES)
def test_every_command_has_two_examples_of_itself(path):
    examples = reference.examples_of(LEAVES[path])
    assert len(examples) == 2
    assert all(path in example or path.startswith("localsmc config") for example in examples)


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A folder with what the examples name, and a `localsmc` on the path."""
    import localsmc_models

    folder = tmp_path_factory.mktemp("examples")
    (folder / "bin").mkdir()
    program = folder / "bin" / "localsmc"
    program.write_text(
        f"#!/bin/sh\nexec {sys.executable} -c 'from localsmc_cli.main import main; main()' \"$@\"\n"
    )
    program.chmod(0o755)
    (folder / "problem.txt").write_text("What is 12 + 30?")
    (folder / "problems.csv").write_text("text,solution\nWhat is 2 + 2?,4\n")
    (folder / "samples.jsonl").write_text('{"text": "The answer is 4.", "answer": 4}\n')
    (folder / "answers.csv").write_text("model_answer,solution\n4,4\n")
    for name in ("model.gguf", "model-F16.gguf"):
        (folder / name).symlink_to(localsmc_models.path("draft"))
    return folder


@pytest.mark.skipif(os.name != "posix", reason="examples are for a POSIX shell")
def test_examples_run(workplace, monkeypatch):
    for name in ("HOME", "LOCALSMC_CACHE", "LOCALSMC_CONFIG", "LOCALSMC_DATA"):
        monkeypatch.setenv(name, str(workplace / name.lower()))
    monkeypatch.setenv("PATH", f"{workplace / 'bin'}{os.pathsep}{os.environ['PATH']}")
    # An example says what to type, not how long a test may take.
    for name, value in {"LIMIT": "2", "THREADS": "1", "REPETITIONS": "1", "BENCH_PREDICT": "4"}.items():
        monkeypatch.setenv(f"LOCALSMC_{name}", value)
    failed = []
    for path, command in LEAVES.items():
        if any(name in path for name in NEED_THE_HUB):
            continue
        for example in reference.examples_of(command):
            if example in NEED_A_TERMINAL or "--synthetic" in example:
                continue
            if "localsmc/bash" in example or "bash-completion" in example:
                (workplace / "home/.local/share/bash-completion/completions").mkdir(parents=True)
            child = subprocess.run(
                ["bash", "-c", example],
                cwd=workplace,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=120,
            )
            if child.returncode:
                failed.append((example, child.returncode, child.stderr.decode()))
    assert not failed


def test_the_reference_page_is_what_help_says():
    written = (ROOT / PAGE).read_text(encoding="utf-8")
    assert written == reference.page(), f"run: python -m localsmc_cli.reference {PAGE}"
