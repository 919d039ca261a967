"""The family of unknown numbers: short equations with any letter or a blank, and riddles.

Each wording comes with the formula of the unknown number.
"""

from __future__ import annotations

import random

from localsmc_models.corpus.calculation import Work
from localsmc_models.corpus.formulas import calculated
from localsmc_models.corpus.problem import Problem
from localsmc_models.corpus.wording import filled, typed

EQUATIONS = (
    ("{x} + {a} = {s}", "s - a"), ("{a} + {x} = {s}", "s - a"), ("{x} - {a} = {r}", "r + a"),
    ("{b} - {x} = {r}", "b - r"), ("{n}{x} = {p}", "p / n"), ("{n} * {x} = {p}", "p / n"),
    ("{x} / {n} = {r}", "r * n"), ("{x} * {n} = {p}", "p / n"), ("{n}{x} + {a} = {t}", "(t - a) / n"),
    ("{n}{x} - {a} = {u}", "(u + a) / n"), ("{a} + {n}{x} = {t}", "(t - a) / n"),
)  # fmt: skip
SOLVE = (
    "{q}, what is {x}?", "{q}. What is {x}?", "Solve {q}", "solve {q}", "Solve {q} for {x}.", "Find {x}: {q}",
    "{q}. Find {x}.", "{q}", "{q}, {x} = ?", "What is {x} if {q}?", "If {q}, what is {x}?",
    "if {q} then what is {x}", "Solve for {x}: {q}", "{q} solve for {x}", "Given {q}, find {x}.",
    "Calculate {x} if {q}.", "{q} {x}=?", "What value of {x} makes {q} true?", "Determine {x} when {q}.",
    "{q} what's {x}", "For which {x} is {q}?", "Equation: {q}", "find {x} in {q}",
)  # fmt: skip
BLANKS = ("{q}", "What goes in the blank: {q}", "Fill in: {q}", "{q} what is the missing number?",
          "Find the missing number: {q}")  # fmt: skip
RIDDLES = (
    ("[What|Which] number plus {a} [is|equals|makes|gives] {s}?", "s - a"),
    ("[What|Which] number minus {a} [equals|gives|leaves|makes] {r}?", "r + a"),
    ("[What|Which] number times {n} [is|equals|makes|gives] {p}?", "p / n"),
    ("{n} times [what|which number|what number] [is|equals|makes|gives] {p}?", "p / n"),
    ("{a} plus [what|which number|what number] [is|equals|makes|gives] {s}?", "s - a"),
    ("{b} minus [what|which number|what number] [is|equals|leaves|gives] {r}?", "b - r"),
    ("[What|Which] number divided by {n} [is|equals|gives] {r}?", "r * n"),
    ("I think of a number[,| and] add {a} and get {s}. What is [my|the] number?", "s - a"),
    ("I think of a number, subtract {a} and get {r}. [What is it|Which number is it|What is my number]?",
     "r + a"),
    ("I [multiply|multiplied] a number by {n} and [get|got] {p}. What [is|was] the number?", "p / n"),
    ("I double a number and get {e}. What is the number?", "e / 2"),
    ("[Twice|Double|Two times] a number is {e}. [What is it|What is the number|Find the number]?", "e / 2"),
    ("Half of a number is {r}. What is the number?", "r * 2"),
    ("A number increased by {a} is {s}. What is the number?", "s - a"),
    ("If you add {a} to a number you get {s}. What is the number?", "s - a"),
    ("I double a number and add {a}. The result is {v}. What is the number?", "(v - a) / 2"),
    ("[Three|3] times a number is {y}. Find the number.", "y / 3"),
    ("The sum of two numbers is {s}. One of them is {a}. What is the other[ one|]?", "s - a"),
    ("{a} more than a number is {s}. What is the number?", "s - a"),
    ("What do I have to [add to|put with] {a} to get {s}?", "s - a"),
    ("What do I multiply {n} by to get {p}?", "p / n"),
)  # fmt: skip

MULTIPLE_PLUS = ("{n}{x} + {a} = {t}", "(t - a) / n")
"""What stands in for an equation whose right side would be below 0."""


def unknown(rng: random.Random, level: int) -> Problem:
    """An unknown number: short equations with any letter or a blank, and riddles."""
    x, numbers = _numbers(rng, level)
    question, formula = _equation(x, numbers, rng) if rng.random() < 0.6 else _riddle(numbers, rng)
    work = Work()
    value = calculated("".join(str(numbers.get(sign, sign)) for sign in formula), work)
    return Problem("unknown", level, typed(question, rng), str(int(value)), tuple(work.steps))


def _numbers(rng: random.Random, level: int) -> tuple[int, dict[str, int]]:
    """The unknown number of equations, and what it gives with others: sums, products and so on."""
    x = rng.randint(1, (12, 40, 150)[min(level, 3) - 1] * max(1, level - 2))
    n, a = rng.randint(2, 9 + 3 * (level > 2)), rng.randint(1, 20 * level)
    r = rng.randint(1, 15 * level)
    return x, {
        "n": n, "a": a, "r": r, "s": x + a, "b": r + x, "p": n * x, "t": n * x + a, "u": abs(n * x - a),
        "e": 2 * x, "v": 2 * x + a, "y": 3 * x,
    }  # fmt: skip


def _equation(x: int, numbers: dict[str, int], rng: random.Random) -> tuple[str, str]:
    shown, formula = rng.choice(EQUATIONS)
    if "{u}" in shown and numbers["n"] * x < numbers["a"]:
        shown, formula = MULTIPLE_PLUS
    letter = rng.choice("xxxxynaz" if rng.random() < 0.8 else "?_?")
    if letter in "?_" and "{n}{x}" in shown:
        letter = "x"
    written = shown.format_map({**numbers, "x": letter})
    if rng.random() < 0.3:
        written = written.replace(" ", "")
    asks = BLANKS if letter in "?_" else SOLVE
    return rng.choice(asks).format(q=written, x=letter), formula


def _riddle(numbers: dict[str, int], rng: random.Random) -> tuple[str, str]:
    riddle, formula = rng.choice(RIDDLES)
    return filled(riddle, numbers, rng), formula
