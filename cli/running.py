"""A run followed to its end, its budget's or Ctrl-C: traced, shown, and asked for its result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localsmc_cli.interrupt import Interrupts
from localsmc_cli.trace import Trace

if TYPE_CHECKING:
    from localsmc.records import Result
    from localsmc.solver import Solving
    from localsmc_cli.live import Panel


def follow(solving: Solving, trace: Trace, panel: Panel | None, interrupts: Interrupts) -> tuple[Result, str]:
    """The result, and whether it is "done", "settled" early, cut by the "budget" or "interrupted"."""
    trace.start(solving)
    for step in solving:
        trace.step(step, solving)
        if panel is not None:
            panel.step(step, solving)
        if interrupts.is_requested:
            break
    result, outcome = solving.result(), _outcome(solving)
    trace.end(result, outcome)
    return result, outcome


def _outcome(solving: Solving) -> str:
    if solving.was_cut:
        return "budget"
    if solving.run is not None and solving.run.is_settled:
        return "settled"
    return "done" if solving.run is not None and solving.run.is_done else "interrupted"


def so_far(result: Result) -> str:
    """What there is of a run that was cut short."""
    steps = result.usage.steps
    return f"the best result after {steps} steps" if steps else "no token was drawn"
