"""The family of expressions with two or three operations, with and without brackets, in signs or in words."""

from __future__ import annotations

import random
from fractions import Fraction

from localsmc_models.corpus.calculation import Work
from localsmc_models.corpus.families.draws import numbers_for
from localsmc_models.corpus.families.frames import framed
from localsmc_models.corpus.formulas import calculated
from localsmc_models.corpus.problem import Problem
from localsmc_models.corpus.wording import filled, typed

SHAPES = (
    "({a} + {b}) * {n}", "{n} * ({a} + {b})", "{a} + {n} * {m}", "{n} * {m} + {a}", "{n} * {m} - {a}",
    "{a} - {n} * {m}", "({a} - {b}) / {n}", "({a} + {b}) / {n}", "{a} + {b} + {c}", "{a} - {b} - {c}",
    "{a} + {b} - {c}", "{a} - {b} + {c}", "{n} * {m} * {k}", "{n} * ({a} - {b})", "({a} - {b}) * {n}",
    "({a} + {b}) * ({c} - {d})", "{a} - ({b} + {c})", "{a} - ({b} - {c})", "{a} / {n} + {b}",
    "{a} / {n} - {b}", "{a} + {b} / {n}", "{a} - {b} / {n}", "{n} * {a} / {m}", "{n} * {m} + {k} * {d}",
    "{a} / ({n} + {m})", "({a} + {b}) - {c}", "{a} + ({b} - {c})", "{n} * {a}", "{a} / {n} * {m}",
    "{a} + {b} + {c} + {d}",
)  # fmt: skip
TOLD = (
    ("{a} + {b} + {c}", ("[the |]sum of {a}, {b} and {c}", "add {a}, {b} and {c}", "{a} plus {b} plus {c}",
                         "{a}, {b} and {c} together", "the total of {a}, {b}, and {c}",
                         "add up {a}, {b}, {c}")),
    ("{a} + {b} + {c} + {d}", ("[the |]sum of {a}, {b}, {c} and {d}", "add {a}, {b}, {c} and {d}",
                               "{a} plus {b} plus {c} plus {d}")),
    ("{n} * {m} * {k}", ("[the |]product of {n}, {m} and {k}", "{n} times {m} times {k}",
                         "multiply {n}, {m} and {k}")),
    ("({a} + {b}) * {n}", ("{n} times the sum of {a} and {b}", "add {a} and {b}, then multiply by {n}",
                           "the sum of {a} and {b}, times {n}", "{a} plus {b}, all times {n}")),
    ("{n} * {m} + {a}", ("{n} times {m} plus {a}", "{n} times {m}, plus {a}",
                         "multiply {n} by {m} and add {a}", "{a} more than {n} times {m}")),
    ("{n} * {m} - {a}", ("{n} times {m} minus {a}", "multiply {n} by {m} and subtract {a}",
                         "{a} less than {n} times {m}")),
    ("{a} + {n} * {m}", ("{a} plus {n} times {m}", "{a} plus the product of {n} and {m}")),
    ("2 * {a} + {b}", ("double {a} plus {b}", "double {a} and add {b}", "{b} more than twice {a}",
                       "twice {a} plus {b}")),
    ("2 * {a} - {b}", ("double {a} minus {b}", "double {a} and take away {b}", "{b} less than twice {a}",
                       "twice {a} minus {b}")),
    ("{a} / 2 + {b}", ("half of {a} plus {b}", "{b} more than half of {a}", "halve {a} and add {b}")),
    ("{a} / 2 - {b}", ("half of {a} minus {b}", "{b} less than half of {a}", "halve {a}, then subtract {b}")),
    ("({a} + {b}) / 2", ("half the sum of {a} and {b}", "[the |]average of {a} and {b}",
                         "[the |]mean of {a} and {b}", "the number halfway between {a} and {b}")),
    ("({a} + {b} + {c}) / 3", ("[the |]average of {a}, {b} and {c}", "[the |]mean of {a}, {b} and {c}")),
    ("({a} - {b}) * {n}", ("{n} times the difference of {a} and {b}",
                           "subtract {b} from {a}, then multiply by {n}")),
    ("{a} / {n} + {b}", ("{a} divided by {n} plus {b}", "divide {a} by {n} and add {b}")),
    ("{a} / {n} - {b}", ("{a} divided by {n} minus {b}", "divide {a} by {n} and subtract {b}")),
    ("{a} - {b} - {c}", ("{a} minus {b} minus {c}", "subtract {b} and {c} from {a}",
                         "take {b} and then {c} from {a}")),
    ("{a} + {b} - {c}", ("{a} plus {b} minus {c}", "add {a} and {b}, then take away {c}")),
)  # fmt: skip


def expression(rng: random.Random, level: int) -> Problem:
    """Two or three operations on whole numbers, rarely a sum of two fractions."""
    work = Work()
    written, answer = (_fractions if rng.random() < 0.03 else _whole)(rng, level, work)
    return Problem("expression", level, typed(framed(written, rng), rng), answer, tuple(work.steps))


def _whole(rng: random.Random, level: int, work: Work) -> tuple[str, str]:
    least = -(20**level) if rng.random() < 0.05 else 0
    wordings: tuple[str, ...] = ()
    if rng.random() < 0.35:
        shape, wordings = rng.choice(TOLD)
    else:
        shape = rng.choice(SHAPES)
    numbers = numbers_for(shape, level, rng, least)
    in_signs = shape.format_map(numbers)
    written = filled(rng.choice(wordings), numbers, rng) if wordings else _spelled(in_signs, rng)
    return written, str(int(calculated(in_signs, work)))


def _fractions(rng: random.Random, level: int, work: Work) -> tuple[str, str]:
    bottoms = (rng.randint(2, 4 + 2 * level) for _ in range(2))
    left, right = (Fraction(rng.randint(1, bottom - 1), bottom) for bottom in bottoms)
    sign = "+" if left <= right or rng.random() < 0.6 else "-"
    value = work.fractions(left, right, sign)
    return f"{left} {sign} {right}" if rng.random() < 0.6 else f"{left}{sign}{right}", str(value)


def _spelled(written: str, rng: random.Random) -> str:
    """The signs as people type them."""
    if (times := rng.choice("***xx\N{MULTIPLICATION SIGN}")) != "*":
        written = written.replace("*", times)
    if rng.random() < 0.25:
        written = written.replace("/", rng.choice(("\N{DIVISION SIGN}", ":")))
    if rng.random() < 0.45:
        written = written.replace(" ", "")
    if times == "*" and rng.random() < 0.08:
        written = written.replace("*", " times ").replace("  ", " ")
    return written
