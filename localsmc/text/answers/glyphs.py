"""Characters that stand for something written in ASCII: `10⁶`, `2½`, `−7`, `３`, a no-break space."""

from __future__ import annotations

import re
import unicodedata

_RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿⁱˣʸ", "0123456789+-()nixy", strict=True))
_LOWERED = dict(zip("₀₁₂₃₄₅₆₇₈₉₊₋₍₎ₙₓ", "0123456789+-()nx", strict=True))
_STACKED = re.compile(r"([⁰¹²³⁴⁵⁶⁷⁸⁹]{1,20})[⁄/]([₀₁₂₃₄₅₆₇₈₉]{1,20})")
_RAISED_RUN = re.compile(f"[{''.join(_RAISED)}]{{1,40}}")
_LOWERED_RUN = re.compile(f"[{''.join(_LOWERED)}]{{1,40}}")
_FULL_WIDTH = re.compile(r"[\uff01-\uff5e]")

_SAME = str.maketrans(
    dict.fromkeys("−‒–—﹣➖", "-")
    | dict.fromkeys("⁄∕÷", "/")
    | dict.fromkeys("\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009", " ")
    | dict.fromkeys("\u200a\u202f\u205f\u3000", " ")
    | dict.fromkeys("\u200b\u2060\ufeff\u200e\u200f", "")
    | dict.fromkeys("’ʼ′", "'")
)
_FRACTIONS = {char: tuple(unicodedata.normalize("NFKC", char).split("⁄")) for char in "½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅐⅛⅜⅝⅞⅑⅒"}
_FRACTION = re.compile(f"[{''.join(_FRACTIONS)}]")


def ascii_written(text: str) -> str:
    r"""The text with such characters as LaTeX or ASCII: `10^{6}`, `2\frac{1}{2}`, `-7`."""
    if text.isascii():
        return text
    text = _FULL_WIDTH.sub(lambda one: unicodedata.normalize("NFKC", one[0]), text)
    text = _STACKED.sub(lambda one: rf"\frac{{{_read(one[1], _RAISED)}}}{{{_read(one[2], _LOWERED)}}}", text)
    text = _FRACTION.sub(lambda one: r"\frac{{{}}}{{{}}}".format(*_FRACTIONS[one[0]]), text)
    text = _RAISED_RUN.sub(lambda one: f"^{{{_read(one[0], _RAISED)}}}", text)
    text = _LOWERED_RUN.sub(lambda one: f"_{{{_read(one[0], _LOWERED)}}}", text)
    return text.translate(_SAME)


def _read(text: str, table: dict[str, str]) -> str:
    return "".join(table[char] for char in text)
