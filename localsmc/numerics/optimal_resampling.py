"""Optimal resampling for discrete spaces: every child is weighed, few are drawn.

Fearnhead and Clifford (2003): children that have at least c of the weight stay as they are, of the
others some are picked at random and weigh c each, so that no two histories stand on the same
tokens and every expected weight is right. c is here the n-th part of all weight, which leaves fewer
than n histories where few carry the weight. The light children of one history, nearly the whole
vocabulary, stay one lump until it is picked.
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
"""In units of c: lumps that weigh less together are not worth a row, and dropped at times, without bias."""


class Kept(NamedTuple):
    """Children (D,) by their parents' rows, and the log-weights of the finished (F,), −inf where dropped."""

    rows: Ints
    tokens: Ints
    logps: Doubles
    logw: Doubles
    finished: Doubles


@numerics_time
def fearnhead_clifford(
    tempered: TemperedLogits, live: Doubles, finished: Doubles, n: int, draw: CategoricalSampler
) -> Kept:
    """The children of histories with these rows of logits and log-weights `live` (R,), thinned to about n.

    Children weigh p^alpha of their parent's weight. `finished` (F,) are log-weights of histories that
    have no children and are thinned with them. E[weight] is kept for each; the total, too, but for
    lumps lighter than LEAST_LUMP.
    """
    alpha, log_power = tempered.alpha, tempered.log_power
    totals = live + log_power
    log_c = log_sum_exp(np.concatenate((finished, totals)) if len(finished) else totals) - np.log(n)

    rows, tokens = tempered.above((log_c - live) / alpha + tempered.log_norm)
    logps = tempered.logp(rows, tokens)
    logw = live[rows] + alpha * logps
    # Summed, not subtracted: next to a sharp distribution the rest would be lost in rounding.
    rest = tempered.masked(rows, tokens)
    lumps, kept = np.exp(totals - log_c) * rest.totals / tempered.totals, finished
    if len(finished):
        weights = np.exp(finished - log_c)
        lumps = np.concatenate((np.where(weights < 1.0, weights, 0.0), lumps))
    picks, log_each = _pick(lumps, draw)
    if len(finished):
        with np.errstate(divide="ignore"):
            kept = np.where(weights < 1.0, np.log(picks[: len(finished)]) + log_each + log_c, finished)
    picked = np.flatnonzero(picks[len(finished) :])
    if not len(picked):
        return Kept(rows, tokens, logps, logw, kept)

    light = rest.take(picked).sample(draw, picks[len(finished) + picked])
    light_rows = picked[light.rows]
    return Kept(
        rows=np.concatenate((rows, light_rows)),
        tokens=np.concatenate((tokens, light.tokens)),
        logps=np.concatenate((logps, tempered.logp(light_rows, light.tokens))),
        logw=np.concatenate((logw, np.log(light.counts) + log_each + log_c)),
        finished=kept,
    )


def _pick(lumps: Doubles, draw: CategoricalSampler) -> tuple[Ints, float]:
    """How often each lump is picked, and log of what a pick weighs, in units of c; E[both] = lumps.

    With a whole number of picks their weight together is that of the lumps for certain.
    """
    total = float(lumps.sum())
    if total <= 0.0:
        return np.zeros(len(lumps), dtype=np.int64), 0.0
    n_picks = int(np.ceil(total - ROUND_OFF))
    if n_picks > 1:
        return systematic(lumps, n_picks, draw), float(np.log(total / n_picks))
    picks = np.zeros(len(lumps), dtype=np.int64)
    # Lighter than the least, there is mostly none; and one pick is a plain draw.
    if total >= MIN_LIGHT_MASS or sample_one(draw, np.array([MIN_LIGHT_MASS - total, total])):
        picks[sample_one(draw, lumps)] = 1
    return picks, float(np.log(max(total, MIN_LIGHT_MASS)))
