"""The grader `code`: which part of a reply is the program, and what its process may not do."""

import json
import os
import sys
import time

import psutil
import pytest

from localsmc.errors import ConfigError
from localsmc.evals.grading import Grader
from localsmc.system import program_runner

PROMPT = 'from typing import List\n\n\ndef total(start: int, xs: List[int]) -> int:\n    """ Add them. """\n'
TESTS = "def check(candidate):\n    assert candidate(1, [2]) == 3\n    assert candidate(0, []) == 0\n"
GOLD = json.dumps({"prompt": PROMPT, "entry_point": "total", "test": TESTS})
RIGHT = "    return start + sum(xs)"

posix = pytest.mark.skipif(os.name != "posix", reason="the limits of Unix")


@pytest.fixture(scope="module")
def grader():
    with Grader("code", limit=60.0, run_code=True) as one:
        yield one


@pytest.mark.parametrize(
    "reply",
    [
        RIGHT,
        f"{RIGHT}\n\ndef main():\n    this is no Python",
        "return start + sum(xs)",
        "total_of = sum(xs)\nreturn start + total_of",
        f"Sure!\n```python\n{PROMPT}{RIGHT}\n```\nIt adds.",
        "```py\nprint(total(1, [3]))\n```\nor\n```py\ndef total(a, b: List):\n    return a + sum(b)\n```",
        "```\ndef total(a, b):\n    return a + sum(b)",
        "~~~py\ntotal = lambda a, b: a + sum(b)\n~~~",
        "    print('x')\n    open('note', 'w').write('x')\n" + RIGHT,
        "    import tempfile\n    tempfile.TemporaryFile().write(b'x')\n" + RIGHT,
        "    from dataclasses import dataclass\n    @dataclass\n    class A:\n        x: 'int'\n" + RIGHT,
        "    import numpy\n    return int(start + numpy.sum(xs))",
    ],
)  # fmt: skip
def test_programs_that_pass(grader, reply):
    grade = grader.grade(reply, GOLD)
    assert grade.is_right, grade.reason


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("return start", "AssertionError"),
        ("return start +", "SyntaxError"),
        ("import os; os._exit(0)", "ended before its tests"),
        ("import sys; sys.exit(0)", "SystemExit"),
        ("return input()", "EOFError"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("raise ValueError('\\udc80\\x1b[31m\\nx')", "ValueError: [31m x"),
        ("raise type('E' * 10**6, (Exception,), {'__str__': lambda self: 1})", "E" * 300),
        ("import os; [os.close(fd) for fd in range(3, 9)]", ""),
        ("return total(start, xs)", "RecursionError"),
        ("import subprocess; subprocess.run(['true'])", "PermissionError: subprocess.Popen is not allowed"),
        ("import os; os.system('true')", "PermissionError: os.system is not allowed"),
        ("import ctypes; ctypes.CDLL(None).fork()", "PermissionError: ctypes.dlopen is not allowed"),
        ("import os; os.kill(os.getppid(), 9)", "PermissionError: os.kill is not allowed"),
        ("import socket; socket.create_connection(('127.0.0.1', 9))", "PermissionError: socket."),
        ("import urllib.request as u; u.urlopen('http://127.0.0.1:9')", "PermissionError: urllib.Request"),
    ],
)
def test_programs_that_fail(grader, body, reason):
    grade = grader.grade(f"    {body}", GOLD)
    assert (grade.verdict, reason in grade.reason) == ("wrong", True), grade.reason


@posix
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("open({there!r}, 'w')", "files are written in the current folder only"),
        ("import os; os.remove({there!r})", "os.remove works in the current folder only"),
        ("import os; os.rename({there!r}, 'here')", "os.rename works in the current folder only"),
        ("import shutil; shutil.rmtree({folder!r})", "works in the current folder only"),
        ("import pathlib; pathlib.Path({there!r}).write_text('')", "files are written in the current"),
        ("import os; os.open({there!r}, os.O_WRONLY)", "files are written in the current folder only"),
        ("import os; os.symlink({there!r}, 'x'); open('x', 'w')", "os.symlink works in the current folder"),
        ("import os; os.fork()", "os.fork is not allowed"),
    ],
)
def test_files_outside_its_folder_stay_as_they_are(grader, tmp_path, body, reason):
    there = tmp_path / "kept.txt"
    there.write_text("kept")
    grade = grader.grade("    " + body.format(there=str(there), folder=str(tmp_path)), GOLD)
    assert (grade.verdict, reason in grade.reason) == ("wrong", True), grade.reason
    assert there.read_text() == "kept"


@pytest.mark.skipif(sys.platform != "linux", reason="macOS does not keep a limit of addresses")
def test_memory_is_limited(grader):
    assert grader.grade("    return [0] * 10**10", GOLD).reason == "MemoryError"


@posix
def test_a_program_without_end_is_wrong_and_leaves_no_process(grader):
    began = time.monotonic()
    grade = grader.grade("    while True: pass", GOLD)
    assert (grade.verdict, grade.reason.startswith("the program ")) == ("wrong", True)
    assert time.monotonic() - began < program_runner.WALL_SECONDS + 10
    assert psutil.Process(grader._worker.pid).children() == []
    assert grader.grade(RIGHT, GOLD).is_right


@pytest.mark.skipif(sys.platform != "linux", reason="rules of the Linux kernel")
def test_the_kernel_refuses_what_no_audit_hook_sees(grader):
    spawn = "import multiprocessing as m\nm.get_context('spawn').Process(target=print).start()"
    assert "Operation not permitted" in grader.grade(spawn, "assert True").reason


def test_a_program_cannot_reply_for_its_tests(grader):
    forged = """
import os
for fd in range(3, 60):
    try:
        os.write(fd, b'{"error": null}\\n{"token": null, "error": null}\\n')
    except OSError:
        pass
os._exit(0)
"""
    grade = grader.grade(forged, "assert False")
    assert (grade.verdict, grade.reason) == ("wrong", "the program ended before its tests: exit code 0")


@posix
def test_secrets_of_the_environment_are_not_passed_on(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "secret")
    with Grader("code", limit=60.0, run_code=True) as grader:
        assert grader.grade("import os", "assert 'HF_TOKEN' not in os.environ").is_right


def test_tests_alone_are_a_gold_answer(grader):
    assert grader.grade("def f(x): return x + 1", "assert f(1) == 2").is_right
    assert not grader.grade("def f(x): return x", "assert f(1) == 2").is_right
    for unread in ("assert f(1) ==", "", '{"prompt": "x"}', '{"test": 1}'):
        assert grader.grade("def f(x): return x", unread).verdict == "failed"
    assert grader.grade("", "assert True").reason == "there is no answer"


def test_no_code_runs_unless_it_is_allowed():
    with pytest.raises(ConfigError, match="runs code that a model wrote"):
        Grader("code")
