"""Rows of CSV and TSV texts. Delimiter and quotes are those with which the whole text makes a table.

A delimiter is a candidate if it splits the first line, which names the fields. It fits if every row then has
as many fields as that line, so a sample cannot mislead. Blanks after a delimiter are skipped.
"""

from __future__ import annotations

import contextlib
import csv
import io
import re
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from localsmc.errors import TaskError

if TYPE_CHECKING:
    from _csv import Reader

COMMON, RARE = ",;\t|", ":~^\x1f\x01"
"""Delimiters. The rare ones are tried where no common one splits the first line."""

_NONE = "\x1e"
"""A delimiter for texts of one column: a control character that separates records."""

UNQUOTED = f"\t{RARE}{_NONE}"
"""Delimiters of tables that may have no quotes: a quote at the beginning of a field is then a character."""

_NAMED = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)
"""A first line by which Excel is told the delimiter."""

_BLANK = re.compile(r"(?:[^\S\r\n]*(?:\r\n|\r|\n))+")
"""Empty lines before the names of the fields."""

_FIELD_LIMIT = threading.Lock()
"""The csv module has one limit on the length of a field for all threads."""


class Dialect(NamedTuple):
    """A delimiter, a quote (empty for none), and whether a backslash can escape it, beside doubling."""

    delimiter: str
    quote: str = '"'
    is_escaped: bool = False


class _Misfit(Exception):
    """A text is no table in a dialect; says in which line and why."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line, self.reason = line, reason


class Table(NamedTuple):
    """The names of the fields, and rows with as many cells."""

    names: list[str]
    rows: list[list[str]]


def read_delimited(text: str, where: str) -> Iterator[dict[str, str]]:
    """The rows of a text whose first line names the fields; `where` is its file, for errors.

    Rows without any content are skipped. Raises TaskError.
    """
    n_skipped, delimiters = 0, ""
    if blank := _BLANK.match(text):
        n_skipped, text = len(blank[0].splitlines()), text[blank.end() :]
    if named := _NAMED.match(text):
        n_skipped, delimiters, text = n_skipped + 1, named[1], text[named.end() :]
    with _any_length(text):
        try:
            table = _table(text, where, delimiters)
        except _Misfit as misfit:
            place = f"line {misfit.line + n_skipped} of {where}"
            raise TaskError(f"{place} {misfit.reason}", hint="fix or remove the line") from misfit
    _require_distinct(table.names, where)
    for row in table.rows:
        yield dict(zip(table.names, row, strict=True))


def _table(text: str, where: str, delimiters: str) -> Table:
    """The table that the text makes with its delimiter; of several that fit, the one with most columns."""
    for tried in (delimiters,) if delimiters else (COMMON, RARE):
        candidates = [one for one in tried if _n_names(text, one) > 1]
        fitting, misfits = _fitting(text, candidates)
        if fitting:
            return _widest(fitting, where)
        if misfits and tried != RARE:
            raise misfits[max(candidates, key=lambda one: _n_names(text, one))]
    return _parsed(text, _NONE)


def _fitting(text: str, delimiters: Sequence[str]) -> tuple[dict[str, Table], dict[str, _Misfit]]:
    """The tables of delimiters that fit, and what is wrong with the others."""
    fitting, misfits = {}, {}
    for delimiter in delimiters:
        try:
            fitting[delimiter] = _parsed(text, delimiter)
        except _Misfit as misfit:
            misfits[delimiter] = misfit
    return fitting, misfits


def _widest(fitting: dict[str, Table], where: str) -> Table:
    width = max(len(table.names) for table in fitting.values())
    widest = [delimiter for delimiter, table in fitting.items() if len(table.names) == width]
    if len(widest) > 1:
        shown = " and ".join(f"`{delimiter}`".replace("\t", "\\t") for delimiter in widest)
        raise TaskError(
            f"{where} is a table with several delimiters: {shown}",
            hint="write `sep=` with the delimiter as a line before all others, for example sep=;",
        )
    return fitting[widest[0]]


def _n_names(text: str, delimiter: str) -> int:
    """The number of fields that the first line names with a delimiter, with the best of the quotes."""
    found = 0
    for dialect in _dialects(text, delimiter):
        with contextlib.suppress(csv.Error, StopIteration):
            found = max(found, len(next(_reader(text, dialect))))
    return found


def _dialects(text: str, delimiter: str) -> list[Dialect]:
    """What is tried in turn. A text has one kind of quotes, and only tables with tabs have none."""
    quotes = "'" if text.lstrip().startswith("'") else '"' if '"' in text else "\"'"
    found = [Dialect(delimiter, quote) for quote in quotes]
    found += [Dialect(delimiter, quote, is_escaped=True) for quote in quotes if _is_escaped(text, quote)]
    return [*found, Dialect(delimiter, "")] if delimiter in UNQUOTED else found


def _is_escaped(text: str, quote: str) -> bool:
    """Whether every backslash escapes a quote or a backslash; those of LaTeX must stay."""
    return f"\\{quote}" in text and not re.sub(rf"\\[\\{quote}]", "", text).count("\\")


def _parsed(text: str, delimiter: str) -> Table:
    """The table of a delimiter with the first quotes that fit; raises the first _Misfit if none do.

    Quotes that mean nothing can pair up and hide rows. So it is no table either if it has more rows without.
    """
    misfits: list[_Misfit] = []
    found: Table | None = None
    for dialect in _dialects(text, delimiter):
        try:
            table = _in_dialect(text, dialect)
        except _Misfit as misfit:
            misfits.append(misfit)
            continue
        has_more = found is not None and len(table.rows) > len(found.rows)
        if has_more and not dialect.quote and delimiter != _NONE:
            raise _Misfit(_first_open_quote(table), "begins with a quote that can hide the rows after it")
        found = found or table
    if found is None:
        raise misfits[0]
    return found


def _first_open_quote(table: Table) -> int:
    """The line of a table without quotes, from 1, in which a field begins with a quote and goes on."""
    opens = (
        number
        for number, row in enumerate((table.names, *table.rows), start=1)
        if any(cell.strip()[:1] in ("'", '"') and cell.strip()[:1] != cell.strip()[-1:] for cell in row)
    )
    return next(opens, 1)


def _in_dialect(text: str, dialect: Dialect) -> Table:
    reader = _reader(text, dialect)
    rows: list[list[str]] = []
    try:
        for row in reader:
            if rows and len(row) != len(rows[0]) and any(cell.strip() for cell in row):
                reason = f"does not have the {len(rows[0])} fields of the first line"
                raise _Misfit(reader.line_num, reason)
            if any(cell.strip() for cell in row):
                rows.append(row)
    except csv.Error as error:
        raise _Misfit(reader.line_num, f"is malformed: {error}") from error
    if not rows:
        return Table([], [])
    return _trimmed(Table([name.strip() for name in rows[0]], rows[1:]))


def _trimmed(table: Table) -> Table:
    """The table without last columns that have neither name nor content, which spreadsheets leave."""
    width = len(table.names)
    while width > 1 and not table.names[width - 1] and not any(row[width - 1] for row in table.rows):
        width -= 1
    return Table(table.names[:width], [row[:width] for row in table.rows])


def _reader(text: str, dialect: Dialect) -> Reader:
    return csv.reader(
        io.StringIO(text, newline=""),
        delimiter=dialect.delimiter,
        quotechar=dialect.quote or None,
        quoting=csv.QUOTE_MINIMAL if dialect.quote else csv.QUOTE_NONE,
        escapechar="\\" if dialect.is_escaped else None,
        skipinitialspace=True,
        strict=True,
    )


def _require_distinct(names: Sequence[str], where: str) -> None:
    for name in names:
        if names.count(name) > 1:
            what = f"have the name `{name}`" if name else "have no name"
            raise TaskError(f"two columns of {where} {what}", hint="name them in the first line")


@contextlib.contextmanager
def _any_length(text: str) -> Iterator[None]:
    with _FIELD_LIMIT:
        before = csv.field_size_limit(len(text) + 1)
        try:
            yield
        finally:
            csv.field_size_limit(before)
