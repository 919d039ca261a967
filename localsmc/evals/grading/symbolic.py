r"""Equality of formulas, sets and inequalities with SymPy. Only the worker imports this: it takes seconds.

Formulas are decided here, exactly. What is left goes to math-verify, whose time limits are off, because they
use signals; instead, the worker is killed from outside.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import sympy
from math_verify import verify

from localsmc.evals.grading.exact_equality import are_proportional as _are_multiples
from localsmc.evals.grading.exact_equality import are_same_value, sign_of_ratio
from localsmc.evals.grading.parsing import parsed
from localsmc.evals.grading.sizes import is_vast

_DECIMALS = 100
"""Decimal places to which math-verify rounds; with its default of 6, 1.299038 equals 3√3/4."""
_VALUE_DIGITS = 60


def is_readable(text: str) -> bool:
    """Whether the text can be parsed."""
    return parsed(text) is not None


def are_equal(gold: str, answer: str) -> bool:
    """Whether two parseable formulas, sets or inequalities are equal."""
    if gold.count("'") != answer.count("'"):  # the parser drops primes: f'(x) is not f(x)
        return False
    one, other = (_elements(parsed(text)) for text in (gold, answer))
    if _are_formulas(one, other):
        return are_same_value(one, other)
    if isinstance(one, _MATRICES) and isinstance(other, _MATRICES):
        return _are_same_matrices(one, other)
    if isinstance(one, sympy.Expr) or isinstance(other, sympy.Expr):
        return False
    if is_vast(one) or is_vast(other):
        return bool(one == other)
    known = _are_same_sets(_as_set(one), _as_set(other))
    if known is None:
        known = _are_same_relations(one, other)
    return _verified(one, other) if known is None else known


def approximated(text: str) -> Fraction | None:
    """The value of a formula without variables to 60 digits; None if it has none."""
    found = parsed(text)
    if not isinstance(found, sympy.Expr) or found.free_symbols or is_vast(found):
        return None
    number = found.doit().evalf(_VALUE_DIGITS)
    if not isinstance(number, sympy.Number) or not number.is_finite:
        return None
    exact = sympy.Rational(str(number)) if isinstance(number, sympy.Float) else number
    return Fraction(int(exact.p), int(exact.q))


def are_proportional(gold: tuple[str, str], answer: tuple[str, str]) -> bool:
    """Whether two equations, each given by its two sides, are multiples of each other."""
    sides = [parsed(side) for side in (*gold, *answer)]
    if not all(isinstance(side, sympy.Expr) for side in sides):
        return False
    return _are_multiples(sides[0] - sides[1], sides[2] - sides[3])


_MATRICES = (sympy.MatrixBase, sympy.MatrixExpr)


def _are_formulas(one: Any, other: Any) -> bool:
    """Whether both have numbers as values; SymPy counts sums of matrices among its expressions."""
    return all(isinstance(side, sympy.Expr) and not isinstance(side, _MATRICES) for side in (one, other))


def _are_same_matrices(one: Any, other: Any) -> bool:
    left, right = (sympy.Matrix(side.doit()) for side in (one, other))
    return left.shape == right.shape and all(
        are_same_value(*pair) for pair in zip(left.flat(), right.flat(), strict=True)
    )


def _elements(found: Any) -> Any:
    r"""The set of `x \in [-2,7]`, which the parser reads as an equation."""
    is_element = isinstance(found, sympy.Eq) and isinstance(found.lhs, sympy.Symbol)
    return found.rhs if is_element and isinstance(found.rhs, sympy.Set) else found


def _as_set(found: Any) -> Any:
    """An inequality in one variable as the set of its solutions; None if it is not one."""
    if isinstance(found, sympy.Set):
        return found.doit()
    if isinstance(found, (sympy.And, sympy.Or, sympy.Rel)) and len(found.free_symbols) == 1:
        try:
            return found.doit().as_set()
        except Exception:  # SymPy raises many kinds of errors
            return None
    return None


def _are_same_sets(one: Any, other: Any) -> bool | None:
    """Whether two sets are the same; None if that is not known."""
    if not isinstance(one, sympy.Set) or not isinstance(other, sympy.Set):
        return None
    if one == other:
        return True
    pair = (one, other)
    if all(isinstance(side, sympy.Interval) for side in pair):
        is_open = [(side.left_open, side.right_open) for side in pair]
        return is_open[0] == is_open[1] and _are_all_same(pair, lambda side: [side.start, side.end])
    if all(isinstance(side, sympy.FiniteSet) for side in pair):
        return _match(list(one.args), list(other.args))
    if all(isinstance(side, sympy.Union) for side in pair):
        return _are_same_unions(list(one.args), list(other.args))
    is_simple = [isinstance(side, (sympy.Interval, sympy.FiniteSet, sympy.Union)) for side in pair]
    return False if all(is_simple) or sympy.S.EmptySet in pair else None


def _are_all_same(pair: tuple[Any, Any], parts: Any) -> bool:
    return all(are_same_value(*both) for both in zip(parts(pair[0]), parts(pair[1]), strict=True))


def _match(left: list[Any], right: list[Any]) -> bool:
    """Whether the elements are the same in some order."""
    if len(left) != len(right) or not all(isinstance(part, sympy.Expr) for part in left + right):
        return False
    for part in left:
        found = next((i for i, other in enumerate(right) if are_same_value(part, other)), None)
        if found is None:
            return False
        del right[found]
    return True


def _are_same_unions(left: list[Any], right: list[Any]) -> bool | None:
    if len(left) != len(right):
        return False
    for part in left:
        answers = [_are_same_sets(part, other) for other in right]
        if None in answers:
            return None
        if True not in answers:
            return False
        del right[answers.index(True)]
    return True


def _are_same_relations(one: Any, other: Any) -> bool | None:
    """Whether two inequalities in several variables are the same; None if they are something else."""
    if not isinstance(one, sympy.Rel) or not isinstance(other, sympy.Rel):
        return None
    left, right = one.lhs - one.rhs, other.lhs - other.rhs
    if not _are_multiples(left, right):
        return False
    is_symmetric = isinstance(one, (sympy.Eq, sympy.Ne))
    is_turned = not is_symmetric and sign_of_ratio(left, right) < 0
    return bool(one.func == (other.reversed.func if is_turned else other.func))


def _verified(one: Any, other: Any) -> bool:
    return bool(
        verify(
            one,
            other,
            float_rounding=_DECIMALS,
            numeric_precision=_DECIMALS,
            timeout_seconds=None,
            allow_set_relation_comp=True,
        )
    )
