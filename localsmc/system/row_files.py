"""Rows of JSON, JSONL, CSV and Parquet files, and their fields; errors name the line."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from localsmc.errors import TaskError

Row = Mapping[str, Any]


def read_rows(path: Path, option: str = "--data") -> list[Row]:
    """The rows of a file that an option names; the suffix selects the format. Raises TaskError."""
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        if not os.path.exists(path):
            raise _no_file(path, option)
        raise TaskError(
            f"`{path}` has an unsupported file type",
            hint=f"pass a file that ends in {', '.join(READERS)}",
        )
    try:
        rows = list(reader(path))
    except FileNotFoundError:
        raise _no_file(path, option) from None
    except OSError as error:
        raise TaskError(
            f"`{path}` cannot be read: {error.strerror or error}", hint=f"check `{option}`"
        ) from error
    except UnicodeDecodeError as error:
        raise TaskError(
            f"`{path}` is not UTF-8: byte {error.start} is 0x{error.object[error.start]:02x}",
            hint="save it as UTF-8",
        ) from error
    if not rows:
        what = {"--data": "problem", "FILE": "row"}.get(option, "example")
        raise TaskError(f"`{path}` has no rows", hint=f"pass a file with at least one {what}")
    return rows


def _no_file(path: Path, option: str) -> TaskError:
    return TaskError(f"no file at `{path}`", hint=f"check the path in `{option}`")


# --- fields of a row ------------------------------------------------------------------------------


class MissingField(TaskError):
    """A row lacks a required field."""


def field_of(row: Row, names: Sequence[str], i: int, path: Path, what: str | None = None) -> str:
    """The first of these fields that row i (from 0) of a file has, as text; raises TaskError for a list too.

    `what` is the option that names the field, if there is one.
    """
    for name in names:
        if name in row:
            if isinstance(row[name], (list, tuple, dict)):
                raise TaskError(
                    f"`{name}` in row {i + 1} of `{path}` is a list or an object",
                    hint="write it as a text or a number",
                )
            return _valid("" if row[name] is None else str(row[name]), i, path, name)
    available = ", ".join(f"`{name}`" for name in row)
    expected = " or ".join(f"`{name}`" for name in names)
    near = get_close_matches(names[0], map(str, row), 1)
    suggestion = f"did you mean `--{what} {near[0]}`? " if near and what else ""
    choice = f"choose one with `--{what} FIELD`" if what else f"call one of them `{names[0]}`"
    raise MissingField(
        f"row {i + 1} of `{path}` has no field {expected}",
        hint=f"{suggestion}available fields: {available}; {choice}",
    )


def _valid(text: str, i: int, path: Path, name: str) -> str:
    """The text; raises TaskError if it contains a lone surrogate, which JSON can encode."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        surrogate = f"\\u{ord(text[error.start]):04x}"
        raise TaskError(
            f"`{name}` in row {i + 1} of `{path}` has a lone surrogate, {surrogate}",
            hint="fix or remove the row",
        ) from error
    return text


# --- formats --------------------------------------------------------------------------------------


def _jsonl(path: Path) -> Iterator[Row]:
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").split("\n"), start=1):
        if line.strip():
            yield _object(_parsed(line, f"line {number} of `{path}`"), f"line {number} of `{path}`")


def _json(path: Path) -> Iterator[Row]:
    text = path.read_text(encoding="utf-8-sig")
    value = _parsed(text, f"`{path}`")
    if isinstance(value, dict):
        # A list wrapped in an object, such as {"data": [...]}.
        lists = [part for part in value.values() if isinstance(part, list)]
        value = lists[0] if len(lists) == 1 else value
    if not isinstance(value, list):
        raise TaskError(f"`{path}` is not a list of rows", hint="pass a JSON list of objects")
    for number, part in enumerate(value, start=1):
        yield _object(part, f"entry {number} of `{path}`")


def _csv(path: Path) -> Iterator[Row]:
    with io.StringIO(path.read_text(encoding="utf-8-sig"), newline="") as file:
        rows = csv.DictReader(file, strict=True)
        while True:
            try:
                row = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                raise TaskError(
                    f"line {rows.line_num} of `{path}` is malformed: {error}", hint="fix or remove the line"
                ) from error
            if None in row or None in row.values():
                raise TaskError(
                    f"line {rows.line_num} of `{path}` does not have the {len(rows.fieldnames or ())} fields"
                    " of the first line",
                    hint="fix or remove the line",
                )
            yield row


def _parquet(path: Path) -> Iterator[Row]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise TaskError(
            f"reading `{path.name}` needs pyarrow", hint="install it: pip install pyarrow"
        ) from error
    try:
        yield from parquet.read_table(path).to_pylist()
    except ArrowException as error:
        raise TaskError(f"`{path}` is not a readable Parquet file", hint="check the file") from error


def _parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        column = f"line {error.lineno}, column {error.colno}" if "\n" in text else f"column {error.colno}"
        raise TaskError(f"{where} is not JSON: {error.msg} at {column}", hint="fix or remove it") from error
    except (ValueError, RecursionError) as error:  # a number with thousands of digits, or very deep nesting
        raise TaskError(f"{where} cannot be read: {error}", hint="fix or remove it") from error


def _object(value: Any, where: str) -> Row:
    if not isinstance(value, dict):
        raise TaskError(f"{where} is not a JSON object", hint="fix or remove it")
    return value


READERS: dict[str, Callable[[Path], Iterator[Row]]] = {
    ".jsonl": _jsonl,
    ".json": _json,
    ".csv": _csv,
    ".parquet": _parquet,
}
