"""What a set of problems is, once it is read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import astuple, dataclass, replace

from localsmc.errors import TaskError
from localsmc.text import answers


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One problem as it is asked; `gold` is its answer where one is known."""

    problem_id: str
    question: str
    gold: str | None = None
    family: str | None = None
    level: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A set of problems, with the grader of its answers (a name) and how one is found in a text.

    `version` counts changes of wording, extraction or grading: figures of different versions
    are not to be compared. `source` says where the problems come from.
    """

    name: str
    version: int
    source: str
    grader: str
    items: tuple[Item, ...]
    extract: Callable[[str], str | None] = answers.extract

    def __post_init__(self) -> None:
        if not self.items:
            raise TaskError(f"`{self.source}` has no problems", hint="give another file or task")

    def first(self, limit: int | None) -> Task:
        """The same with the first problems only."""
        return self if limit is None else replace(self, items=self.items[:limit])

    @property
    def digest(self) -> str:
        """A hash of every problem and its answer."""
        text = json.dumps([astuple(item) for item in self.items])
        return hashlib.sha256(text.encode()).hexdigest()[:16]
