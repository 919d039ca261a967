"""Confidence intervals, tests and scores. The unit is the problem: seeds are averaged within a problem.

Shares and weights are from 0 to 1; intervals are 95 % confidence intervals. The bootstrap is seeded: the
same numbers give the same interval. Pure functions of arrays.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

Z95 = 1.959963984540054
"""The 97.5 % point of the normal distribution."""

N_RESAMPLES = 2_000
RESAMPLED_AT_ONCE = 1_000_000
"""Indices drawn per call, 8 MB."""

N_BINS = 10

Estimate = tuple[float, float, float]
"""A value and the lower and upper end of its 95 % interval."""


# --- shares ---------------------------------------------------------------------------------------


def wilson(n_right: float, n: float) -> tuple[float, float]:
    """Wilson's score interval (1927) of a share; (0, 1) for no trials."""
    if n == 0:
        return 0.0, 1.0
    share, z2 = n_right / n, Z95**2 / n
    centre = (share + z2 / 2) / (1 + z2)
    half = Z95 / (1 + z2) * math.sqrt(share * (1 - share) / n + z2 / (4 * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def paired(ours: Sequence[bool], theirs: Sequence[bool]) -> Estimate:
    """The difference of two shares (ours − theirs) on the same problems, and its 95 % interval.

    Wald's interval with one problem added to each of the two discordant cells: Bonett and Price (2012).
    """
    n = len(ours)
    wins = sum(a and not b for a, b in zip(ours, theirs, strict=True))
    losses = sum(b and not a for a, b in zip(ours, theirs, strict=True))
    up, down = (wins + 1) / (n + 2), (losses + 1) / (n + 2)
    half = Z95 * math.sqrt((up + down - (up - down) ** 2) / (n + 2))
    return (wins - losses) / n, max(-1.0, up - down - half), min(1.0, up - down + half)


def mcnemar(wins: int, losses: int) -> float:
    """McNemar's exact two-sided p: how often a fair coin splits the disagreements at least as unevenly."""
    n, fewer = wins + losses, min(wins, losses)
    tail = sum(math.comb(n, k) for k in range(fewer + 1))
    # From n = 1024 on the integers exceed the range of floats; their ratio does not.
    return min(1.0, float(Fraction(2 * tail, 2**n)))


# --- resampling -----------------------------------------------------------------------------------


def resampled(n: int, statistic: Callable[[NDArray[np.int64]], float]) -> Estimate:
    """A statistic of the indices 0 … n − 1, and its percentile bootstrap interval (seeded)."""
    rng = np.random.default_rng(1)
    drawn = [statistic(rng.integers(0, n, n)) for _ in range(N_RESAMPLES)]
    low, high = np.quantile(drawn, (0.025, 0.975))
    return statistic(np.arange(n)), float(low), float(high)


def resampled_mean(values: ArrayLike) -> Estimate:
    """The mean of values (P,), one per problem, and its percentile bootstrap interval; P is at least 1."""
    of = np.asarray(values, dtype=np.float64)
    rng, n = np.random.default_rng(1), len(of)
    block = max(1, RESAMPLED_AT_ONCE // n)
    means = [
        of[rng.integers(0, n, (min(block, N_RESAMPLES - begun), n))].mean(axis=1)
        for begun in range(0, N_RESAMPLES, block)
    ]
    low, high = np.quantile(np.concatenate(means), (0.025, 0.975))
    return float(of.mean()), float(low), float(high)


def mean_share(values: ArrayLike, n_seeds: int) -> Estimate:
    """The mean of shares (P,), one per problem over its seeds, with Wilson's or a bootstrap interval.

    Wilson's is used for one seed per problem, and if all values are 0 or all are 1: then a bootstrap interval
    would have width 0.
    """
    of = np.asarray(values, dtype=np.float64)
    is_plain = bool(np.all((of == 0) | (of == 1)))
    if is_plain and (n_seeds == 1 or of.min() == of.max()):
        return (float(of.mean()), *wilson(float(of.sum()), len(of)))
    return resampled_mean(of)


def mean_difference(ours: ArrayLike, theirs: ArrayLike, n_seeds: int) -> Estimate:
    """The mean difference of shares (P,) on the same problems, by `paired` or with a bootstrap interval."""
    first, second = (np.asarray(values, dtype=np.float64) for values in (ours, theirs))
    both = np.concatenate([first, second])
    is_plain = bool(np.all((both == 0) | (both == 1)))
    if is_plain and (n_seeds == 1 or np.ptp(first - second) == 0):
        return paired((first == 1).tolist(), (second == 1).tolist())
    return resampled_mean(first - second)


# --- several samples ------------------------------------------------------------------------------


def pass_at_k(n: int, n_right: int, k: int) -> float:
    """Unbiased estimate of the chance that at least one of k samples is right, from n ≥ k independent ones.

    1 − C(n − c, k) / C(n, k), with c = n_right: the chance for k of the n samples drawn without replacement.
    Source: Chen et al. (2021).
    """
    return 1.0 - float(Fraction(math.comb(n - n_right, k), math.comb(n, k)))


# --- calibration ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Predictions with a weight in [low, high): their mean weight, and the share that is right.

    `n` is the number of predictions. `interval` is Wilson's, with one trial per problem whatever its seeds.
    The last bin includes weight 1.
    """

    low: float
    high: float
    n: int
    n_problems: int
    weight: float
    right: float
    interval: tuple[float, float]


def calibration_bins(weights: ArrayLike, rights: ArrayLike, problems: Sequence[object]) -> list[Bin]:
    """Non-empty bins of equal width, for weights (M,), rights (M,) (0 or 1) and their problems (M,)."""
    weight, right = (np.asarray(values, dtype=np.float64) for values in (weights, rights))
    place = np.clip((weight * N_BINS).astype(np.int64), 0, N_BINS - 1)
    bins = []
    for k in np.unique(place):
        here = np.flatnonzero(place == k)
        n_problems, share = len({problems[int(i)] for i in here}), float(right[here].mean())
        bins.append(
            Bin(
                low=int(k) / N_BINS,
                high=(int(k) + 1) / N_BINS,
                n=len(here),
                n_problems=n_problems,
                weight=float(weight[here].mean()),
                right=share,
                interval=wilson(share * n_problems, n_problems),
            )
        )
    return bins


def brier(weights: ArrayLike, rights: ArrayLike) -> float:
    """The mean squared difference of weights (M,) and rights (M,), 0 or 1; 0 is best. Brier (1950)."""
    return float(np.mean((np.asarray(weights, dtype=np.float64) - np.asarray(rights, dtype=np.float64)) ** 2))


def calibration_error(bins: Sequence[Bin]) -> float:
    """ECE: the mean of |weight − share right| over bins, weighted by their number of predictions."""
    return sum(one.n * abs(one.weight - one.right) for one in bins) / sum(one.n for one in bins)


# --- cost -----------------------------------------------------------------------------------------


def pareto(costs: Sequence[float], values: Sequence[float]) -> list[int]:
    """Indices of the Pareto front, cheapest first: no other point is better and costs no more.

    Of points with equal cost and value, the first is taken.
    """
    front: list[int] = []
    for i in sorted(range(len(costs)), key=lambda i: (costs[i], -values[i], i)):
        if not front or values[i] > values[front[-1]]:
            front.append(i)
    return front
