"""A problem set in memory."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace

from localsmc.errors import TaskError
from localsmc.evals.grading import GRADERS
from localsmc.results import AnswerKind
from localsmc.text.chat_template import Message
from localsmc.text.examples import Examples

Gold = str | tuple[str, ...]
"""The right answer, or several that are accepted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One problem; `gold` is the correct answer, None if it is not known.

    `system` and `earlier` are the messages before the question. `options` are the texts of a multiple choice,
    which the question lists. `row` is the number of its row in a file, from 1.
    """

    problem_id: str
    question: str
    gold: Gold | None = None
    family: str | None = None
    level: int | None = None
    system: str | None = None
    earlier: tuple[Message, ...] = ()
    options: tuple[str, ...] = ()
    row: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A problem set, and the name of its grader.

    `version` changes with the wording, the extraction or the grading; results of different versions are
    not comparable. `source` says where the problems come from.
    """

    name: str
    version: int
    source: str
    grader: str
    items: tuple[Item, ...]
    examples: Examples | None = None
    """Worked examples that are put before each problem; none of them is a problem."""
    reading: str = ""
    """How the problems are read from a user's file, in words; empty for other tasks."""

    def __post_init__(self) -> None:
        if not self.items:
            raise TaskError(f"`{self.source}` has no problems", hint="choose another file or task")
        self.refuse_shown(self.examples)

    def refuse_shown(self, examples: Examples | None) -> None:
        """Raise TaskError if one of these examples is a problem of the task: its answer would be shown."""
        shown = set() if examples is None else {pair.question for pair in examples.pairs}
        for item in self.items:
            if item.question in shown:
                raise TaskError(
                    f"problem `{item.problem_id}` of `{self.name}` is among the examples, with its answer",
                    hint="take the examples from other problems than those that are evaluated",
                )

    def first(self, limit: int | None) -> Task:
        """The task with its first `limit` problems only."""
        return self if limit is None else replace(self, items=self.items[:limit])

    @property
    def without_gold(self) -> tuple[Item, ...]:
        """The problems whose answer is not known: they run, and are not graded."""
        return tuple(item for item in self.items if item.gold is None)

    @property
    def kind(self) -> AnswerKind:
        """The type of its answers: votes count two answers as one if they are the same to its grader."""
        return GRADERS[self.grader].kind

    @property
    def digest(self) -> str:
        """A hash of all problems and their answers."""
        text = json.dumps([asdict(item) for item in self.items])
        return hashlib.sha256(text.encode()).hexdigest()[:16]
