"""The one place where chance enters: draws from unnormalised discrete distributions.

Every method takes a `Draw`. The default inverts cumulative sums at uniform points; tests pass
an enumerator that walks through every outcome, so that laws are asserted, not estimated.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Protocol

import numpy as np

from localsmc.numerics.log_math import Doubles, Floats, Ints
from localsmc.numerics.timing import numerics_time

BLOCK = 512
"""Tokens a block: in a large vocabulary a draw looks at the blocks' sums first, then inside one block."""

FEW = 100_000
"""Up to so many masses whole rows are summed: fewer calls of NumPy."""


_ONE = np.ones(1, dtype=np.int64)


class CategoricalSampler(Protocol):
    """counts[r] independent indices from each row of mass (R, V), rows in order, flat."""

    def __call__(self, mass: Floats, counts: Ints) -> Ints:
        """Indices (Σ counts,); an index of mass zero is never returned."""
        ...


class RandomSampler:
    """Draws by inverse cumulative sums at uniform points of `rng`."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    @numerics_time
    def __call__(self, mass: Floats, counts: Ints) -> Ints:
        """See `Draw`."""
        rows = np.repeat(np.arange(len(counts)), counts)
        return inverse_cdf(mass, rows, self._rng.random(len(rows)))


def inverse_cdf(mass: Floats, rows: Ints, points: Doubles) -> Ints:
    """The index in row rows[d] of `mass` (R, V) at the share points[d] in [0, 1) of its sum."""
    if mass.size > FEW:
        return _by_blocks(mass, rows, points)
    edges = mass.cumsum(axis=1, dtype=np.float64)
    return _first_above(edges, mass, rows, points * edges[rows, -1])


def _by_blocks(mass: Floats, rows: Ints, points: Doubles) -> Ints:
    """The same on two levels, blocks, then one block: a large vocabulary is summed once, in cache."""
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

    # Draws of one row mostly fall in one block: sum each block that was hit once.
    hit, place = np.unique(rows * (n_whole + 1) + blocks, return_inverse=True)
    hit_rows, starts = hit // (n_whole + 1), hit % (n_whole + 1) * BLOCK
    columns = starts[:, None] + np.arange(BLOCK)
    inside = np.where(columns < n_vocab, mass[hit_rows[:, None], np.minimum(columns, n_vocab - 1)], 0)
    inner_edges = inside.cumsum(axis=1, dtype=np.float64)
    # The block's own sum, as rounded above, is the scale of its targets.
    scale = inner_edges[:, -1] / sums[hit_rows, hit % (n_whole + 1)]
    inner = _first_above(inner_edges, inside, place, targets * scale[place])
    return np.asarray(starts[place] + inner)


def _first_above(edges: Doubles, parts: Floats, rows: Ints, targets: Doubles) -> Ints:
    """The first column of edges[row] above its target whose part is not zero."""
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
    # Round-off at the upper end passed the last part that has any mass.
    last = parts.shape[1] - 1 - (parts[:, ::-1] > 0).argmax(axis=1)
    clamped: Ints = np.minimum(found, last[rows])
    return clamped


def sample_one(draw: CategoricalSampler, mass: Doubles) -> int:
    """One index from a single distribution (V,)."""
    return int(draw(mass[None, :], _ONE)[0])
