"""Log-domain arithmetic on rows of logits: arrays only, no tokens, models or particles.

Computations use the dtype of the logits (float64 from the toy model, float32 from llama.cpp); log-weights
and evidence are float64. The maximum is always subtracted before exponentiation.

Glossary, for all of localsmc:
    logits (R, V)   raw scores of the model, one row per history
    logp            log-probability under the model at temperature 1, full vocabulary
    logw            unnormalised log-weight of one particle, float64
    weights         normalised weights, they sum to 1
    logz            log evidence, the log of the normalising constant
    ess             effective sample size, 1 / Σ weights²
    alpha           power exponent, 1 ≤ alpha ≤ 64; for plain sampling 1 / temperature
    mass (R, V)     unnormalised probabilities of a proposal; the maximum of each row is 1
    n_*             counts; N particles, R rows, V tokens in the vocabulary
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
"""Maps a row of logits (V,) to the lowest logit that a truncation (top-k, top-p, min-p) keeps."""


def require_numbers(tops: Floats) -> None:
    """Raise DecodeFailed unless the highest logit of every row is finite."""
    if not np.isfinite(tops).all():
        raise DecodeFailed(
            "the model returned logits that are not numbers",
            hint="the file may be damaged: compare its checksum, or try another quantization",
        )


def log_sum_exp(values: Doubles) -> float:
    """log Σ exp(values); −inf if all values are −inf or there are none."""
    top = values.max(initial=-np.inf)
    if top == -np.inf:
        return float("-inf")
    return float(top + np.log(np.exp(values - top).sum()))


def normalised(logw: Doubles) -> Doubles:
    """Normalised weights: exp(logw), scaled to sum to 1. Raises ValueError if all weights are zero."""
    top = logw.max(initial=-np.inf)
    if not np.isfinite(top):
        raise ValueError("all log-weights are -inf: no particle is left alive")
    weights: Doubles = np.exp(logw - top)
    weights /= weights.sum()
    return weights


def effective_sample_size(logw: Doubles, counts: Ints) -> float:
    """(Σ w)² / Σ w² over particles, counts[h] of them with log-weight logw[h]; 0 if all are −inf."""
    top = logw.max(initial=-np.inf)
    if not np.isfinite(top):
        return 0.0
    w = np.exp(logw - top)
    weighted = counts * w
    return float(weighted.sum() ** 2 / (weighted * w).sum())
