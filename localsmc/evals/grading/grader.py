"""Grade in a separate process that can be killed: a pathological answer affects only its own verdict.

Manages the worker process: starts it, reuses it for many answers, kills it at the time limit and replaces
it. Contains no mathematics.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence

from localsmc.errors import ConfigError, TaskError
from localsmc.evals.grading.gold import written_gold
from localsmc.evals.grading.grading_rules import GRADERS, GradingRule
from localsmc.evals.grading.verdict import Grade
from localsmc.system.child_process import ChildProcess

_SERVE = "from localsmc.evals.grading.worker import serve; serve(replies, sys.argv[1])"
_START = 120.0
"""Time limit in seconds for Python and SymPy to start on a busy machine."""

GRADING_LIMIT = 10.0
"""Time limit per answer in seconds. Formulas take tenths of a second, but the machine is busy meanwhile."""


class Grader:
    """Grades answers with one of GRADERS, each within `limit` seconds of wall time.

    A context manager. `grade` is thread-safe; calls are serialised. Without `run_code`, a grader that runs
    what a model wrote is refused.
    """

    def __init__(self, name: str, limit: float = 5.0, *, run_code: bool = False) -> None:
        if name not in GRADERS:
            raise ConfigError(f"no grader is called `{name}`", hint=f"choose from: {', '.join(GRADERS)}")
        if not limit > 0:
            raise ConfigError(
                f"a grader needs a time limit above 0 s, not {limit:g}", hint="5 is a usual value"
            )
        if GRADERS[name].runs_code and not run_code:
            raise ConfigError(
                f"the grader `{name}` runs code that a model wrote",
                hint="pass run_code=True if you allow it",
            )
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
        """Grades are comparable if name and version are the same."""
        return self._rule.version

    def __enter__(self) -> Grader:
        # Start early: SymPy is imported while the first answer is being generated.
        with self._lock:
            self._worker = _Worker(self._rule)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def grade(self, answer: str | None, gold: str | Sequence[str]) -> Grade:
        """Grade an answer against the gold answer, or against several of which one is enough.

        `gold` may be any form of `gold.read_gold`. None (no answer) is wrong. If no gold answer accepts it
        and one fails, the grade is that failure. Raises TaskError if no worker can be started. No answer
        raises an error.
        """
        gold = written_gold(gold) if gold else ""
        if (known := self._rule.at_once(answer or "", gold)) is not None:
            return known
        with self._lock:
            worker = self._live_worker()
            try:
                grade = worker.grade(answer or "", gold, self.limit)
            except BaseException:  # Ctrl-C while waiting: a late reply must not be taken for the next one
                self._drop()
                raise
            if not worker.is_usable:
                self._drop()
            return grade

    def close(self) -> None:
        """Stop the worker; the next answer starts a new one."""
        with self._lock:
            self._drop()

    def _live_worker(self) -> _Worker:
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
    """A child process that grades."""

    def __init__(self, rule: GradingRule) -> None:
        try:
            # Detached: otherwise Ctrl-C during start-up would kill it.
            self._child = ChildProcess(_SERVE, rule.name, is_detached=True)
        except OSError as error:
            message = f"the grading process cannot be started: {error.strerror}"
            raise TaskError(message, hint="check the limits on processes and memory") from error
        self.is_usable = True
        self._is_ready = False

    @property
    def is_alive(self) -> bool:
        return self._child.is_alive

    @property
    def pid(self) -> int:
        return self._child.pid

    def wait_until_ready(self) -> None:
        """Raise TaskError if the worker does not start."""
        if not self._is_ready:
            with contextlib.suppress(TimeoutError):
                self._is_ready = self._child.receive(_START) is not None
        if not self._is_ready:
            message = "the grading process does not start"
            raise TaskError(
                message,
                hint="check that `python -m localsmc.evals.grading --help` works, or reinstall localsmc",
            )

    def grade(self, answer: str, gold: str, limit: float) -> Grade:
        """Grade one answer; after a timeout or a crash the worker is no longer usable."""
        self._child.send({"answer": answer, "gold": gold, "limit": limit})
        try:
            reply = self._child.receive(limit)
        except TimeoutError:
            self.is_usable = False
            return Grade("failed", f"took longer than {limit:g} s")
        if reply is None:
            self.is_usable = False
            return Grade("failed", "the grading process died")
        return Grade(reply["verdict"], reply["reason"])

    def stop(self) -> None:
        """Kill the process if it is still alive."""
        self._child.stop()
