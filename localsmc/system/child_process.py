"""Python child processes that answer with lines of JSON: the parent's side and the child's.

A child keeps llama.cpp's aborts and SymPy's endless loops out of the program. It runs some code with the
parent's import path, receives lines of JSON on standard input, and sends lines of JSON on standard output.
What else it prints is kept as its last words. The end of its standard input is the end of its parent.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import IO, Any

_KEPT_LINES = 200
_CODE = (
    "import signal, sys; {first} sys.path[:] = {path!r};"
    " from localsmc.system.child_process import reserve_stdout, disable_core_dumps;"
    " replies = reserve_stdout(); disable_core_dumps(); {code}"
)
_IGNORE_INTERRUPT = "signal.signal(signal.SIGINT, signal.SIG_IGN);"


# --- in the parent ---


class ChildProcess:
    """A running child. `code` is Python that uses `replies`, the child's `Replies`.

    Strings in `arguments` are the child's `sys.argv[1:]`. With `ignores_interrupt`, Ctrl-C never reaches
    the child's Python. With `is_detached`, it also belongs to a session of its own and its standard error
    is dropped. Raises OSError where no process can be started.
    """

    def __init__(
        self, code: str, *arguments: str, ignores_interrupt: bool = False, is_detached: bool = False
    ) -> None:
        first = _IGNORE_INTERRUPT if ignores_interrupt else ""
        # The parent's own import path: an installed package, an editable one and a bare checkout alike.
        whole = _CODE.format(first=first, path=sys.path, code=code)
        self._process = subprocess.Popen(
            [sys.executable, "-c", whole, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if is_detached else subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=is_detached,
            # Without this ggml_abort starts a debugger, if there is one, and takes seconds to die.
            env=os.environ | {"GGML_NO_BACKTRACE": "1"},
        )
        self._replies: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._words: deque[str] = deque(maxlen=_KEPT_LINES)
        self._readers = [
            _follow(self._process.stdout, self._take, at_end=lambda: self._replies.put(None)),
            _follow(self._process.stderr, self._words.append),
        ]

    def __enter__(self) -> ChildProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def send(self, message: object) -> None:
        """Write one message; a dead child takes none, and `receive` then returns None."""
        stdin = self._process.stdin
        with contextlib.suppress(OSError):
            if stdin:
                stdin.write(json.dumps(message) + "\n")
                stdin.flush()

    def receive(self, timeout: float | None = None) -> dict[str, Any] | None:
        """The next message, or None where the child has ended. Raises TimeoutError after so many seconds."""
        try:
            return self._replies.get(timeout=timeout)
        except queue.Empty:
            raise TimeoutError from None

    def stop(self) -> None:
        """Kill the process, if it still runs, and close its pipes; safe to call twice."""
        self._process.kill()
        self._process.wait()
        for reader in self._readers:
            reader.join()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            with contextlib.suppress(OSError):  # a message that the dead child never took
                if stream:
                    stream.close()

    def wait(self, timeout: float) -> None:
        """Give a child that has sent its last message so many seconds to end, then stop it."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=timeout)
        self.stop()

    @property
    def exit_code(self) -> int:
        """Of a stopped child; below zero the number of the signal that ended it."""
        return int(self._process.returncode)

    @property
    def exit_reason(self) -> str:
        """Of a stopped child: `SIGABRT`, or `exit code 3`."""
        code = -self.exit_code
        return signal.Signals(code).name if code in set(signal.Signals) else f"exit code {-code}"

    @property
    def crash_message(self) -> str:
        """Of a stopped child: what it printed last; see `crash_message`."""
        return crash_message(self._words)

    def _take(self, line: str) -> None:
        """A message; or, from a library that prints where it likes, words."""
        try:
            message = json.loads(line)
        except ValueError:
            message = None
        if isinstance(message, dict):
            self._replies.put(message)
        else:
            self._words.append(line)


def _follow(
    stream: IO[str] | None, take: Callable[[str], object], at_end: Callable[[], object] = lambda: None
) -> threading.Thread:
    """Read a pipe's lines in a thread, because Windows cannot poll a pipe."""

    def read() -> None:
        for line in stream or ():
            take(line)
        at_end()

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread


def crash_message(lines: Iterable[str]) -> str:
    """What ggml_abort or std::terminate wrote, or else the last line."""
    spoken = [line.strip() for line in lines if line.strip()]
    causes = [line for line in spoken if "GGML_ASSERT" in line or line.startswith("what():")]
    words = (causes or spoken or ["it left no message"])[-1].removeprefix("what():")
    words = words[max(0, words.find("GGML_ASSERT")) :]  # without the path of a source file
    return sanitize(words).strip()


def sanitize(text: str) -> str:
    """Text without control characters: llama.cpp quotes the file, and a damaged file can hold anything."""
    return "".join(char if char.isprintable() else "\ufffd" for char in text)


# --- in the child ---


class Replies:
    """The child's way to its parent."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def send(self, **message: Any) -> None:
        """Write one message; nobody may be there to read it, and then it is dropped."""
        with contextlib.suppress(OSError):
            self._stream.write(json.dumps(message) + "\n")
            self._stream.flush()


def reserve_stdout() -> Replies:
    """Keep standard output for replies; what anything else prints joins standard error."""
    sys.stdout.flush()
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return Replies(replies)


def disable_core_dumps() -> None:
    """No core file of a model's size, no dialog box."""
    if sys.platform == "win32":
        import ctypes

        ctypes.windll.kernel32.SetErrorMode(0x0003)  # SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX
    else:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
