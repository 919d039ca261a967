"""A single pass over a row of logits, reduced to partial sums: token v is in column v mod 512."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from localsmc.numerics.log_math import Doubles, Floats

COLUMNS = 512
"""Number of columns of a folded row."""


FOLDED_FROM = 4 * COLUMNS
"""Smaller vocabularies are not folded: all rows are processed together, in fewer NumPy calls."""


FEW_COLUMNS = COLUMNS // 8
"""If at most this many columns need an exact sum, only those are recomputed, else all."""


class _Buffers(threading.local):
    """Two buffers per thread and dtype, in the shape of the last folded row."""

    def __init__(self) -> None:
        self._of: dict[Any, tuple[Floats, Floats]] = {}

    def of(self, dtype: np.dtype[Any], n_deep: int) -> tuple[Floats, Floats]:
        shape = (n_deep, COLUMNS)
        if dtype not in self._of or self._of[dtype][0].shape != shape:
            self._of[dtype] = np.empty(shape, dtype), np.empty(shape, dtype)
        return self._of[dtype]


buffers = _Buffers()


def column_peaks(logits: Floats, out: Floats) -> Any:
    """Write the highest logit of each column to `out` (512,); returns the highest of all."""
    n_whole = len(logits) // COLUMNS * COLUMNS
    np.maximum.reduce(logits[:n_whole].reshape(-1, COLUMNS), axis=0, out=out)
    rest = logits[n_whole:]
    np.maximum(out[: len(rest)], rest, out=out[: len(rest)])
    return out.max()


def column_sums(logits: Floats, top: Any, peaks: Floats, alpha: float, out: Doubles) -> float:
    """Write Σ exp(alpha·(logits − top)) of each column to `out` (512,); returns the total at alpha 1."""
    shifted, mass = buffers.of(logits.dtype, -(-len(logits) // COLUMNS))
    flat = shifted.reshape(-1)
    np.subtract(logits, top, out=flat[: len(logits)])
    flat[len(logits) :] = -np.inf
    np.exp(shifted, out=mass)
    plain = mass.sum(axis=0).astype(np.float64)
    if alpha == 1.0:
        out[:] = plain
    elif not _fill_by_bounds(shifted, plain, peaks - top, alpha, out):
        out[:] = powers(shifted, mass, alpha)
    return float(plain.sum())


def _fill_by_bounds(shifted: Floats, plain: Doubles, peaks: Floats, alpha: float, out: Doubles) -> bool:
    """The column sums if few columns have nearly all of the mass; returns False if more columns matter.

    With m the peak's mass at alpha 1 (m ≤ 1) and s the column's sum at alpha 1, the sum at alpha is between
    m^alpha and m^(alpha − 1)·s. If the bounds nearly agree, m^alpha is used: the errors of all such columns
    together are below the rounding of the row's sum.
    """
    if alpha < 1.0:
        return False
    peaks = peaks.astype(np.float64)
    out[:] = np.exp(alpha * peaks)
    gap = np.exp((alpha - 1.0) * peaks) * plain - out
    wide = np.flatnonzero(gap > np.finfo(shifted.dtype).eps / (2 * COLUMNS))
    if len(wide) > FEW_COLUMNS:
        return False
    out[wide] = np.exp(alpha * shifted[:, wide].astype(np.float64)).sum(axis=0)
    return True


def powers(shifted: Floats, mass: Floats, alpha: float) -> Doubles:
    """(512,) the sums over columns of the masses to the power alpha; overwrites both arrays."""
    if alpha in (2.0, 4.0):
        # Squaring costs a fraction of another exp. Masses whose power would be a denormal number, at many
        # times the cost, are rounded to zero first: the offset rounds off all bits below its last one.
        offset = mass.dtype.type(2.0 ** (np.finfo(mass.dtype).nmant + np.finfo(mass.dtype).minexp / alpha))
        np.add(mass, offset, out=mass)
        np.subtract(mass, offset, out=mass)
        for _ in range(int(alpha) // 2):
            np.multiply(mass, mass, out=mass)
    else:
        np.multiply(shifted, mass.dtype.type(alpha), out=shifted)
        np.exp(shifted, out=mass)
    return np.asarray(mass.sum(axis=0), dtype=np.float64)
