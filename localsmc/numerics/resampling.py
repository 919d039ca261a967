"""Resampling schemes: (weights (H,), n, draw) -> number of particles on each history, and their weights.

Every scheme is unbiased, E[count · new weight] = weight, and takes its randomness from `draw` only. The
systematic and stratified schemes draw the *interval* of their offset in which the counts are constant:
the distribution is the same, and it can be enumerated. Particles on one history are exchangeable, so
counts describe the outcome. `thin` reduces the number of histories and keeps unequal weights.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from localsmc.numerics.categorical import CategoricalSampler, sample_one
from localsmc.numerics.log_math import Doubles, Ints


class Offspring(NamedTuple):
    """The outcome of a scheme: the number of particles on each history (H,), and the weight of each (H,)."""

    counts: Ints
    weights: Doubles


Scheme = Callable[[Doubles, int, CategoricalSampler], Offspring]
Counting = Callable[[Doubles, int, CategoricalSampler], Ints]
"""A scheme whose particles all get the weight 1/n: E[count] = n·weight."""

ROUND_OFF = 1e-9
"""Sums of weights within this distance of a whole number are rounded to it."""


def multinomial(weights: Doubles, n: int, draw: CategoricalSampler) -> Ints:
    """n independent draws."""
    drawn = draw(weights[None, :], np.array([n]))
    return np.bincount(drawn, minlength=len(weights))


def stratified(weights: Doubles, n: int, draw: CategoricalSampler) -> Ints:
    """One draw in each of n equal strata of the cumulative weights."""
    edges = _edges(weights, n)
    strata = np.arange(n)
    first = np.searchsorted(edges[1:], strata, side="right")
    last = np.searchsorted(edges[1:], strata + 1, side="left")
    counts = np.bincount(first[first == last], minlength=len(weights))
    # Only strata that contain an edge need a draw: fewer than there are histories.
    cut = strata[first != last][:, None]
    if len(cut):
        overlap = np.minimum(edges[1:], cut + 1) - np.maximum(edges[:-1], cut)
        drawn = draw(np.maximum(overlap, 0.0), np.ones(len(cut), dtype=np.int64))
        counts += np.bincount(drawn, minlength=len(weights))
    return counts


def systematic(weights: Doubles, n: int, draw: CategoricalSampler) -> Ints:
    """One offset shared by n equal strata; each count is ⌊n·w⌋ or ⌈n·w⌉."""
    edges = _edges(weights, n)
    breaks = np.concatenate(([0.0], np.sort(edges[1:] % 1.0), [1.0]))
    interval = sample_one(draw, np.diff(breaks))
    offset = (breaks[interval] + breaks[interval + 1]) / 2
    # The number of points offset, offset + 1, ... below each edge.
    counts: Ints = np.diff(np.ceil(edges - offset)).astype(np.int64)
    return counts


def residual(weights: Doubles, n: int, draw: CategoricalSampler) -> Ints:
    """⌊n·w⌋ particles each, and the rest by independent draws from the remainders."""
    expected = weights * n
    counts = np.floor(expected + ROUND_OFF).astype(np.int64)
    left = n - int(counts.sum())
    if left == 0:
        return counts
    return counts + multinomial(np.maximum(expected - counts, 0.0), left, draw)


def _edges(weights: Doubles, n: int) -> Doubles:
    """0 and the cumulative weights in units of 1/n; values near whole numbers are rounded to them."""
    edges = np.concatenate(([0.0], np.cumsum(weights)))
    edges *= n / edges[-1]
    whole = np.round(edges)
    return np.where(np.abs(edges - whole) < ROUND_OFF, whole, edges)


CHOPTHIN_RATIO = 3 + math.sqrt(8)
"""η: no particle weighs more than this many times another; the ESS is then at least n/2."""


def chopthin(weights: Doubles, n: int, draw: CategoricalSampler) -> Offspring:
    """Split the heavy, thin the light, keep the others: the weights are within the ratio η (CHOPTHIN_RATIO).

    With a floor a: a history with weight w < a stays with probability w/a, as one particle of weight a; with
    w > η·a/2 it gets 2·w/(η·a) particles on average, rounded up or down, which share its weight equally;
    otherwise it keeps one particle of weight w. a is such that n particles are left.
    Source: Gandy and Lau (2016).
    """
    floor = _chopthin_floor(weights, n)
    expected = _expected(weights, floor)
    counts = np.floor(expected + ROUND_OFF).astype(np.int64)
    left = n - int(counts.sum())
    if left > 0:
        rest = np.maximum(expected - counts, 0.0)
        counts = counts + systematic(rest / rest.sum(), left, draw)
    return Offspring(counts, np.where(weights < floor, floor, weights / np.maximum(counts, 1)))


def _expected(weights: Doubles, floor: float) -> Doubles:
    """The expected number of particles on each history, for a floor."""
    expected: Doubles = np.maximum(np.minimum(weights / floor, 1.0), weights * (2 / (CHOPTHIN_RATIO * floor)))
    return expected


def _chopthin_floor(weights: Doubles, n: int) -> float:
    """The floor for which the expected number of particles is n."""
    # The expected number falls as the floor rises; between two of these points it is linear in 1/floor.
    alive = weights[weights > 0]
    chopped = alive * (2 / CHOPTHIN_RATIO)
    points = np.sort(np.concatenate(([0.0], alive, chopped, [np.inf])))
    inner = range(1, len(points) - 1)
    i = 1 + bisect_left(inner, True, key=lambda i: bool(_expected(alive, float(points[i])).sum() <= n))
    below, above = points[i - 1], points[i]
    thinned, n_left = alive[alive <= below].sum(), int(((alive >= above) & (chopped <= below)).sum())
    if n_left == n:
        return float(above)
    return float((thinned + chopped[chopped >= above].sum()) / (n - n_left))


def _equal(counting: Counting, weights: Doubles, n: int, draw: CategoricalSampler) -> Offspring:
    return Offspring(counting(weights, n, draw), np.full(len(weights), 1 / n))


COUNTING: dict[str, Counting] = {
    "systematic": systematic,
    "stratified": stratified,
    "multinomial": multinomial,
    "residual": residual,
}

SCHEMES: dict[str, Scheme] = {
    **{name: partial(_equal, counting) for name, counting in COUNTING.items()},
    "chopthin": chopthin,
}


def thin(weights: Doubles, n: int, draw: CategoricalSampler) -> Doubles:
    """Reduce to at most n histories with positive weight, with E[new weight] = weight for each.

    c solves Σ min(1, w/c) = n. Histories heavier than c keep their weight. With S the sum of the other
    weights, S/c of them (a whole number) are kept by systematic resampling, with weight c each.
    Source: Fearnhead and Clifford (2003), the scheme of least variance.
    """
    if np.count_nonzero(weights) <= n:
        return weights
    heavy_first = np.sort(weights)[::-1]
    rest = heavy_first.sum() - np.concatenate(([0.0], np.cumsum(heavy_first)))[:n]
    thresholds = rest / (n - np.arange(n))
    # The smallest number of heavy histories such that the next one is not above the threshold.
    certain = int(np.argmax(heavy_first[:n] <= thresholds * (1 + ROUND_OFF)))
    threshold = thresholds[certain]
    keep = weights > threshold * (1 + ROUND_OFF)
    light = np.where(keep, 0.0, weights)
    kept = systematic(light / light.sum(), n - int(keep.sum()), draw)
    return np.where(keep, weights, kept * (light.sum() / (n - int(keep.sum()))))


def apportion(weights: Doubles, n: int) -> Ints:
    """Split n particles in proportion to the weights, at least one per positive weight.

    n is at least the number of positive weights. Deterministic, by largest remainders.
    """
    share = weights / weights.sum() * n
    counts = np.where(weights > 0, np.maximum(np.floor(share), 1), 0).astype(np.int64)
    while (excess := int(counts.sum()) - n) != 0:
        surplus = counts - share
        if excess > 0:
            counts[np.where(counts > 1, surplus, -np.inf).argmax()] -= 1
        else:
            counts[np.where(weights > 0, surplus, np.inf).argmin()] += 1
    return counts
