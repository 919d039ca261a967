"""Fearnhead-Clifford resampling: weigh all children of all histories, keep the heavy, thin the light.

Source: Fearnhead and Clifford (2003). Children with a weight of at least c keep it. Some of the others are
picked at random, and each pick weighs the same, so that every expected weight is right and no two
histories have the same tokens. Here c is 1/n of the total weight, so fewer than n histories remain if few
carry the weight. The light children of one history, nearly the whole vocabulary, are treated as one until
picked.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from localsmc.numerics.categorical import CategoricalSampler, sample_one
from localsmc.numerics.log_math import Doubles, Ints, log_sum_exp
from localsmc.numerics.resampling import ROUND_OFF, systematic
from localsmc.numerics.tempered_logits import TemperedLogits
from localsmc.numerics.timing import numerics_time

MIN_LIGHT_MASS = 0.01
"""In units of c: if all light children together weigh less, usually none is kept, without bias."""


class KeptChildren(NamedTuple):
    """Children (D,) with their parents' rows, and log-weights (F,) of finished histories, −inf if dropped."""

    rows: Ints
    tokens: Ints
    logps: Doubles
    logw: Doubles
    finished: Doubles


@numerics_time
def fearnhead_clifford(
    tempered: TemperedLogits, live: Doubles, finished: Doubles, n: int, draw: CategoricalSampler
) -> KeptChildren:
    """The children of histories with log-weights `live` (R,) and these rows of logits, thinned to at most n.

    A child weighs its parent's weight times p^alpha. `finished` (F,) are log-weights of histories without
    children, which are thinned with them. E[new weight] is the old weight for each. The total weight is kept
    exactly, unless the light children together weigh less than MIN_LIGHT_MASS.
    """
    alpha, log_power = tempered.alpha, tempered.log_power
    totals = live + log_power
    log_c = log_sum_exp(np.concatenate((finished, totals)) if len(finished) else totals) - np.log(n)

    rows, tokens = tempered.above((log_c - live) / alpha + tempered.log_norm)
    logps = tempered.logp(rows, tokens)
    logw = live[rows] + alpha * logps
    # Summed, not subtracted from the total: for a sharp distribution rounding would lose the rest.
    rest = tempered.masked(rows, tokens)
    light_mass, kept = np.exp(totals - log_c) * rest.totals / tempered.totals, finished
    if len(finished):
        weights = np.exp(finished - log_c)
        light_mass = np.concatenate((np.where(weights < 1.0, weights, 0.0), light_mass))
    picks, log_each = _pick(light_mass, draw)
    if len(finished):
        with np.errstate(divide="ignore"):
            kept = np.where(weights < 1.0, np.log(picks[: len(finished)]) + log_each + log_c, finished)
    picked = np.flatnonzero(picks[len(finished) :])
    if not len(picked):
        return KeptChildren(rows, tokens, logps, logw, kept)

    light = rest.take(picked).sample(draw, picks[len(finished) + picked])
    light_rows = picked[light.rows]
    return KeptChildren(
        rows=np.concatenate((rows, light_rows)),
        tokens=np.concatenate((tokens, light.tokens)),
        logps=np.concatenate((logps, tempered.logp(light_rows, light.tokens))),
        logw=np.concatenate((logw, np.log(light.counts) + log_each + log_c)),
        finished=kept,
    )


def _pick(light_mass: Doubles, draw: CategoricalSampler) -> tuple[Ints, float]:
    """Number of picks from each entry of `light_mass`, and the log-weight of a pick, in units of c.

    E[picks · exp(log-weight)] = light_mass. The weight of all picks together is the total of `light_mass`
    exactly, unless that is below MIN_LIGHT_MASS.
    """
    total = float(light_mass.sum())
    if total <= 0.0:
        return np.zeros(len(light_mass), dtype=np.int64), 0.0
    n_picks = int(np.ceil(total - ROUND_OFF))
    if n_picks > 1:
        return systematic(light_mass, n_picks, draw), float(np.log(total / n_picks))
    picks = np.zeros(len(light_mass), dtype=np.int64)
    # One pick is a plain draw; below MIN_LIGHT_MASS there is one with probability total / MIN_LIGHT_MASS.
    if total >= MIN_LIGHT_MASS or sample_one(draw, np.array([MIN_LIGHT_MASS - total, total])):
        picks[sample_one(draw, light_mass)] = 1
    return picks, float(np.log(max(total, MIN_LIGHT_MASS)))
