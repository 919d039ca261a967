"""Rollouts: the weights of short continuations of each history, for a resampling that looks ahead.

Look-ahead copies extend each live history by some tokens, with the same proposals and weights, and are then
dropped. Any positive values keep the resampling unbiased (`Particles.resample`); these are worth their cost
only if histories differ in what comes next.
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
    """log of the value (H,) of each history, from `n_each` copies that look `n_steps` tokens ahead.

    The particles must be weighted for their next token; `exponent` maps a position to the exponent of its
    token. Yields after each batch. If the copies do not fit into the KV cache, all values are equal; that
    counts as a reduction, and so does thinning the copies.
    """
    histories, sequences = particles.histories, particles.sequences
    alpha = exponent(particles.length + n_steps)
    # The value of a finished history is its weight change due to the rising exponent.
    log_values: Doubles = (alpha - particles.alpha) * histories.logp
    n_pinned, n_live = sequences.n_pinned, particles.n_live
    if 2 * n_live > sequences.n_usable:
        particles.reductions += 1
        return np.zeros(len(histories))
    logits = particles.pin_logits()
    copies = particles.lookahead_copy(_starts(particles, n_each), particles.length, logits)
    sequences.n_pinned += n_live
    try:
        for _ in range(n_steps):
            if not copies.n_live:
                break
            copies.propose(Proposal(copies.alpha))
            copies.decode()
            yield
            _weigh(copies, exponent)
        copies.set_exponent(alpha)
        log_values[histories.live] = _by_source(copies.histories, n_live)
    except ContextFull:
        log_values = np.zeros(len(histories))
        particles.reductions += 1
    particles.reductions += copies.reductions
    sequences.n_pinned = n_pinned
    copies.prune(copies.histories.live)
    return log_values


def _starts(particles: Particles, n_each: int) -> Histories:
    """The live histories on separate slots, with n_each particles each, of total weight 1."""
    live = particles.histories.take(particles.histories.live)
    return replace(
        live,
        count=np.full(len(live), n_each),
        logw=np.full(len(live), -np.log(n_each)),
        slot=np.array([particles.sequences.fork(slot) for slot in live.slot.tolist()]),
        source=np.arange(len(live)),
    )


def _weigh(copies: Particles, exponent: Callable[[int], float]) -> None:
    """Weight the live copies for their next token."""
    if copies.n_live:
        copies.set_exponent(exponent(copies.length))
        copies.add_token_weight()


def _by_source(histories: Histories, n: int) -> Doubles:
    """log of the total weight (n,) of the copies of each history; the lowest of these if none is left."""
    totals = np.full(n, -np.inf)
    np.logaddexp.at(totals, histories.source, histories.log_totals)
    lost = totals == -np.inf
    totals[lost] = 0.0 if lost.all() else totals[~lost].min()
    return totals
