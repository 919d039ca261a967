r"""Formulas in LaTeX to SymPy, exactly: decimals become fractions, and nothing is evaluated."""

from __future__ import annotations

import logging
import re
from fractions import Fraction
from functools import lru_cache
from typing import Any

import sympy
from latex2sympy2_extended import NormalizationConfig, latex2sympy, normalize_latex
from latex2sympy2_extended.latex2sympy2 import ConversionConfig

from localsmc.evals.grading.sizes import is_vast
from localsmc.text.answers.numbers import SCIENTIFIC, powered
from localsmc.text.answers.recurring import as_fractions
from localsmc.text.answers.units import ANGLED

_DEEPEST = 20

# Units are off: 3t would become three tons, and `quantity` has already removed units.
_SPELLING = NormalizationConfig(
    basic_latex=True, units=False, malformed_operators=True, nits=True, boxed="none", equations=False
)
_READING = ConversionConfig(lowercase_symbols=False)
"""With lowercase symbols, as in math-verify's `parse`, R^2 - r^2 would be 0."""
_SCIENTIFIC = re.compile(rf"(?<![\w.])(?:{SCIENTIFIC})(?![\w.])")
_DECIMAL = re.compile(r"(?<![\w.])(\d{0,300})\.(\d{1,300})(?![\d.])|(?<![\w.])(\d{1,300})\.(?![\d.])")
_DIVISOR = re.compile(r"\\(?:gcd|lcm)(?![a-zA-Z])|\\(?:text|mathrm|operatorname)\s*\{\s*(?:gcd|lcm)\s*\}")
_DEGREES = re.compile(r"((?:\d+|\d*\.\d+))\s*(?:\^\s*\{\s*\\circ\s*\}|\^\s*\\circ(?![a-zA-Z]))")
_E = re.compile(r"\\(?:text|mathrm|operatorname)\s*\{\s*([ei])\s*\}")

for _name in ("math_verify", "latex2sympy2_extended"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)


@lru_cache(maxsize=64)
def parsed(text: str) -> Any:
    """Parse text to a SymPy object; None if it cannot be parsed."""
    if not _is_balanced(text):
        return None
    try:
        exact = _exact(text)
        if _DIVISOR.search(exact) and is_vast(unread := _read(_DIVISOR.sub(r"\\max", exact))):
            return unread  # only these functions are evaluated at once
        return _read(exact)
    except MemoryError:
        raise
    except Exception:  # the parser raises many kinds of errors
        return None


def _read(exact: str) -> Any:
    spelled = normalize_latex(exact, _SPELLING)
    found = latex2sympy(spelled, is_real=True, normalization_config=None, conversion_config=_READING)
    # i is the imaginary unit, but the parser does not always treat it so.
    return found.xreplace({symbol: sympy.I for symbol in found.free_symbols if symbol.name == "i"})


def _exact(text: str) -> str:
    """The text with its decimals as fractions: a decimal stands for its exact value."""
    text = _E.sub(r" \1 ", as_fractions(text))
    if ANGLED.search(text):
        text = _DEGREES.sub(r"{\\frac{\1 \\pi}{180}}", text)
    text = _SCIENTIFIC.sub(lambda found: _fraction(powered(found), found[0]), text)
    return _DECIMAL.sub(_rational, text)


def _rational(found: re.Match[str]) -> str:
    return _fraction(Fraction(found[0]), found[0])


def _fraction(size: Fraction | None, written: str) -> str:
    if size is None:
        return written
    if size.denominator == 1:
        return f"({size.numerator})"
    return rf"(\frac{{{size.numerator}}}{{{size.denominator}}})"


def _is_balanced(text: str) -> bool:
    """Whether brackets match and are at most `_DEEPEST` deep; otherwise the parser may take minutes."""
    depth = 0
    for char in text:
        depth += (char in "([{") - (char in ")]}")
        if not 0 <= depth <= _DEEPEST:
            return False
    return depth == 0
