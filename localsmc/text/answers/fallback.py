"""The number that a text ends with, for numeric tasks only: texts that state no answer often end in one."""

from __future__ import annotations

import re

_AMOUNT = (
    r"(?:[$€£]\s?|\\\$)?(?:\d{1,3}(?:,\d{3}){1,10}(?!\d)|\d{1,200})(?:\.\d{1,200})?(?:/\d{1,200}(?![\d/]))?%?"
    r"(?: ?(?:hundred|thousand|million|billion|trillion|dozen)(?!\w)|k(?!\w))?"
)
_NUMBER = re.compile(rf"(?:(?<![\w)\].])[-−])?(?<![\w.]){_AMOUNT}")
_OPENING = r"\s{0,3}[*_$({\\\[\"]{0,4}\s?"
_VALUE = re.compile(rf"{_OPENING}(?P<number>[-−]?\s?{_AMOUNT})(?![\d.,]*\d|\s?[x+*/×·÷^]\s?[\d(]|\s-\s\d)")
_FRACTION = re.compile(rf"{_OPENING}(?P<number>[-−]?\s?\\[dt]?frac\{{\d{{1,200}}\}}\{{\d{{1,200}}\}})")
_DIGIT = re.compile(r"\d")

MOST = 60
"""Maximum number of equals signs that are looked at, from the end of a text."""
_WINDOW = 500


def last_number(text: str, *, is_cut: bool = False) -> str | None:
    """The value of the last equation ("3 + 4 = 7"), else the last number; None if the text has none.

    With `is_cut`, a number at the end of the text is unfinished and does not count.
    """
    return _last_value(text, is_cut) or _last_alone(text, is_cut)


def _last_value(text: str, is_cut: bool) -> str | None:
    end = len(text)
    for _ in range(MOST):
        at = text.rfind("=", 0, end)
        if at < 0:
            return None
        window = text[at + 1 : at + 1 + _WINDOW]
        found = _FRACTION.match(window) or _VALUE.match(window)
        if found and not (is_cut and _touches_end(text, at + 1 + found.end("number"))):
            return found["number"].strip()
        end = at
    return None


def _last_alone(text: str, is_cut: bool) -> str | None:
    end = len(text)
    for _ in range(2):
        digit = _DIGIT.search(text[:end][::-1])
        if digit is None:
            return None
        last = end - digit.start()
        start = max(0, last - _WINDOW)
        found = [one for one in _NUMBER.finditer(text[start : last + 20]) if one.end() >= last - start]
        if found and not (is_cut and _touches_end(text, start + found[-1].end())):
            return found[-1][0].strip()
        end = start + found[-1].start() if found else start
    return None


def _touches_end(text: str, end: int) -> bool:
    return text[end : end + 3].strip(" ") in ("", ".", ",", "/")
