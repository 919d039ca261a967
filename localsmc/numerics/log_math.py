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
    alpha           power exponent, 1 ≤ alpha ≤ 64; samples have 1 / temperature
    mass (R, V)     unnormalised probabilities of a proposal, each row's maximum 1
    n_*             counts; N particles, R rows, V vocabulary
`log` is the natural logarithm.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from localsmc.errors import DecodeFailed

Floats = NDArray[np.floating[Any]]
Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]

Lowest = Callable[[Floats], float]
"""The lowest logit of a row (V,) that a truncation leaves."""


def require_numbers(tops: Floats) -> None:
    """Raise DecodeFailed unless the highest logit of every row is a number."""
    if not np.isfinite(tops).all():
        raise DecodeFailed(
            "the model returned logits that are not numbers",
            hint="the file may be damaged: compare its checksum, or try another quantization",
        )


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
