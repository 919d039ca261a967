"""The problem's text: from the arguments, -p, -f FILE or standard input, which comes before the others.

A pipe, a socket or a file on standard input joins the problem, as it does for other programs that ask a
model. Under cron or CI it can be a pipe that nobody ever writes to or closes: a line then says what is
waited for. A terminal and /dev/null add nothing.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import threading
from collections.abc import Callable, Iterator, Sequence

from localsmc.errors import ConfigError
from localsmc.system.text_file import decoded, read_text
from localsmc_cli.ui.output import is_terminal

EXAMPLE = 'for example: localsmc solve "What is 17 * 23?"'
STDIN = "-"

PATIENCE = 1.0
"""Seconds to read standard input before a line says so."""

Say = Callable[[str], None]
"""Writes a line to standard error."""


def read_problem(words: Sequence[str], prompt: str | None, file: str | None, say: Say) -> str:
    """The problem's text; raises ConfigError unless it is given exactly once and is not empty."""
    has_stdin = STDIN in words or file == STDIN
    given = [word for word in words if word != STDIN]
    if len(given) > 1:
        raise ConfigError(
            f"{len(given)} problems are given, but `solve` takes one",
            hint="put quotes around a problem of several words",
        )
    sources = [*given, *([] if prompt is None else [prompt])]
    if file is not None and file != STDIN:
        sources.append(read_text(file, "the problem", "--file"))
    if len(sources) > 1:
        raise ConfigError(
            "the problem is given more than once", hint="give one of: PROBLEM, `--prompt`, `--file`"
        )
    if has_stdin or not sources:
        with saying(say, "reading the problem from standard input", not is_terminal(sys.stdin)):
            sources.insert(0, _stdin_text(is_asked_for=has_stdin))
    elif _is_piped():
        with saying(say, "reading standard input, to put it before the problem; `</dev/null` adds nothing"):
            joined = decoded(sys.stdin.buffer.read(), "standard input", "the problem")
        sources = [joined, *sources] if joined.strip() else sources
    problem = "\n\n".join(sources)
    if not problem.strip():
        raise ConfigError("the problem is empty", hint=EXAMPLE)
    return checked_text(problem, "the problem")


def _is_piped() -> bool:
    """Whether standard input is a pipe, a socket or a file."""
    if sys.stdin is None:
        return False
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (OSError, ValueError):  # closed, or not a real file
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or stat.S_ISREG(mode)


@contextlib.contextmanager
def saying(say: Say, line: str, is_wanted: bool = True) -> Iterator[None]:
    """Say a line if what is done here takes long."""
    timer = threading.Timer(PATIENCE, say, [line])
    timer.daemon = True
    if is_wanted:
        timer.start()
    try:
        yield
    finally:
        timer.cancel()


def checked_text(text: str, name: str) -> str:
    """The text; raises ConfigError if the terminal passed bytes that are not UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ConfigError(f"{name} is not UTF-8 text", hint="convert it to UTF-8") from None
    return text


def _stdin_text(*, is_asked_for: bool) -> str:
    if sys.stdin is None or (is_terminal(sys.stdin) and not is_asked_for):
        raise ConfigError("no problem is given", hint=EXAMPLE)
    return decoded(sys.stdin.buffer.read(), "standard input", "the problem")
