r"""Equality of formulas with math-verify and SymPy. Only the worker imports this: it takes seconds.

math-verify's time limits are off, because they use signals; instead, the worker is killed from outside.
Before math-verify runs, both formulas are evaluated at a few points: this decides wrong answers in
milliseconds, and catches differences that math-verify rounds away (6e-20 is not 5e-20).
"""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import Any

import sympy
from latex2sympy2_extended import NormalizationConfig, latex2sympy, normalize_latex
from latex2sympy2_extended.latex2sympy2 import ConversionConfig
from math_verify import verify

_DECIMALS = 12
"""Decimal places to which math-verify rounds; with its default of 6, 1.299038 equals 3√3/4."""
_TOLERANCE = 1e-10
_DEEPEST = 20
_POINTS = [(0.731, 0.318), (1.973, 0.577), (3.119, 1.237)]
"""First value and step for the variables; positive, so that roots and logarithms are unambiguous."""

# Units are off: 3t would become three tons, and `quantity` has already removed units.
_SPELLING = NormalizationConfig(
    basic_latex=True, units=False, malformed_operators=True, nits=True, boxed="none", equations=False
)
_READING = ConversionConfig(lowercase_symbols=False)
"""With lowercase symbols, as in math-verify's `parse`, R^2 - r^2 would be 0."""

for _name in ("math_verify", "latex2sympy2_extended"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)


@lru_cache(maxsize=64)
def parsed(text: str) -> Any:
    """Parse text to a SymPy object; None if it cannot be parsed."""
    if not _is_balanced(text):
        return None
    try:
        spelled = normalize_latex(text, _SPELLING)
        found = latex2sympy(spelled, is_real=True, normalization_config=None, conversion_config=_READING)
        # i is the imaginary unit, but the parser does not always treat it so.
        return found.xreplace({symbol: sympy.I for symbol in found.free_symbols if symbol.name == "i"})
    except MemoryError:
        raise
    except Exception:  # the parser raises many kinds of errors
        return None


def _is_balanced(text: str) -> bool:
    """Whether brackets match and are at most `_DEEPEST` deep; otherwise the parser may take minutes."""
    depth = 0
    for char in text:
        depth += (char in "([{") - (char in ")]}")
        if not 0 <= depth <= _DEEPEST:
            return False
    return depth == 0


def is_readable(text: str) -> bool:
    """Whether the text can be parsed."""
    return parsed(text) is not None


def are_equal(gold: str, answer: str) -> bool:
    """Whether two parseable formulas, sets or inequalities are equal."""
    if gold.count("'") != answer.count("'"):  # the parser drops primes: f'(x) is not f(x)
        return False
    one, other = parsed(gold), parsed(answer)
    if isinstance(one, sympy.Expr) and isinstance(other, sympy.Expr) and _differ(one, other):
        return False
    return bool(
        verify(one, other, float_rounding=_DECIMALS, timeout_seconds=None, allow_set_relation_comp=True)
    )


def are_proportional(gold: tuple[str, str], answer: tuple[str, str]) -> bool:
    """Whether two equations, each given by its two sides, are multiples of each other."""
    sides = [parsed(side) for side in (*gold, *answer)]
    if not all(isinstance(side, sympy.Expr) for side in sides):
        return False
    one, other = sides[0] - sides[1], sides[2] - sides[3]
    if one.free_symbols != other.free_symbols or not one.free_symbols:
        return False
    pairs = [pair for point in _POINTS if (pair := _at(one, other, point))]
    if len(pairs) < len(_POINTS) or min(abs(side) for pair in pairs for side in pair) < _TOLERANCE:
        return False
    ratios = [left / right for left, right in pairs]
    return all(abs(ratio - ratios[0]) <= _TOLERANCE * abs(ratios[0]) for ratio in ratios)


def _differ(one: Any, other: Any) -> bool:
    """Whether two formulas differ in value at some point; False if they cannot be evaluated."""
    pairs = [_at(one, other, point) for point in _POINTS]
    return any(
        pair is not None and abs(pair[0] - pair[1]) > _TOLERANCE * max(map(abs, pair)) for pair in pairs
    )


def _at(one: Any, other: Any, point: tuple[float, float]) -> tuple[complex, complex] | None:
    """Both values at a point; None if one of them is not finite there."""
    symbols = sorted(one.free_symbols | other.free_symbols, key=str)
    start, step = point
    values = {symbol: sympy.Rational(str(round(start + step * i, 6))) for i, symbol in enumerate(symbols)}
    try:
        left, right = (complex(sympy.N(side.doit().subs(values), 30)) for side in (one, other))
    except Exception:  # SymPy raises many kinds of errors; math-verify decides then
        return None
    return (left, right) if abs(left) < 1e300 and abs(right) < 1e300 else None
