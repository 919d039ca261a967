"""Whether a number is as close to the gold answer as its tolerance or its decimal places ask."""

from __future__ import annotations

import re
from fractions import Fraction

from localsmc.evals.grading.gold import Gold
from localsmc.evals.grading.verdict import NO_ANSWER, UNREAD_ANSWER, UNREAD_GOLD, Grade, grade_of
from localsmc.text.answers.latex import spelled
from localsmc.text.answers.numbers import value
from localsmc.text.answers.numeric import number
from localsmc.text.answers.separators import joined, with_points
from localsmc.text.answers.units import quantity

_LONGEST = 400
_SHOWN = re.compile(r"\d*\.(\d+)")


def grade_close(answer: str, text: str, gold: Gold) -> Grade:
    """The grade of an answer that need not be equal to one text of a gold answer."""
    if (expected := _value(text)) is None:
        return UNREAD_GOLD
    if not answer.strip():
        return NO_ANSWER
    one, other = (quantity(spelled(side)) for side in (text, answer[:_LONGEST]))
    if one.clashes(other):
        return grade_of(False)
    if len(answer) > _LONGEST or (found := _value(answer)) is None:
        return UNREAD_ANSWER
    return grade_of(gold.allows(found, expected, _places(answer) or 0, _places(text)))


def _value(text: str) -> Fraction | None:
    """The value of a number or a formula; None if it has none."""
    if (found := number(text)) is not None:
        return found
    written = with_points(joined(spelled(text)))
    core = quantity(written.rpartition("=")[2].strip(), letters=True).core
    if (size := value(core)) is not None:
        return size
    # Imported late: it takes seconds, and most answers are decided without it.
    from localsmc.evals.grading import symbolic

    return symbolic.approximated(core)


def _places(text: str) -> int | None:
    """The decimal places that a text shows; None if it shows none."""
    found = _SHOWN.findall(with_points(joined(spelled(text))))
    return len(found[-1]) if found else None
