"""Questions that refer to the result before them: "now double it", "and minus 5?"."""

from __future__ import annotations

import random

from localsmc_models.corpus.calculation import Work
from localsmc_models.corpus.problem import Problem
from localsmc_models.corpus.wording import filled, typed

IT = "[it|that|the result|this|the answer|that number]"
LEADS = "[|now |and |then |ok, now |next, ]"

FOLLOWUPS = {
    "+": (
        f"{LEADS}add {{k}}[| to {IT}]", f"{LEADS}plus {{k}}", "plus {k}?", "+ {k}", "+{k}", "and {k} more?", f"{LEADS}increase {IT} by {{k}}",
        f"What is {IT} plus {{k}}?", f"how much is {IT} plus {{k}}", "And with {k} more?", f"What if I add {{k}} to {IT}?", "and plus {k}?",
    ),
    "-": (
        f"{LEADS}subtract {{k}}[| from {IT}]", f"{LEADS}minus {{k}}", "minus {k}?", "- {k}", "-{k}", f"{LEADS}take {{k}} away[| from {IT}]",
        f"What is {IT} minus {{k}}?", f"{LEADS}take away {{k}}", "And {k} less?", f"{LEADS}reduce {IT} by {{k}}", "and minus {k}?",
    ),
    "*": (
        f"{LEADS}multiply {IT} by {{k}}", f"{LEADS}times {{k}}", "times {k}?", "* {k}", "*{k}", "x {k}", f"What is {IT} times {{k}}?",
        f"{{k}} times {IT}?", "and times {k}?", f"How much is {{k}} times {IT}?",
    ),
    "2": (
        f"{LEADS}double {IT}", f"{LEADS}double {IT}.", f"what is twice {IT}?", f"[and |now ]twice {IT}", "and doubled?", "Double?", f"What is {IT} doubled?",
    ),
    "/": (
        f"{LEADS}divide {IT} by {{k}}", f"{LEADS}divided by {{k}}", "divided by {k}?", "/ {k}", "/{k}", f"What is {IT} divided by {{k}}?",
        f"{LEADS}split {IT} into {{k}} parts", "and divided by {k}?",
    ),
    "half": (
        f"{LEADS}halve {IT}", f"What is half of {IT}?", f"[and |now ]half of {IT}[?|]", "and half?", f"half {IT}", "And the half?",
    ),
    "%": (
        f"What is {{k}}% of {IT}?", f"[and |now ]{{k}}% of {IT}[?|]", f"what about {{k}} percent of {IT}", f"{LEADS}take {{k}}% of {IT}",
        f"How much is {{k}}% of {IT}?",
    ),
}  # fmt: skip


def followup(before: Problem, rng: random.Random) -> Problem | None:
    """A question about the answer of the problem before; None if that is no whole number above 0."""
    if not before.answer.isdecimal() or not 0 < (value := int(before.answer)) < 10_000:
        return None
    kinds = ["+", "-", "*", "2"]
    divisors = [n for n in range(2, 13) if value % n == 0]
    percents = [p for p in (10, 20, 25, 50, 75, 30, 40) if value * p % 100 == 0]
    kinds += ["/"] * bool(divisors) + ["half"] * (value % 2 == 0) + ["%"] * bool(percents)
    kind = rng.choice(kinds)
    work = Work()
    k = rng.randint(2, rng.choice((10, 20, 100)))
    if kind == "+":
        found: int = work.added(value, k)
    elif kind == "-":
        k = rng.randint(1, value)
        found = work.subtracted(value, k)
    elif kind == "*":
        k = rng.randint(2, 10)
        found = work.times(value, k)
    elif kind == "2":
        found = work.times(value, 2)
    elif kind == "/":
        k = rng.choice(divisors)
        found = work.divided(value, k)
    elif kind == "half":
        found = work.divided(value, 2)
    else:
        k = rng.choice(percents)
        found = work.divided(work.times(value, k), 100)
    question = filled(rng.choice(FOLLOWUPS[kind]), {"k": k}, rng)
    return Problem(
        "followup",
        before.level,
        typed(question[:1].upper() + question[1:], rng),
        str(int(found)),
        tuple(work.steps),
    )
