"""The table of graders: name, version and the function that compares an answer with the gold answer.

The functions are stateless. They may take long or run out of memory, so they are called in the worker.
Increase a version when a verdict may change: results record it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from localsmc.errors import TaskError
from localsmc.evals.grading import code_tests, format_checks, math_equal
from localsmc.evals.grading.closeness import grade_close
from localsmc.evals.grading.gold import Gold, read_gold
from localsmc.evals.grading.verdict import NO_ANSWER, UNREAD_ANSWER, UNREAD_GOLD, Grade, grade_of
from localsmc.results import AnswerKind
from localsmc.text.answers.keys import folded
from localsmc.text.answers.latex import lettered, unwrapped
from localsmc.text.answers.numeric import number

_LONGEST = 1000
"""Maximum number of characters of a numeric answer or a choice."""

_WHOLE = re.compile(r"-?[0-9]{1,50}")


@dataclass(frozen=True, slots=True)
class GradingRule:
    """A grader and the kind of answers that it compares.

    `is_slow`: its first use imports SymPy. `has_numbers`: integers compare by value. `runs_code`: it runs
    what a model wrote.
    """

    name: str
    version: int
    kind: AnswerKind
    compare: Callable[[str, str], Grade]
    is_slow: bool = False
    has_numbers: bool = False
    runs_code: bool = False

    def grade(self, answer: str, gold: str) -> Grade:
        """The grade of an answer; `gold` may stand for several answers, or one with a tolerance.

        Only the gold of a whole reply is always taken as it is: it has a form of its own.
        """
        if self.kind == "reply":
            return self.compare(answer, gold)
        try:
            known = read_gold(gold, has_margin=self.kind == "numeric")
        except TaskError as error:
            return Grade("failed", str(error))
        if not known.is_exact and not self.has_numbers:
            return Grade("failed", f"the grader `{self.name}` knows no tolerance")
        grades = [self._graded(answer, text, known) for text in known.texts]
        order = ("right", "failed", "wrong")  # nobody knows what an unread one means
        return min(grades, key=lambda grade: order.index(grade.verdict))

    def _graded(self, answer: str, text: str, gold: Gold) -> Grade:
        found = self.compare(answer, text)
        return found if gold.is_exact or found.is_right else grade_close(answer, text, gold)

    def at_once(self, answer: str, gold: str) -> Grade | None:
        """The grade of two integers, which needs no worker; None for other answers."""
        if self.has_numbers and _WHOLE.fullmatch(answer) and _WHOLE.fullmatch(gold):
            return grade_of(int(answer) == int(gold))
        return None


def numeric(answer: str, gold: str) -> Grade:
    """Whether the only number in the answer, units ignored, equals that of the gold answer exactly."""
    expected = number(gold)
    if expected is None:
        return UNREAD_GOLD
    if not answer.strip():
        return NO_ANSWER
    found = number(answer)
    return UNREAD_ANSWER if found is None else grade_of(found == expected)


def exact(answer: str, gold: str) -> Grade:
    """Whether both are the same text, ignoring case, quotes, final punctuation, dollars, spaces, LaTeX sizes
    and thousands separators."""  # noqa: D205, D209
    expected, found = (folded(unwrapped(text)) for text in (gold, answer))
    if not expected:
        return UNREAD_GOLD
    return grade_of(found == expected) if found else NO_ANSWER


def choice(answer: str, gold: str) -> Grade:
    """Whether both are the same letter, A to J."""
    expected = lettered(unwrapped(gold)) if len(gold) <= _LONGEST else None
    if expected is None:
        return UNREAD_GOLD
    if not answer.strip():
        return NO_ANSWER
    found = lettered(unwrapped(answer)) if len(answer) <= _LONGEST else None
    return UNREAD_ANSWER if found is None else grade_of(found == expected)


GRADERS = {
    rule.name: rule
    for rule in (
        GradingRule("math", 3, "math", math_equal.grade, is_slow=True, has_numbers=True),
        GradingRule("numeric", 3, "numeric", numeric, has_numbers=True),
        GradingRule("exact", 3, "text", exact),
        GradingRule("choice", 3, "letter", choice),
        GradingRule("format", 1, "reply", format_checks.format),
        GradingRule("code", 1, "reply", code_tests.code, runs_code=True),
    )
}
"""Graders by name."""
