"""Thousands separators and decimal commas, where they can be told apart."""

from __future__ import annotations

import re

_BEFORE, _AFTER = r"(?<![\d.,'^_/])(?<!\d )(?<!\^\{)", r"(?!\d|[.,' ]\d| ?/| ?\\frac)"
_GROUPS = tuple(
    re.compile(_BEFORE + number + _AFTER)
    for number in (
        r"[1-9]\d{0,2}(?: \d{3})+(?:[.,]\d{1,50})?",  # 1 234 567,5
        r"[1-9]\d{0,2}(?:'\d{3})+(?:[.,]\d{1,50})?",  # 1'234'567.5
        r"[1-9]\d{0,2}(?:_\d{3})+(?:\.\d{1,50})?",  # 1_234_567
        r"[1-9]\d{0,2}(?:\.\d{3}){2,}(?:,\d{1,50})?",  # 1.234.567,5
        r"[1-9]\d{0,2}(?:\.\d{3})+,\d{1,50}",  # 1.234,5
        r"[1-9]\d?(?:,\d{2})+,\d{3}(?:\.\d{1,50})?",  # 12,34,567
    )
)
_COMMAS = re.compile(r"(?<![\d.,])[1-9]\d{0,2}(?:,\d{3})+(?![\d,])")
_ESCAPED = re.compile(r"(?<=\d)(?:\{,\}|,?\\[,;:! ]|~)\s?(?=\d{3}(?!\d))")
_BRACKET = re.compile(r"[(\[]|\\\{|\\begin")
_DECIMAL_COMMA = re.compile(
    r"(?<![\d.,])(0|[1-9]\d*),(?!\d{3}(?!\d))(\d{1,50})(?![\d.,])"
    r"|(?<![\d.,])(0|\d{4,}),(\d{3})(?![\d.,])"
)


def joined(text: str) -> str:
    """Numbers without thousands separators, their decimal comma a point; (1,234) is a pair and stays.

    A single 1.234 is a decimal, a single 1,234 is a thousand and more.
    """
    if _BRACKET.search(text):
        return text
    for number in _GROUPS:
        text = number.sub(_ungrouped, text)
    return _COMMAS.sub(lambda found: found[0].replace(",", ""), text)


def _ungrouped(found: re.Match[str]) -> str:
    *groups, last = re.split(r"[ '_.,]", found[0])
    mark = re.sub(r"\d", "", found[0])
    has_decimals = len(set(mark)) > 1
    return "".join(groups) + ("." if has_decimals else "") + last


def with_points(text: str) -> str:
    """The text with decimal commas as points, for where a list cannot be meant: 3,5 and 0,125."""
    if _BRACKET.search(text):
        return text
    return _DECIMAL_COMMA.sub(lambda found: f"{found[1] or found[3]}.{found[2] or found[4]}", text)


def spelled_groups(text: str) -> str:
    r"""The text with LaTeX separators between digits as commas: `10\,080`, `10{,}080`, `11,\! 111`."""
    return _ESCAPED.sub(",", text)
