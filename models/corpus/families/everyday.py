"""Word problems in everyday words: `story` takes one step, `errand` two or three.

The patterns are in one_step.txt and two_steps.txt, each with the formula of its answer.
"""

from __future__ import annotations

import functools
import random
import re
from dataclasses import dataclass
from pathlib import Path

from localsmc_models.corpus import words
from localsmc_models.corpus.calculation import Work
from localsmc_models.corpus.formulas import calculated, parts
from localsmc_models.corpus.problem import Problem
from localsmc_models.corpus.wording import filled, in_words, typed


@dataclass(frozen=True, slots=True)
class Pattern:
    """A formula in single letters, the words around them, and what else holds of the numbers."""

    formula: str
    wording: str
    fixed: str


@functools.cache
def patterns(name: str) -> tuple[Pattern, ...]:
    """The patterns of a file beside this module."""
    lines = Path(__file__).with_name(f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return tuple(_pattern(line) for line in lines if not line.startswith("#"))


def _pattern(line: str) -> Pattern:
    formula, _, rest = line.partition(" | ")
    wording, _, fixed = rest.partition(" @ ")
    return Pattern(formula, wording, fixed)


def story(rng: random.Random, level: int) -> Problem:
    """One step in everyday words."""
    return _problem("story", "one_step", rng, level)


def errand(rng: random.Random, level: int) -> Problem:
    """Two or three steps in everyday words."""
    return _problem("errand", "two_steps", rng, level)


def _problem(family: str, file: str, rng: random.Random, level: int) -> Problem:
    pattern = rng.choice(patterns(file))
    numbers = _numbers(pattern, level, rng)
    work = Work()
    value = calculated(_with(pattern.formula, numbers), work)
    question = " ".join(filled(pattern.wording, _slots(numbers, rng), rng).split())
    return Problem(family, level, typed(_capital(question, pattern), rng), str(int(value)), tuple(work.steps))


def _capital(question: str, pattern: Pattern) -> str:
    return question if pattern.wording[0].islower() else question[:1].upper() + question[1:]


def _with(formula: str, numbers: dict[str, int]) -> str:
    return re.sub("[a-z]", lambda found: str(numbers[found[0]]), formula)


def _numbers(pattern: Pattern, level: int, rng: random.Random) -> dict[str, int]:
    """Numbers that make every part of the formula a whole number of at least 1."""
    if pattern.fixed in ("clock", "later"):
        first = rng.randint(1, 10)
        last = rng.randint(first + 1, 11)  # "12 pm" is read in two ways
        return {"a": first, "b": last - first} if pattern.fixed == "later" else {"a": last, "b": first}
    if pattern.fixed == "noon":
        return {"b": rng.randint(6, 11), "a": rng.randint(1, 9)}
    fixed = {name: int(value) for name, _, value in [pattern.fixed.partition("=")] if value}
    letters = sorted(set(re.findall("[a-z]", pattern.formula)) - set(fixed))
    while True:
        top = rng.choice(((10, 20, 50), (20, 60, 100), (50, 200, 900))[min(level, 3) - 1]) * max(1, level - 2)
        few = rng.choice(((5, 10), (9, 12), (12, 30))[min(level, 3) - 1])
        numbers = {name: rng.randint(2, few if name in "nmk" else top) for name in letters} | fixed
        for _ in range(60):
            values = parts(_with(pattern.formula, numbers))
            if all(value.denominator == 1 and value >= 1 for value in values):
                return numbers
            name = rng.choice(letters)
            numbers[name] = rng.randint(2, few if name in "nmk" else 2 * top)


def _slots(numbers: dict[str, int], rng: random.Random) -> dict[str, object]:
    pronoun = rng.choice(("he", "she", "they"))
    subject = rng.choice(words.NAMES[pronoun])
    he = rng.choice(("he", "she")) if pronoun == "they" else pronoun
    money = rng.choice(words.MONEY)
    things = rng.sample(words.THINGS, 3)
    goods = rng.sample(words.GOODS, 2)
    holders = rng.sample(words.HOLDERS, 2)
    days = rng.sample(words.DAYS, 2)
    dearer = rng.sample(words.DEARER, 3)
    animals = rng.sample(words.ANIMALS, 2)
    week = rng.choice(("hour", "day", "week", "month"))
    spelled = rng.random() < 0.08
    shown: dict[str, object] = {
        name: in_words(value) if spelled and value < 21 else value for name, value in numbers.items()
    }
    prices = {f"c{name}": money.format(value) for name, value in numbers.items()}
    return {
        **shown, **prices, "S": subject, "he": he, "He": he.capitalize(),
        "his": {"he": "his", "she": "her"}[he],
        "T": rng.choice([name for kind in ("he", "she") for name in words.NAMES[kind] if name != subject]),
        "thing": things[0][0], "things": things[0][1], "thing2": things[1][0], "things2": things[1][1],
        "things3": things[2][1], "g": dearer[0], "g2": dearer[1], "g3": dearer[2], "u": goods[0][0],
        "gs": goods[0][1], "gs2": goods[1][1], "holder": holders[0][0], "holders": holders[0][1],
        "holders2": holders[1][1], "people": rng.choice(words.PEOPLE)[1], "place": rng.choice(words.PLACES),
        "day": days[0], "day2": days[1], "animal": animals[0][0], "animal2": animals[1][0],
        "animals": animals[0][1], "animals2": animals[1][1], "so": rng.choice(("so", "like that")),
        "gains": rng.choice(words.GAINS), "loses": rng.choice(words.LOSSES),
        "gained": rng.choice(words.GAINED), "lost": rng.choice(words.LOST), "gain": rng.choice(words.GAIN),
        "lose": rng.choice(words.LOSE), "km": rng.choice(("km", "miles", "kilometers")),
        "kg": rng.choice(("kg", "pounds", "kilos")), "week": week, "weeks": f"{week}s",
        "litres": rng.choice(("liters", "gallons", "litres")),
        "pm": rng.choice(("", " pm", " o'clock") if spelled else ("", " pm", " o'clock", ":00", "pm", " am")),
        "metres": rng.choice(("m", "feet", "meters")),
    } | ({"g": goods[0][0]} if rng.random() < 0.5 else {})  # fmt: skip
