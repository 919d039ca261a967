"""Calculate an expression of whole numbers step by step, as precedence and brackets say."""

from __future__ import annotations

import ast
from fractions import Fraction

from localsmc_models.corpus.calculation import Work


def calculated(expression: str, work: Work) -> int:
    """The value of an expression with + - * / and brackets; records its steps.

    Raises ValueError if a quotient is not whole.
    """
    return _value(ast.parse(expression, mode="eval").body, work)


def parts(expression: str) -> list[Fraction]:
    """The values of all parts of an expression, the whole first: what a drawer of numbers looks at."""
    found: list[Fraction] = []

    def visit(node: ast.expr) -> Fraction:
        place = len(found)
        found.append(Fraction(0))
        if isinstance(node, ast.BinOp):
            left, right = visit(node.left), visit(node.right)
            found[place] = _exact(node.op, left, right)
        elif isinstance(node, ast.Constant):
            found[place] = Fraction(node.value)  # type: ignore[arg-type]
        return found[place]

    visit(ast.parse(expression, mode="eval").body)
    return found


def _exact(operator: ast.operator, left: Fraction, right: Fraction) -> Fraction:
    if isinstance(operator, ast.Add):
        return left + right
    if isinstance(operator, ast.Sub):
        return left - right
    return left * right if isinstance(operator, ast.Mult) else left / right


def _value(node: ast.expr, work: Work) -> int:
    if isinstance(node, ast.Constant):
        return int(node.value)  # type: ignore[arg-type]
    if not isinstance(node, ast.BinOp):
        raise TypeError(f"no calculation: {ast.dump(node)}")
    left, right = _value(node.left, work), _value(node.right, work)
    if isinstance(node.op, ast.Add):
        return work.added(left, right)
    if isinstance(node.op, ast.Sub):
        return work.subtracted(left, right)
    if isinstance(node.op, ast.Mult):
        return work.times(left, right)
    if left % right:
        raise ValueError(f"`{ast.unparse(node)}` is not a whole number")
    return work.divided(left, right)
