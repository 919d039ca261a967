"""Rows of JSON texts: a list of objects, an object around one, columns, or an object per line.

Numbers with a point or an exponent stay texts, as they are written. NaN is null.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from localsmc.errors import TaskError

Object = dict[str, Any]


def read_json_lines(text: str, where: str) -> Iterator[Object]:
    """The rows of an object per line. A text that is one JSON list is read as such. Raises TaskError."""
    lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    if text.lstrip().startswith("["):
        with contextlib.suppress(TaskError):
            yield from list(_listed(_parsed(text, where), where))
            return
    for number, line in lines:
        place = f"line {number} of {where}"
        yield _object(_parsed(line, place), place)


def read_json_rows(text: str, where: str) -> Iterator[Object]:
    """The rows of a JSON text. One with an object per line is read as such. Raises TaskError."""
    if _is_of_lines(text):
        yield from read_json_lines(text, where)
        return
    value = _parsed(text, where)
    yield from _listed(_unwrapped(value, where) if isinstance(value, dict) else value, where)


def _is_of_lines(text: str) -> bool:
    """Whether the text has several lines and the first is an object by itself."""
    first, _, rest = text.strip().partition("\n")
    if not first.startswith("{") or not rest.strip():
        return False
    try:
        return isinstance(json.loads(first), dict)
    except (ValueError, RecursionError):
        return False


def _listed(value: Any, where: str) -> Iterator[Object]:
    if not isinstance(value, list):
        raise TaskError(f"{where} is not a list of rows", hint="pass a JSON list of objects")
    for number, part in enumerate(value, start=1):
        yield _object(part, f"entry {number} of {where}")


def _unwrapped(value: Object, where: str) -> Any:
    """The rows in an object: its only list, such as {"data": [...]}; its columns; or the object itself."""
    if (rows := _of_columns(value)) is not None:
        return rows
    lists = {
        name: part
        for name, part in value.items()
        if isinstance(part, list) and part and all(isinstance(entry, dict) for entry in part)
    }
    if len(lists) > 1:
        raise TaskError(
            f"{where} has several lists of rows: {', '.join(f'`{name}`' for name in lists)}",
            hint="save the one that you want as a file of its own",
        )
    return next(iter(lists.values()), value)


def _of_columns(value: Object) -> list[Object] | None:
    """Rows of an object whose entries are columns: lists of one length, or objects with the same keys."""
    columns = list(value.values())
    if not columns:
        return None
    if all(isinstance(column, dict) for column in columns):
        keys = list(columns[0])
        if not keys or any(list(column) != keys for column in columns):
            return None
        columns = [list(column.values()) for column in columns]
    is_table = all(isinstance(column, list) and len(column) == len(columns[0]) for column in columns)
    if not is_table or all(isinstance(entry, dict) for column in columns for entry in column):
        return None  # lists of rows have objects only
    return [dict(zip(value, cells, strict=True)) for cells in zip(*columns, strict=True)]


def _parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text, parse_float=str, parse_constant=_constant, object_pairs_hook=_distinct)
    except json.JSONDecodeError as error:
        column = f"line {error.lineno}, column {error.colno}" if "\n" in text else f"column {error.colno}"
        raise TaskError(f"{where} is not JSON: {error.msg} at {column}", hint="fix or remove it") from error
    except (ValueError, RecursionError) as error:  # a number with thousands of digits, or very deep nesting
        raise TaskError(f"{where} cannot be read: {error}", hint="fix or remove it") from error


def _constant(name: str) -> str | None:
    return None if name == "NaN" else name


def _distinct(pairs: list[tuple[str, Any]]) -> Object:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"an object has `{twice}` twice")
    return found


def _object(value: Any, where: str) -> Object:
    if not isinstance(value, dict):
        raise TaskError(f"{where} is not a JSON object", hint="fix or remove it")
    return value
