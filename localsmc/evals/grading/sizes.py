"""How many digits a formula has before it is evaluated: a tower of exponents is told by its size alone."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import sympy

MOST_DIGITS = 100_000
"""Formulas with numbers of more digits are never evaluated."""
_LARGEST_EXPONENT_DIGITS = 15
_MOST_TERMS = 2000
"""Sums and products of more terms are evaluated only if the terms are a polynomial."""
_FACTORIALS = (sympy.factorial, sympy.factorial2, sympy.subfactorial, sympy.gamma)


def is_vast(formula: Any) -> bool:
    """Whether evaluating a formula may make a number with more than MOST_DIGITS digits."""
    return digits(formula) > MOST_DIGITS


@lru_cache(maxsize=4096)
def digits(formula: Any) -> float:
    """An upper bound of the number of digits of any number in the evaluated formula; infinite for a tower."""
    if isinstance(formula, sympy.Rational):
        return float(abs(formula.p).bit_length() + formula.q.bit_length()) * math.log10(2)
    if not formula.args:
        return 1.0
    if isinstance(formula, (sympy.Pow, sympy.exp)):
        return _digits_of_power(*formula.as_base_exp())
    if isinstance(formula, _FACTORIALS):
        n = _size(formula.args[0])
        return n * math.log10(n + 2) + 1
    if isinstance(formula, sympy.binomial):
        return _digits_of_binomial(*formula.args)
    if isinstance(formula, (sympy.Sum, sympy.Product)):
        return _digits_of_terms(formula)
    parts = (digits(part) for part in formula.args if isinstance(part, sympy.Basic))
    return math.fsum(parts) + 1


def _digits_of_power(base: Any, exponent: Any) -> float:
    inner = digits(exponent)
    if base in (0, 1, -1):
        return max(inner, 1.0)
    return max(inner, digits(base) * max(1.0, _size(exponent)) + 1)


def _digits_of_binomial(n: Any, k: Any) -> float:
    size = _size(n)
    factors = min(_size(k), _size(n - k))
    return max(digits(n), digits(k), factors * math.log10(size + 2) + 1)


def _digits_of_terms(formula: Any) -> float:
    """Of a sum or a product; infinite if it has more terms than can be evaluated one by one."""
    inner = digits(formula.function)
    for index, first, last in formula.limits:
        ends = max(digits(first), digits(last))
        if ends == math.inf:
            return math.inf
        count = 1.0 if last.is_infinite or first.is_infinite else _size(last - first) + 1
        is_closed = isinstance(formula, sympy.Sum) and formula.function.is_polynomial(index)
        if count > _MOST_TERMS and not is_closed:
            return math.inf
        inner = max(inner, 1.0) + ends + (count if isinstance(formula, sympy.Product) else 0.0)
    return inner


def _size(number: Any) -> float:
    """An upper estimate of the absolute value of an exponent; 1 if it holds a variable."""
    if digits(number) > _LARGEST_EXPONENT_DIGITS:
        # (x^2)^{1/1000} has digits in its denominator only.
        is_small = isinstance(number, sympy.Rational) and abs(number) <= 1
        return 1.0 if is_small else math.inf
    if number.free_symbols:
        return 1.0
    try:
        return float(abs(number.evalf(15)))
    except TypeError:  # not a number after all: f(2)
        return 1.0
