"""Grade a program by its tests: both run together in a child process, which has limits.

The gold answer is the text of the tests, Python that raises if they fail, or a JSON object with `test` and,
for a function that is to be completed, `prompt`, its beginning, and `entry_point`, its name.
"""

from __future__ import annotations

import ast
import json
import os
import re
import secrets
import tempfile
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from localsmc.evals.grading.verdict import NO_ANSWER, RIGHT, UNREAD_GOLD, Grade
from localsmc.system.child_process import ChildProcess
from localsmc.system.program_runner import PROCESSOR_SECONDS, WALL_SECONDS

_RUN = "from localsmc.system.program_runner import run; run(replies, sys.argv[1])"
_FENCED = re.compile(
    r"^[ \t]*(`{3,}|~{3,})[ \t]*[^\n`]*\n(.*?)(?:^[ \t]*\1[ \t]*$|\Z)", re.DOTALL | re.MULTILINE
)
_NEXT = re.compile(r"^(?=[^\s)\]}])", re.MULTILINE)
"""Where the body of a function that a model continues has ended: the next line at the margin."""

_KEPT_VARIABLES = (
    "PATH",
    "LANG",
    "LC_ALL",
    "SYSTEMROOT",
    "VIRTUAL_ENV",
    "DYLD_LIBRARY_PATH",
    "LD_LIBRARY_PATH",
)


_TIME_TO_EXIT = 2.0
"""Seconds for a process that has closed its pipes, so that it ends by itself and not by a signal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeTests:
    """The tests of a program. `prompt` is how the function `entry_point` begins; both can be empty."""

    test: str
    prompt: str = ""
    entry_point: str = ""


def code(answer: str, gold: str) -> Grade:
    """Whether the program in an answer passes its tests, within the limits of `program_runner`."""
    tests = read_tests(gold)
    if tests is None:
        return UNREAD_GOLD
    if not answer.strip():
        return NO_ANSWER
    return _outcome(program(answer, tests))


def read_tests(gold: str) -> CodeTests | None:
    """The tests of a gold answer; None if they are no Python."""
    try:
        fields = json.loads(gold)
    except ValueError:
        fields = {"test": gold}
    if not isinstance(fields, dict) or not all(isinstance(text, str) for text in fields.values()):
        return None
    known = {name: fields.get(name, "") for name in CodeTests.__dataclass_fields__}
    if not known["test"].strip() or not _parses(known["test"]):
        return None
    return CodeTests(**known)


def program(answer: str, tests: CodeTests) -> str:
    """The whole program: the function, completed if the answer only continues it, and the tests."""
    found = _code_in(answer, tests.entry_point)
    if tests.entry_point and not _defines(found, tests.entry_point):
        found = tests.prompt + _continuation(found)
    elif tests.prompt:
        # What stands before the function: imports, and other functions that it may call.
        at = tests.prompt.rfind(f"def {tests.entry_point}")
        found = f"{tests.prompt[: max(at, 0)]}\n{found}"
    call = f"\ncheck({tests.entry_point})" if tests.entry_point and "def check(" in tests.test else ""
    return f"{found}\n\n{tests.test}{call}\n"


def _code_in(answer: str, entry_point: str) -> str:
    """The fenced block that defines the function, or anything, or the first; without any, all of the text."""
    blocks = [found[2] for found in _FENCED.finditer(answer)]
    if not blocks:
        return answer
    named = [block for block in blocks if entry_point and _defines(block, entry_point)]
    defining = [block for block in blocks if re.search(r"^(?:async )?(?:def|class) ", block, re.MULTILINE)]
    return next(iter([*named, *defining, *blocks]))


def _defines(text: str, name: str) -> bool:
    return (
        re.search(rf"^(?:(?:async )?def|class) {re.escape(name)}\b|^{re.escape(name)} *=", text, re.MULTILINE)
        is not None
    )


def _continuation(text: str) -> str:
    """The body of a function, up to the next line at the margin; a body at the margin is indented."""
    lines = text.strip("\n")
    if lines and not lines[0].isspace():
        if _parses(f"def _():\n{_indented(lines)}"):
            return _indented(lines)
        return text  # the rest of a line that the prompt begins
    end = _NEXT.search(lines)
    return lines[: end.start()] if end else lines


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" if line.strip() else line for line in text.split("\n"))


def _parses(text: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about escapes in strings
        try:
            ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return False
    return True


def _outcome(text: str) -> Grade:
    """Run a program in an empty folder that is removed afterwards."""
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    # One thread: each of a numerical library's threads reserves memory.
    kept |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        kept |= {"HOME": folder, "TMPDIR": folder}
        with ChildProcess(_RUN, folder, is_detached=True, environment=kept) as child:
            token = secrets.token_hex()
            child.send({"program": text, "token": token})
            try:
                reply = _reply(child, token)
            except TimeoutError:
                return Grade("wrong", f"the program takes longer than {WALL_SECONDS:g} s")
            child.wait(_TIME_TO_EXIT)
            if reply is None:
                return Grade("wrong", _ending(child))
    return RIGHT if reply["error"] is None else Grade("wrong", str(reply["error"]))


def _reply(child: ChildProcess, token: str) -> Mapping[str, Any] | None:
    """The runner's reply; None if there is none. A program can write replies too, without the token."""
    end = time.monotonic() + WALL_SECONDS + 1
    while (reply := child.receive(max(end - time.monotonic(), 0.0))) is not None:
        if reply.get("token") == token:
            return reply
    return None


def _ending(child: ChildProcess) -> str:
    if child.exit_reason in ("SIGXCPU", "SIGKILL"):
        return f"the program needs more than {PROCESSOR_SECONDS} s on the processor"
    if child.exit_reason == "SIGALRM":
        return f"the program takes longer than {WALL_SECONDS:g} s"
    return f"the program ended before its tests: {child.exit_reason}"
