"""Tables of plain values, and how their cells look; no table knows what it is about."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

NOTHING = "–"
PLACES = ("run", "task", "model")
"""Columns that are left out of sight where they say the same in every row."""

Show = Callable[[Any], str]


def text(value: Any) -> str:
    """Anything as it is, on one line and without control characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in str(value)).split())


def percent(value: float) -> str:
    """A share, never rounded to all or nothing: "23.2%"."""
    if 0 < value < 0.0005:
        return "<0.1%"
    return ">99.9%" if 0.9995 <= value < 1 - 1e-9 else f"{value:.1%}"


def percent_or_none(value: float) -> str:
    """A share of what should not be: nothing at all is "0"."""
    return percent(value) if value else "0"


def interval(ends: tuple[float, float]) -> str:
    """Both ends of a share: "19.7% to 27.1%"."""
    return f"{ends[0]:.1%} to {ends[1]:.1%}"


def points(value: float) -> str:
    """A difference of shares in percentage points: "+8.4"."""
    return f"{100 * value:+.1f}".replace("-", "−")


def points_interval(ends: tuple[float, float]) -> str:
    """Both ends of such a difference: "+4.8 to +11.9"."""
    return f"{points(ends[0])} to {points(ends[1])}"


def count(value: float) -> str:
    """A number of things: "1,234"."""
    return f"{value:,.0f}"


def figure(value: float) -> str:
    """Three digits: "0.158", "2.30", "1,240"."""
    if value == 0:
        return "0"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:,.{digits}f}".replace("-", "−")


def billions(value: float) -> str:
    """Three digits of so many billions: "0.826", "14,000"."""
    return figure(value / 1e9)


def p_values(values: Sequence[float]) -> str:
    """One p a seed: "0.031, <0.001"."""
    return ", ".join("<0.001" if value < 0.001 else f"{value:.3f}" for value in values)


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its key in JSON and CSV, its head, and how a value that is not None looks."""

    key: str
    head: str
    show: Show = text

    @property
    def is_number(self) -> bool:
        """Whether it is set flush right."""
        return self.show is not text


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A title, columns, rows of plain values, and a note below."""

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Any, ...], ...]
    note: str = ""

    def visible(self) -> list[int]:
        """The columns to show: a place only where it differs, anything else where a row has it."""
        shown = []
        for i, column in enumerate(self.columns):
            values = {row[i] for row in self.rows}
            is_place = column.key in PLACES
            if (len(values) > 1 or not is_place) and not (values == {None} or values == {""}):
                shown.append(i)
        return shown

    def cells(self) -> tuple[list[Column], list[list[str]]]:
        """The visible columns, and the rows' cells in them as text."""
        shown = self.visible()
        columns = [self.columns[i] for i in shown]
        return columns, [[_cell(self.columns[i], row[i]) for i in shown] for row in self.rows]

    def to_json(self) -> list[dict[str, Any]]:
        """The rows as dictionaries, with every column."""
        keys = [column.key for column in self.columns]
        return [dict(zip(keys, row, strict=True)) for row in self.rows]


def _cell(column: Column, value: Any) -> str:
    return NOTHING if value is None else column.show(value)


def markdown(table: Table) -> str:
    """The table in Markdown, aligned to be read as it is."""
    columns, rows = table.cells()
    heads = [column.head for column in columns]
    lines = [[cell.replace("|", "\\|") for cell in row] for row in (heads, *rows)]
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    rule = [
        "-" * (width - 1) + ":" if column.is_number else "-" * width
        for width, column in zip([max(3, width) for width in widths], columns, strict=True)
    ]
    aligned = [
        [
            cell.rjust(len(dashes)) if column.is_number else cell.ljust(len(dashes))
            for cell, dashes, column in zip(line, rule, columns, strict=True)
        ]
        for line in lines
    ]
    body = "\n".join(f"| {' | '.join(line)} |" for line in (aligned[0], rule, *aligned[1:]))
    return f"## {table.title}\n\n{body}" + (f"\n\n{table.note}" if table.note else "")


def csv_text(tables: Iterable[tuple[dict[str, str], Table]]) -> str:
    """Tables of the same columns as one CSV; each brings columns of its own that say what it is.

    Both ends of an interval get a column each; None is empty.
    """
    buffer = io.StringIO()
    writer: csv.DictWriter[str] | None = None
    for labels, table in tables:
        for row in table.to_json():
            flat = {**labels, **_flat(row)}
            if writer is None:
                writer = csv.DictWriter(
                    buffer, list(flat), lineterminator="\n", restval="", extrasaction="ignore"
                )
                writer.writeheader()
            writer.writerow(flat)
    return buffer.getvalue()


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in row.items():
        if key == "interval":
            flat["low"], flat["high"] = (None, None) if value is None else value
        else:
            flat[key] = value
    return flat
