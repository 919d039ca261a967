"""The grading process: a line of JSON in, a line of JSON out, until its parent closes the pipe or dies.

It may be killed at any moment. It protects the machine and the terminal from what SymPy does with a
pathological answer: memory is limited, an alarm ends the process even if the parent is gone, nothing is
printed, and Ctrl-C is ignored.
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
from localsmc.system.process_limits import limit_memory

MEMORY = 2 << 30
"""Maximum address space in bytes, if the platform can limit it."""
_GRACE = 5.0
"""Seconds after the limit until the worker ends itself; a live parent would have killed it before."""


def serve(replies: Replies, name: str) -> None:
    """Grade each line of stdin with one of GRADERS. Does not return."""
    _ignore_ctrl_c()
    limit_memory(MEMORY)  # 9^{9^{9^9}} raises MemoryError before the machine runs out
    from localsmc.evals.grading.grading_rules import GRADERS

    rule = GRADERS[name]
    if rule.is_slow:
        # Imports SymPy now, so that no answer's time limit includes it.
        rule.grade(r"\sqrt{2}+1", r"1+\sqrt{2}")
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
        return {"verdict": "failed", "reason": "out of memory"}
    except Exception as error:  # SymPy and its parser raise all kinds of errors; the run must continue
        return {"verdict": "failed", "reason": f"the grader raised {type(error).__name__}"}
    return {"verdict": found.verdict, "reason": found.reason}


def _requests() -> queue.SimpleQueue[dict[str, Any]]:
    """A queue of requests from stdin; at the end of input (the parent is gone) the process exits at once."""
    requests: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()

    def read() -> None:
        for line in sys.stdin.buffer:
            requests.put(json.loads(line))
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    return requests


def _ignore_ctrl_c() -> None:
    """Leave Ctrl-C to the parent, which then closes the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _set_alarm(seconds: float) -> None:
    """Let the system kill the process after `seconds`; a thread would wait for SymPy to release the GIL."""
    if hasattr(signal, "setitimer"):
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, seconds)
