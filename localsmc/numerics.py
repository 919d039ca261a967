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
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from localsmc.errors import DecodeFailed

Floats = NDArray[np.floating[Any]]
Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]

CHUNK_BYTES = 512 * 1024
"""Rows worked on together: two buffers of this size stay in a core's L2 cache."""

HELD_BYTES = 64 * 1024 * 1024
"""Masses kept from one look at a step's rows to the next: to read them again is faster than exp."""


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
        self.n_held = max(self.n_rows, HELD_BYTES // (n_vocab * dtype.itemsize))
        self._shifted = np.empty((self.n_rows, n_vocab), dtype)
        self._passing = np.empty((self.n_rows, n_vocab), dtype)
        self._lasting = np.empty((0, n_vocab), dtype)

    def chunks(self, logits: Floats, alpha: float, first: int = 0) -> Iterator[Chunk]:
        """Each chunk of `logits` (R, V) from row `first` on; they are left as they are.

        Raises DecodeFailed where a row holds NaN or +inf, or no finite logit.
        """
        for start in range(first, len(logits), self.n_rows):
            rows = logits[start : start + self.n_rows]
            yield self._chunk(start, rows, alpha, self._passing[: len(rows)])

    def held(self, logits: Floats, alpha: float) -> list[Chunk]:
        """Those of at most `n_held` rows, all of them valid until others are held."""
        if len(logits) > len(self._lasting):
            self._lasting = np.empty(logits.shape, logits.dtype)
        starts = range(0, len(logits), self.n_rows)
        parts = [slice(start, start + self.n_rows) for start in starts]
        masses = self._lasting[: len(logits)]
        return [self._chunk(part.start, logits[part], alpha, masses[part]) for part in parts]

    def _chunk(self, start: int, logits: Floats, alpha: float, mass: Floats) -> Chunk:
        shifted = self._shifted[: len(logits)]
        top = logits.max(axis=1, keepdims=True)
        require_numbers(top)
        np.subtract(logits, top, out=shifted)
        np.exp(shifted, out=mass)
        log_sum = np.log(mass.sum(axis=1).astype(np.float64))
        log_norm = log_sum + top[:, 0]
        if alpha == 1.0:
            return Chunk(start, logits, mass, log_norm, np.zeros(len(logits)))
        if alpha in (2.0, 4.0):
            # Squaring costs a tenth of another exp; after the ramp most runs are here. What would
            # become a denormal number, at many times the cost, is zeroed first.
            np.multiply(mass, mass > np.finfo(mass.dtype).tiny ** (1 / alpha), out=mass)
            for _ in range(int(alpha) // 2):
                np.multiply(mass, mass, out=mass)
        else:
            shifted *= alpha
            np.exp(shifted, out=mass)
        log_power = np.log(mass.sum(axis=1).astype(np.float64)) - alpha * log_sum
        return Chunk(start, logits, mass, log_norm, log_power)


class Tempered:
    """Rows of logits (R, V) at one exponent, chunk by chunk, as often as it is iterated.

    As many as are not too much are computed once; what was zeroed in the mass of these stays zero.
    """

    def __init__(self, kernel: RowKernel, logits: Floats, alpha: float) -> None:
        self.logits, self.alpha = logits, alpha
        self._kernel = kernel
        self._held = kernel.held(logits[: kernel.n_held], alpha)

    def __iter__(self) -> Iterator[Chunk]:
        yield from self._held
        yield from self._kernel.chunks(self.logits, self.alpha, self._kernel.n_held)

    @cached_property
    def sums(self) -> tuple[Doubles, Doubles]:
        """(R,) log-norm and log Σ_v p(v)^alpha of each row."""
        sums = np.empty((2, len(self.logits)))
        for chunk in self:
            sums[:, chunk.start : chunk.start + len(chunk.logits)] = chunk.log_norm, chunk.log_power
        return sums[0], sums[1]


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
