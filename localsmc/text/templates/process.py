"""Templates of others, rendered in a child process that is ended at its limits.

A template is a program by whoever made the file: it can run for ever, allocate all memory, or overflow the
stack, and Python cannot interrupt one operation on a long string. One child renders all templates of this
process, one after the other.
"""

from __future__ import annotations

import atexit
import contextlib
import threading
import time
from typing import Any

from localsmc.system.child_process import ChildProcess
from localsmc.text.templates import today

SECONDS = 10.0
"""Time for a template on a machine that is busy with other things; see `worker.CPU_SECONDS`."""

MEMORY = 1 << 30
"""Bytes at which the child is ended, on macOS and Windows: elsewhere the system keeps `worker.MEMORY`."""

_GLANCE = 0.1
"""Seconds between two looks at the child's memory."""

_CODE = "from localsmc.text.templates.worker import run; run(replies)"


class TemplateFailed(Exception):
    """A template did not render; the message says why, as half a sentence. `line` is that of a syntax error.

    `is_at_limit` says that it was ended, or that no process could be had for it, and then `is_tried` is
    False: it need not be tried in another way.
    """

    def __init__(
        self, why: str, line: int | None = None, *, is_at_limit: bool = False, is_tried: bool = True
    ) -> None:
        super().__init__(why)
        self.line, self.is_at_limit, self.is_tried = line, is_at_limit, is_tried


class TemplateProcess:
    """The child process: started when it is first needed, and again after it was ended."""

    def __init__(self) -> None:
        self._child: ChildProcess | None = None
        self._lock = threading.RLock()

    def prepare(self) -> None:
        """Start the child, so that it is ready when a template is rendered."""
        with self._lock, contextlib.suppress(OSError):  # `_answer` says why
            self._started()

    def render(self, source: str, variables: dict[str, Any]) -> str:
        """The text that a template writes; raises TemplateFailed."""
        when = today.fixed_at()
        request = {"source": source, "variables": variables, "when": when and when.isoformat()}
        return str(self._answer(request)["text"])

    def check(self, source: str) -> None:
        """Raise TemplateFailed unless the template can be compiled."""
        self._answer({"source": source})

    def stop(self) -> None:
        """End the child; the next template starts another."""
        with self._lock:
            if self._child is not None:
                self._child.stop()
                self._child = None

    def _started(self) -> ChildProcess:
        if self._child is None or not self._child.is_alive:
            self.stop()
            # Ctrl-C interrupts the parent, which then ends the child.
            self._child = ChildProcess(_CODE, ignores_interrupt=True)
        return self._child

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            try:
                child = self._started()
                child.send(request)
                reply = _received(child)
            except OSError as error:
                raise TemplateFailed(
                    f"its process cannot be started: {error.strerror}", is_at_limit=True, is_tried=False
                ) from None
            except BaseException:  # its reply would be taken for that to the next request
                self.stop()
                raise
            if reply is None:
                self.stop()
                raise TemplateFailed(_ending(child), is_at_limit=True)
        if "error" in reply:
            raise TemplateFailed(
                reply["error"], reply.get("line"), is_at_limit=reply.get("is_at_limit", False)
            )
        return reply


def _received(child: ChildProcess) -> dict[str, Any] | None:
    """The child's reply, or None if it has ended; raises TemplateFailed at a limit."""
    deadline = time.monotonic() + SECONDS
    while True:
        with contextlib.suppress(TimeoutError):
            return child.receive(timeout=_GLANCE)
        if time.monotonic() > deadline:
            raise TemplateFailed(f"it needs more than {SECONDS:g} s", is_at_limit=True)
        if resident_bytes(child.pid) > MEMORY:
            raise TemplateFailed(f"it needs more than {MEMORY >> 20} MB of memory", is_at_limit=True)


def resident_bytes(pid: int) -> int:
    """The memory that a process occupies; 0 if it has ended."""
    import psutil  # most templates have answered before this is needed

    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


def _ending(child: ChildProcess) -> str:
    if child.exit_reason == "SIGPROF":
        return "it needs too much time"
    return f"its process ended: {child.exit_reason}"


PROCESS = TemplateProcess()
"""The child of this process."""

atexit.register(PROCESS.stop)
