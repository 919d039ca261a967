"""Rejuvenation: Metropolis moves of a population, with one cut for all particles.

After t tokens one position is drawn for all particles, uniform on 0 … t − 1. Each particle proposes a new
ending from there up to t tokens or an end, token by token from q_s(v|h) ∝ p(v|h)^α_s for the token at
position s, as its present ending was proposed. It accepts with probability min(1, r), where log r is
α_t·log p − log q of the new ending minus that of the old one (Hastings 1970). A completion that ends before
the cut stays. For each particle this step leaves p^α_t on completions of at most t tokens invariant, so a
properly weighted population stays properly weighted, whatever its weights.

This requires that the times of moves and their exponents do not depend on the population: moves triggered by
a low ESS, or an exponent that follows the ESS, make the evidence biased.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from localsmc.methods.finish_state import LIVE
from localsmc.methods.smc.histories import Histories
from localsmc.methods.smc.particles import Particles, Proposal
from localsmc.methods.token_tree import ROOT
from localsmc.numerics.categorical import sample_one
from localsmc.numerics.log_math import Doubles, Ints
from localsmc.text.stop_rule import StopState


class Moves(NamedTuple):
    """The number of particles that proposed a new ending, and that accepted one."""

    proposals: int = 0
    accepted: int = 0


def rejuvenate(particles: Particles, exponent: Callable[[int], float]) -> Generator[None, None, Moves]:
    """Make one move of every particle; yields after each batch. The particles have to be decoded afterwards.

    `exponent` maps a position to the exponent of its token. The prompt's slot must have been kept.
    """
    keep = sample_one(particles.draw, np.ones(particles.length))
    paths = [particles.genealogy.path(node) for node in particles.histories.node.tolist()]
    movable = np.array([i for i, path in enumerate(paths) if len(path) > keep], dtype=np.int64)
    if not len(movable):
        return Moves()
    proposed = _start(particles, movable, paths, keep)
    while proposed.n_live and proposed.length < particles.length:
        if proposed.length:
            proposed.decode()
            yield
        if proposed.n_live:
            proposed.propose(Proposal(exponent(proposed.length)))
    taken = _accepted(particles, proposed.histories, movable)
    n_proposals = int(particles.histories.count[movable].sum())
    _move(particles, proposed.histories, movable, taken)
    return Moves(n_proposals, int(taken.sum()))


def _start(particles: Particles, movable: Ints, paths: Sequence[Ints], keep: int) -> Particles:
    """For each particle on a movable history, a particle on the history's first `keep` tokens."""
    texts = particles.histories.take(movable)
    prefixes = [paths[i][:keep] for i in movable.tolist()]
    slots = _Slots(particles, paths, keep)
    starts = replace(
        texts,
        node=np.array([prefix[-1] if keep else ROOT for prefix in prefixes]),
        logw=np.zeros(len(movable)),
        logp=np.array([particles.genealogy.logs(prefix[-1:])[0, 0] if keep else 0.0 for prefix in prefixes]),
        finish=np.full(len(movable), LIVE, dtype=np.int8),
        slot=np.array([slots.of(prefix) for prefix in prefixes]),
        stop=tuple(_stop_state(particles, prefix) for prefix in prefixes),
        source=np.arange(len(movable)),
    )
    logits = None if keep else np.repeat(particles.prompt_logits, len(movable), axis=0)
    return particles.lookahead_copy(starts, keep, logits)


class _Slots:
    """KV slots for prefixes of histories (without their last token); equal prefixes share a slot."""

    def __init__(self, particles: Particles, paths: Sequence[Ints], keep: int) -> None:
        self._particles, self._keep = particles, keep
        self._found: dict[int, int] = {}
        # Live histories still hold their prefixes; those of finished ones are decoded again.
        histories = particles.histories
        can_forget = particles.sequences.model.can_forget
        live = histories.live.tolist() if keep and can_forget else []
        self._holders = {int(paths[i][keep - 1]): int(histories.slot[i]) for i in live}

    def of(self, prefix: Ints) -> int:
        node = int(prefix[-1]) if len(prefix) else ROOT
        if node not in self._found:
            self._found[node] = self._new(node, prefix)
        return self._found[node]

    def _new(self, node: int, prefix: Ints) -> int:
        particles, sequences = self._particles, self._particles.sequences
        if node in self._holders:
            return sequences.fork(self._holders[node], self._keep - 1)
        slot = sequences.fork(particles.prompt_slot)
        if len(prefix) > 1:
            sequences.refill(slot, particles.genealogy.last_tokens(prefix[:-1]))
        return slot


def _stop_state(particles: Particles, prefix: Ints) -> StopState:
    state = particles.stop.start()
    for token in particles.genealogy.last_tokens(prefix).tolist() if particles.stop.is_active else ():
        state = particles.stop.advance(state, token)
    return state


def _accepted(particles: Particles, proposed: Histories, movable: Ints) -> Ints:
    """(K,) the number of particles on each proposed history that accept it."""
    tree, current = particles.genealogy, particles.histories.node[movable][proposed.source]
    gain = _score(particles, proposed.node) - _score(particles, current)
    chance = np.exp(np.minimum(gain, 0.0))
    same = [
        np.array_equal(tree.tokens(new), tree.tokens(old))
        for new, old in zip(proposed.node.tolist(), current.tolist(), strict=True)
    ]
    chance[same] = 0.0
    refused = particles.draw(np.stack((chance, 1.0 - chance), axis=1), proposed.count)
    rows = np.repeat(np.arange(len(proposed)), proposed.count)
    return np.bincount(rows[refused == 0], minlength=len(proposed))


def _score(particles: Particles, nodes: Ints) -> Doubles:
    """log of target over proposal; for two histories their common prefix cancels in the difference."""
    logp, log_q = particles.genealogy.logs(nodes).T
    score: Doubles = particles.alpha * logp - log_q
    return score


def _move(particles: Particles, proposed: Histories, movable: Ints, taken: Ints) -> None:
    """Move the `taken` particles from their histories to the proposed ones, each with its weight."""
    texts = particles.histories
    left = texts.count.copy()
    np.subtract.at(left, movable[proposed.source], taken)
    moved = replace(
        proposed,
        count=taken,
        logw=texts.logw[movable][proposed.source],
        source=texts.source[movable][proposed.source],
    )
    particles.merge_histories(replace(texts, count=left).append_children(moved))
