"""Tables of plain values, and the formatting of their cells; independent of their content."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from localsmc.system.printable import one_line

NOTHING = "–"
PLACES = ("run", "task", "model")
"""Columns that are hidden if they have the same value in every row: the heading of the report has it."""

Show = Callable[[Any], str]


def text(value: Any) -> str:
    """Any value as text, on one line and without control characters."""
    return one_line(str(value))


def percent(value: float) -> str:
    """A share, "23.2%"; never rounded to 0 or 100 %."""
    if 0 < value < 0.0005:
        return "<0.1%"
    return ">99.9%" if 0.9995 <= value < 1 - 1e-9 else f"{value:.1%}"


def percent_or_none(value: float) -> str:
    """A share of failures; zero is shown as "0"."""
    return percent(value) if value else "0"


def interval(ends: tuple[float, float]) -> str:
    """An interval of shares: "19.7% to 27.1%"."""
    return f"{ends[0]:.1%} to {ends[1]:.1%}"


def points(value: float) -> str:
    """A difference of two shares in percentage points: "+8.4"."""
    return f"{100 * value:+.1f}".replace("-", "−")


def points_interval(ends: tuple[float, float]) -> str:
    """An interval in percentage points: "+4.8 to +11.9"."""
    return f"{points(ends[0])} to {points(ends[1])}"


def count(value: float) -> str:
    """A count: "1,234"."""
    return f"{value:,.0f}"


def problems(shown: str) -> str:
    """A count of problems with its word: "1 problem", "1,234 problems"."""
    return f"{shown} problem{'' if shown == '1' else 's'}"


def figure(value: float) -> str:
    """Three significant digits: "0.158", "2.30", "1,240"."""
    if value == 0:
        return "0"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:,.{digits}f}".replace("-", "−")


def billions(value: float) -> str:
    """A number in billions: "0.826", "14,000"."""
    return figure(value / 1e9)


def p_values(values: Sequence[float]) -> str:
    """One p value per seed: "0.031, <0.001"."""
    return ", ".join("<0.001" if value < 0.001 else f"{value:.3f}" for value in values)


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its key in JSON and CSV, its heading, and the format of values other than None.

    Values that `show` formats are numbers, unless they `are_words`. `is_detail` columns are left out where
    room is short. `hides_zero` columns are shown only if a value is not zero. Where a value is the same in
    every row, `shared` says what is added to the title instead.
    """

    key: str
    head: str
    show: Show = text
    is_detail: bool = False
    hides_zero: bool = False
    shared: Callable[[str], str] | None = None
    are_words: bool = False

    @property
    def is_number(self) -> bool:
        """Whether the column is right-aligned."""
        return self.show is not text and not self.are_words


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table: title, columns, rows of plain values, and notes below; `details` is for a second reading."""

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Any, ...], ...]
    note: str = ""
    details: str = ""

    def brief(self) -> Table:
        """The table without details, for a terminal."""
        kept = [i for i, column in enumerate(self.columns) if not column.is_detail]
        return replace(
            self,
            columns=tuple(self.columns[i] for i in kept),
            rows=tuple(tuple(row[i] for i in kept) for row in self.rows),
            details="",
        )

    @property
    def heading(self) -> str:
        """The title, with the values that all rows share."""
        shared = [
            one.shared(_cell(one, self.rows[0][i]))
            for i, one in enumerate(self.columns)
            if one.shared is not None and self._is_shared(i)
        ]
        return ", ".join([self.title, *shared])

    @property
    def notes(self) -> str:
        """The note and the details in one paragraph."""
        return " ".join(part for part in (self.note, self.details) if part)

    def visible(self) -> list[int]:
        """Indices of the columns to show: those with a value that the heading does not have."""
        return [i for i in range(len(self.columns)) if not self._is_empty(i) and not self._is_shared(i)]

    def _is_empty(self, i: int) -> bool:
        nothing = {None, "", 0} if self.columns[i].hides_zero else {None, ""}
        return {row[i] for row in self.rows} <= nothing

    def _is_shared(self, i: int) -> bool:
        """Whether the heading of the table, or of the report, has the value that all rows share."""
        is_named = self.columns[i].key in PLACES or self.columns[i].shared is not None
        values = {row[i] for row in self.rows}
        return is_named and len(values) == 1 and values.isdisjoint({None, ""})

    def cells(self) -> tuple[list[Column], list[list[str]]]:
        """The visible columns, and the cells of each row as text."""
        shown = self.visible()
        columns = [self.columns[i] for i in shown]
        return columns, [[_cell(self.columns[i], row[i]) for i in shown] for row in self.rows]

    def to_json(self) -> list[dict[str, Any]]:
        """The rows as dictionaries with all columns."""
        keys = [column.key for column in self.columns]
        return [dict(zip(keys, row, strict=True)) for row in self.rows]


def _cell(column: Column, value: Any) -> str:
    return NOTHING if value is None else column.show(value)


_MARKUP = re.compile(
    r"[|`*~]|(?<![^\W_])_|_(?![^\W_])|&(?=#?\w+;)"
    r"|<(?=[A-Za-z/!?])|\\(?=[^\w\s])|(?<=\])[(\[:]"
)
"""What Markdown would take for a cell's end, code, emphasis, an entity, HTML, an escape or a link."""


def markdown_text(cell: str) -> str:
    """The text for Markdown: nothing in it is markup."""
    return _MARKUP.sub(lambda found: f"\\{found[0]}", cell)


def markdown(table: Table) -> str:
    """The table in Markdown, with aligned columns; nothing in a cell is markup."""
    columns, rows = table.cells()
    heads = [column.head for column in columns]
    lines = [list(map(markdown_text, row)) for row in (heads, *rows)]
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
    return f"## {markdown_text(table.heading)}\n\n{body}" + (f"\n\n{table.notes}" if table.notes else "")


def csv_text(tables: Iterable[tuple[dict[str, str], Table]]) -> str:
    """Tables with the same columns as one CSV; each table comes with extra columns that label it.

    An interval becomes two columns, `low` and `high`; None is empty. A text that a spreadsheet would run as
    a formula begins with an apostrophe.
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
            writer.writerow({key: _without_formula(value) for key, value in flat.items()})
    return buffer.getvalue()


_FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]")
"""How a formula begins, in spreadsheets also with the full-width forms of these characters."""


def _without_formula(value: Any) -> Any:
    """The value; a text that would be a formula is marked as a text. Numbers stay as they are.

    Texts are on one line: not every program takes a line break in a cell for a part of the cell.
    """
    if not isinstance(value, str):
        return value
    shown = text(value)
    return f"'{shown}" if _FORMULA.match(shown) else shown


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in row.items():
        if key == "interval":
            flat["low"], flat["high"] = (None, None) if value is None else value
        else:
            flat[key] = value
    return flat
