"""Families of word problems."""

from __future__ import annotations

import itertools
import math
import random

from localsmc_models.corpus.calculation import Found, Work
from localsmc_models.corpus.problem import Problem

NAMES = ("Ada", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gita", "Hugo", "Ines", "Jon", "Kim", "Lea")
THINGS = ("pens", "books", "cups", "lamps", "shirts", "apples", "stamps", "chairs", "bags", "cakes")


def _basket(rng: random.Random, level: int, work: Work) -> tuple[str, Found]:
    """A shopping list: its wording and its cost; records the steps that calculate the cost."""
    words, costs = [], []
    for kind in rng.sample(THINGS, 2 if level < 3 else min(level, 6)):
        count, price = rng.randint(2, 9), rng.randint(3, 12 * level + 8)
        words.append(f"{count} {kind} at {price} coins each")
        costs.append(work.times(price, count))
    total = costs[0]
    for cost in costs[1:]:
        total = work.plus(total, cost)
    return f"{', '.join(words[:-1])} and {words[-1]}", total


def shopping(rng: random.Random, level: int) -> Problem:
    """The cost of a basket."""
    work = Work()
    basket, total = _basket(rng, level, work)
    asks = (
        "{name} buys {basket}. How many coins is that?",
        "How much do {basket} cost together?",
        "{name} wants {basket}. What is the total in coins?",
    )
    question = rng.choice(asks).format(name=rng.choice(NAMES), basket=basket)
    return Problem("shopping", level, question, str(total), tuple(work.steps))


def change(rng: random.Random, level: int) -> Problem:
    """The change from a note, or the rest of savings, after a purchase."""
    work = Work()
    basket, total = _basket(rng, level, work)
    notes = (digit * 10**zeros for zeros in itertools.count(2) for digit in (1, 2, 5))
    paid = next(note for note in notes if note > total)
    asks = (
        "{name} buys {basket} and pays with {paid} coins. How much change is due?",
        "{name} has {paid} coins and buys {basket}. How many coins are left?",
    )
    question = rng.choice(asks).format(name=rng.choice(NAMES), basket=basket, paid=paid)
    return Problem("change", level, question, str(work.minus(paid, total)), tuple(work.steps))


UNITS = (("hours", "minutes", 60), ("minutes", "seconds", 60), ("days", "hours", 24), ("weeks", "days", 7),
         ("feet", "inches", 12), ("metres", "centimetres", 100))  # fmt: skip


def units(rng: random.Random, level: int) -> Problem:
    """Conversion to the smaller unit, or what remains after using part of the amount."""
    large, small, factor = rng.choice(UNITS)
    count, rest = rng.randint(2, 6 + 6 * level), rng.randint(2, factor - 1)
    work = Work()
    total = work.plus(work.times(count, factor), rest)
    if level == 1 or rng.random() < 0.5:
        asks = ("How many {s} are {c} {l} and {r} {s}?", "Write {c} {l} and {r} {s} in {s}.")
        question = rng.choice(asks).format(s=small, l=large, c=count, r=rest)
        return Problem("units", level, question, str(total), tuple(work.steps))
    used = rng.randint(2, total - 2)
    asks = (
        "Of {c} {l} and {r} {s}, {u} {s} are used. How many {s} remain?",
        "{n} has {c} {l} and {r} {s} and spends {u} {s}. How many {s} are left?",
    )
    question = rng.choice(asks).format(n=rng.choice(NAMES), s=small, l=large, c=count, r=rest, u=used)
    return Problem("units", level, question, str(work.minus(total, used)), tuple(work.steps))


def ratio(rng: random.Random, level: int) -> Problem:
    """An amount shared in a ratio."""
    left = rng.randint(1, 5)
    right = rng.choice([n for n in range(2, 10) if n != left and math.gcd(n, left) == 1])
    whole = (left + right) * rng.randint(3, 20 * level)
    first, second = rng.sample(NAMES, 2)
    asks = (
        "{a} and {b} share {w} {t} in the ratio {l}:{r}. How many does {b} get?",
        "Divide {w} {t} between {a} and {b} as {l}:{r}. How many are for {b}?",
    )
    question = rng.choice(asks).format(a=first, b=second, w=whole, t=rng.choice(THINGS), l=left, r=right)
    work = Work()
    value = work.times(work.divided(whole, work.plus(left, right)), right)
    return Problem("ratio", level, question, str(value), tuple(work.steps))


def geometry(rng: random.Random, level: int) -> Problem:
    """Perimeters and areas of rectangles, and of a rectangle with a corner cut out."""
    wide, high = rng.randint(4, 20 + 20 * level), rng.randint(3, 18 + 12 * level)
    work = Work()
    shape = rng.randrange(2 if level == 1 else 3)
    asks: tuple[str, ...]
    if shape == 0:
        asks = (
            "A rectangle is {w} cm wide and {h} cm high. What is its perimeter in cm?",
            "A field is {w} m long and {h} m wide. How many metres of fence go around it?",
        )
        value = work.times(work.plus(wide, high), 2)
    elif shape == 1:
        asks = (
            "A garden is {w} m long and {h} m wide. What is its area in square metres?",
            "How many square tiles of side 1 cover a floor of {w} by {h}?",
        )
        value = work.times(wide, high)
    else:
        cut = rng.randint(2, min(wide, high) - 1)
        asks = (f"A square of side {cut} cm is cut from a sheet of {{w}} cm by {{h}} cm. What area is left?",)
        value = work.minus(work.times(wide, high), work.times(cut, cut))
    question = rng.choice(asks).format(w=wide, h=high)
    return Problem("geometry", level, question, str(value), tuple(work.steps))


def counting(rng: random.Random, level: int) -> Problem:
    """Counting: combined choices, pairs, multiples up to a number."""
    work = Work()
    name, shape = rng.choice(NAMES), rng.randrange(min(level, 3) + 1)
    if shape == 0:
        kinds = rng.sample(THINGS, 2 if level == 1 else 3)
        counts = [rng.randint(3, 12 + 6 * level) if i == 0 else rng.randint(2, 9) for i in range(len(kinds))]
        chosen = [f"{count} {kind}" for count, kind in zip(counts, kinds, strict=True)]
        value: int = counts[0]
        for count in counts[1:]:
            value = work.times(value, count)
        question = (
            f"{name} has {', '.join(chosen[:-1])} and {chosen[-1]} and takes one of each. "
            "How many choices are there?"
        )
    elif shape == 1:
        low, high = rng.randint(10, 50 * level), rng.randint(50 * level + 10, 200 * level)
        value = work.plus(work.minus(high, low), 1)
        asks = (
            "How many whole numbers are there from {l} to {h}?",
            "{n} reads from page {l} to the end of page {h}. How many pages is that?",
        )
        question = rng.choice(asks).format(l=low, h=high, n=name)
    elif shape == 2:
        n = rng.randint(4, 12 * level)
        value = work.divided(work.times(n, work.minus(n, 1)), 2)
        asks = (
            "{n} people each shake hands with every other one. How many handshakes is that?",
            "{n} teams each play every other one once. How many games are played?",
        )
        question = rng.choice(asks).format(n=n)
    else:
        by, count = rng.randint(3, 19), rng.randint(5, 20 * level)
        top = by * count + rng.randint(1, by - 1)
        value = work.divided(work.minus(top, work.remainder(top, by)), by)
        question = f"How many of the numbers from 1 to {top} can be divided by {by}?"
    return Problem("counting", level, question, str(value), tuple(work.steps))


SCALES = (
    ("taller", "shorter", "tallest", "shortest"),
    ("older", "younger", "oldest", "youngest"),
    ("faster", "slower", "fastest", "slowest"),
    ("heavier", "lighter", "heaviest", "lightest"),
)


def ordering(rng: random.Random, level: int) -> Problem:
    """Ordering puzzles: people are compared in pairs, and the question asks who has a given rank."""
    row = rng.sample(NAMES, min(level + 2, len(NAMES)))
    more, less, most, least = rng.choice(SCALES)
    pairs = list(itertools.pairwise(row))
    rng.shuffle(pairs)
    statements = [
        f"{a} is {more} than {b}." if rng.random() < 0.6 else f"{b} is {less} than {a}." for a, b in pairs
    ]
    place, ask = rng.choice([(0, most), (-1, least), (1, f"second {most}"), (-2, f"second {least}")])
    work = Work()
    compared = [work.note([f"{a} > {b}"], []) for a, b in pairs]
    work.note([" > ".join(row)], uses=compared)
    question = f"{' '.join(statements)} Who is the {ask}?"
    return Problem("ordering", level, question, row[place], tuple(work.steps))
