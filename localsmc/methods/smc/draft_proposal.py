"""Blocks of tokens that a draft proposes for particles, and that the target weights in one batch.

A block begins after a token of the target. For each particle the draft draws tokens from
q(v|h) ∝ draft(v|h)^β, independently of the target. Then the target reads the block, and the particle's
log-weight for the target distribution p(y)^α changes by

    (α − α_before)·log p(h) + α·Σ log p(y_t) − Σ log q(y_t),

with h the history before the block. This is proper weighting for any draft that gives each token a positive
probability. Histories fork within a block if their particles draw different tokens; each has a KV slot in
both models.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from localsmc.lm.kv_slots import KVSlots
from localsmc.methods.finish_state import LIVE
from localsmc.methods.smc.particles import Particles, Proposal
from localsmc.numerics.log_math import Doubles, Floats, Ints


class DraftProposal:
    """The draft's particles, which propose tokens for the target's, on the same token tree.

    `slot` of the draft's `sequences` holds its prompt; `logits` are those after the prompt.
    """

    def __init__(self, particles: Particles, sequences: KVSlots, slot: int, logits: Floats) -> None:
        self._particles = particles
        self._writers = Particles(
            sequences, slot, logits, particles.n, n_tokens=particles.n_tokens, stop=particles.stop,
            draw=particles.draw, share=particles.share,
        )  # fmt: skip
        self._writers.genealogy, self._writers.is_eog = particles.genealogy, particles.is_eog
        self.written: set[int] = set()
        """The nodes of all tokens that the draft has drawn."""
        particles.histories = replace(particles.histories, source=self._writers.histories.slot)

    @property
    def reductions(self) -> int:
        """How often histories were thinned to fit the draft's KV cache."""
        return self._writers.reductions

    @property
    def length(self) -> int:
        """Length of the live histories in tokens, including the block."""
        return self._writers.length

    def propose(self, n_tokens: int, beta: float, least_sure: float) -> Iterator[None]:
        """Draft up to n_tokens tokens for each live particle; yields after each batch decoded.

        The block ends for all histories as soon as on one of them the draft's most probable token has a
        probability below `least_sure`. This is decided before the token is drawn, so the weights stay proper.
        """
        self._take_over()
        writers = self._writers
        for _ in range(min(n_tokens, writers.n_tokens - writers.length)):
            if not writers.n_live:
                return
            writers.decode()
            yield
            if not writers.n_live or (least_sure and writers.min_top_probability() < least_sure):
                return
            n_nodes = len(writers.genealogy)
            writers.propose(Proposal(beta))
            self.written.update(range(n_nodes, len(writers.genealogy)))

    def _take_over(self) -> None:
        """Continue the target's live histories; the slots of others are freed."""
        main, writers = self._particles, self._writers
        live = main.histories.take(main.histories.live)
        # From here on `source` of a draft history is the index of the target's live history it continues.
        writers.set_histories(replace(live, slot=live.source, source=np.arange(len(live))), main.length)

    def verify(self, alpha: float) -> None:
        """Decode the block with the target; its particles then end with the block, weighted for p^alpha."""
        main, leaves = self._particles, self._writers.histories
        starts = main.histories.take(main.histories.live).take(leaves.source)
        lengths = self._lengths(leaves.node, starts.node)
        log_q = (main.genealogy.logs(leaves.node) - main.genealogy.logs(starts.node))[:, 1]
        # The target has to read all of them, including those that have ended in the block.
        unread = replace(leaves, logp=starts.logp, finish=starts.finish, slot=starts.slot, source=leaves.slot)
        done = main.histories.take(main.histories.finish != LIVE)
        main.set_histories(done.append_children(unread), main.length)
        if not main.n_live:
            return
        main.make_room(1 + self._writers.length - main.length)
        # `make_room` may have dropped some of them.
        of_node = {node: i for i, node in enumerate(leaves.node.tolist())}
        left = np.array([of_node[node] for node in main.histories.node[main.histories.live].tolist()])
        self._read(alpha, lengths[left], leaves.finish[left], log_q[left])

    def _lengths(self, nodes: Ints, starts: Ints) -> Ints:
        """(K,) the number of tokens from the start of the block to each of its last nodes."""
        lengths = np.zeros(len(nodes), dtype=np.int64)
        while (is_inside := nodes != starts).any():
            lengths += is_inside
            nodes = np.where(is_inside, self._particles.genealogy.parents(nodes), nodes)
        return lengths

    def _read(self, alpha: float, lengths: Ints, finish: NDArray[np.int8], log_q: Doubles) -> None:
        """Decode the leaves' blocks; set their log-probabilities, log-weights and finish states."""
        main = self._particles
        live, is_live = main.histories.live, finish == LIVE
        # The token before the block is not decoded yet; live leaves also need the logits after the block.
        n_read = lengths + is_live
        blocks = [
            main.genealogy.endings(np.array([node]), 1 + length)[0]
            for node, length in zip(main.histories.node[live].tolist(), lengths.tolist(), strict=True)
        ]
        logits = main.verify([block[:n] for block, n in zip(blocks, n_read.tolist(), strict=True)])
        ends = np.cumsum(n_read)
        rows = np.delete(np.arange(len(logits)), ends[is_live] - 1)
        logp = main.log_probabilities(logits, rows, np.concatenate([block[1:] for block in blocks]))
        gained = np.bincount(np.repeat(np.arange(len(blocks)), lengths), logp, len(blocks))

        main.set_exponent(alpha)
        histories = main.histories
        logps, logws, finishes = histories.logp.copy(), histories.logw.copy(), histories.finish.copy()
        logps[live] += gained
        logws[live] += alpha * gained - log_q
        finishes[live] = finish
        read = replace(histories, logp=logps, logw=logws, finish=finishes)
        main.set_histories(read, self._writers.length, logits[ends[is_live] - 1])

    def close(self) -> None:
        """Free the draft's slots."""
        nothing = np.zeros(0, dtype=np.int64)
        self._writers.set_histories(self._writers.histories.take(nothing), self._writers.length)
