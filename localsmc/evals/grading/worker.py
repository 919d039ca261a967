"""The process that grades: a line of JSON in, a line of JSON out, until its parent closes the pipe or dies.

It may be killed at any moment. It protects the machine and the terminal from what SymPy does with an odd
answer: limited memory, an alarm that ends it even where the parent is gone, nothing printed, no Ctrl-C.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

from localsmc.evals.grading.verdict import Grade
from localsmc.system.child_process import Replies

MEMORY = 2 << 30
"""Bytes of address space, where the platform can limit them."""
_GRACE = 5.0
"""Seconds past the limit before the worker ends itself: the parent is dead, or it would have killed it."""


def serve(replies: Replies, name: str) -> None:
    """Grade each line of standard input by one of GRADERS; this ends the process."""
    _ignore_ctrl_c()
    _limit_memory()
    from localsmc.evals.grading.grading_rules import GRADERS

    rule = GRADERS[name]
    if rule.is_slow:
        rule.grade(r"\sqrt{2}+1", r"1+\sqrt{2}")  # imports SymPy, outside of any answer's limit
    replies.send(ready=os.getpid())
    requests = _requests()
    while True:
        request = requests.get()
        _set_alarm(request["limit"] + _GRACE)
        reply = _reply(rule.grade, request["answer"], request["gold"])
        _set_alarm(0.0)
        replies.send(**reply)


def _reply(grade: Callable[[str, str], Grade], answer: str, gold: str) -> dict[str, str]:
    try:
        found = grade(answer, gold)
    except MemoryError:
        return {"verdict": "failed", "reason": "memory ran out"}
    except Exception as error:  # SymPy and its parser raise whatever they like, and the run must go on
        return {"verdict": "failed", "reason": f"the grader broke ({type(error).__name__})"}
    return {"verdict": found.verdict, "reason": found.reason}


def _requests() -> queue.SimpleQueue[dict[str, Any]]:
    """Lines of standard input as they come; their end, which is the parent's, ends the process at once."""
    requests: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()

    def read() -> None:
        for line in sys.stdin.buffer:
            requests.put(json.loads(line))
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    return requests


def _ignore_ctrl_c() -> None:
    """Ctrl-C is for the parent, which then closes the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _set_alarm(seconds: float) -> None:
    """A timer by which the system kills: a thread would wait for SymPy to let go of the interpreter."""
    if hasattr(signal, "setitimer"):
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _limit_memory() -> None:
    """So that 9^{9^{9^9}} meets a MemoryError before the machine runs out."""
    if sys.platform != "win32":
        import resource

        try:
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        except (OSError, ValueError):  # macOS refuses: the time limit has to do
            pass
