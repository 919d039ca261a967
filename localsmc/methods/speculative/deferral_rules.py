"""Deferral rules of cascades: the next-token distribution π of two models together, from theirs.

q is the draft's next-token distribution, p the target's, one row per position; a rule returns the
distribution π (R, V) that tokens are to have. Chow, Diff and OPT choose a model at each position,

    π = p if they defer, else q,

and the token rules define a set A of tokens that the draft may choose,

    π(v) = q(v)·1{v ∈ A} + p(v)·(1 − Σ_A q).

The maxima of q and p, and A, are taken at temperature 1; TV in OPT, Lossy, and the distributions that are
mixed are at the sampling temperature. `lenience` is the α of the paper: the higher it is, the more the draft
decides.

Source    Faster Cascades via Speculative Decoding, arXiv 2405.19261 (its equations are named below), and the
          notebook of its authors; BiLD, arXiv 2302.07863.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from localsmc.numerics.log_math import Doubles, Floats


@dataclass(frozen=True, slots=True)
class RuleDistribution:
    """Next-token probabilities (R, V): `drawn` at the sampling temperature, `plain` at temperature 1."""

    drawn: Floats
    plain: Floats


DeferralRule = Callable[[RuleDistribution, RuleDistribution, float], Floats]
"""(q, p, lenience) → π (R, V)."""


def chow(q: RuleDistribution, p: RuleDistribution, lenience: float) -> Floats:
    """Defers if the draft is unsure: max q < 1 − lenience (2)."""
    return _either(is_unsure(q, lenience), q, p)


def is_unsure(q: RuleDistribution, lenience: float) -> NDArray[np.bool_]:
    """(R,) whether Chow's rule defers; it uses q only."""
    return np.asarray(_top(q) < 1.0 - lenience)


def diff(q: RuleDistribution, p: RuleDistribution, lenience: float) -> Floats:
    """Defers if the target is surer: max q < max p − lenience (5)."""
    return _either(_top(q) < _top(p) - lenience, q, p)


def opt(q: RuleDistribution, p: RuleDistribution, lenience: float) -> Floats:
    """Defers if that is worth the rejected tokens: max q < max p − lenience·TV(p, q) (10)."""
    distance = np.maximum(q.drawn - p.drawn, 0.0).sum(axis=1, dtype=np.float64)
    return _either(_top(q) < _top(p) - lenience * distance, q, p)


def token_v1(q: RuleDistribution, p: RuleDistribution, lenience: float) -> Floats:
    """A: tokens with q ≥ max p − lenience (13)."""
    return _within(q.plain >= (_top(p) - lenience)[:, None], q, p)


def token_v2(q: RuleDistribution, p: RuleDistribution, lenience: float) -> Floats:
    """A: tokens with p ≥ max p − lenience (14)."""
    return _within(p.plain >= (_top(p) - lenience)[:, None], q, p)


def token_v3(q: RuleDistribution, p: RuleDistribution, lenience: float) -> Floats:
    """A: tokens with p ≥ (1 − lenience)·max p (15): a min-p of 1 − lenience."""
    return _within(p.plain >= ((1.0 - lenience) * _top(p))[:, None], q, p)


def lossy(q: RuleDistribution, p: RuleDistribution, lenience: float) -> Floats:
    """Lossy speculative sampling: accepts a drafted token with probability min(1, p / ((1 − lenience)·q)).

    After a rejection the token is drawn from max(0, p − q), normalised, as in lossless sampling. As a
    distribution: min(q, p / (1 − lenience)) for tokens with p < q, and q plus a share of p − q for others.
    Negative lenience counts as 0.
    """
    short = np.maximum(p.drawn - q.drawn, 0.0)
    strictness = max(0.0, 1.0 - max(0.0, lenience))
    accepted = np.minimum(q.drawn * strictness, p.drawn) / strictness if strictness else q.drawn
    accepted = np.minimum(accepted, q.drawn)
    rejected = 1.0 - accepted.sum(axis=1, dtype=np.float64)
    total = short.sum(axis=1, dtype=np.float64)
    share = np.divide(rejected, total, out=np.zeros_like(rejected), where=total > 0)
    return np.asarray(accepted + short * _column(np.maximum(share, 0.0), short))


def bild(q: RuleDistribution, p: RuleDistribution, lenience: float, fallback: float) -> Floats:
    """Big Little Decoder: falls back to p if max q < fallback; rolls a token back if −log p > lenience.

    On fallback π = p; otherwise A: tokens with p ≥ exp(−lenience).
    """
    mixed = _within(p.plain >= np.exp(-lenience), q, p)
    return np.where(_column(_top(q) < fallback), p.drawn, mixed)


RULES: dict[str, DeferralRule] = {
    "chow": chow,
    "diff": diff,
    "opt": opt,
    "token-v1": token_v1,
    "token-v2": token_v2,
    "token-v3": token_v3,
    "lossy": lossy,
}
"""The rules whose only parameter is lenience."""


def _top(distribution: RuleDistribution) -> Doubles:
    return np.asarray(distribution.plain.max(axis=1), dtype=np.float64)


def _column(values: NDArray[Any], like: Floats | None = None) -> NDArray[Any]:
    return values[:, None] if like is None else values[:, None].astype(like.dtype)


def _either(defers: NDArray[np.bool_], q: RuleDistribution, p: RuleDistribution) -> Floats:
    return np.where(_column(defers), p.drawn, q.drawn)


def _within(allowed: NDArray[np.bool_], q: RuleDistribution, p: RuleDistribution) -> Floats:
    kept = np.where(allowed, q.drawn, 0.0).astype(q.drawn.dtype)
    rest = np.maximum(0.0, 1.0 - kept.sum(axis=1, dtype=np.float64))
    return np.asarray(kept + p.drawn * _column(rest, kept))
