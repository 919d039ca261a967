"""Rows of a standard data set as problems."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from string import ascii_uppercase

from localsmc.errors import TaskError
from localsmc.evals.tasks.choices import ChoiceFields, lettered_question, letters_of
from localsmc.evals.tasks.problem_rows import groups, identifier
from localsmc.evals.tasks.standard_tasks import StandardTask
from localsmc.evals.tasks.task import Item
from localsmc.system.row_files import Row, field_of, missing_field


def items_of(rows: Sequence[Row], known: StandardTask, path: Path) -> list[Item]:
    """The problems of all rows; raises TaskError, MissingField for a row that lacks a field."""
    items = [_item(row, i, known, path) for i, row in enumerate(rows)]
    if known.options is None:
        return items
    fields = ChoiceFields((known.options,))
    options = [fields.of(row, i, path) for i, row in enumerate(rows)]
    letters = letters_of([(i, options[i], item.gold) for i, item in enumerate(items)], path)
    return [
        replace(item, question=lettered_question(item.question, some.texts), gold=letter, options=some.texts)
        for item, some, letter in zip(items, options, letters, strict=True)
    ]


def _item(row: Row, i: int, known: StandardTask, path: Path) -> Item:
    gold = _gold(row, i, known, path)
    if not gold:
        raise TaskError(f"row {i + 1} of `{path}` has an empty answer", hint="fix or remove the row")
    question = _question(row, i, known, path)
    if not question:
        raise TaskError(f"row {i + 1} of `{path}` has an empty question", hint="fix or remove the row")
    family, level = groups(row, known.family or "family")
    item = Item(
        problem_id=identifier(row, i), question=question, gold=gold, family=family, level=level, row=i + 1
    )
    return _with_choices(item, row, i, known, path) if known.choices else item


def _gold(row: Row, i: int, known: StandardTask, path: Path) -> str:
    if known.solved is None:
        return known.gold(field_of(row, known.answer, i, path, "answer"))
    return _made(known.solved, row, i, path)


def _question(row: Row, i: int, known: StandardTask, path: Path) -> str:
    if known.worded is None:
        return field_of(row, known.question, i, path, "question").strip()
    return _made(known.worded, row, i, path)


def _made(make: Callable[[Row], str], row: Row, i: int, path: Path) -> str:
    """What a function makes of a row; raises TaskError if it lacks a field, or has something else in it."""
    try:
        return make(row)
    except KeyError as error:
        raise missing_field([row], error.args, i, path) from None
    except (TypeError, ValueError) as error:
        raise TaskError(f"row {i + 1} of `{path}` cannot be read: {error}", hint="fix or remove it") from None


def _with_choices(item: Item, row: Row, i: int, known: StandardTask, path: Path) -> Item:
    """A problem with lettered options, in an order that depends only on the row."""
    right = field_of(row, known.answer, i, path, "answer").strip()
    wrong = [field_of(row, (field,), i, path, "answer").strip() for field in known.choices]
    options = [right, *wrong]
    random.Random(f"{item.problem_id}/{item.question}").shuffle(options)
    return replace(
        item,
        question=lettered_question(item.question, options),
        gold=ascii_uppercase[options.index(right)],
        options=tuple(options),
    )
