"""The family of shares: percentages of a number, off a price and on top of it, and simple parts."""

from __future__ import annotations

import math
import random

from localsmc_models.corpus import words
from localsmc_models.corpus.calculation import Work
from localsmc_models.corpus.families.frames import framed
from localsmc_models.corpus.problem import Problem
from localsmc_models.corpus.wording import filled, typed

OF = (
    "{p}% of {w}", "{p}% of {w}", "{p} % of {w}", "{p} percent of {w}", "{p} per cent of {w}",
    "{p}% from {w}", "{p}pct of {w}",
)  # fmt: skip
OFF = (
    "[A|The|One] {g} costs {cw}[.| and] It is {p}% [off|cheaper|reduced][ today| now|]. [What is the price "
    "then|What does it cost now|How much is it now|What do I pay]?",
    "A {g} for {cw} is {p}% off. How much [is it|does it cost][ now|]?", "{cw} minus {p}%", "{w} - {p}%",
    "{p}% off {cw}", "{p}% off [of |]{w}", "How much is {cw} with {p}% off?", "What is {w} reduced by {p}%?",
    "What is {w} decreased by {p} percent?",
    "There is a {p}% discount on a {g} that costs {cw}. What [is the final price|do you pay]?",
    "{w} minus {p} percent", "What is the sale price of a {cw} {g} with a {p}% discount?",
    "I get {p}% off a {cw} {g}. What do I pay?", "Price {cw}, discount {p}%. What is the price then?",
    "{w} less {p}%",
)  # fmt: skip
SAVED = (
    "How much do I save with {p}% off {cw}?", "A {g} costs {cw}. [How much is|What is] a {p}% discount?",
    "[What is|How much is] a {p}% tip on {cw}?", "The bill is {cw} and I tip {p}%. How much is the tip?",
    "{p}% tip on {cw}", "The tax is {p}% of {cw}. How much is the tax?",
    "{p}% of the {w} {people} are {people2}. How many {people2} is that?",
    "Of {w} {things}, {p}% are red. How many are red?",
    "A class has {w} students and {p}% are sick. How many are sick?",
    "I earn {cw} and save {p}%. How much do I save?",
)  # fmt: skip
ON = (
    "{w} plus {p}%", "{w} + {p}%", "What is {w} increased by {p}%?",
    "A {g} costs {cw}. The price [rises|goes up] by {p}%. What is the new price?", "Add {p}% to {w}.",
    "The bill is {cw} and I add a {p}% tip. How much do I pay[ in total|]?",
    "{cw} plus {p}% tax, how much [is that|in total]?",
    "My rent is {cw} and goes up {p}%. What is the new rent?", "increase {w} by {p}%", "{w} plus {p} percent",
)  # fmt: skip
WHICH = (
    "What percent of {w} is {x}?", "{x} is what percent of {w}?", "[How many|What] percent is {x} of {w}?",
    "{x} of {w} in percent", "{x} out of {w} is what percent?", "What percentage of {w} is {x}?",
    "I got {x} of {w} points. What percent is that?",
)  # fmt: skip
PATTERNS = {"of": OF, "off": OFF, "saved": SAVED, "on": ON, "which": WHICH}

ROUND_PERCENTS = (10, 20, 25, 50, 75, 100, 5, 30, 40)
PERCENTS = (*range(5, 100, 5), 10, 50, 25, 1, 2, 12, 15)

SIMPLE_PARTS = (
    (3, 4, ("three quarters of {a}", "3/4 of {a}", "three fourths of {a}")),
    (2, 3, ("two thirds of {a}", "2/3 of {a}")),
    (2, 5, ("two fifths of {a}", "2/5 of {a}")),
    (3, 5, ("three fifths of {a}", "3/5 of {a}")),
    (3, 10, ("three tenths of {a}", "3/10 of {a}")),
)


def share(rng: random.Random, level: int) -> Problem:
    """Percentages and simple parts: of a number, off a price, on top of it, and which percentage."""
    work = Work()
    question, answer = (_simple_part if rng.random() < 0.1 else _percentage)(rng, level, work)
    return Problem("share", level, typed(question, rng), answer, tuple(work.steps))


def _percentage(rng: random.Random, level: int, work: Work) -> tuple[str, str]:
    percent = rng.choice(ROUND_PERCENTS if level == 1 else PERCENTS)
    unit = 100 // math.gcd(100, percent)
    whole = unit * rng.randint(1, max(6, 100 * level // unit))
    part = whole * percent // 100
    kind = rng.choice(("of", "of", "of", "off", "saved", "on", "which"))
    value = _asked(kind, whole, percent, work)
    slots = _words(rng)
    price = slots.pop("money").format(whole)
    slots |= {"p": str(percent), "w": str(whole), "x": str(part), "cw": price}
    question = filled(rng.choice(PATTERNS[kind]), slots, rng)
    return framed(question, rng) if kind == "of" else question, str(value)


def _asked(kind: str, whole: int, percent: int, work: Work) -> int:
    if kind == "which":
        return work.divided(work.times(whole * percent // 100, 100), whole)
    part = _percent_of(whole, percent, work)
    if kind == "off":
        return work.subtracted(whole, part)
    return work.added(whole, part) if kind == "on" else part


def _percent_of(whole: int, percent: int, work: Work) -> int:
    if percent == 100:
        return work.times(whole, 1)
    if 100 % percent == 0:
        return work.divided(whole, 100 // percent)
    return work.divided(work.times(whole, percent), 100)


def _simple_part(rng: random.Random, level: int, work: Work) -> tuple[str, str]:
    """Three quarters of a number, two thirds of it."""
    top, bottom, wordings = rng.choice(SIMPLE_PARTS)
    whole = bottom * rng.randint(1, 12 * level)
    value = work.times(work.divided(whole, bottom), top)
    return framed(rng.choice(wordings).format(a=whole), rng), str(value)


def _words(rng: random.Random) -> dict[str, str]:
    people, people2 = (several for _, several in rng.sample(words.PEOPLE, 2))
    return {
        "g": rng.choice(words.DEARER), "money": rng.choice(words.MONEY), "people": people,
        "people2": people2, "things": rng.choice(words.THINGS)[1],
    }  # fmt: skip
