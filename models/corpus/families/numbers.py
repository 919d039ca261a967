"""Families that ask about bare numbers."""

from __future__ import annotations

import math
import random
from fractions import Fraction

from localsmc_models.corpus.calculation import Found, Work
from localsmc_models.corpus.problem import Problem


def arithmetic(rng: random.Random, level: int) -> Problem:
    """Expressions of two to four numbers with products, sums and brackets."""
    top = (30, 60, 99)[min(level, 3) - 1] + 100 * max(0, level - 3)
    a, b, c, d = rng.randint(11, top), rng.randint(3, 9), rng.randint(11, top), rng.randint(3, 9)
    work = Work()
    if rng.random() < 0.2:
        expression, value = f"{a} * {c}", work.times(a, c)
    elif (shape := rng.randrange(min(level + 1, 4))) == 0:
        more = rng.randint(11, 3 * top)
        expression, value = f"{a} * {b} + {more}", work.plus(work.times(a, b), more)
    elif shape == 1:
        less = rng.randint(11, a * b - 1)
        expression, value = f"{a} * {b} - {less}", work.minus(work.times(a, b), less)
    elif shape == 2:
        expression, value = f"{a} * {b} + {c} * {d}", work.plus(work.times(a, b), work.times(c, d))
    else:
        factor = rng.randint(11, 50)
        expression, value = f"({a} + {c}) * {factor}", work.times(work.plus(a, c), factor)
    asks = ("What is {}?", "Compute {}.", "Work out {}.", "Find the value of {}.")
    question = rng.choice(asks).format(expression)
    return Problem("arithmetic", level, question, str(value), tuple(work.steps))


def equation(rng: random.Random, level: int) -> Problem:
    """Linear equations in x with an integer solution."""
    x, a, b = rng.randint(2, 12 + 12 * level), rng.randint(3, 9), rng.randint(2, 30 * level)
    work = Work()
    shape = rng.randrange(1 if level == 1 else 3)
    if shape == 0:
        shown = f"{a}x + {b} = {a * x + b}"
        value = work.divided(work.minus(a * x + b, b), a)
    elif shape == 1:
        c = rng.randint(2, a - 1)
        total = (a - c) * x + b
        shown = f"{a}x + {b} = {c}x + {total}"
        value = work.divided(work.minus(total, b), work.minus(a, c))
    else:
        shown = f"{a}(x + {b}) = {a * (x + b)}"
        value = work.minus(work.divided(a * (x + b), a), b)
    asks = ("Solve for x: {}.", "Find x if {}.", "What is x when {}?")
    return Problem("equation", level, rng.choice(asks).format(shown), str(value), tuple(work.steps))


def sequence(rng: random.Random, level: int) -> Problem:
    """The next or a later term of a sequence with a constant step, up or down."""
    step, start = rng.randint(2, 8 + 8 * level), rng.randint(1, 40 * level)
    position = 5 if level == 1 or rng.random() < 0.3 else rng.randint(7, 10 * level)
    falls = rng.random() < 0.3
    if falls:
        start += (position - 1) * step
    terms = [start + (-step if falls else step) * i for i in range(4)]
    shown = ", ".join(map(str, terms))
    work = Work()
    found = work.minus(terms[0], terms[1]) if falls else work.minus(terms[1], terms[0])
    onward = work.minus if falls else work.plus
    asks: tuple[str, ...]
    if position == 5:
        asks = ("What comes next: {s}?", "Continue the sequence {s}.", "Which number follows {s}?")
        value = onward(terms[3], found)
    else:
        asks = ("What is term {n} of the sequence {s}?", "A sequence begins {s}. Find term {n}.")
        value = onward(start, work.times(work.minus(position, 1), found))
    question = rng.choice(asks).format(n=position, s=shown)
    return Problem("sequence", level, question, str(value), tuple(work.steps))


def percentage(rng: random.Random, level: int) -> Problem:
    """A percentage of a number, and what remains after it."""
    percent = rng.choice((10, 20, 25, 50, 75) if level == 1 else tuple(range(5, 100, 5)))
    unit = 100 // math.gcd(100, percent)
    whole = unit * rng.randint(2, max(20, 200 * level // unit))
    work = Work()
    part = work.divided(work.times(whole, percent), 100)
    asks: tuple[str, ...]
    if level == 1 or rng.random() < 0.5:
        asks = ("What is {p}% of {w}?", "Find {p}% of {w}.", "A tank holds {w} litres. How many are {p}%?")
        value = part
    else:
        asks = (
            "A coat costs {w} coins. It is {p}% cheaper today. What does it cost now?",
            "{p}% of {w} people went home. How many stayed?",
        )
        value = work.minus(whole, part)
    question = rng.choice(asks).format(p=percent, w=whole)
    return Problem("percentage", level, question, str(value), tuple(work.steps))


def fractions(rng: random.Random, level: int) -> Problem:
    """Sums and differences of two fractions, in lowest terms."""
    top = 5 + 3 * level
    left, right = (_proper_fraction(rng, top) for _ in range(2))
    sign = "+" if left <= right or rng.random() < 0.5 else "-"
    work = Work()
    value = work.fractions(left, right, sign)
    asks = ("What is {}?", "Compute {} in lowest terms.", "Simplify {}.")
    question = rng.choice(asks).format(f"{left} {sign} {right}")
    return Problem("fractions", level, question, str(value), tuple(work.steps))


def _proper_fraction(rng: random.Random, top: int) -> Fraction:
    denominator = rng.randint(3, top)
    return Fraction(
        rng.choice([n for n in range(1, denominator) if math.gcd(n, denominator) == 1]), denominator
    )


def divisors(rng: random.Random, level: int) -> Problem:
    """Number theory: remainders, greatest common divisors, least common multiples."""
    work = Work()
    shape = rng.randrange(min(level, 3))
    if shape == 0:
        by = rng.randint(3, 9 if level == 1 else 19)
        whole = by * rng.randint(3, 12 + 10 * level) + rng.randint(1, by - 1)
        asks = ("What is the remainder of {a} divided by {b}?", "{a} is divided by {b}. What is left over?")
        question = rng.choice(asks).format(a=whole, b=by)
        return Problem("divisors", level, question, str(work.remainder(whole, by)), tuple(work.steps))
    common = rng.randint(2, 8 + 4 * level)
    first, second = (common * factor for factor in rng.sample(range(2, 6 + 4 * level), 2))
    greatest = _euclid(work, max(first, second), min(first, second))
    if shape == 1:
        asks = (
            "What is the greatest common divisor of {a} and {b}?",
            "Which is the largest number that divides both {a} and {b}?",
        )
        value = greatest
    else:
        asks = (
            "What is the least common multiple of {a} and {b}?",
            "Which is the smallest number that both {a} and {b} divide?",
        )
        value = work.times(work.divided(first, greatest), second)
    question = rng.choice(asks).format(a=first, b=second)
    return Problem("divisors", level, question, str(value), tuple(work.steps))


def _euclid(work: Work, larger: int, smaller: int) -> Found:
    while rest := work.remainder(larger, smaller):
        larger, smaller = smaller, rest
    # The last division has remainder 0; its divisor is the answer, and ends that line.
    return Found(smaller, len(work.steps) - 1)
