"""Rejuvenation: Metropolis moves of a population, all at one cut.

One position is drawn for all particles, uniform on 0 … t − 1 after t tokens. Each proposes its
own text from there up to t tokens or an end, token by token from q_s(v|h) ∝ p(v|h)^α_s as it was
proposed itself, and takes it with min(1, r), log r = α_t·log p − log q of the new rest minus that
of the old one (Hastings 1970). A text that ends before the cut stays. For each particle this is a
step that leaves p^α_t on texts of at most t tokens invariant, so a population that is properly
weighted stays so, whatever its weights.

That needs that whether and when there is a move, and its exponents, do not depend on the
population: moves that wait for a low ESS, or a ramp that follows it, make the evidence biased.
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
    """How many particles proposed another text, and how many took one."""

    proposals: int = 0
    accepted: int = 0


def rejuvenate(particles: Particles, exponent: Callable[[int], float]) -> Generator[None, None, Moves]:
    """One move of every particle; they are to be evaluated afterwards. Yields after each batch.

    `exponent` gives that of the token at a position. The prompt's slot must have been kept.
    """
    keep = sample_one(particles.draw, np.ones(particles.length))
    paths = [particles.genealogy.path(node) for node in particles.histories.node.tolist()]
    movable = np.array([i for i, path in enumerate(paths) if len(path) > keep], dtype=np.int64)
    if not len(movable):
        return Moves()
    scouts = _scouts(particles, movable, paths, keep)
    while scouts.n_live and scouts.length < particles.length:
        if scouts.length:
            scouts.decode()
            yield
        if scouts.n_live:
            scouts.propose(Proposal(exponent(scouts.length)))
    taken = _taken(particles, scouts.histories, movable)
    n_proposals = int(particles.histories.count[movable].sum())
    _take_in(particles, scouts.histories, movable, taken)
    return Moves(n_proposals, int(taken.sum()))


def _scouts(particles: Particles, movable: Ints, paths: Sequence[Ints], keep: int) -> Particles:
    """For each particle on a movable text one that stands on the text's first `keep` tokens."""
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
    """Slots for beginnings of texts, all tokens but the last of each; one for equal beginnings."""

    def __init__(self, particles: Particles, paths: Sequence[Ints], keep: int) -> None:
        self._particles, self._keep = particles, keep
        self._found: dict[int, int] = {}
        # Live texts hold their beginnings still; those of finished ones are decoded again.
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


def _taken(particles: Particles, proposed: Histories, movable: Ints) -> Ints:
    """How many of the particles on each proposed text take it."""
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
    """log of target over proposal; the common beginnings of two texts cancel in the difference."""
    logp, log_q = particles.genealogy.logs(nodes).T
    score: Doubles = particles.alpha * logp - log_q
    return score


def _take_in(particles: Particles, proposed: Histories, movable: Ints, taken: Ints) -> None:
    """Move so many particles from their texts to the proposed ones, each with its weight."""
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
