"""The live panel: how a run stands, redrawn a few times a second.

Reads the run between two steps and changes nothing. Texts are only put together when it is
redrawn, and it is redrawn less often where that takes long.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel as Frame
from rich.text import Text

from localsmc.results import AnswerShare, StepInfo
from localsmc_cli.ui.summary import share_lines

if TYPE_CHECKING:
    from localsmc.engine.solve import Generation

PERIOD = 1 / 8
"""Seconds between two drawings."""

MAX_SHARE = 0.05
"""Of the time goes into drawing, at most."""

TAIL = 2000
"""Characters of the leading text that are looked at."""

ANSWERS = 5


class Panel:
    """Drawn on standard error, and erased at the end."""

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
        """A line above the panel, which stays."""
        self._console.print(Text(line), soft_wrap=True)

    def status(self, text: str) -> None:
        """One line instead of the panel, while something takes its time."""
        self._live.update(Text(f"{text} …", style="dim"), refresh=True)

    def step(self, step: StepInfo, solving: Generation) -> None:
        """Redraw after a step, where it is time to."""
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
            self._tail(Text(printable(completions[0].text[-TAIL:]), style="dim"), n_lines),
        ]
        shares = answer_shares(completions)
        if any(share.answer is not None for share in shares):
            lines.append(_distribution(shares))
        return Frame(Group(*lines), title=solving.method.name, title_align="left", border_style="dim")

    def _tail(self, text: Text, n_lines: int) -> Text:
        """Its last lines, as the window has them."""
        wrapped = text.wrap(self._console, max(10, self._console.width - 4))
        return Text("\n").join(wrapped[-n_lines:])


def printable(text: str) -> str:
    """Without what a terminal would obey."""
    return "".join(c if c.isprintable() or c == "\n" else " " for c in text)


def figures(step: StepInfo, solving: Generation) -> str:
    """How a run stands, on a line."""
    run = solving.run
    speed = 0.0 if run is None or not run.seconds else run.sequences.rows / run.seconds
    n_particles = getattr(solving.method, "particles", 1)
    return (
        f"step {step.step} · {speed:,.0f} tokens/s · {step.histories} histories ({step.finished} finished)"
        f" · ESS {step.ess:.1f}/{n_particles} · {solving.elapsed:.0f} s"
    )


def _distribution(shares: tuple[AnswerShare, ...]) -> Text:
    return Text("\n".join(share_lines(shares, ANSWERS, none="no answer yet")))
