"""Log-domain arithmetic on rows of logits. Knows arrays only: no tokens, models or particles.

Numerics follow the dtype of the logits (float64 on the toy model, float32 from llama.cpp);
log-weights and evidence are float64. Nothing is exponentiated before its maximum is subtracted.

Glossary, used everywhere in localsmc:
    logits (R, V)   raw scores of the model, one row a history
    logp            log-probability under the model at temperature 1, full vocabulary
    logw            unnormalised log-weight of one particle, float64
    weights         normalised weights, they sum to 1
    logz            log evidence, the log of the normalising constant
    ess             effective sample size, 1 / Σ weights²
    alpha           power exponent, 1 ≤ alpha ≤ 64
    mass (R, V)     unnormalised probabilities of a proposal, each row's maximum 1
    n_*             counts; N particles, R rows, V vocabulary
`log` is the natural logarithm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from localsmc.errors import DecodeFailed
from localsmc.stopwatch import numerics_time

Floats = NDArray[np.floating[Any]]
Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]

CHUNK_BYTES = 512 * 1024
"""Rows worked on together: two buffers of this size stay in a core's L2 cache."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows of a step, valid until the next chunk: views into reused buffers.

    `mass` (r, V) is exp(alpha·(logits − max)), `log_norm` (r,) the log-sum-exp of the logits and
    `log_power` (r,) is log Σ_v p(v)^alpha, at most 0 for alpha ≥ 1.
    """

    start: int
    logits: Floats
    mass: Floats
    log_norm: Doubles
    log_power: Doubles

    def logp(self, rows: Ints, tokens: Ints) -> Doubles:
        """Log-probabilities at temperature 1 of tokens (D,) drawn from rows (D,) of this chunk."""
        return self.logits[rows, tokens].astype(np.float64) - self.log_norm[rows]


Transform = Callable[[Chunk], None]
"""Zeroes part of a chunk's `mass` in place: top-k and its kind."""


def require_numbers(tops: Floats) -> None:
    """Raise DecodeFailed unless the highest logit of every row is a number."""
    if not np.isfinite(tops).all():
        raise DecodeFailed(
            "the model returned logits that are not numbers",
            hint="the file may be damaged: compare its checksum, or try another quantization",
        )


class RowKernel:
    """Turns rows of logits into tempered masses and their sums, in preallocated buffers."""

    def __init__(self, n_vocab: int, dtype: np.dtype[Any]) -> None:
        self.n_rows = max(1, CHUNK_BYTES // (n_vocab * dtype.itemsize))
        self._shifted = np.empty((self.n_rows, n_vocab), dtype)
        self._mass = np.empty((self.n_rows, n_vocab), dtype)

    def chunks(self, logits: Floats, alpha: float) -> Iterator[Chunk]:
        """Each chunk of `logits` (R, V); they are left as they are.

        Raises DecodeFailed where a row holds NaN or +inf, or no finite logit.
        """
        for start in range(0, len(logits), self.n_rows):
            yield self._chunk(start, logits[start : start + self.n_rows], alpha)

    @numerics_time
    def _chunk(self, start: int, logits: Floats, alpha: float) -> Chunk:
        shifted, mass = self._shifted[: len(logits)], self._mass[: len(logits)]
        top = logits.max(axis=1, keepdims=True)
        require_numbers(top)
        np.subtract(logits, top, out=shifted)
        np.exp(shifted, out=mass)
        log_sum = np.log(mass.sum(axis=1).astype(np.float64))
        log_norm = log_sum + top[:, 0]
        if alpha == 1.0:
            return Chunk(start, logits, mass, log_norm, np.zeros(len(logits)))
        shifted *= alpha
        np.exp(shifted, out=mass)
        log_power = np.log(mass.sum(axis=1).astype(np.float64)) - alpha * log_sum
        return Chunk(start, logits, mass, log_norm, log_power)


def log_sum_exp(values: Doubles) -> float:
    """log Σ exp(values); −inf when every value is −inf or there is none."""
    top = values.max(initial=-np.inf)
    if top == -np.inf:
        return float("-inf")
    return float(top + np.log(np.exp(values - top).sum()))


def normalised(logw: Doubles) -> Doubles:
    """Weights from log-weights: exp(logw), scaled to sum to 1.

    Raises ValueError where every weight is zero, since no distribution is left then.
    """
    top = logw.max(initial=-np.inf)
    if not np.isfinite(top):
        raise ValueError("all log-weights are -inf: no particle is left alive")
    weights: Doubles = np.exp(logw - top)
    weights /= weights.sum()
    return weights


def effective_sample_size(logw: Doubles, counts: Ints) -> float:
    """(Σ w)² / Σ w² over particles, `counts` (H,) of them at each log-weight `logw` (H,)."""
    top = logw.max(initial=-np.inf)
    if not np.isfinite(top):
        return 0.0
    w = np.exp(logw - top)
    weighted = counts * w
    return float(weighted.sum() ** 2 / (weighted * w).sum())
