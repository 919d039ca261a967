"""Future values: what a history's short continuations weigh, for a resampling that looks ahead.

Scouts go some tokens ahead of each live history by the same proposals and weights, and are then
forgotten. Any positive values keep a resampling right (`Particles.resample`); these are worth
what they cost only where histories differ in what comes next.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace

import numpy as np

from localsmc.errors import ContextFull
from localsmc.methods.smc.histories import Histories
from localsmc.methods.smc.particles import Particles, Proposal
from localsmc.numerics.log_math import Doubles


def future_values(
    particles: Particles, n_each: int, n_steps: int, exponent: Callable[[int], float]
) -> Generator[None, None, Doubles]:
    """log of the value (H,) of each history, from `n_each` scouts that go `n_steps` tokens ahead.

    The particles are weighed for their next token already; `exponent` gives that of the token at a
    position. Yields after each batch. Where scouts have no room all values are equal; that, and fewer
    scouts than asked for, counts as a reduction.
    """
    histories, sequences = particles.histories, particles.sequences
    alpha = exponent(particles.length + n_steps)
    # A finished history goes on as well, by what the rising exponent takes from it.
    log_values: Doubles = (alpha - particles.alpha) * histories.logp
    n_kept, n_live = sequences.n_pinned, particles.n_live
    if 2 * n_live > sequences.n_usable:
        particles.reductions += 1
        return np.zeros(len(histories))
    logits = particles.pin_logits()
    scouts = particles.lookahead_copy(_starts(particles, n_each), particles.length, logits)
    sequences.n_pinned += n_live
    try:
        for _ in range(n_steps):
            if not scouts.n_live:
                break
            scouts.propose(Proposal(scouts.alpha))
            scouts.decode()
            yield
            _weigh(scouts, exponent)
        scouts.set_exponent(alpha)
        log_values[histories.live] = _by_origin(scouts.histories, n_live)
    except ContextFull:
        log_values = np.zeros(len(histories))
        particles.reductions += 1
    particles.reductions += scouts.reductions
    sequences.n_pinned = n_kept
    scouts.prune(scouts.histories.live)
    return log_values


def _starts(particles: Particles, n_each: int) -> Histories:
    """The live histories on slots of their own, with so many scouts each that weigh 1 together."""
    live = particles.histories.take(particles.histories.live)
    return replace(
        live,
        count=np.full(len(live), n_each),
        logw=np.full(len(live), -np.log(n_each)),
        slot=np.array([particles.sequences.fork(slot) for slot in live.slot.tolist()]),
        source=np.arange(len(live)),
    )


def _weigh(scouts: Particles, exponent: Callable[[int], float]) -> None:
    """For their next token."""
    if scouts.n_live:
        scouts.set_exponent(exponent(scouts.length))
        scouts.add_token_weight()


def _by_origin(histories: Histories, n: int) -> Doubles:
    """log of the weight (n,) of all scouts from each origin; the least of them where none is left."""
    totals = np.full(n, -np.inf)
    np.logaddexp.at(totals, histories.source, histories.log_totals)
    lost = totals == -np.inf
    totals[lost] = 0.0 if lost.all() else totals[~lost].min()
    return totals
