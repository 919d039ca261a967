"""Seeded problems with checked solutions: the training data and the held-out problems.

Training and held-out problems cannot overlap: `Problem.split` is a hash of the calculation
that solves the problem, so the same numbers in another wording are in the same split, and each
stream contains only its own split. Solutions have styles of different reliability: the most
common style gives the answer at once, the others work line by line.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from localsmc_models.corpus.families import FAMILIES
from localsmc_models.corpus.problem import Problem, Split
from localsmc_models.corpus.solutions import STYLES, solution

__all__ = ["FAMILIES", "STYLES", "TRAINED_LEVELS", "Problem", "Split", "problems", "solution"]

TRAINED_LEVELS = (1, 2, 3)


def problems(
    seed: int,
    split: Split,
    levels: tuple[int, ...] = TRAINED_LEVELS,
    families: tuple[str, ...] = tuple(FAMILIES),
) -> Iterator[Problem]:
    """An endless stream of problems of one split, with families and levels sampled uniformly."""
    rng = random.Random(f"{seed}/{split}")
    makers = [FAMILIES[name] for name in families]
    while True:
        problem = rng.choice(makers)(rng, rng.choice(levels))
        if problem.split == split:
            yield problem
