"""Grading in a process that can be killed: an odd answer costs its own verdict and no more.

Owns the worker's life: it starts with the first answer, serves many, is killed at the time limit, and a
new one takes its place. Knows nothing of mathematics.
"""

from __future__ import annotations

import contextlib
import threading

from localsmc.errors import ConfigError, TaskError
from localsmc.evals.grading.grading_rules import GRADERS, GradingRule
from localsmc.evals.grading.verdict import Grade
from localsmc.system.child_process import ChildProcess

_SERVE = "from localsmc.evals.grading.worker import serve; serve(replies, sys.argv[1])"
_START = 120.0
"""Seconds for Python and SymPy to start on a busy machine."""


class Grader:
    """Grades answers by one of GRADERS, each within `limit` seconds of wall time.

    For `with`. Any thread may call `grade`; the calls take turns.
    """

    def __init__(self, name: str, limit: float = 5.0) -> None:
        if name not in GRADERS:
            raise ConfigError(f"there is no grader `{name}`", hint=f"choose from {', '.join(GRADERS)}")
        if not limit > 0:
            raise ConfigError(f"a grader needs a time limit above 0 s, not {limit:g}", hint="5 is usual")
        self.limit = limit
        self._rule = GRADERS[name]
        self._lock = threading.Lock()
        self._worker: _Worker | None = None

    @property
    def name(self) -> str:
        """The grader's name in GRADERS."""
        return self._rule.name

    @property
    def version(self) -> int:
        """Two grades of one name compare where this is the same."""
        return self._rule.version

    def __enter__(self) -> Grader:
        # SymPy can be imported while the first answer is still being written.
        with self._lock:
            self._worker = _Worker(self._rule)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def grade(self, answer: str | None, gold: str) -> Grade:
        """Whether an answer is the gold answer; None is no answer, which is wrong.

        Raises TaskError where no worker can be started, and nothing for the sake of an answer.
        """
        if (known := self._rule.at_once(answer or "", gold)) is not None:
            return known
        with self._lock:
            worker = self._living()
            try:
                grade = worker.grade(answer or "", gold, self.limit)
            except BaseException:  # Ctrl-C while waiting: the reply that comes belongs to nobody
                self._drop()
                raise
            if not worker.is_usable:
                self._drop()
            return grade

    def close(self) -> None:
        """End the worker; the next answer would start another."""
        with self._lock:
            self._drop()

    def _living(self) -> _Worker:
        if self._worker and not self._worker.is_alive:
            self._drop()
        if not self._worker:
            self._worker = _Worker(self._rule)
        try:
            self._worker.wait_until_ready()
        except BaseException:
            self._drop()
            raise
        return self._worker

    def _drop(self) -> None:
        worker, self._worker = self._worker, None
        if worker:
            worker.stop()


class _Worker:
    """One child process that grades."""

    def __init__(self, rule: GradingRule) -> None:
        try:
            # Detached: Ctrl-C while Python starts would kill it.
            self._child = ChildProcess(_SERVE, rule.name, is_detached=True)
        except OSError as error:
            message = f"the process that grades answers cannot be started: {error.strerror}"
            raise TaskError(message, hint="check the machine's limits on processes and memory") from error
        self.is_usable = True
        self._is_ready = False

    @property
    def is_alive(self) -> bool:
        return self._child.is_alive

    @property
    def pid(self) -> int:
        return self._child.pid

    def wait_until_ready(self) -> None:
        """Raise TaskError where the worker does not come up."""
        if not self._is_ready:
            with contextlib.suppress(TimeoutError):
                self._is_ready = self._child.receive(_START) is not None
        if not self._is_ready:
            message = "the process that grades answers does not start"
            raise TaskError(
                message, hint="see whether `python -m localsmc.evals.grading` starts; reinstall localsmc"
            )

    def grade(self, answer: str, gold: str, limit: float) -> Grade:
        """One question; not usable again where it failed to answer in time."""
        self._child.send({"answer": answer, "gold": gold, "limit": limit})
        try:
            reply = self._child.receive(limit)
        except TimeoutError:
            self.is_usable = False
            return Grade("failed", f"took longer than {limit:g} s")
        if reply is None:
            self.is_usable = False
            return Grade("failed", "the worker died")
        return Grade(reply["verdict"], reply["reason"])

    def stop(self) -> None:
        """Kill the process, if it still lives."""
        self._child.stop()
