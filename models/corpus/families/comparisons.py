"""The family of comparisons: which number is larger, by how much, and whether something holds of it."""

from __future__ import annotations

import random

from localsmc_models.corpus.calculation import Work
from localsmc_models.corpus.families.draws import up_to
from localsmc_models.corpus.problem import Problem
from localsmc_models.corpus.wording import filled, typed

BIGGER = ("bigger", "larger", "greater", "higher", "more")
SMALLER = ("smaller", "less", "lower")
BIGGEST = ("biggest", "largest", "greatest", "highest", "max", "maximum")
SMALLEST = ("smallest", "lowest", "least", "min", "minimum")

OF_TWO = (
    "Which [is|number is|one is] {w}, {a} or {b}?", "What is {w}, {a} or {b}?", "Which is {w}: {a} or {b}?",
    "{a} or {b}, which [one |]is {w}?", "Which of {a} and {b} is {w}?", "Is {a} or {b} {w}?",
    "which {w} {a} or {b}", "What's {w}: {a} or {b}", "The {w} of {a} and {b}",
    "Which number is {w}: {a} or {b}?",
)  # fmt: skip
OF_SEVERAL = (
    "What is the {w} of {list}?", "Which is the {w}: {list}?", "Which number is the {w}, {list}?",
    "Find the {w} of {list}.", "the {w} of {list}", "{w} of {list}", "{w} number: {list}",
    "Which of {list} is the {w}?", "{w} of {row}", "{w}({row})", "Of {list}, which is {w}?",
    "What's the {w} number[:|,|out of] {list}",
)  # fmt: skip
HOW_MUCH_MORE = (
    "How much [more|bigger|larger|greater] is {h} than {l}?",
    "By how much is {h} [more|bigger|larger] than {l}?", "How much does {h} exceed {l}?",
    "How many more is {h} than {l}?", "How far is it from {l} to {h}?",
    "How much must I add to {l} to get {h}?", "What must be added to {l} to make {h}?",
)  # fmt: skip
HOW_MUCH_LESS = (
    "How much [less|smaller] is {l} than {h}?", "By how much is {l} [less|smaller] than {h}?",
    "How much must I take from {h} to get {l}?", "How many fewer is {l} than {h}?",
)  # fmt: skip
WHETHER = (
    "Is {a} {w} than {b}?", "is {a} {w} than {b}", "Is it true that {a} is {w} than {b}?",
    "{a} is {w} than {b}, right?",
)  # fmt: skip
WHETHER_DIVISIBLE = (
    "Is {a} [even|an even number]?", "Is {a} [odd|an odd number]?", "Is {a} divisible by {n}?",
    "Can {a} be divided by {n}?",
)  # fmt: skip

Asked = tuple[str, str]
"""A question and its answer."""


def comparison(rng: random.Random, level: int) -> Problem:
    """Which number is the largest or smallest, by how much, and whether it is."""
    work = Work()
    numbers = _different_numbers(rng, level)
    kind = rng.choice((_of_two, _of_several, _how_much, _whether, _whether_divisible))
    question, answer = kind(numbers, work, rng)
    return Problem("comparison", level, typed(question, rng), answer, tuple(work.steps))


def _different_numbers(rng: random.Random, level: int) -> list[int]:
    """Four numbers, in 3 of 10 cases with the second close to the first."""
    near = rng.random() < 0.3
    numbers = [up_to(level + 1, rng) for _ in range(4)]
    if near:
        numbers[1] = max(1, numbers[0] + rng.choice((-1, 1)) * rng.randint(1, 12))
    while len(set(numbers)) < 4:
        numbers = [up_to(level + 1, rng) for _ in range(4)]
    return numbers


def _of_two(numbers: list[int], work: Work, rng: random.Random) -> Asked:
    a, b, *_ = numbers
    up = rng.random() < 0.6
    word = rng.choice(BIGGER if up else SMALLER)
    work.note([f"{max(a, b)} > {min(a, b)}"])
    question = filled(rng.choice(OF_TWO), {"w": word, "a": a, "b": b}, rng)
    return question, str(max(a, b) if up else min(a, b))


def _of_several(numbers: list[int], work: Work, rng: random.Random) -> Asked:
    up = rng.random() < 0.6
    ranked = sorted(numbers[:3] if rng.random() < 0.6 else numbers, reverse=True)
    shown = [str(number) for number in rng.sample(ranked, len(ranked))]
    listed = f"{', '.join(shown[:-1])}[,|] [and|or] {shown[-1]}"
    word = rng.choice(BIGGEST if up else SMALLEST)
    work.note([" > ".join(map(str, ranked))])
    # The list has choices of its own, so it is put in before they are made.
    ask = rng.choice(OF_SEVERAL).replace("{list}", listed).replace("{row}", ", ".join(shown))
    return filled(ask, {"w": word}, rng), str(ranked[0] if up else ranked[-1])


def _how_much(numbers: list[int], work: Work, rng: random.Random) -> Asked:
    high, low = max(numbers[:2]), min(numbers[:2])
    asks = HOW_MUCH_MORE if rng.random() < 0.7 else HOW_MUCH_LESS
    difference = work.subtracted(high, low)
    return filled(rng.choice(asks), {"h": high, "l": low}, rng), str(difference)


def _whether(numbers: list[int], work: Work, rng: random.Random) -> Asked:
    a, b, *_ = numbers
    up = rng.random() < 0.5
    word = rng.choice(BIGGER if up else SMALLER)
    work.note([f"{max(a, b)} > {min(a, b)}"])
    question = filled(rng.choice(WHETHER), {"w": word, "a": a, "b": b}, rng)
    return question, "yes" if (a > b) == up else "no"


def _whether_divisible(numbers: list[int], work: Work, rng: random.Random) -> Asked:
    by = rng.randint(2, 9)
    ask = rng.choice(WHETHER_DIVISIBLE)
    divisor = by if "{n}" in ask else 2
    whole = max(numbers[0], divisor)
    rest = work.remainder(whole, divisor)
    return filled(ask, {"a": whole, "n": by}, rng), "yes" if (rest == 0) != ("odd" in ask) else "no"
