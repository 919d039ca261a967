"""The child process that runs a program that a model wrote, together with its tests.

Limits      memory, time on the processor, wall time, size and number of files, where the platform has them.
Guards      no network (a namespace of its own on Linux, if users may make one), no other processes, no
            signals, and no change to files outside its empty folder. An audit hook refuses these.

They stop accidents. They are no sandbox: code that looks for a way around an audit hook finds one.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import Any

from localsmc.system import process_limits
from localsmc.system.child_process import Replies

MEMORY = 1 << 30
"""Bytes of address space."""

PROCESSOR_SECONDS = 5
"""Time on the processor, Python's start included."""

WALL_SECONDS = 8.0
"""Time for a program on a machine that is busy with other things; below the limit of a grade, 10 s."""

LARGEST_FILE, MOST_FILES = 16 << 20, 64

_REFUSED = (
    "socket.", "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork",
    "os.startfile", "os.kill", "pty.spawn", "webbrowser.open", "urllib.Request", "signal.pthread_kill",
)  # fmt: skip
"""Beginnings of the names of events that are refused."""

_CHANGES = (
    "os.chmod", "os.chown", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink",
    "os.truncate", "os.utime", "shutil.",
)  # fmt: skip
"""Events that change files, whose paths must be in the folder."""

_LONGEST = 300


def run(replies: Replies, folder: str) -> None:
    """Run the program on standard input, and send `{"error": None}` or its error. Does not return."""
    process_limits.leave_network()  # before there are threads
    program = sys.stdin.buffer.readline().decode()
    _end_with_parent()
    os.chdir(folder)
    _limit()
    sys.addaudithook(_guard(os.path.realpath(folder)))
    replies.send(error=_error(program))
    os._exit(0)


def _error(program: str) -> str | None:
    """What the program raises, None if it ends well."""
    import json

    try:
        code = compile(json.loads(program), "<completion>", "exec", dont_inherit=True)
        exec(code, {"__name__": "completion", "__builtins__": __builtins__})  # noqa: S102 - asked for by `--run-code`
    except BaseException as error:  # SystemExit included: the tests after it did not run
        text = str(error)[:_LONGEST]
        return f"{type(error).__name__}: {text}" if text else type(error).__name__
    return None


def _limit() -> None:
    sys.dont_write_bytecode = True
    process_limits.limit_wall(WALL_SECONDS)
    process_limits.limit_processor(PROCESSOR_SECONDS)
    process_limits.limit_memory(MEMORY)
    process_limits.limit_files(LARGEST_FILE, MOST_FILES)


def _end_with_parent() -> None:
    """Give the program an empty standard input, and end the process when the parent's pipe closes."""
    pipe = os.dup(0)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115

    def watch() -> None:
        while os.read(pipe, 1):
            pass
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _guard(folder: str) -> Any:
    inside = folder + os.sep

    def is_inside(path: Any) -> bool:
        if not isinstance(path, (str, bytes, os.PathLike)):
            return path is None or isinstance(path, int)  # nothing, or a file that is open already
        found = os.path.realpath(os.fsdecode(path))
        return found == folder or found.startswith(inside) or found == os.devnull

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event.startswith(_REFUSED):
            raise PermissionError(f"{event} is not allowed here")
        if event == "open" and _writes(args) and not is_inside(args[0]):
            raise PermissionError(f"files are written in the current folder only, not {args[0]!r}")
        if event.startswith(_CHANGES) and not all(map(is_inside, args)):
            raise PermissionError(f"{event} works in the current folder only")

    return hook


def _writes(args: tuple[Any, ...]) -> bool:
    """Whether the event of opening a file is about writing: its mode or, without one, its flags."""
    _, mode, flags = args
    if isinstance(mode, str):
        return any(char in mode for char in "wax+")
    return bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND))
