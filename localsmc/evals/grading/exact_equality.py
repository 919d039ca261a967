"""Whether two formulas have the same value: by their digits, and never by rounding.

Rational numbers are compared exactly. Other formulas are compared at a few points, to more digits than all
of their numbers have together: 1/2004! is not 1/2006!, and e is not 2.718281828459045.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sympy

from localsmc.evals.grading.sizes import MOST_DIGITS, digits, is_vast

_SPARE_DIGITS = 60
_ROUGHLY = 0.01
"""Relative difference beyond any error of numeric integration."""
_POINTS = [(0.731, 0.318), (1.973, 0.577), (-0.619, 0.211), (3.119, 1.237), (-2.371, 0.453), (0.093, 0.057)]
"""First value and step for the variables. Where a formula has no real value, the point is left out."""
_WHOLE_POINTS = [(2.0, 1.0), (5.0, 2.0), (8.0, 3.0)]
"""For formulas of whole numbers: (-1)^n, n!."""
_ENOUGH = 3


def are_same_value(one: Any, other: Any) -> bool:
    """Whether two SymPy expressions are equal for all values of their variables."""
    if is_vast(one) or is_vast(other):
        return _are_same_vast(one, other)
    if _differ_roughly(one, other):
        return False
    one, other = one.doit(), other.doit()
    if one == other:
        return True
    if isinstance(one, sympy.Rational) and isinstance(other, sympy.Rational):
        return False
    if not _is_finite(one) or not _is_finite(other):
        return False
    precision = _precision(one, other)
    symbols = sorted(one.free_symbols | other.free_symbols, key=str)
    found = list(_compared(one, other, symbols, precision))
    if found:
        return all(found)
    return bool(sympy.simplify(one - other) == 0)


def are_proportional(one: Any, other: Any) -> bool:
    """Whether one formula with variables is another one times a number that is not 0."""
    if is_vast(one) or is_vast(other) or not one.free_symbols or one.free_symbols != other.free_symbols:
        return False
    one, other = one.doit(), other.doit()
    symbols, precision = sorted(one.free_symbols, key=str), _precision(one, other)
    for first in _points(symbols, _POINTS):
        left, right = one.subs(first), other.subs(first)
        if _is_zero(left, precision) is False and _is_zero(right, precision) is False:
            found = list(_compared(one * right, other * left, symbols, precision))
            return len(found) > 1 and all(found)
    return False


def sign_of_ratio(one: Any, other: Any) -> int:
    """The sign of the number that makes one of two proportional formulas of the other."""
    symbols = sorted(one.free_symbols, key=str)
    for point in _points(symbols, _POINTS):
        ratio = (one.subs(point) / other.subs(point)).evalf(15)
        if ratio.is_real and ratio.is_finite and ratio != 0:
            return 1 if ratio > 0 else -1
    return 0


def _compared(one: Any, other: Any, symbols: list[Any], precision: int) -> Iterator[bool]:
    """Whether both are equal at each of a few points, until they differ."""
    if not symbols:
        equal = _is_zero(one - other, precision)
        yield from () if equal is None else (equal,)
        return
    count, is_complex = 0, one.has(sympy.I) or other.has(sympy.I)
    for point in [*_points(symbols, _POINTS), *_points(symbols, _WHOLE_POINTS)]:
        left, right = one.subs(point), other.subs(point)
        if not (is_complex or (_is_real(left) and _is_real(right))):
            continue
        equal = _is_zero(left - right, precision)
        if equal is None:
            continue
        yield equal
        count += 1
        if not equal or count == _ENOUGH:
            return


def _points(symbols: list[Any], starts: list[tuple[float, float]]) -> Iterator[dict[Any, Any]]:
    for start, step in starts:
        yield {symbol: sympy.Rational(str(round(start + step * i, 6))) for i, symbol in enumerate(symbols)}


def _precision(one: Any, other: Any) -> int:
    return min(MOST_DIGITS, _SPARE_DIGITS + int(digits(one) + digits(other)))


def _is_zero(difference: Any, precision: int) -> bool | None:
    """Whether a number is 0 to so many digits; None if it cannot be evaluated."""
    if difference == 0:
        return True
    try:
        parts = difference.evalf(10, maxn=precision).as_real_imag()
    except Exception:  # SymPy raises many kinds of errors
        return None
    if not all(isinstance(part, sympy.Number) and part.is_finite for part in parts):
        return None
    # A part of which no digit is certain has one bit of precision.
    return all(part == 0 or getattr(part, "_prec", 0) == 1 for part in parts)


def _is_real(value: Any) -> bool:
    try:
        return bool(abs(value.evalf(15).as_real_imag()[1]) < sympy.Float("1e-12"))
    except Exception:  # SymPy raises many kinds of errors
        return False


def _differ_roughly(one: Any, other: Any) -> bool:
    """Whether numbers with integrals are far apart: SymPy may look for a closed form for minutes."""
    integrals = one.atoms(sympy.Integral) | other.atoms(sympy.Integral)
    is_number = not (one.free_symbols or other.free_symbols)
    if not integrals or not is_number or any(end.is_infinite for part in integrals for end in _ends(part)):
        return False
    try:
        left, right = (complex(side.evalf(15)) for side in (one, other))
    except Exception:  # SymPy raises many kinds of errors
        return False
    return abs(left - right) > _ROUGHLY * max(abs(left), abs(right))


def _ends(integral: Any) -> list[Any]:
    return [end for _, *ends in integral.limits for end in ends]


def _is_finite(formula: Any) -> bool:
    return not formula.has(sympy.oo, -sympy.oo, sympy.zoo, sympy.nan)


def _are_same_vast(one: Any, other: Any) -> bool:
    """Whether two formulas with a tower of exponents are the same, without evaluating the tower."""
    if not (is_vast(one) and is_vast(other)):
        return False
    return bool(_settled(one) == _settled(other))


def _settled(formula: Any) -> Any:
    """The formula with all parts evaluated that are not vast."""
    if not is_vast(formula):
        return formula.doit()
    if not formula.args:
        return formula
    args = [_settled(part) if isinstance(part, sympy.Basic) else part for part in formula.args]
    if isinstance(formula, (sympy.Add, sympy.Mul)):
        return (type(formula).__name__, tuple(sorted(args, key=str)))
    return (type(formula).__name__, tuple(args))
