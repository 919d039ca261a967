"""The live view of the completion with the highest weight, and the display of a reply, reasoning dimmed."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.text import Text

from localsmc.results import StepInfo
from localsmc.system.printable import printable
from localsmc.text import reasoning
from localsmc_cli.ui.live_panel import TAIL, Panel, figures

if TYPE_CHECKING:
    from localsmc.engine.solve import Generation

THOUGHT = "dim"


class Leading(Panel):
    """The end of the completion with the highest weight, as much as fits, above a line of figures."""

    def __init__(self, *, hides_thought: bool) -> None:
        super().__init__()
        self._hides_thought = hides_thought

    def _render(self, step: StepInfo, solving: Generation) -> RenderableType:
        # Sorted by weight, then length; finished and unfinished completions are mixed.
        text = solving.completions()[0].text
        shown = styled(text, solving.closing, hides_thought=self._hides_thought)
        n_lines = max(1, self._console.height - 4)
        line = Text(figures(step, solving), style="dim", no_wrap=True, overflow="ellipsis")
        return Group(self._tail(shown[-TAIL:], n_lines), line)


def styled(text: str, closing: str, *, hides_thought: bool) -> Text:
    """A reply with its reasoning dimmed, or replaced by an ellipsis."""
    found = Text()
    for part in reasoning.parts(text, closing):
        if not part.is_thought:
            found.append(_visible(part.text))
        elif hides_thought:
            found.append("…\n", style=THOUGHT)
        else:
            found.append(_visible(part.text), style=THOUGHT)
    return found


def _visible(text: str) -> str:
    return printable(text, keep="\n", instead=" ")


def show(text: str, closing: str, *, hides_thought: bool) -> None:
    """Print a whole reply to standard output, which is a terminal."""
    console = Console(file=sys.stdout, highlight=False, no_color="NO_COLOR" in os.environ)
    console.print(styled(text.strip("\n"), closing, hides_thought=hides_thought), soft_wrap=True)
