"""Pairs of gold answers that differ: whatever a grader finds right among them is a false positive."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

Pair = tuple[str, str]


def unequal_pairs(golds: Sequence[str], n: int, seed: int = 1) -> list[Pair]:
    """So many distinct pairs of different texts, fewer if there are not enough.

    Half of them look alike: neighbours in the order of the texts, read forwards or backwards. The others are
    drawn at random.
    """
    distinct = sorted(set(golds))
    most = min(n, len(distinct) * (len(distinct) - 1))
    pairs: dict[Pair, None] = {}
    for pair in _neighbours(distinct):
        if len(pairs) >= most // 2:
            break
        pairs[pair] = None
    draws = random.Random(seed)
    while len(pairs) < most:
        one, other = draws.sample(distinct, 2)
        pairs[one, other] = None
    return list(pairs)


def _neighbours(distinct: list[str]) -> Iterator[Pair]:
    backwards = sorted(distinct, key=lambda text: text[::-1])
    for step in range(1, len(distinct)):
        for order in (distinct, backwards):
            yield from zip(order, order[step:], strict=False)
