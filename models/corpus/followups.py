"""Questions of a chat that refer to the result before them: "now double it", "and minus 5?".

The question alone cannot be answered, so this is no family: `trees` puts it after the problem.
"""

from __future__ import annotations

import random

from localsmc_models.corpus.calculation import Found, Work
from localsmc_models.corpus.problem import Problem
from localsmc_models.corpus.wording import filled, typed

IT = "[it|that|the result|this|the answer|that number]"
LEAD = "[|now |and |then |ok, now |next, ]"

FOLLOWUPS = {
    "+": (
        "{lead}add {k}[| to {it}]", "{lead}plus {k}", "plus {k}?", "+ {k}", "+{k}", "and {k} more?",
        "{lead}increase {it} by {k}", "What is {it} plus {k}?", "how much is {it} plus {k}",
        "And with {k} more?", "What if I add {k} to {it}?", "and plus {k}?",
    ),
    "-": (
        "{lead}subtract {k}[| from {it}]", "{lead}minus {k}", "minus {k}?", "- {k}", "-{k}",
        "{lead}take {k} away[| from {it}]", "What is {it} minus {k}?", "{lead}take away {k}", "And {k} less?",
        "{lead}reduce {it} by {k}", "and minus {k}?",
    ),
    "*": (
        "{lead}multiply {it} by {k}", "{lead}times {k}", "times {k}?", "* {k}", "*{k}", "x {k}",
        "What is {it} times {k}?", "{k} times {it}?", "and times {k}?", "How much is {k} times {it}?",
    ),
    "2": (
        "{lead}double {it}", "{lead}double {it}.", "what is twice {it}?", "[and |now ]twice {it}",
        "and doubled?", "Double?", "What is {it} doubled?",
    ),
    "/": (
        "{lead}divide {it} by {k}", "{lead}divided by {k}", "divided by {k}?", "/ {k}", "/{k}",
        "What is {it} divided by {k}?", "{lead}split {it} into {k} parts", "and divided by {k}?",
    ),
    "half": (
        "{lead}halve {it}", "What is half of {it}?", "[and |now ]half of {it}[?|]", "and half?", "half {it}",
        "And the half?",
    ),
    "%": (
        "What is {k}% of {it}?", "[and |now ]{k}% of {it}[?|]", "what about {k} percent of {it}",
        "{lead}take {k}% of {it}", "How much is {k}% of {it}?",
    ),
}  # fmt: skip
"""By kind; `{it}` names the result before, `{lead}` begins a command."""

PERCENTS = (10, 20, 25, 50, 75, 30, 40)


def followup(before: Problem, rng: random.Random) -> Problem | None:
    """A question about the answer of the problem before; None if that is no whole number from 1 to 9999."""
    if not before.answer.isdecimal() or not 0 < (value := int(before.answer)) < 10_000:
        return None
    kind = rng.choice(_kinds(value))
    k, work = _number(kind, value, rng), Work()
    found = _calculated(kind, value, k, work)
    # The names of the result are choices of their own, so they are put in before choices are made.
    ask = rng.choice(FOLLOWUPS[kind]).replace("{lead}", LEAD).replace("{it}", IT)
    question = filled(ask, {"k": k}, rng)
    question = typed(question[:1].upper() + question[1:], rng)
    return Problem("followup", before.level, question, str(found), tuple(work.steps))


def _kinds(value: int) -> list[str]:
    """The kinds of questions that have a whole answer."""
    kinds = ["+", "-", "*", "2"]
    kinds += ["/"] * bool(_divisors(value)) + ["half"] * (value % 2 == 0) + ["%"] * bool(_percents(value))
    return kinds


def _divisors(value: int) -> list[int]:
    return [n for n in range(2, 13) if value % n == 0]


def _percents(value: int) -> list[int]:
    return [percent for percent in PERCENTS if value * percent % 100 == 0]


def _number(kind: str, value: int, rng: random.Random) -> int:
    k = rng.randint(2, rng.choice((10, 20, 100)))
    if kind == "-":
        return rng.randint(1, value)
    if kind == "*":
        return rng.randint(2, 10)
    if kind in "/%":
        return rng.choice(_divisors(value) if kind == "/" else _percents(value))
    return k


def _calculated(kind: str, value: int, k: int, work: Work) -> Found:
    if kind == "+":
        return work.added(value, k)
    if kind == "-":
        return work.subtracted(value, k)
    if kind in ("*", "2"):
        return work.times(value, 2 if kind == "2" else k)
    if kind == "%":
        return work.divided(work.times(value, k), 100)
    return work.divided(value, 2 if kind == "half" else k)
