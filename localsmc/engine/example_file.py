"""Worked examples from a file: rows with a question and an answer each, or any other text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from localsmc.errors import ConfigError, TaskError
from localsmc.system.row_files import READERS, Row, field_of, read_rows
from localsmc.system.text_file import read_text
from localsmc.text.examples import Examples, Pair

QUESTION_FIELDS = ("question", "problem", "prompt")
ANSWER_FIELDS = ("answer", "gold", "target")
"""Fields of a row, the first one that it has is used."""


def read_examples(path: str | Path) -> Examples:
    """Read pairs from a JSONL, JSON, CSV or Parquet file, and a text from any other.

    Raises TaskError for a file of rows and ConfigError for a text that cannot be used.
    """
    given, path = path, Path(path)
    if path.suffix.lower() in READERS:
        rows = read_rows(path, "--examples")
        return Examples(pairs=pairs_of(rows, path, QUESTION_FIELDS, ANSWER_FIELDS))
    return Examples(text=_text(given))


def pairs_of(
    rows: Sequence[Row],
    path: Path,
    questions: Sequence[str],
    answers: Sequence[str],
    *,
    has_options: bool = False,
) -> tuple[Pair, ...]:
    """The rows as pairs, from the first of these fields that each has; raises TaskError.

    `has_options` says that `--question` and `--answer` name the fields.
    """

    def filled(row: Row, names: Sequence[str], i: int, what: str) -> str:
        text = field_of(row, names, i, path, what if has_options else None).strip()
        if not text:
            raise TaskError(f"row {i + 1} of `{path}` has an empty {what}", hint="fix or remove the row")
        return text

    return tuple(
        Pair(filled(row, questions, i, "question"), filled(row, answers, i, "answer"))
        for i, row in enumerate(rows)
    )


def _text(path: str | Path) -> str:
    text = read_text(path, "examples", "--examples").rstrip("\r\n")
    if not text.strip():
        raise ConfigError(
            f"`{path}` is empty", hint="`--examples` takes questions and answers as JSONL, or a text"
        )
    return text
