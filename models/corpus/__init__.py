"""Seeded problems with checked solutions: the training data and the held-out problems.

Training and held-out problems cannot overlap: `Problem.split` is a hash of the question's
text, and each stream keeps only its own side. Solutions come in styles of different
reliability; the common one answers at once, the rare one works line by line.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from localsmc_models.corpus.families import FAMILIES
from localsmc_models.corpus.problem import Problem, Split

__all__ = ["FAMILIES", "STYLES", "TRAINED_LEVELS", "Problem", "problems", "solution"]

TRAINED_LEVELS = (1, 2, 3)

STYLES = {"terse": 0.6, "worked": 0.4}
"""Solution styles and how often each is written in training."""


def problems(seed: int, split: Split, levels: tuple[int, ...] = TRAINED_LEVELS) -> Iterator[Problem]:
    """An endless stream of problems of one split, families and levels drawn evenly."""
    rng = random.Random(f"{seed}/{split}")
    families = list(FAMILIES.values())
    while True:
        problem = rng.choice(families)(rng, rng.choice(levels))
        if problem.split == split:
            yield problem


def solution(problem: Problem, style: str) -> str:
    """The full text of a solution in one of STYLES, up to the boxed answer."""
    lines = {"terse": (), "worked": problem.work}[style]
    return "\n".join((*lines, f"Answer: \\boxed{{{problem.answer}}}"))
