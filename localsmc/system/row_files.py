"""Rows of JSON, JSONL, CSV, TSV and Parquet files, and their fields; errors name the line."""

from __future__ import annotations

import gzip
import math
import os
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localsmc.errors import TaskError
from localsmc.system.delimited import read_delimited
from localsmc.system.json_rows import read_json_lines, read_json_rows

if TYPE_CHECKING:
    from pyarrow import DataType

Row = Mapping[str, Any]

MISSING = object()
"""What `value_of` gives for a field that a row does not have."""


def read_rows(path: Path, option: str = "--data") -> list[Row]:
    """The rows of a file that an option names; the suffix selects the format. Raises TaskError."""
    reader = reader_of(path)
    if reader is None:
        if not os.path.exists(path):
            raise _no_file(path, option)
        is_sheet = path.suffix.lower() in (".xlsx", ".xls", ".ods")
        raise TaskError(
            f"`{path}` has an unsupported file type",
            hint="save the sheet as CSV" if is_sheet else f"pass a file that ends in {', '.join(READERS)}",
        )
    try:
        rows = list(reader(path))
    except FileNotFoundError:
        raise _no_file(path, option) from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise TaskError(f"`{path}` is not a whole gzip file", hint="get the file again") from error
    except OSError as error:
        raise TaskError(
            f"`{path}` cannot be read: {error.strerror or error}", hint=f"check `{option}`"
        ) from error
    except UnicodeDecodeError as error:
        raise TaskError(
            f"`{path}` is not UTF-8: byte {error.start} is 0x{error.object[error.start]:02x}",
            hint="save it as UTF-8 (in Excel: CSV UTF-8)" if _is_table(path) else "save it as UTF-8",
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


def value_of(row: Any, name: str) -> Any:
    """The value of a field, MISSING if the row has none; a name can be a path: `doc.answers.0`."""
    if isinstance(row, Mapping) and name in row:
        return row[name]
    first, dot, rest = name.partition(".")
    if isinstance(row, (list, tuple)) and first.isdecimal() and int(first) < len(row):
        inner = row[int(first)]
    elif isinstance(row, Mapping) and dot and first in row:
        inner = row[first]
    else:
        return MISSING
    return value_of(inner, rest) if dot else inner


def usual_name(usual: Sequence[str], names: Sequence[str]) -> str | None:
    """The first of the usual names that is there; if none is, the first that is there in another case."""
    spelled = {name.strip().casefold(): name for name in reversed(names)}
    same = next((name for name in usual if name in names), None)
    return same or next((spelled[name.casefold()] for name in usual if name.casefold() in spelled), None)


def is_missing(value: Any) -> bool:
    """Whether a row has no such field, or nothing in it: null, NaN or only blanks."""
    if value is MISSING or value is None:
        return True
    return math.isnan(value) if isinstance(value, float) else isinstance(value, str) and not value.strip()


def field_of(row: Row, names: Sequence[str], i: int, path: Path, what: str | None = None) -> str:
    """The first of these fields that row i (from 0) of a file has, as text; raises TaskError for a list too.

    `what` is the option that names the field, if there is one.
    """
    for name in names:
        if (value := value_of(row, name)) is not MISSING:
            return text_of(value, i, path, name)
    raise missing_field([row], names, i, path, what)


def missing_field(
    rows: Sequence[Row], names: Sequence[str], i: int, path: Path, what: str | None = None
) -> MissingField:
    """The error for row i of a file, which has none of these fields; `rows` show what is there instead."""
    there = list(dict.fromkeys(str(name) for row in rows for name in row))
    available = ", ".join(f"`{name}`" for name in there)
    expected = " or ".join(f"`{name}`" for name in names)
    near = get_close_matches(names[0], there, 1)
    suggestion = f"did you mean `--{what} {near[0]}`? " if near and what else ""
    choice = f"choose one with `--{what} FIELD`" if what else f"call one of them `{names[0]}`"
    return MissingField(
        f"row {i + 1} of `{path}` has no field {expected}",
        hint=f"{suggestion}available fields: {available}; {choice}",
    )


def text_of(value: Any, i: int, path: Path, name: str) -> str:
    """The value of a field in row i (from 0) of a file as text; empty for null and NaN. Raises TaskError."""
    if isinstance(value, (list, tuple, dict, bytes)):
        what = {dict: "an object", bytes: "no text but bytes"}.get(type(value), "a list")
        inner = next(iter(value), "") if isinstance(value, dict) else ""
        option = f", or name one of its entries: `{name}.{inner}`" if inner else ""
        raise TaskError(
            f"`{name}` in row {i + 1} of `{path}` is {what}", hint=f"write it as a text or a number{option}"
        )
    if is_missing(value):
        return ""
    # A column with gaps holds its whole numbers as floats.
    is_whole = isinstance(value, float) and value.is_integer() and abs(value) < 2**53
    return valid(str(int(value) if is_whole else value), i, path, name)


def valid(text: str, i: int, path: Path, name: str) -> str:
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


def reader_of(path: Path) -> Callable[[Path], Iterator[Row]] | None:
    """The reader for the suffix of a file, None if it has another suffix; `.gz` may follow a text's."""
    *before, last = ["", *(suffix.lower() for suffix in path.suffixes)]
    suffix = before[-1] if last == ".gz" and before else last
    return None if last == ".gz" and suffix == ".parquet" else READERS.get(suffix)


def _is_table(path: Path) -> bool:
    return reader_of(path) is _delimited


def _text(path: Path) -> str:
    """The content, unpacked if it is gzip. UTF-16 has a mark at its beginning, UTF-8 may have one."""
    data = path.read_bytes()
    if path.suffix.lower() == ".gz":
        data = gzip.decompress(data)
    text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    if "\0" in text:  # UTF-16 without its mark, UTF-32, or what a crash leaves
        line = text.count("\n", 0, text.index("\0")) + 1
        raise TaskError(
            f"line {line} of `{path}` has a zero byte, so it is not UTF-8", hint="save it as UTF-8"
        )
    return text


def _json_lines(path: Path) -> Iterator[Row]:
    return read_json_lines(_text(path), f"`{path}`")


def _json(path: Path) -> Iterator[Row]:
    return read_json_rows(_text(path), f"`{path}`")


def _delimited(path: Path) -> Iterator[Row]:
    return read_delimited(_text(path), f"`{path}`")


def _parquet(path: Path) -> Iterator[Row]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise TaskError(
            f"reading `{path.name}` needs pyarrow", hint="run: pip install 'localsmc[parquet]'"
        ) from error
    path.open("rb").close()  # pyarrow puts its own words into the error of a missing file
    try:
        names = parquet.read_schema(path).names
        if twice := [name for name in names if names.count(name) > 1]:
            raise TaskError(f"two columns of `{path}` have the name `{twice[0]}`", hint="rename one of them")
        table = parquet.read_table(path)
        columns = [[_shortest(cell, one.type) for cell in one.to_pylist()] for one in table.columns]
    except ArrowException as error:
        raise TaskError(f"`{path}` is not a readable Parquet file", hint="check the file") from error
    for cells in zip(*columns, strict=True):
        yield dict(zip(names, cells, strict=True))


def _shortest(value: Any, kind: DataType) -> Any:
    """The value with numbers of few bits as they were written: 0.1, not 0.10000000149011612."""
    from pyarrow import types

    if value is None or "float" not in str(kind):  # single and half precision, also inside of others
        return value
    if types.is_struct(kind):
        return {field.name: _shortest(value[field.name], field.type) for field in kind}
    if isinstance(value, list):
        return [_shortest(part, kind.value_type) for part in value]
    import numpy as np

    written = {"float": np.float32, "halffloat": np.float16}.get(str(kind))
    return value if written is None else float(str(written(value)))


READERS: dict[str, Callable[[Path], Iterator[Row]]] = {
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".json": _json,
    ".csv": _delimited,
    ".tsv": _delimited,
    ".parquet": _parquet,
}
