"""The values of numbers as they are written, exactly."""

from __future__ import annotations

import re
from fractions import Fraction

MIXED = re.compile(r"[+-]?\d{1,200} ?(?:\\frac\{\d{1,200}\}\{\d{1,200}\}|(?<= )\d{1,200}/\d{1,200})")
"""A mixed number such as 2 1/2: compared as text, because it is neither a product nor a quotient."""
_PLAIN = re.compile(r"[+-]?\d{1,200}(?:\.\d{0,200}|/0*[1-9]\d{0,200})?|[+-]?\.\d{1,200}")


def plain(answer: str) -> str:
    r"""The exact value of a number (0.5, 1/2, \frac{1}{2}), else the text without needless spaces."""
    if MIXED.fullmatch(answer):
        return answer
    written = re.sub(r"(?<!\d)\\frac\{(-?\d+)\}\{(\d+)\}", r"\1/\2", answer)
    compact = re.sub(r"(?<!\d) | (?!\d)", "", written)
    return str(Fraction(compact)) if _PLAIN.fullmatch(compact) else compact
