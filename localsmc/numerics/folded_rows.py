"""One pass over a row of logits: its vocabulary folded into partial sums."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from localsmc.numerics.log_math import Doubles, Floats

COLUMNS = 512
"""A folded row's."""


FOLDED_FROM = 4 * COLUMNS
"""Vocabularies below are a column a token: rows are worked on together, in fewer calls of NumPy."""


FEW_COLUMNS = COLUMNS // 8
"""Up to so many columns are gone through anew rather than all."""


class _Buffers(threading.local):
    """A thread's two buffers for a row of the vocabulary used last, of either dtype."""

    def __init__(self) -> None:
        self._of: dict[Any, tuple[Floats, Floats]] = {}

    def of(self, dtype: np.dtype[Any], n_deep: int) -> tuple[Floats, Floats]:
        shape = (n_deep, COLUMNS)
        if dtype not in self._of or self._of[dtype][0].shape != shape:
            self._of[dtype] = np.empty(shape, dtype), np.empty(shape, dtype)
        return self._of[dtype]


buffers = _Buffers()


def column_peaks(logits: Floats, out: Floats) -> Any:
    """The highest logit of each column, and of all."""
    n_whole = len(logits) // COLUMNS * COLUMNS
    np.maximum.reduce(logits[:n_whole].reshape(-1, COLUMNS), axis=0, out=out)
    rest = logits[n_whole:]
    np.maximum(out[: len(rest)], rest, out=out[: len(rest)])
    return out.max()


def column_sums(logits: Floats, top: Any, peaks: Floats, alpha: float, out: Doubles) -> float:
    """Σ exp(alpha·(logits − top)) of each column (512,); returns the sum of all at alpha 1."""
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
    """The same sums where few columns have nearly all of the mass; False where it takes more of them.

    A column has at least its peak's mass and at most its peak's to the power alpha − 1 times its mass
    at alpha 1. Where that is as good as equal the peak's is taken: all of these together are off by less
    than the rounding of the row's sum.
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
    """(512,) sums over columns of masses to a power; both arrays are written over."""
    if alpha in (2.0, 4.0):
        # Squaring costs a fraction of another exp. What would become a denormal number, at many times the
        # cost, is rounded to zero first: a bit of that size is lost beside this.
        beside = mass.dtype.type(2.0 ** (np.finfo(mass.dtype).nmant + np.finfo(mass.dtype).minexp / alpha))
        np.add(mass, beside, out=mass)
        np.subtract(mass, beside, out=mass)
        for _ in range(int(alpha) // 2):
            np.multiply(mass, mass, out=mass)
    else:
        np.multiply(shifted, mass.dtype.type(alpha), out=shifted)
        np.exp(shifted, out=mass)
    return np.asarray(mass.sum(axis=0), dtype=np.float64)
