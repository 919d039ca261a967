"""GGUFs whose metadata hold control characters, NULs and bytes that are no UTF-8, in each command."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from program import PROGRAM
from tiny_gguf import write_llama

from localsmc.errors import ModelLoadFailed
from localsmc.gguf.reader import read_header

ODD = b"a\x1b[31m\x00b\xed\xa0\x80c\xff\r\n\xc2\x9b\xe2\x80\xaed"
NAME = "a\ufffd[31m\ufffdb\ufffd\ufffd\ufffdc\ufffd\ufffd\ufffd\ufffd\ufffdd"

REFUSED = {
    "general.architecture": "general.architecture contains a NUL character",
    "tokenizer.ggml.model": "tokenizer.ggml.model contains a NUL character",
    "tokenizer.ggml.pre": "tokenizer.ggml.pre contains a NUL character",
    "tokenizer.chat_template": "tokenizer.chat_template contains a NUL character",
    "a\x1b[31m.key": "a metadata key is 'a\\x1b[31m.key'",
    "a\x00.key": "a metadata key is 'a\\x00.key'",
}


@pytest.fixture(autouse=True)
def folders(monkeypatch, tmp_path):
    """Folders of the test's own."""
    for name in ("CACHE", "CONFIG", "DATA"):
        monkeypatch.setenv(f"LOCALSMC_{name}", str(tmp_path / name.lower()))


def run(*arguments):
    command = [sys.executable, "-c", PROGRAM, *map(str, arguments)]
    child = subprocess.run(
        command, stdin=subprocess.DEVNULL, env=os.environ, capture_output=True, timeout=120
    )
    output, errors = child.stdout.decode(), child.stderr.decode()
    assert "Traceback" not in errors
    assert "internal error" not in errors
    return child.returncode, output, errors


def is_clean(text):
    return all(char.isprintable() or char == "\n" for char in text)


@pytest.fixture
def named(tmp_path):
    strings = {"general.name": ODD, "general.author": ODD, "some.list": [ODD, b""]}
    return write_llama(tmp_path / "named.gguf", metadata=strings)


@pytest.mark.parametrize(
    "arguments",
    [
        ("models", "show"),
        ("models", "show", "--json"),
        ("doctor", "-m"),
        ("solve", "hi", "-n", "2", "-N", "2", "-t", "1", "--json", "-v", "-m"),
        ("quantize", "OUT", "Q8_0"),
    ],
    ids=" ".join,
)
def test_a_name_reaches_the_terminal_without_control_characters(arguments, named, tmp_path):
    command, *rest = [str(tmp_path / "out.gguf") if word == "OUT" else word for word in arguments]
    given = (command, named, *rest) if command == "quantize" else (command, *rest, named)
    code, output, errors = run(*given)
    assert code == 0, errors
    assert is_clean(output)
    assert is_clean(errors)


def test_json_has_the_name_as_it_is_shown_and_metadata_as_they_are(named):
    _, output, _ = run("models", "show", named, "--json")
    record = json.loads(output)
    assert record["name"] == NAME
    assert record["metadata"]["general.author"] == ODD.decode(errors="replace")


@pytest.mark.parametrize("key", REFUSED)
def test_what_llama_cpp_would_cut_or_nobody_can_type_is_refused(key, tmp_path):
    path = write_llama(tmp_path / "m.gguf", metadata={key: b"llama\x00x"})
    with pytest.raises(ModelLoadFailed) as caught:
        read_header(path)
    assert REFUSED[key] in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_refusal_is_one_sentence_and_a_hint(tmp_path):
    path = write_llama(tmp_path / "m.gguf", metadata={"general.architecture": b"llama\x00x"})
    code, output, errors = run("solve", "hi", "-m", path)
    assert (code, output) == (3, "")
    assert is_clean(errors)
    assert "hint: " in errors


def test_token_texts_of_any_bytes(tmp_path):
    odd = [b"\xed\xa0\x80\x1b\x00", b"<|\x1b\xffend|>", b"<|\x00|>", b"<|\xed\xa0\x80pad|>"]
    letters = [bytes([byte]) if 32 < byte < 127 else f"x{byte}".encode() for byte in range(256)]
    path = write_llama(tmp_path / "m.gguf", metadata={"tokenizer.ggml.tokens": [*letters, *odd]})
    code, output, errors = run("solve", "hi", "-m", path, "-n", "2", "-N", "2", "-t", "1", "--json")
    assert code in (0, 3), errors
    assert is_clean(output)
    assert is_clean(errors)


def test_names_of_any_length_are_cut(tmp_path):
    long = b"x" * 100_000
    named = write_llama(tmp_path / "named.gguf", metadata={"general.name": long})
    assert read_header(named).name == "x" * 200 + "…"
    path = write_llama(tmp_path / "m.gguf", metadata={"general.architecture": long})
    with pytest.raises(ModelLoadFailed, match="general.architecture has 100,000 characters"):
        read_header(path)
