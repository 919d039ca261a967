"""The live panel: the progress of a run, redrawn a few times per second.

Reads the run between two steps and does not change it. Completions are assembled only for a redraw; if
that is slow, the panel is redrawn less often.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel as Frame
from rich.text import Text

from localsmc.results import AnswerShare, StepInfo
from localsmc.system.printable import printable
from localsmc_cli.ui.summary import share_lines

if TYPE_CHECKING:
    from localsmc.engine.solve import Generation

PERIOD = 1 / 8
"""Minimum number of seconds between two redraws."""

MAX_SHARE = 0.05
"""Maximum share of the time spent on drawing."""

TAIL = 2000
"""Number of characters of the leading completion that are considered."""

ANSWERS = 5


class Panel:
    """A panel on standard error that is erased at the end."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, force_terminal=True, highlight=False)
        # Redirection would send the answer to standard error.
        self._live = Live(
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._next = 0.0

    def __enter__(self) -> Panel:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def print(self, line: str) -> None:
        """Print a line above the panel, which stays."""
        self._console.print(Text(line), soft_wrap=True)

    def status(self, text: str) -> None:
        """Show one line instead of the panel during a long operation."""
        self._live.update(Text(f"{text} …", style="dim"), refresh=True)

    def step(self, step: StepInfo, solving: Generation) -> None:
        """Redraw after a step, if a redraw is due."""
        now = time.perf_counter()
        if now < self._next:
            return
        self._live.update(self._render(step, solving), refresh=True)
        after = time.perf_counter()
        self._next = after + max(PERIOD, (after - now) / MAX_SHARE)

    def _render(self, step: StepInfo, solving: Generation) -> RenderableType:
        from localsmc.selection import answer_shares

        completions = solving.completions()
        n_lines = max(1, min(6, self._console.height - ANSWERS - 6))
        lines = [
            Text(figures(step, solving), no_wrap=True, overflow="ellipsis"),
            self._tail(
                Text(printable(completions[0].text[-TAIL:], keep="\n", instead=" "), style="dim"), n_lines
            ),
        ]
        shares = answer_shares(completions)
        if any(share.answer is not None for share in shares):
            lines.append(_distribution(shares))
        return Frame(Group(*lines), title=solving.method.name, title_align="left", border_style="dim")

    def _tail(self, text: Text, n_lines: int) -> Text:
        """The last lines of the text, wrapped to the window."""
        wrapped = text.wrap(self._console, max(10, self._console.width - 4))
        return Text("\n").join(wrapped[-n_lines:])


def figures(step: StepInfo, solving: Generation) -> str:
    """The progress of a run, on one line."""
    run = solving.run
    speed = 0.0 if run is None or not run.seconds else run.sequences.rows / run.seconds
    n_particles = getattr(solving.method, "particles", 1)
    return (
        f"step {step.step} · {speed:,.0f} tokens/s · {step.histories} histories ({step.finished} finished)"
        f" · ESS {step.ess:.1f}/{n_particles} · {solving.elapsed:.0f} s"
    )


def _distribution(shares: tuple[AnswerShare, ...]) -> Text:
    return Text("\n".join(share_lines(shares, ANSWERS, none="no answer yet")))
