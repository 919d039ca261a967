"""Completions or answers that exist, from any tool: which fields of a row hold them, and their texts.

A field is a key of the row, or a path with dots into it: `doc.answer`, `choices.0.message.content`. A value
can be a text, a number, a message, a list of messages, whose last reply counts, or a list with one of these.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from localsmc.engine.example_file import QUESTION_FIELDS
from localsmc.errors import TaskError
from localsmc.evals.tasks.golds import gold_of, whole_gold_of
from localsmc.evals.tasks.problem_rows import groups, identifier, named_apart
from localsmc.evals.tasks.task import Gold, Item
from localsmc.results import AnswerKind
from localsmc.system.row_files import MISSING, Row, value_of

COMPLETION_FIELDS = (
    "completion", "response", "output", "generation", "generated_text", "prediction", "model_output", "reply",
    "resps", "messages",
)  # fmt: skip
GOLD_FIELDS = ("gold", "target", "reference", "expected", "ground_truth", "answer", "doc.answer")
GIVEN_ANSWER = "answer"
"""The field of answers, in a file without completions whose gold answers are in another field."""

CUT = ("length", "max_tokens", "MAX_TOKENS")
"""What tools write for a completion that reached its limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextFields:
    """The fields that are read. `text` holds completions, or answers as they are if `are_answers`."""

    text: str
    are_answers: bool
    gold: str
    question: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenText:
    """A row: its problem, and the completion or the answer; None if it is empty."""

    item: Item
    text: str | None
    is_cut: bool


def chosen_fields(
    rows: Sequence[Row],
    path: Path | str,
    *,
    completion: str | None = None,
    answer: str | None = None,
    gold: str | None = None,
    question: str | None = None,
) -> TextFields:
    """The fields that are named, and the usual ones for the others; raises TaskError if there are none."""
    text = completion or answer or _present(rows, COMPLETION_FIELDS, gold)
    right = gold or _present(rows, GOLD_FIELDS, text)
    are_answers = answer is not None
    if text is None and right not in (None, GIVEN_ANSWER) and _present(rows, (GIVEN_ANSWER,)):
        text, are_answers = GIVEN_ANSWER, True
    if text is None:
        raise TaskError(
            f"`{path}` has no field with completions that is known",
            hint="name it: `--completion FIELD` for texts, or `--answer FIELD` for answers;"
            f" {_available(rows[0])}",
        )
    if right is None:
        raise TaskError(
            f"`{path}` has no field with right answers that is known",
            hint=f"name it: `--gold FIELD`; {_available(rows[0])}",
        )
    return TextFields(
        text=text, are_answers=are_answers, gold=right, question=question or _present(rows, QUESTION_FIELDS)
    )


def given_texts(
    rows: Sequence[Row], path: Path | str, fields: TextFields, kind: AnswerKind
) -> tuple[GivenText, ...]:
    """The rows in order; raises TaskError for a row that lacks a field, or has something else in it."""
    items = named_apart(_items(rows, path, fields, whole_gold_of if kind == "reply" else gold_of))
    option = "answer" if fields.are_answers else "completion"
    return tuple(
        GivenText(item=item, text=_text(row, fields.text, i, path, option), is_cut=_is_cut(row))
        for i, (row, item) in enumerate(zip(rows, items, strict=True))
    )


def _items(
    rows: Sequence[Row], path: Path | str, fields: TextFields, gold_in: Callable[..., Gold | None]
) -> Iterator[Item]:
    for i, row in enumerate(rows):
        question = None if fields.question is None else _text(row, fields.question, i, path, "question")
        family, level = groups(row)
        gold = _found(row, fields.gold, i, path, "gold")
        yield Item(
            problem_id=identifier(row, i),
            question=question or "",
            gold=gold_in(gold, i, Path(path), fields.gold),
            family=family,
            level=level,
            row=i + 1,
        )


# --- values ---------------------------------------------------------------------------------------


def _found(row: Row, field: str, i: int, path: Path | str, option: str) -> Any:
    """The value at a field; raises TaskError if the row has none."""
    value = value_of(row, field)
    if value is MISSING:
        near = get_close_matches(field, map(str, row), 1)
        first = f"did you mean `--{option} {near[0]}`? " if near else ""
        raise TaskError(f"row {i + 1} of `{path}` has no field `{field}`", hint=first + _available(row))
    return value


def _text(row: Row, field: str, i: int, path: Path | str, option: str) -> str | None:
    """The text at a field, None if it is empty; raises TaskError."""
    value = _found(row, field, i, path, option)
    try:
        text = _said(value)
    except _NoText as error:
        raise TaskError(
            f"`{field}` in row {i + 1} of `{path}` is {error}",
            hint=f"name the text in it, e.g. `--{option} {field}.0`",
        ) from None
    if text is None or not text.strip():
        return None
    return text


class _NoText(Exception):
    """A value that is no text; the message says what it is instead."""


def _said(value: Any) -> str | None:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, (str, int, float)):
        return str(value)
    if isinstance(value, Mapping):
        return _said_in(value)
    if isinstance(value, (list, tuple)):
        return _said_by(value)
    raise _NoText(f"a {type(value).__name__}")


def _said_in(value: Mapping[str, Any]) -> str | None:
    """The text of a message, or of what holds one."""
    for name in ("content", "text", "message"):
        if name in value:
            return _said(value[name])
    raise _NoText("an object without a text")


def _said_by(values: Sequence[Any]) -> str | None:
    """The last reply in a conversation, the parts of a message together, or the only value of a list."""
    if not values:
        return None
    if all(isinstance(value, Mapping) for value in values):
        if all("role" in value for value in values):
            replies = [value for value in values if value["role"] == "assistant"]
            return _said(replies[-1]) if replies else None
        if all("type" in value for value in values):
            return "".join(_said(value) or "" for value in values if value["type"] == "text")
    if len(values) > 1:
        raise _NoText(f"a list of {len(values)} values")
    return _said(values[0])


def _is_cut(row: Row) -> bool:
    reasons = (value_of(row, field) for field in ("finish_reason", "stop_reason", "choices.0.finish_reason"))
    return any(reason in CUT for reason in reasons)


def _present(rows: Sequence[Row], names: Sequence[str], taken: str | None = None) -> str | None:
    """The first of these fields that a row has, other than the one that is taken."""
    return next(
        (name for name in names if name != taken and any(value_of(row, name) is not MISSING for row in rows)),
        None,
    )


def _available(row: Row) -> str:
    return f"available fields: {', '.join(f'`{name}`' for name in row)}"
