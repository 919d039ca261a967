"""The child process that runs a program that a model wrote, together with its tests.

Limits      memory, time on the processor, wall time, size and number of files, where the platform has them.
Guards      no network, no other processes, no signals, and no change to files outside its empty folder. On
            Linux the kernel refuses these (`confinement`), and the network is an empty one if users may make
            one. Everywhere an audit hook refuses them, which stops accidents, not code that looks for a way
            around it.

Files can be read, and the program shares its process with its tests: it can deceive them.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import types
from typing import Any

from localsmc.system import process_limits
from localsmc.system.child_process import Replies
from localsmc.system.confinement import confine
from localsmc.system.printable import one_line

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
    "ctypes.call_function", "ctypes.dlopen", "ctypes.dlsym",
)  # fmt: skip
"""Beginnings of the names of events that are refused."""

_CHANGES = (
    "os.chmod", "os.chown", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink",
    "os.truncate", "os.utime", "shutil.",
)  # fmt: skip
"""Events that change files, whose paths must be in the folder."""

_LONGEST = 300


def run(replies: Replies, folder: str) -> None:
    """Run the program on standard input, and send its error, None if it has none. Does not return.

    The request is `{"program": ..., "token": ...}`. The reply repeats the token, which a program that writes
    to all open files does not know.
    """
    import ctypes.util  # noqa: F401 - opens libraries, which the guard refuses later

    process_limits.leave_network()
    request = json.loads(sys.stdin.buffer.readline())
    os.chdir(folder)
    _limit()
    confine(folder)  # before there are threads: they inherit it
    _end_with_parent()
    sys.addaudithook(_guard(os.path.realpath(folder)))
    error = _error(request["program"])
    replies.send(token=request["token"], error=error)
    os._exit(0)


def _error(program: str) -> str | None:
    """What the program raises, None if it ends well."""
    module = types.ModuleType("completion")  # data classes and pickles look their module up
    sys.modules[module.__name__] = module
    try:
        code = compile(program, "<completion>", "exec", dont_inherit=True)
        exec(code, vars(module))  # noqa: S102 - asked for by `--run-code`
    except BaseException as error:  # SystemExit included: the tests after it did not run
        vars(module).clear()  # of what fills the memory
        return _shown(error)
    return None


def _shown(error: BaseException) -> str:
    """The error in one line of characters that can be printed."""
    try:
        text = str(error)[:_LONGEST]
    except Exception:  # it is of a class of the program
        text = ""
    name = type(error).__name__[:_LONGEST]
    return one_line(f"{name}: {text}" if text else name)


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
