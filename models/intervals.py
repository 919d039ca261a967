"""95 % intervals of what is measured: shares, paired differences of shares, anything resampled."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Z95 = 1.959963984540054
"""The 97.5 % point of the normal distribution."""

N_RESAMPLES = 2_000


def wilson(n_right: int, n: int) -> tuple[float, float]:
    """The 95 % interval of a share by Wilson's score (1927); (0, 1) for no trial at all."""
    if n == 0:
        return 0.0, 1.0
    share, z2 = n_right / n, Z95**2 / n
    centre = (share + z2 / 2) / (1 + z2)
    half = Z95 / (1 + z2) * math.sqrt(share * (1 - share) / n + z2 / (4 * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def paired(ours: Sequence[bool], theirs: Sequence[bool]) -> tuple[float, float, float]:
    """The difference of two shares on the same problems, and its 95 % interval.

    Wald's interval with one problem more in each cell where they disagree: Bonett and Price (2012).
    """
    n = len(ours)
    wins = sum(a and not b for a, b in zip(ours, theirs, strict=True))
    losses = sum(b and not a for a, b in zip(ours, theirs, strict=True))
    up, down = (wins + 1) / (n + 2), (losses + 1) / (n + 2)
    half = Z95 * math.sqrt((up + down - (up - down) ** 2) / (n + 2))
    return (wins - losses) / n, max(-1.0, up - down - half), min(1.0, up - down + half)


def resampled(n: int, statistic: Callable[[NDArray[np.int64]], float]) -> tuple[float, float, float]:
    """A statistic of the indices 0 … n − 1, and its percentile interval by resampling them (seeded)."""
    rng = np.random.default_rng(1)
    drawn = [statistic(rng.integers(0, n, n)) for _ in range(N_RESAMPLES)]
    low, high = np.quantile(drawn, (0.025, 0.975))
    return statistic(np.arange(n)), float(low), float(high)
