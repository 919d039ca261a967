"""Runs in a child process: query llama.cpp's build and devices, and solve a problem."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from localsmc.system.child_process import Replies

PROBLEM, ANSWER = "Solve for x: 7x + 12 = 96.", "12"
"""A problem that the embedded model solves with greedy decoding."""

LARGE = 7_000_000_000
"""Number of parameters of a model that `default_threads` considers large."""


def main(replies: Replies) -> None:
    """Send one message per part; a part that fails sends the reason instead."""
    try:
        replies.send(engine=_engine())
        replies.send(solve=_solve())
    except Exception as error:  # the parent reports it
        replies.send(failed=f"{error}" or type(error).__name__)


def _engine() -> dict[str, Any]:
    from localsmc import llama

    return {
        "build": llama.build_info(),
        "devices": [asdict(device) for device in llama.devices()],
        "can_offload": llama.can_offload(),
        "threads": [llama.default_threads(1), llama.default_threads(LARGE)],
    }


def _solve() -> dict[str, Any]:
    import localsmc

    with localsmc.load() as model:
        result = localsmc.solve(
            model, PROBLEM, method=model.method("greedy"), settings=localsmc.Settings(seed=1)
        )
        seconds = result.usage.seconds
        return {
            "answer": result.answer,
            "expected": ANSWER,
            "speed": result.usage.rows / (seconds.decode + seconds.sample),
            "seconds": seconds.total,
            "place": str(model.placement),
        }
