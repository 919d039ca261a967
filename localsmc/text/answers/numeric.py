r"""The one number that an answer gives: 42 of `42 apples`, 7 of `3 + 4 = 7`, 10 of "10 because 3 + 4 = 7"."""

from __future__ import annotations

import re
from fractions import Fraction

from localsmc.text.answers.answer import LONGEST
from localsmc.text.answers.clause import clause
from localsmc.text.answers.latex import spelled
from localsmc.text.answers.number_words import in_digits
from localsmc.text.answers.numbers import POWER, SCIENTIFIC, powered, value
from localsmc.text.answers.recurring import as_fractions
from localsmc.text.answers.separators import joined, with_points

_NUMBER = re.compile(
    r"[+-]? ?(?:\d+ ?\\frac\{\d+\}\{\d+\}|\d+ \d+/\d+|\\frac\{ *[+-]?\d+ *\}\{ *\d+ *\}"
    r"|(?:\d+\.?\d*|\.\d+)(?: ?/ ?\d+)?)"
)
_FORMULA = re.compile(r"[\^_*:!]|[a-zA-Z]\d|\d[eE][+-]|\\(?:cdot|times|sqrt|pi)")
"""The number is part of a larger expression: 5e-3, x2, 10^6, 3:30."""
_OPERATOR = re.compile(r"[+\-*/^(\\]")


_SIGN = re.compile(r"(?<![\w)}])([+-]) ?(?:\\?\$|[£€¥₹]) ?(?=[\d.])")
"""The sign before a currency: -$5."""
_POWER = re.compile(
    rf"(?<![\w.,^}}\\])(?:{POWER})(?![\w.^!({{\\])|(?<![\w.,^}}\\])(?:{SCIENTIFIC})(?![\w.^!({{\\])"
)
_LONGEST_POWER = 200
_AREA = re.compile(
    r"(?<=[\d ~{])((?:[mcdk]?m|in|ft|yd|mi|inch(?:es)?|feet|foot|yards?|miles?|units?"
    r"|(?:centi|milli|kilo)?met(?:er|re)s?)"
    r"[.}]{0,2}) ?(?:\^ ?\{? ?[23] ?\}?|[²³])"
)
"""A unit of area or volume: cm^2, m³. A variable with an exponent is none."""


def _raised(found: re.Match[str]) -> str:
    size = powered(found)
    return found[0] if size is None or len(str(size)) > _LONGEST_POWER else str(size)


def number(answer: str) -> Fraction | None:
    """The only number of an answer, its unit ignored; None if there is none, or more than one.

    Of a calculation it is the value, after the last equals sign. A calculation that only gives the reason for
    a number is left out.
    """
    if len(answer) > LONGEST:
        return None
    # Before `spelled`, which takes the last dots of 0.333... for the end of a sentence.
    written = with_points(joined(spelled(in_digits(as_fractions(answer)))))
    text = _POWER.sub(_raised, _SIGN.sub(r"\1", written))
    found = _alone(text)
    if found is None and (read := clause(text, 0)) is not None and read.value != text:
        found = _alone(read.value)
    return found


def _alone(text: str) -> Fraction | None:
    *left, right = text.split("=")
    is_aside = bool(left) and right.count(")") > right.count("(")  # 10 (3 + 4 = 7)
    if is_aside or any(_states_something_else(side) for side in left):
        return None
    bare = _AREA.sub(r"\1", right.replace("^\\circ", ""))
    found = _NUMBER.findall(bare)
    return value(found[0]) if len(found) == 1 and not _FORMULA.search(bare) else None


def _states_something_else(side: str) -> bool:
    """Whether numbers before an equals sign are not joined by operators, as in "10 because 3 + 4 = 7"."""
    between = re.split(r"\d[\d.,]*", side)[1:-1]
    return any(not _OPERATOR.search(part) for part in between) or bool(re.search(r"\d[^+\-*/^]*[;,] ", side))
