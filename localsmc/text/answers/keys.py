"""Keys of answers: answers with the same key are the same answer."""

from __future__ import annotations

import re
from fractions import Fraction

from localsmc.results import AnswerKind

MIXED = re.compile(r"[+-]?\d+ ?(?:\\frac\{\d+\}\{\d+\}|(?<= )\d+/\d+)")
"""A mixed number such as 2 1/2: compared as text, because it is neither a product nor a quotient."""


def key(answer: str, kind: AnswerKind = "any") -> str:
    r"""The key for grouping answers: the exact value of a number (0.5, 1/2, \frac{1}{2}), else the text."""
    if MIXED.fullmatch(answer):
        return answer
    plain = re.sub(r"(?<!\d)\\frac\{(-?\d+)\}\{(\d+)\}", r"\1/\2", answer)
    compact = re.sub(r"(?<!\d) | (?!\d)", "", plain)
    if re.fullmatch(r"[+-]?\d{1,200}(?:\.\d{0,200}|/0*[1-9]\d{0,200})?|[+-]?\.\d{1,200}", compact):
        return str(Fraction(compact))
    return compact


def same(found: str | None, answer: str, kind: AnswerKind = "any") -> bool:
    """Whether a found answer equals the expected one; False if none was found."""
    return found is not None and key(found, kind) == key(answer, kind)
