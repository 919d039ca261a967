"""Log-probabilities of given tokens, from rows of logits."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from localsmc.numerics.log_math import Doubles, Floats, require_numbers
from localsmc.numerics.threads import map_rows


def log_normalisers(logits: Floats, n_threads: int = 1) -> Doubles:
    """log Σ exp of each row (R, V), in float64. Raises DecodeFailed for a row that is not numbers."""
    tops = logits.max(axis=1)
    require_numbers(tops)
    found = np.empty(len(logits))

    def work(rows: Iterator[int]) -> None:
        for row in rows:
            # One row at a time: a copy of all of them in float64 would be as large as the batch's buffer.
            shifted = logits[row] - tops[row].astype(np.float64)
            found[row] = tops[row] + np.log(np.exp(shifted, out=shifted).sum())

    map_rows(work, len(logits), n_threads)
    return found
