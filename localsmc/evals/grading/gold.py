r"""Gold answers: one text, several accepted ones, or one with a tolerance.

    42                                        one answer
    ["4", "four"]                             any of them is right
    {"answer": "3.14", "tolerance": 0.01}     numbers from 3.13 to 3.15 are right
    {"answer": "350", "tolerance": "2%"}      numbers within 2 % of it are right
    {"answer": "\\pi", "places": 2}           roundings to two places or more are right: 3.14, 3.1416
    \approx 3.14                              what rounds to it is right, from 3.135 to 3.145
    9.8 \pm 0.1                               numbers from 9.7 to 9.9 are right; two values to `math`

A list counts only if its elements are strings: [1, 2] is an interval.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from localsmc.errors import TaskError
from localsmc.text.answers.numeric import number

_KEYS = ("answer", "tolerance", "places")
_MOST_PLACES = 50


@dataclass(frozen=True, slots=True)
class Gold:
    """The accepted answers, and how far a number may be from them.

    `tolerance` is absolute, or relative to the gold answer if `is_relative`. `places`: a number rounded to
    this many decimal places or more is right; None if rounding is not allowed.
    """

    texts: tuple[str, ...]
    tolerance: Fraction | None = None
    is_relative: bool = False
    places: int | None = None

    @property
    def is_exact(self) -> bool:
        """Whether only equal answers are right."""
        return self.tolerance is None and self.places is None

    def allows(self, found: Fraction, expected: Fraction, shown: int, shown_by_gold: int | None) -> bool:
        """Whether a number is close enough to the expected one.

        `shown` is the number of decimal places that the answer shows, `shown_by_gold` that of a gold answer
        which is a decimal itself; None if it is exact.
        """
        gap = abs(found - expected)
        if self.tolerance is not None:
            return gap <= self.tolerance * (abs(expected) if self.is_relative else 1)
        places = shown if shown_by_gold is None else min(shown, shown_by_gold)
        return self.places is not None and places >= self.places and gap <= Fraction(1, 2 * 10**places)


_ROUNDED = re.compile(r"\s*\$?\s*(?:≈|\\approx(?![a-zA-Z]))\s*(?P<shown>[^$]+?)\s*\$?\s*")
_MARGIN = re.compile(r"\s*\$?(?P<middle>[^$]+?)\s*(?:±|\\pm(?![a-zA-Z])|\+/-)\s*(?P<margin>[^$]+?)\$?\s*")
_DECIMALS = re.compile(r"[-−+]?\d[\d,]*(?:\.(\d+))?(?![\d.]|\s*[eE^\\×/])")


def read_gold(text: str, *, has_margin: bool = False) -> Gold:
    """The gold answer that a text stands for; with `has_margin`, 9.8 \\pm 0.1 is a number and its tolerance.

    Raises TaskError if it is a form of this module with a mistake.
    """
    bare = text.strip()
    if (close := _rounded(text) or (_margin(text) if has_margin else None)) is not None:
        return close
    if bare.startswith(("['", '["', "[ '", '[ "')):
        return Gold(_texts(_list(bare), text))
    if bare.startswith("{") and bare[1:].lstrip().startswith('"'):
        return _with_tolerance(bare)
    return Gold((text,))


def written_gold(value: object) -> str:
    """The text that stands for a value of a JSON or Parquet file: a text, a number, a list or an object."""
    if isinstance(value, str):
        return value
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)) and value:
        texts = [written_gold(part) for part in value]
        return texts[0] if len(texts) == 1 else json.dumps(texts, ensure_ascii=False)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)


def _rounded(text: str) -> Gold | None:
    """A gold answer that says that it is rounded, to half a unit of its last place."""
    found = _ROUNDED.fullmatch(text)
    if not found or number(found["shown"]) is None or not (digits := _DECIMALS.match(found["shown"])):
        return None
    return Gold((found["shown"],), tolerance=Fraction(1, 2 * 10 ** len(digits[1] or "")))


def _margin(text: str) -> Gold | None:
    found = _MARGIN.fullmatch(text)
    if not found or number(found["middle"]) is None:
        return None
    size = number(found["margin"])
    return None if size is None or size < 0 else Gold((found["middle"],), tolerance=size)


def _list(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        pass
    try:  # as Python and Pandas write a list into CSV
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def _texts(found: Any, text: str) -> tuple[str, ...]:
    if not isinstance(found, list) or not found or not all(isinstance(part, str) for part in found):
        message = f"the gold answer `{text}` is not a list of texts"
        raise TaskError(message, hint='write several accepted answers as ["4", "four"]')
    return tuple(found)


def _with_tolerance(text: str) -> Gold:
    try:
        found = json.loads(text, parse_float=str, parse_int=str)
    except ValueError as error:
        message = f"the gold answer `{text}` is not a JSON object ({error})"
        raise TaskError(message, hint='write {"answer": "3.14", "tolerance": 0.01}') from error
    unknown = [key for key in found if key not in _KEYS]
    if unknown or "answer" not in found or ("tolerance" in found and "places" in found):
        message = f"the gold answer `{text}` has other fields than `answer` and `tolerance` or `places`"
        raise TaskError(message, hint='write {"answer": "3.14", "tolerance": 0.01}')
    answers = found["answer"]
    texts = _texts(answers if isinstance(answers, list) else [answers], text)
    if "places" in found:
        return Gold(texts, places=_places(found["places"], text))
    tolerance, is_relative = _tolerance(found.get("tolerance", "0"), text)
    return Gold(texts, tolerance=tolerance, is_relative=is_relative)


def _tolerance(value: object, text: str) -> tuple[Fraction, bool]:
    written = str(value).strip()
    is_relative = written.endswith("%")
    try:
        size = Fraction(written.rstrip("% "))
    except (ValueError, ZeroDivisionError):
        size = Fraction(-1)
    if size < 0:
        message = f"`{value}` is not a tolerance, in the gold answer `{text}`"
        raise TaskError(message, hint='write a number such as 0.01, or a share such as "2%"')
    return (size / 100 if is_relative else size), is_relative


def _places(value: object, text: str) -> int:
    written = str(value)
    if not written.isdecimal() or int(written) > _MOST_PLACES:
        message = f"`{value}` is not a number of decimal places, in the gold answer `{text}`"
        raise TaskError(message, hint=f"write a whole number from 0 to {_MOST_PLACES}")
    return int(written)
