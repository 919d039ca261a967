"""Follows a run until it ends, its budget is spent or Ctrl-C is pressed: trace, panel and notices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localsmc_cli.ui.interrupt import Interrupts
from localsmc_cli.ui.output import Output
from localsmc_cli.ui.summary import reduction_warning, setup_lines, timing_lines
from localsmc_cli.ui.trace_writer import TraceWriter

if TYPE_CHECKING:
    from localsmc.engine.solve import Generation
    from localsmc.results import Result
    from localsmc_cli.ui.live_panel import Panel


def follow(
    solving: Generation, trace: TraceWriter, panel: Panel | None, interrupts: Interrupts
) -> tuple[Result, str]:
    """The result and its outcome: "done", "decided" (stopped early), "budget" or "interrupted"."""
    trace.start(solving)
    for step in solving:
        trace.step(step, solving)
        if panel is not None:
            panel.step(step, solving)
        # After the last step it goes on, which tells whether answers were still to be asked for.
        if interrupts.is_requested and not solving.is_sampled:
            break
    result, outcome = solving.result(), _outcome(solving)
    trace.end(result, outcome)
    return result, outcome


def _outcome(solving: Generation) -> str:
    if solving.was_cut:
        return "budget"
    if solving.was_stopped:
        return "interrupted"
    if solving.run is not None and solving.run.is_decided:
        return "decided"
    return "done" if solving.run is not None and solving.run.is_done else "interrupted"


def partial_result(result: Result, *, is_sampled: bool) -> str:
    """A description of the result of a run that was stopped; `is_sampled` if all of its steps were done."""
    steps = result.usage.steps
    if is_sampled:
        return f"all {steps} steps are done, but completions without an answer were still being asked for one"
    return f"the best result after {steps} steps" if steps else "no token was generated"


def print_setup(output: Output, solving: Generation, shown: set[str]) -> None:
    """Print notices that were not `shown` before, and with `--verbose` the chosen settings."""
    for notice in solving.notices:
        if notice not in shown:
            output.warn(notice)
    shown.update(solving.notices)
    for line in setup_lines(solving, solving.settings.n_ctx) if output.is_verbose else ():
        output.detail(line)


def print_timings(output: Output, result: Result) -> None:
    """Print where the time went, and a warning if memory was short."""
    for line in timing_lines(result):
        output.detail(line)
    if warning := reduction_warning(result):
        output.warn(warning)
