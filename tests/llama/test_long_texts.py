"""Texts that overflow the stack in llama.cpp's regular expressions, or that take forever there.

Each try is a child process: where the mending fails, the process dies.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

import pytest
from tiny_gguf import write_llama

from localsmc.errors import ContextError, PromptTooLong
from localsmc.llama import tokenization
from localsmc.llama.weights import LlamaModel
from localsmc.system.roomy_call import NoRoom, RoomyCalls

N = 60_000
RUNS = {"letters": "a", "blanks": " ", "dots": ".", "digits": "7", "emoji": "\U0001f600", "CRLF": "\r\n"}


@pytest.fixture(scope="module", params=["gpt-4o", "tekken", "deepseek-v3"])
def path(request, tmp_path_factory):
    """A model whose pre-tokenizer runs in `std::regex`."""
    pre = {"tokenizer.ggml.pre": request.param.encode()}
    return write_llama(tmp_path_factory.mktemp("pre") / "model.gguf", metadata=pre)


@pytest.fixture
def slow(tmp_path):
    """A model whose pre-tokenizer needs minutes for long numbers: it looks ahead at every digit."""
    return write_llama(tmp_path / "slow.gguf", metadata={"tokenizer.ggml.pre": b"superbpe"})


def python(code, *arguments):
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, timeout=120
    )


def test_long_runs_of_one_kind_of_character(path):
    code = f"""
import sys
from pathlib import Path
from localsmc.llama.weights import LlamaModel
with LlamaModel(Path(sys.argv[1])) as model:
    for repeated in {list(RUNS.values())!r}:
        text = repeated * ({N} // len(repeated))
        print(model.text(model.tokenize(text, special=False)) == text.encode())
"""
    child = python(code, path)
    assert child.returncode == 0, child.stderr
    assert child.stdout.split() == ["True"] * len(RUNS)


def test_a_thread_gives_the_same_tokens(path, monkeypatch):
    text = "The quick (brown) fox, 123 times; it's fun!\n" * 20
    with LlamaModel(path) as model:
        at_once = model.tokenize(text, special=False)
        monkeypatch.setattr(tokenization, "SHORT", 0)
        assert model.tokenize(text, special=False).tolist() == at_once.tolist()


def test_a_text_that_takes_too_long_is_refused_and_its_model_is_not_freed(slow, monkeypatch):
    monkeypatch.setattr(tokenization, "SECONDS", 0.2)
    model = LlamaModel(slow)
    with pytest.raises(PromptTooLong, match=r"needs more than 0\.2 s for a text of 4,000 characters"):
        model.tokenize("7" * 4_000, special=False)
    assert model.tokenize("17 * 23", special=False).size == 7
    model.close()  # the thread still reads the vocabulary: freeing it would end this process


def test_ctrl_c_interrupts_the_wait(slow):
    code = """
import signal, sys, threading
from pathlib import Path
from localsmc.llama.weights import LlamaModel
signal.signal(signal.SIGINT, signal.default_int_handler)  # else ignored in background jobs
with LlamaModel(Path(sys.argv[1])) as model:
    threading.Timer(0.5, signal.raise_signal, [signal.SIGINT]).start()
    model.tokenize("7" * 60_000, special=False)
"""
    child = python(code, slow)
    assert child.returncode == -signal.SIGINT
    assert child.stderr.splitlines()[-1] == "KeyboardInterrupt"


def test_a_text_beyond_the_bound_is_refused(slow):
    with LlamaModel(slow) as model, pytest.raises(PromptTooLong, match="1,000,001 characters is too long"):
        model.tokenize("a" * 1_000_001, special=False)


def test_a_stack_that_the_system_does_not_give(slow, monkeypatch):
    def refuse(self, *_, **__):
        raise NoRoom

    monkeypatch.setattr(RoomyCalls, "call", refuse)
    with LlamaModel(slow) as model, pytest.raises(ContextError, match="needs a stack of 2 MiB"):
        model.tokenize("a" * 2_000, special=False)


def test_a_call_returns_raises_and_restores_the_size_of_stacks():
    calls, before = RoomyCalls(), threading.stack_size()
    assert calls.call(lambda: 7, stack=3_000_000, seconds=10) == 7
    with pytest.raises(ZeroDivisionError):
        calls.call(lambda: 1 // 0, stack=1, seconds=10)
    with pytest.raises(NoRoom):
        calls.call(lambda: 7, stack=1 << 60, seconds=10)
    assert threading.stack_size() == before
    assert not calls.is_busy
