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

from localsmc.draws import Draw, draw_one
from localsmc.numerics import Chunk, Doubles, Floats, Ints, Tempered, log_sum_exp
from localsmc.resampling import ROUND_OFF, systematic

LEAST_LUMP = 0.01
"""In units of c: lumps that weigh less together are not worth a row, and dropped at times, without bias."""


class Branches(NamedTuple):
    """Children (D,) by their parents' rows, and the log-weights of the finished (F,), −inf where dropped."""

    rows: Ints
    tokens: Ints
    logps: Doubles
    logw: Doubles
    finished: Doubles


def branch(tempered: Tempered, live: Doubles, finished: Doubles, n: int, draw: Draw) -> Branches:
    """The children of histories with these rows of logits and log-weights `live` (R,), thinned to about n.

    Children weigh p^alpha of their parent's weight. `finished` (F,) are log-weights of histories that
    have no children and are thinned with them. E[weight] is kept for each; the total, too, but for
    lumps lighter than LEAST_LUMP.
    """
    logits, alpha = tempered.logits, tempered.alpha
    log_norm, log_power = tempered.sums
    log_c = log_sum_exp(np.concatenate((finished, live + log_power))) - np.log(n)

    rows, tokens = _heavy(logits, (log_c - live) / alpha + log_norm)
    logps = logits[rows, tokens].astype(np.float64) - log_norm[rows]
    logw = live[rows] + alpha * logps
    lumps = np.exp(live + log_power - log_c) * _light_shares(tempered, rows, tokens, len(logits))

    weights = np.exp(finished - log_c)
    picks, log_each = _pick(np.concatenate((np.where(weights < 1.0, weights, 0.0), lumps)), draw)
    with np.errstate(divide="ignore"):
        kept = np.where(weights < 1.0, np.log(picks[: len(finished)]) + log_each + log_c, finished)

    light = _drawn(tempered, picks[len(finished) :], rows, tokens, draw)
    light_logps = logits[light.rows, light.tokens].astype(np.float64) - log_norm[light.rows]
    return Branches(
        rows=np.concatenate((rows, light.rows)),
        tokens=np.concatenate((tokens, light.tokens)),
        logps=np.concatenate((logps, light_logps)),
        logw=np.concatenate((logw, np.log(light.counts) + log_each + log_c)),
        finished=kept,
    )


def _heavy(logits: Floats, bar: Doubles) -> tuple[Ints, Ints]:
    """Rows and tokens of the logits that reach their row's bar."""
    found = [np.flatnonzero(row >= low) for row, low in zip(logits, bar.astype(logits.dtype), strict=True)]
    return np.repeat(np.arange(len(found)), [len(one) for one in found]), np.concatenate(found)


def _without(chunk: Chunk, rows: Ints, tokens: Ints) -> Floats:
    """A chunk's mass without the tokens of its rows that are named; zeroed in place."""
    mine = (rows >= chunk.start) & (rows < chunk.start + len(chunk.logits))
    chunk.mass[rows[mine] - chunk.start, tokens[mine]] = 0.0
    return chunk.mass


def _light_shares(tempered: Tempered, rows: Ints, tokens: Ints, n_rows: int) -> Doubles:
    """(R,) the share of each row's mass that is on other tokens than the heavy ones.

    Summed, not subtracted: next to a sharp distribution the rest would be lost in rounding.
    """
    shares = np.empty(n_rows)
    for chunk in tempered:
        whole = chunk.mass.sum(axis=1, dtype=np.float64)
        light = _without(chunk, rows, tokens).sum(axis=1, dtype=np.float64)
        shares[chunk.start : chunk.start + len(chunk.logits)] = light / whole
    return shares


def _pick(lumps: Doubles, draw: Draw) -> tuple[Ints, float]:
    """How often each lump is picked, and log of what a pick weighs, in units of c; E[both] = lumps.

    With a whole number of picks their weight together is that of the lumps for certain.
    """
    total = float(lumps.sum())
    if total <= 0.0:
        return np.zeros(len(lumps), dtype=np.int64), 0.0
    if total >= LEAST_LUMP:
        n_picks = int(np.ceil(total - ROUND_OFF))
        return systematic(lumps, n_picks, draw), float(np.log(total / n_picks))
    picks = np.zeros(len(lumps), dtype=np.int64)
    # Asked first, as mostly there is none.
    if draw_one(draw, np.array([LEAST_LUMP - total, total])):
        picks[draw_one(draw, lumps)] = 1
    return picks, float(np.log(LEAST_LUMP))


class _Light(NamedTuple):
    rows: Ints
    tokens: Ints
    counts: Ints


def _drawn(tempered: Tempered, picks: Ints, rows: Ints, tokens: Ints, draw: Draw) -> _Light:
    """Children from the picked lumps, by their weight; equal ones as one, with how often it came."""
    found = [_Light(*np.zeros((3, 0), dtype=np.int64))]
    for chunk in tempered if picks.any() else ():
        here = np.flatnonzero(picks[chunk.start : chunk.start + len(chunk.logits)])
        if len(here):
            mass = _without(chunk, rows, tokens)[here]
            counts = picks[chunk.start + here]
            keys = np.repeat(chunk.start + here, counts) * mass.shape[1] + draw(mass, counts)
            children, times = np.unique(keys, return_counts=True)
            found.append(_Light(*np.divmod(children, mass.shape[1]), times))
    return _Light(*(np.concatenate(parts) for parts in zip(*found, strict=True)))
