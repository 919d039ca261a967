"""The table of graders: name, version and the function that says whether an answer is the gold answer.

Functions of two texts, without state; they may take long or run out of memory, so call them in the worker.
Raise a version when a verdict may change: results carry it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from localsmc.evals.grading import math_equal
from localsmc.evals.grading.latex_normalise import lettered, spelled, unwrapped
from localsmc.evals.grading.units import joined, value
from localsmc.evals.grading.verdict import NO_ANSWER, UNREAD_ANSWER, UNREAD_GOLD, Grade, told
from localsmc.text import answers

_LONGEST = 1000
"""Characters of a numeric answer or a choice."""

_WHOLE = re.compile(r"-?[0-9]{1,50}")
_NUMBER = re.compile(
    r"[+-]? ?(?:\d+ ?\\frac\{\d+\}\{\d+\}|\d+ \d+/\d+|\\frac\{ *[+-]?\d+ *\}\{ *\d+ *\}"
    r"|(?:\d+\.?\d*|\.\d+)(?: ?/ ?\d+)?)"
)
_FORMULA = re.compile(r"[\^_*:!]|[a-zA-Z]\d|\d[eE][+-]|\\(?:cdot|times|sqrt|pi)")
"""Signs that a number is part of something else: 5e-3, x2, 10^6, 3:30."""


@dataclass(frozen=True, slots=True)
class GradingRule:
    """One way of grading; `is_slow` says that its first use imports SymPy, `has_numbers` that 07 is 7."""

    name: str
    version: int
    grade: Callable[[str, str], Grade]
    is_slow: bool = False
    has_numbers: bool = False

    def at_once(self, answer: str, gold: str) -> Grade | None:
        """The grade where it takes no time to find, for two whole numbers; else None."""
        if self.has_numbers and _WHOLE.fullmatch(answer) and _WHOLE.fullmatch(gold):
            return told(int(answer) == int(gold))
        return None


def numeric(answer: str, gold: str) -> Grade:
    """Whether the one number of the answer, whatever its unit, is exactly that of the gold answer."""
    wanted = _number(gold)
    if wanted is None:
        return UNREAD_GOLD
    if not answer.strip():
        return NO_ANSWER
    found = _number(answer)
    return UNREAD_ANSWER if found is None else told(found == wanted)


def _number(text: str) -> Fraction | None:
    """The only number behind the last equals sign; None where there is none, or more than one."""
    if len(text) > _LONGEST:
        return None
    bare = joined(spelled(text).split("=")[-1]).replace("^\\circ", "")
    found = _NUMBER.findall(re.sub(r"\^\s*\{?[23]\}?", "", bare))  # cm^2
    is_alone = len(found) == 1 and not _FORMULA.search(bare)
    return value(found[0]) if is_alone else None


def exact(answer: str, gold: str) -> Grade:
    """Whether both are the same text, wrapping aside: dollars, spaces, LaTeX sizes, commas of thousands."""
    wanted, found = (answers.normalise(unwrapped(text)) for text in (gold, answer))
    if not wanted:
        return UNREAD_GOLD
    return told(found == wanted) if found else NO_ANSWER


def choice(answer: str, gold: str) -> Grade:
    """Whether both are the same letter, A to J."""
    wanted = lettered(unwrapped(gold)) if len(gold) <= _LONGEST else None
    if wanted is None:
        return UNREAD_GOLD
    if not answer.strip():
        return NO_ANSWER
    found = lettered(unwrapped(answer)) if len(answer) <= _LONGEST else None
    return UNREAD_ANSWER if found is None else told(found == wanted)


GRADERS = {
    rule.name: rule
    for rule in (
        GradingRule("math", 1, math_equal.grade, is_slow=True, has_numbers=True),
        GradingRule("numeric", 1, numeric, has_numbers=True),
        GradingRule("exact", 1, exact),
        GradingRule("choice", 1, choice),
    )
}
"""By name."""
