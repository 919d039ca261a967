"""Python child processes that communicate in lines of JSON: the parent's side and the child's side.

A child process isolates the program from llama.cpp's aborts and SymPy's endless loops. It runs some code
with the parent's import path, receives JSON lines on standard input, and sends JSON lines on standard
output. Anything else that it prints is kept for the crash message. When its standard input ends, its
parent has ended.
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
from collections.abc import Callable, Iterable, Mapping
from typing import IO, Any

from localsmc.system.printable import printable

_KEPT_LINES = 200
_CODE = (
    "import signal, sys; {first} sys.path[:] = {path!r};"
    " from localsmc.system.child_process import reserve_stdout, disable_core_dumps;"
    " replies = reserve_stdout(); disable_core_dumps(); {code}"
)
_IGNORE_INTERRUPT = "signal.signal(signal.SIGINT, signal.SIG_IGN);"


# --- in the parent ---


class ChildProcess:
    """A running child process. `code` is Python that uses `replies`, the child's `Replies`.

    `arguments` become the child's `sys.argv[1:]`. With `ignores_interrupt`, the child ignores Ctrl-C.
    With `is_detached`, it runs in a new session, which `stop` ends as a whole, and its standard error is
    discarded. It has the parent's environment, or the one that is given. Raises OSError if the process
    cannot be started.
    """

    def __init__(
        self,
        code: str,
        *arguments: str,
        ignores_interrupt: bool = False,
        is_detached: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        first = _IGNORE_INTERRUPT if ignores_interrupt else ""
        # The parent's import path works for installed and editable packages and for a bare checkout.
        whole = _CODE.format(first=first, path=sys.path, code=code)
        self._process = subprocess.Popen(
            [sys.executable, "-c", whole, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if is_detached else subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=is_detached,
            # Without this, ggml_abort starts a debugger if one is installed, which takes seconds.
            env={**(os.environ if environment is None else environment), "GGML_NO_BACKTRACE": "1"},
        )
        self._is_detached = is_detached
        self._replies: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._other_output: deque[str] = deque(maxlen=_KEPT_LINES)
        self._readers = [
            _follow(self._process.stdout, self._take, at_end=lambda: self._replies.put(None)),
            _follow(self._process.stderr, self._other_output.append),
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
        """Whether the process is running."""
        return self._process.poll() is None

    def send(self, message: object) -> None:
        """Send one message; ignored if the child has died, and then `receive` returns None."""
        stdin, line = self._process.stdin, json.dumps(message) + "\n"
        with contextlib.suppress(OSError, ValueError):  # dead, or stopped here
            if stdin:
                stdin.write(line)
                stdin.flush()

    def receive(self, timeout: float | None = None) -> dict[str, Any] | None:
        """The next message, or None if the child has ended. Raises TimeoutError after `timeout` seconds."""
        try:
            return self._replies.get(timeout=timeout)
        except queue.Empty:
            raise TimeoutError from None

    def stop(self) -> None:
        """Kill the process if it is still running, and close its pipes; safe to call twice."""
        # Until it is waited for, its number is not given to another group, even if it has ended.
        if self._is_detached and os.name == "posix" and self._process.returncode is None:
            with contextlib.suppress(OSError):  # nobody is left
                os.killpg(self.pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()
        for reader in self._readers:
            reader.join()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            with contextlib.suppress(OSError):  # a message that the dead child never read
                if stream:
                    stream.close()

    def wait(self, timeout: float) -> None:
        """Wait at most `timeout` seconds for a child that has sent its last message to exit, then stop it."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=timeout)
        self.stop()

    @property
    def exit_code(self) -> int:
        """Exit code of a stopped child; if negative, minus the number of the signal that ended it."""
        return int(self._process.returncode)

    @property
    def exit_reason(self) -> str:
        """How a stopped child ended, e.g. `SIGABRT` or `exit code 3`."""
        code = -self.exit_code
        return signal.Signals(code).name if code in set(signal.Signals) else f"exit code {-code}"

    @property
    def crash_message(self) -> str:
        """The last message that a stopped child printed; see the function `crash_message`."""
        return crash_message(self._other_output)

    def _take(self, line: str) -> None:
        """Queue a line if it is a message; keep it as other output if a library printed it."""
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            message = None
        if isinstance(message, dict):
            self._replies.put(message)
        else:
            self._other_output.append(line)


def _follow(
    stream: IO[str] | None, take: Callable[[str], object], at_end: Callable[[], object] = lambda: None
) -> threading.Thread:
    """Read a pipe's lines in a thread, because pipes cannot be polled on Windows."""

    def read() -> None:
        try:
            for line in stream or ():
                take(line)
        finally:
            at_end()

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread


def crash_message(lines: Iterable[str]) -> str:
    """The message of ggml_abort or std::terminate, otherwise the last line."""
    printed = [line.strip() for line in lines if line.strip()]
    causes = [line for line in printed if "GGML_ASSERT" in line or line.startswith("what():")]
    message = (causes or printed or ["it left no message"])[-1].removeprefix("what():")
    message = message[max(0, message.find("GGML_ASSERT")) :]  # without the path of a source file
    # llama.cpp quotes the file, and a damaged file can contain anything.
    return printable(message).strip()


# --- in the child ---


class Replies:
    """The child's channel to its parent."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def send(self, **message: Any) -> None:
        """Send one message; discarded if the parent has ended."""
        with contextlib.suppress(OSError):
            self._stream.write(json.dumps(message) + "\n")
            self._stream.flush()


def reserve_stdout() -> Replies:
    """Reserve standard output for replies; redirect all other output to standard error."""
    sys.stdout.flush()
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return Replies(replies)


def disable_core_dumps() -> None:
    """Disable core files, which would be as large as the model, and Windows error dialogs."""
    if sys.platform == "win32":
        import ctypes

        ctypes.windll.kernel32.SetErrorMode(0x0003)  # SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX
    else:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
