"""Strategies: a pool of them, how well each fits a family, and the choice of the best from a list.

Under a strategy that fits, a solution is worked; under one that helps, brief; under one that
does not, the answer comes at once. That is what makes a good choice worth something here.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from string import ascii_uppercase

from localsmc_models.corpus.problem import Problem

FITS, HELPS = 2, 1

STRATEGIES: dict[str, dict[str, int]] = {
    "split the numbers into place values": {
        "arithmetic": FITS, "percentage": FITS, "shopping": HELPS, "geometry": HELPS, "units": HELPS,
    },
    "keep a running total": {"shopping": FITS, "change": FITS, "arithmetic": HELPS},
    "undo the operations one by one": {"equation": FITS, "change": HELPS},
    "find the step between neighbours": {"sequence": FITS, "ordering": HELPS},
    "find the value of one part": {"ratio": FITS, "percentage": HELPS, "fractions": HELPS},
    "bring everything to one unit": {"units": FITS, "fractions": FITS},
    "cut the shape into rectangles": {"geometry": FITS},
    "divide and look at the remainder": {"divisors": FITS, "counting": HELPS},
    "multiply the choices": {"counting": FITS, "divisors": HELPS},
    "put everything in one line": {"ordering": FITS, "sequence": HELPS},
    "compare both sides": {"equation": HELPS, "ratio": HELPS},
    "answer at once": {},
}  # fmt: skip
"""Each strategy with the families that it fits or helps."""

BEST = "Best:"
"""What the reply to a choice begins with; the codes follow."""

STYLE_OF_FIT = {FITS: "worked", HELPS: "brief", 0: "terse"}


def style_under(strategy: str, family: str) -> str:
    """The style in which a problem of this family is solved under a strategy of the pool."""
    return STYLE_OF_FIT[STRATEGIES[strategy].get(family, 0)]


def under(strategy: str, question: str) -> str:
    """The request to solve a problem under a strategy, which need not be one of the pool."""
    return f"{question}\nStrategy: {strategy}."


def choice_request(question: str, strategies: Sequence[str], n: int) -> str:
    """The request to choose the n best of listed strategies, lettered from A.

    The list comes first: it is the same for every problem, so a cache of prompts holds it once.
    """
    listed = "\n".join(f"{code}: {name}" for code, name in zip(ascii_uppercase, strategies, strict=False))
    return f"Strategies:\n{listed}\n{question}\nChoose the best {n}."


def choice_reply(codes: Sequence[str]) -> str:
    """The reply to `choice_request`: the codes, best first."""
    return f"{BEST} {', '.join(codes)}"


def best_codes(family: str, strategies: Sequence[str], n: int) -> list[str]:
    """The codes of the n best; equally good ones in the order of the list."""
    ranked = sorted(range(len(strategies)), key=lambda i: -STRATEGIES[strategies[i]].get(family, 0))
    return [ascii_uppercase[i] for i in ranked[:n]]


def draw_list(rng: random.Random) -> list[str]:
    """The whole pool in its own order, or as often some of it in another."""
    pool = list(STRATEGIES)
    return pool if rng.random() < 0.5 else rng.sample(pool, rng.randint(3, len(pool)))


def draw_choice(problem: Problem, listed: Sequence[str], rng: random.Random) -> tuple[str, str]:
    """A request for the one to three best of a list, and its right reply."""
    n = rng.randint(1, 3)
    return choice_request(problem.question, listed, n), choice_reply(best_codes(problem.family, listed, n))
