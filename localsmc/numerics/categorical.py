"""Sampling from unnormalised discrete distributions: the only source of randomness.

Every method takes a `CategoricalSampler`. The default inverts cumulative sums at uniform points. Tests pass
an enumerator of all outcomes, so that distributions are asserted exactly, not estimated.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Protocol

import numpy as np

from localsmc.numerics.log_math import Doubles, Floats, Ints
from localsmc.numerics.timing import numerics_time

BLOCK = 512
"""Tokens per block. In a large vocabulary a draw first picks a block by its sum, then a token within it."""

FEW = 100_000
"""Up to this many masses, whole rows are summed instead of blocks, in fewer NumPy calls."""


_ONE = np.ones(1, dtype=np.int64)


class CategoricalSampler(Protocol):
    """Draws counts[r] independent indices from each row r of `mass` (R, V)."""

    def __call__(self, mass: Floats, counts: Ints) -> Ints:
        """Return indices (Σ counts,), in order of rows; an index of mass zero is never returned."""
        ...


class RandomSampler:
    """Draws by inverting cumulative sums at uniform points from `rng`."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    @numerics_time
    def __call__(self, mass: Floats, counts: Ints) -> Ints:
        """See `CategoricalSampler`."""
        rows = np.repeat(np.arange(len(counts)), counts)
        return inverse_cdf(mass, rows, self._rng.random(len(rows)))


def inverse_cdf(mass: Floats, rows: Ints, points: Doubles) -> Ints:
    """(D,) for each d, the index in row rows[d] of `mass` (R, V) at the quantile points[d] in [0, 1)."""
    if mass.size > FEW:
        return _by_blocks(mass, rows, points)
    edges = mass.cumsum(axis=1, dtype=np.float64)
    return _first_above(edges, mass, rows, points * edges[rows, -1])


def _by_blocks(mass: Floats, rows: Ints, points: Doubles) -> Ints:
    """`inverse_cdf` on two levels, blocks and then one block, so that a large vocabulary is summed once."""
    n_rows, n_vocab = mass.shape
    n_whole = n_vocab // BLOCK
    sums = np.empty((n_rows, n_whole + 1))
    whole = mass[:, : n_whole * BLOCK].reshape(n_rows, n_whole, BLOCK)
    sums[:, :n_whole] = whole.sum(axis=2)
    sums[:, n_whole] = mass[:, n_whole * BLOCK :].sum(axis=1)
    edges = sums.cumsum(axis=1)
    targets = points * edges[rows, -1]
    blocks = _first_above(edges, sums, rows, targets)
    targets -= np.where(blocks > 0, edges[rows, blocks - 1], 0.0)

    # The draws of one row mostly fall into few blocks: sum each block with a draw once.
    hit, place = np.unique(rows * (n_whole + 1) + blocks, return_inverse=True)
    hit_rows, starts = hit // (n_whole + 1), hit % (n_whole + 1) * BLOCK
    columns = starts[:, None] + np.arange(BLOCK)
    inside = np.where(columns < n_vocab, mass[hit_rows[:, None], np.minimum(columns, n_vocab - 1)], 0)
    inner_edges = inside.cumsum(axis=1, dtype=np.float64)
    # Targets are scaled by the block's sum as rounded above.
    scale = inner_edges[:, -1] / sums[hit_rows, hit % (n_whole + 1)]
    inner = _first_above(inner_edges, inside, place, targets * scale[place])
    return np.asarray(starts[place] + inner)


def _first_above(edges: Doubles, parts: Floats, rows: Ints, targets: Doubles) -> Ints:
    """(D,) the first column whose edge is above the target and whose part is not zero."""
    found: Ints
    if len(edges) == 1:
        found = edges[0].searchsorted(targets, side="right")
    elif len(targets) <= 4 * len(edges):
        found = (edges[rows] <= targets[:, None]).sum(axis=1)
    else:
        found = np.empty(len(targets), dtype=np.int64)
        order = np.argsort(rows, kind="stable")
        bounds = np.searchsorted(rows[order], np.arange(len(edges) + 1))
        for row, (start, stop) in enumerate(pairwise(bounds.tolist())):
            found[order[start:stop]] = edges[row].searchsorted(targets[order[start:stop]], side="right")
    if found.max(initial=0) < edges.shape[1] and (parts[rows, found] > 0).all():
        return found
    # By round-off, a target is at or beyond the last part with mass.
    last = parts.shape[1] - 1 - (parts[:, ::-1] > 0).argmax(axis=1)
    clamped: Ints = np.minimum(found, last[rows])
    return clamped


def sample_one(draw: CategoricalSampler, mass: Doubles) -> int:
    """One index from a single distribution (V,)."""
    return int(draw(mass[None, :], _ONE)[0])
