"""The pool of strategies, how well each fits a family, and requests to choose the best from a list.

With a strategy that fits, the solution is worked; with one that helps, brief; with any other, the answer
comes at once. This is what makes a good choice valuable.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from string import ascii_uppercase

from localsmc_models.corpus.problem import Problem

FITS, HELPS = 2, 1

STRATEGIES: dict[str, dict[str, int]] = {
    "split the numbers into place values": {
        "arithmetic": FITS, "percentage": FITS, "calculation": FITS, "share": FITS, "shopping": HELPS,
        "geometry": HELPS, "units": HELPS, "expression": HELPS},
    "keep a running total": {
        "shopping": FITS, "change": FITS, "story": FITS, "errand": FITS, "arithmetic": HELPS,
        "expression": HELPS},
    "undo the operations one by one": {
        "equation": FITS, "unknown": FITS, "expression": FITS, "change": HELPS},
    "find the step between neighbours": {"sequence": FITS, "ordering": HELPS},
    "find the value of one part": {
        "ratio": FITS, "percentage": HELPS, "fractions": HELPS, "share": HELPS, "story": HELPS},
    "bring everything to one unit": {"units": FITS, "fractions": FITS},
    "cut the shape into rectangles": {"geometry": FITS},
    "divide and look at the remainder": {"divisors": FITS, "counting": HELPS},
    "multiply the choices": {"counting": FITS, "divisors": HELPS},
    "put everything in one line": {"ordering": FITS, "sequence": HELPS, "comparison": HELPS},
    "compare both sides": {"equation": HELPS, "ratio": HELPS, "comparison": FITS, "unknown": HELPS},
    "answer at once": {},
}  # fmt: skip
"""For each strategy, the families that it fits or helps."""

BEST = "Best:"
"""Beginning of the reply to a choice request; the codes follow."""

STYLE_OF_FIT = {FITS: "worked", HELPS: "brief", 0: "terse"}


def style_under(strategy: str, family: str) -> str:
    """The style of the solution of this family's problems with a strategy of the pool."""
    return STYLE_OF_FIT[STRATEGIES[strategy].get(family, 0)]


def under(strategy: str, question: str) -> str:
    """The request to solve a problem with a strategy, which need not be in the pool."""
    return f"{question}\nStrategy: {strategy}."


def choice_request(question: str, strategies: Sequence[str], n: int) -> str:
    """The request to choose the n best of the listed strategies, lettered from A.

    The list comes first, because it is the same for every problem and a prefix cache then stores it once.
    """
    listed = "\n".join(f"{code}: {name}" for code, name in zip(ascii_uppercase, strategies, strict=False))
    return f"Strategies:\n{listed}\n{question}\nChoose the best {n}."


def choice_reply(codes: Sequence[str]) -> str:
    """The reply to `choice_request`: the codes, best first."""
    return f"{BEST} {', '.join(codes)}"


def best_codes(family: str, strategies: Sequence[str], n: int) -> list[str]:
    """The codes of the n best strategies; ties are in the order of the list."""
    ranked = sorted(range(len(strategies)), key=lambda i: -STRATEGIES[strategies[i]].get(family, 0))
    return [ascii_uppercase[i] for i in ranked[:n]]


def draw_list(rng: random.Random) -> list[str]:
    """Equally often, the whole pool in its standard order, or a random part of it in a random order."""
    pool = list(STRATEGIES)
    return pool if rng.random() < 0.5 else rng.sample(pool, rng.randint(3, len(pool)))


def draw_choice(problem: Problem, listed: Sequence[str], rng: random.Random) -> tuple[str, str]:
    """A request for the best one to three strategies of a list, and the right reply."""
    n = rng.randint(1, 3)
    return choice_request(problem.question, listed, n), choice_reply(best_codes(problem.family, listed, n))
