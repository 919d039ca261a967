"""Draw the numbers of bare calculations: operands by their digits, and numbers that fit a whole formula."""

from __future__ import annotations

import random

from localsmc_models.corpus.formulas import parts

SIZES = {
    1: ((1, 1), (1, 1), (2, 1)),
    2: ((2, 1), (2, 2), (3, 1), (1, 1)),
    3: ((3, 2), (2, 2), (3, 3), (4, 1)),
}
"""For the trained levels, the digits of both factors of a product."""


def up_to(digits: int, rng: random.Random) -> int:
    """A number of one to `digits` digits; every length is equally frequent."""
    length = rng.randint(1, digits)
    return rng.randint(1 if length == 1 else 10 ** (length - 1), 10**length - 1)


def operands(sign: str, level: int, rng: random.Random) -> tuple[int, int]:
    """Two numbers for one of + - * /; a quotient is whole, and a difference mostly not below 0."""
    if sign == "*":
        return _factors(level, rng)
    if sign == "/":
        return _dividend(level, rng)
    digits = min(level + 1, 9)
    a, b = up_to(digits, rng), up_to(digits, rng)
    if sign == "-" and a < b and rng.random() < 0.85:
        a, b = b, a
    return a, b


def _factors(level: int, rng: random.Random) -> tuple[int, int]:
    first, second = rng.choice(SIZES.get(level, ((level, level - 1),)))
    a, b = (rng.randint(2 if n == 1 else 10 ** (n - 1), 12 if n == 1 else 10**n - 1) for n in (first, second))
    return (a, b) if rng.random() < 0.6 else (b, a)


def _dividend(level: int, rng: random.Random) -> tuple[int, int]:
    by = rng.randint(2, 12) if level == 1 or rng.random() < 0.6 else rng.randint(11, 99)
    top = max(2, 10 ** (level + 1) // by)
    if level == 1:
        top = min(top, 12)
    elif top > 12:
        top = rng.choice((12, top))
    return by * rng.randint(1, top), by


def numbers_for(shape: str, level: int, rng: random.Random, least: int = 0) -> dict[str, int]:
    """Numbers for the letters of a shape: every part is whole and not below 0, the result not below `least`.

    a to d are amounts, n, m and k small counts.
    """
    while True:
        top = rng.choice((20, 20 * level * level, 100 * level) if level > 1 else (10, 20, 60))
        few = 10 if level == 1 else rng.choice((10, 5 + 10 * level))
        numbers = {name: rng.randint(2, top) for name in "abcd"}
        numbers |= {name: rng.randint(2, few) for name in "nmk"}
        for _ in range(40):
            whole, *inner = parts(shape.format_map(numbers))
            if whole >= least and all(part.denominator == 1 and part >= 0 for part in (abs(whole), *inner)):
                return numbers
            name = rng.choice("abcd")
            numbers[name] = rng.randint(2, top * 2)
