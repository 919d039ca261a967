"""Characters of every script reach the terminal as they are, in lines, tables, panels and the answer."""

import json
import os
import subprocess
import sys

import pytest
from program import PROGRAM
from tiny_gguf import write_llama

from localsmc.report import table
from localsmc.text.reasoning import TextPart
from localsmc_cli.chat.panel import styled
from localsmc_cli.ui.columns import columns
from localsmc_cli.ui.summary import short

WRITTEN = ["Bonjour\u00a0!", "新しい\u3000フォルダ", "می\u200cخواهم", "👩\u200d💻"]


def run(*arguments):
    command = [sys.executable, "-c", PROGRAM, *map(str, arguments)]
    return subprocess.run(command, stdin=subprocess.DEVNULL, env=os.environ, capture_output=True, timeout=120)


@pytest.mark.parametrize("text", WRITTEN)
def test_what_people_write_is_shown_as_it_is(text):
    assert short(text) == table.text(text) == text
    assert text in columns((), [[text, "x"]])
    assert styled([TextPart(text, is_thought=False)], hides_thought=False).plain == text


def test_control_characters_become_blanks():
    assert short("a\x1b[31m\nb") == table.text("a\x1b[31m\nb") == "a [31m b"
    assert styled([TextPart("a\x1b[31m\nb", is_thought=False)], hides_thought=False).plain == "a [31m\nb"


def test_a_path_is_named_as_it_was_typed(tmp_path):
    for text in WRITTEN:
        child = run("solve", "hi", "-m", tmp_path / text / "none.gguf")
        assert (child.returncode, text in child.stderr.decode()) == (3, True)


def test_metadata_are_shown_as_they_are(tmp_path):
    names = {f"some.name{i}": text.encode() for i, text in enumerate(WRITTEN)}
    path = write_llama(tmp_path / "m.gguf", metadata=names)
    shown = run("models", "show", path).stdout.decode()
    assert all(text in shown for text in WRITTEN)
    stored = json.loads(run("models", "show", "--json", path).stdout)["metadata"]
    assert [stored[name] for name in names] == WRITTEN
