"""The problem families: each draws its numbers, words the question and writes the work.

Levels 1 to 3 are trained; a higher level only makes the numbers larger or the work longer.
"""

from __future__ import annotations

import math
import random
from fractions import Fraction

from localsmc_models.corpus.problem import Family, Problem, divided, minus, plus, times

NAMES = ("Ada", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gita", "Hugo", "Ines", "Jon", "Kim", "Lea")
THINGS = ("pens", "books", "cups", "lamps", "shirts", "apples", "stamps", "chairs", "bags", "cakes")


def arithmetic(rng: random.Random, level: int) -> Problem:
    """Expressions of two to four numbers with products, sums and brackets."""
    top = (30, 60, 99)[min(level, 3) - 1] + 100 * max(0, level - 3)
    a, b, c, d = rng.randint(11, top), rng.randint(3, 9), rng.randint(11, 3 * top), rng.randint(3, 9)
    shape = rng.randrange(level + 1 if level < 3 else 4)
    if shape == 0:
        expression, value = f"{a} * {b} + {c}", a * b + c
        work = [*times(a, b), plus(a * b, c)]
    elif shape == 1:
        c = rng.randint(11, a * b - 1)
        expression, value = f"{a} * {b} - {c}", a * b - c
        work = [*times(a, b), minus(a * b, c)]
    elif shape == 2:
        e = rng.randint(11, top)
        expression, value = f"{a} * {b} + {e} * {d}", a * b + e * d
        work = [*times(a, b), *times(e, d), plus(a * b, e * d)]
    else:
        e, f = rng.randint(11, top), rng.randint(11, 50)
        expression, value = f"({a} + {e}) * {f}", (a + e) * f
        work = [plus(a, e), *times(a + e, f)]
    asks = ("What is {}?", "Compute {}.", "Work out {}.", "Find the value of {}.")
    return Problem("arithmetic", level, rng.choice(asks).format(expression), str(value), tuple(work))


def _basket(rng: random.Random, level: int) -> tuple[str, int, list[str]]:
    """A shopping list: its words, its cost and the work that finds the cost."""
    kinds = rng.sample(THINGS, 2 if level < 3 else 3)
    words, costs, work = [], [], []
    for kind in kinds:
        count, price = rng.randint(2, 9), rng.randint(3, 12 * level + 8)
        words.append(f"{count} {kind} at {price} coins each")
        work += times(price, count)
        costs.append(price * count)
    total = costs[0]
    for cost in costs[1:]:
        work.append(plus(total, cost))
        total += cost
    return f"{', '.join(words[:-1])} and {words[-1]}", total, work


def shopping(rng: random.Random, level: int) -> Problem:
    """The cost of a basket."""
    basket, total, work = _basket(rng, level)
    asks = (
        "{name} buys {basket}. How many coins is that?",
        "How much do {basket} cost together?",
        "{name} wants {basket}. What is the total in coins?",
    )
    question = rng.choice(asks).format(name=rng.choice(NAMES), basket=basket)
    return Problem("shopping", level, question, str(total), tuple(work))


def change(rng: random.Random, level: int) -> Problem:
    """What is left of a note, or of savings, after a basket."""
    basket, total, work = _basket(rng, level)
    paid = next(note for note in (100, 200, 500, 1000, 2000, 5000) if note > total)
    asks = (
        "{name} buys {basket} and pays with {paid} coins. How much change is due?",
        "{name} has {paid} coins and buys {basket}. How many coins are left?",
    )
    question = rng.choice(asks).format(name=rng.choice(NAMES), basket=basket, paid=paid)
    work.append(minus(paid, total))
    return Problem("change", level, question, str(paid - total), tuple(work))


def equation(rng: random.Random, level: int) -> Problem:
    """Linear equations in x with a whole solution."""
    x = rng.randint(2, 12 + 12 * level)
    a, b = rng.randint(3, 9), rng.randint(2, 30 * level)
    asks = ("Solve for x: {}.", "Find x if {}.", "What is x when {}?")
    if level == 1 or rng.random() < 0.5:
        shown = f"{a}x + {b} = {a * x + b}"
        work = [minus(a * x + b, b), divided(a * x, a)]
    else:
        c = rng.randint(2, a - 1)
        shown = f"{a}x + {b} = {c}x + {(a - c) * x + b}"
        work = [minus(a, c), minus((a - c) * x + b, b), divided((a - c) * x, a - c)]
    return Problem("equation", level, rng.choice(asks).format(shown), str(x), tuple(work))


def sequence(rng: random.Random, level: int) -> Problem:
    """The next or a far term of a sequence with a constant step."""
    start, step = rng.randint(1, 20 * level), rng.randint(2, 8 * level)
    shown = ", ".join(str(start + step * i) for i in range(4))
    last = start + 3 * step
    if level == 1 or rng.random() < 0.3:
        asks = ("What comes next: {}?", "Continue the sequence {}.")
        work = [minus(start + step, start), plus(last, step)]
        return Problem("sequence", level, rng.choice(asks).format(shown), str(last + step), tuple(work))
    position = rng.randint(6, 10 * level)
    asks = ("What is term {n} of the sequence {s}?", "A sequence begins {s}. Find term {n}.")
    work = [minus(start + step, start), minus(position, 1), *times(position - 1, step)]
    value = start + (position - 1) * step
    work.append(plus(start, (position - 1) * step))
    question = rng.choice(asks).format(n=position, s=shown)
    return Problem("sequence", level, question, str(value), tuple(work))


def percentage(rng: random.Random, level: int) -> Problem:
    """A percentage of a number, and a price after a discount."""
    percent = rng.choice((10, 20, 25, 50, 75) if level == 1 else tuple(range(5, 100, 5)))
    unit = 100 // math.gcd(100, percent)
    whole = unit * rng.randint(2, max(3, 200 * level // unit))
    part = whole * percent // 100
    work = [*times(whole, percent), divided(whole * percent, 100)]
    if level == 1 or rng.random() < 0.5:
        asks = ("What is {p}% of {w}?", "Find {p}% of {w}.", "A tank holds {w} litres. How many are {p}%?")
        return Problem(
            "percentage", level, rng.choice(asks).format(p=percent, w=whole), str(part), tuple(work)
        )
    asks = (
        "A coat costs {w} coins. It is {p}% cheaper today. What does it cost now?",
        "{p}% of {w} people went home. How many stayed?",
    )
    work.append(minus(whole, part))
    question = rng.choice(asks).format(p=percent, w=whole)
    return Problem("percentage", level, question, str(whole - part), tuple(work))


UNITS = (("hours", "minutes", 60), ("minutes", "seconds", 60), ("days", "hours", 24), ("weeks", "days", 7),
         ("feet", "inches", 12), ("metres", "centimetres", 100))  # fmt: skip


def units(rng: random.Random, level: int) -> Problem:
    """Conversion to the smaller unit, and differences of such amounts."""
    large, small, factor = rng.choice(UNITS)
    count, rest = rng.randint(2, 6 + 6 * level), rng.randint(1, factor - 1)
    total = count * factor + rest
    work = [*times(count, factor), plus(count * factor, rest)]
    if level == 1 or rng.random() < 0.5:
        asks = ("How many {s} are {c} {l} and {r} {s}?", "Write {c} {l} and {r} {s} in {s}.")
        question = rng.choice(asks).format(s=small, l=large, c=count, r=rest)
        return Problem("units", level, question, str(total), tuple(work))
    used = rng.randint(2, total - 1)
    asks = (
        "Of {c} {l} and {r} {s}, {u} {s} are used. How many {s} remain?",
        "{n} has {c} {l} and {r} {s} and spends {u} {s}. How many {s} are left?",
    )
    question = rng.choice(asks).format(n=rng.choice(NAMES), s=small, l=large, c=count, r=rest, u=used)
    work.append(minus(total, used))
    return Problem("units", level, question, str(total - used), tuple(work))


def ratio(rng: random.Random, level: int) -> Problem:
    """An amount shared in a ratio."""
    left = rng.randint(1, 5)
    right = rng.choice([n for n in range(2, 10) if n != left and math.gcd(n, left) == 1])
    share = rng.randint(2, 20 * level)
    whole = (left + right) * share
    first, second = rng.sample(NAMES, 2)
    asks = (
        "{a} and {b} share {w} {t} in the ratio {l}:{r}. How many does {b} get?",
        "Divide {w} {t} between {a} and {b} as {l}:{r}. How many are for {b}?",
    )
    question = rng.choice(asks).format(a=first, b=second, w=whole, t=rng.choice(THINGS), l=left, r=right)
    work = [plus(left, right), divided(whole, left + right), *times(share, right)]
    return Problem("ratio", level, question, str(share * right), tuple(work))


def fractions(rng: random.Random, level: int) -> Problem:
    """Sums and differences of two fractions, in lowest terms."""
    top = 5 + 3 * level
    left = Fraction(rng.randint(1, top), rng.randint(2, top))
    right = Fraction(rng.randint(1, top), rng.randint(2, top))
    sign = "+" if level == 1 or left <= right or rng.random() < 0.5 else "-"
    value = left + right if sign == "+" else left - right
    common = left.denominator * right.denominator // math.gcd(left.denominator, right.denominator)
    tops = [part.numerator * (common // part.denominator) for part in (left, right)]
    joined = tops[0] + tops[1] if sign == "+" else tops[0] - tops[1]
    work = [
        f"{left} = {tops[0]}/{common}",
        f"{right} = {tops[1]}/{common}",
        f"{tops[0]} {sign} {tops[1]} = {joined}",
        f"{joined}/{common} = {value}",
    ]
    asks = ("What is {}?", "Compute {} in lowest terms.", "Simplify {}.")
    return Problem(
        "fractions", level, rng.choice(asks).format(f"{left} {sign} {right}"), str(value), tuple(work)
    )


def geometry(rng: random.Random, level: int) -> Problem:
    """Perimeters and areas of rectangles, and of a rectangle with a corner cut out."""
    wide, high = rng.randint(4, 20 * level), rng.randint(3, 12 * level)
    shape = rng.randrange(min(level, 3))
    if shape == 0 and rng.random() < 0.5:
        question = f"A rectangle is {wide} cm wide and {high} cm high. What is its perimeter in cm?"
        work = [plus(wide, high), *times(wide + high, 2)]
        return Problem("geometry", level, question, str(2 * (wide + high)), tuple(work))
    if shape < 2:
        question = f"A garden is {wide} m long and {high} m wide. What is its area in square metres?"
        return Problem("geometry", level, question, str(wide * high), tuple(times(wide, high)))
    cut = rng.randint(2, min(wide, high) - 1)
    question = f"A square of side {cut} cm is cut from a sheet of {wide} cm by {high} cm. What area is left?"
    work = [*times(wide, high), *times(cut, cut), minus(wide * high, cut * cut)]
    return Problem("geometry", level, question, str(wide * high - cut * cut), tuple(work))


FAMILIES: dict[str, Family] = {
    family.__name__: family
    for family in (
        arithmetic, shopping, change, equation, sequence, percentage, units, ratio, fractions, geometry,
    )
}  # fmt: skip
