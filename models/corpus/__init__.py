"""Seeded problems with checked solutions, and prompts to decline: training data and held-out problems.

`families/` draws problems: textbook ones (`numbers`, `stories`) and what people type (`calculations`,
`expressions`, `comparisons`, `shares`, `unknowns`, `everyday`). `wording` puts words from `words` into
patterns, and spells them as people do. `followups` asks on about a result, `beyond` has prompts that are not
arithmetic, `refusals` how they are declined; `trees` joins all of them to training texts.

Training and held-out problems cannot overlap: `Problem.split` is a hash of the calculation
that solves the problem, so the same numbers in another wording are in the same split, and each
stream contains only its own split. Solutions have styles of different reliability: the most
common style gives the answer at once, the others work line by line.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping

from localsmc_models.corpus.families import FAMILIES, TYPED_FAMILIES
from localsmc_models.corpus.problem import Problem, Split
from localsmc_models.corpus.solutions import STYLES, solution

__all__ = [
    "FAMILIES",
    "LEARNED_FAMILIES",
    "STYLES",
    "TRAINED_LEVELS",
    "Problem",
    "Split",
    "problems",
    "solution",
]

TRAINED_LEVELS = (1, 2, 3)

LEARNED_FAMILIES = tuple(family for family in FAMILIES if family not in TYPED_FAMILIES)
"""The families that the shipped models have learned; the next edition learns the others as well."""


def problems(
    seed: int,
    split: Split,
    levels: tuple[int, ...] = TRAINED_LEVELS,
    families: tuple[str, ...] = LEARNED_FAMILIES,
    weights: Mapping[str, float] | None = None,
) -> Iterator[Problem]:
    """An endless stream of problems of one split.

    Levels are equally frequent, and so are families, but for those that `weights` names (others have 1).
    """
    rng = random.Random(f"{seed}/{split}")
    makers = [FAMILIES[name] for name in families]
    frequencies = [(weights or {}).get(name, 1.0) for name in families]
    while True:
        maker = rng.choices(makers, frequencies)[0] if weights else rng.choice(makers)
        problem = maker(rng, rng.choice(levels))
        if problem.split == split:
            yield problem
