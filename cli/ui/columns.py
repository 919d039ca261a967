"""Text in columns: wrapped to the window on a terminal, else one line per row."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from localsmc.system.printable import printable
from localsmc_cli.ui.output import is_terminal

if TYPE_CHECKING:
    from rich.table import Table

_GAP = 2
"""Spaces between two columns."""

_LEAST = 14
"""Minimum width of a text column; in a narrower window, the terminal breaks the lines."""


def columns(heads: Sequence[str], rows: Sequence[Sequence[str]], numbers: Collection[int] = ()) -> str:
    """Rows under optional headings; columns in `numbers` are right-aligned and never wrapped."""
    rows = [[printable(cell, keep="\n") for cell in row] for row in rows]
    lines = [heads, *rows] if heads else list(rows)
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    folded = _folded(heads, rows, numbers, widths) if is_terminal(sys.stdout) else None
    return folded or "\n".join(_line(line, numbers, widths) for line in lines)


def _line(cells: Sequence[str], numbers: Collection[int], widths: Sequence[int]) -> str:
    set_ = [
        cell.rjust(width) if k in numbers else cell.ljust(width)
        for k, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return (" " * _GAP).join(set_).rstrip()


def _folded(
    heads: Sequence[str], rows: Sequence[Sequence[str]], numbers: Collection[int], widths: Sequence[int]
) -> str | None:
    """The rows wrapped to the window; None if it is too narrow."""
    from rich.console import Console

    console = Console(file=sys.stdout, highlight=False)
    least = [width if k in numbers else min(width, _LEAST) for k, width in enumerate(widths)]
    if sum(least) + _GAP * (len(least) - 1) > console.width:
        return None
    with console.capture() as captured:
        console.print(_table(heads, rows, numbers, least))
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def _table(
    heads: Sequence[str], rows: Sequence[Sequence[str]], numbers: Collection[int], least: Sequence[int]
) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=bool(heads), pad_edge=False, padding=(0, _GAP, 0, 0))
    for k, width in enumerate(least):
        head = Text(heads[k]) if heads else ""
        if k in numbers:
            table.add_column(head, justify="right", no_wrap=True, min_width=width)
        else:
            table.add_column(head, overflow="fold", min_width=width)
    for row in rows:
        table.add_row(*map(Text, row))
    return table
