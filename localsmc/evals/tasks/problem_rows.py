"""What rows of all problem sets have in common: names and groups of problems."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from localsmc.evals.tasks.task import Item
from localsmc.system.row_files import Row, is_missing

ID_FIELDS = ("problem_id", "unique_id", "task_id", "question_id", "id", "ID", "Record ID")


class Groups(NamedTuple):
    """The groups of a problem, for the report."""

    family: str | None
    level: int | None


def identifier(row: Row, i: int) -> str:
    """The name of row i (from 0): its id, or its number from 1."""
    return next((str(row[name]) for name in ID_FIELDS if not is_missing(row.get(name))), str(i + 1))


def level_of(row: Row) -> int | None:
    """The level of a row, also if it is written "Level 5"; None if it has none."""
    level = str(row.get("level", "")).strip().removeprefix("Level ")
    return int(level) if level.isascii() and level.isdigit() and len(level) < 10 else None


def groups(row: Row, family: str = "family") -> Groups:
    """The family, in a field with this name, and the level."""
    found = row.get(family)
    return Groups(None if is_missing(found) else str(found), level_of(row))


def named_apart(items: Iterable[Item]) -> tuple[Item, ...]:
    """The problems; if their ids are not unique, they are numbered from 1 instead."""
    found = tuple(items)
    if len({item.problem_id for item in found}) == len(found):
        return found
    return tuple(replace(item, problem_id=str(i)) for i, item in enumerate(found, start=1))
