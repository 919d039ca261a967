"""The particle system: distinct histories, the number of particles on each, and their log-weights.

Particles with the same tokens share one history, and so one decoded token per step; a history forks only if
its particles draw different tokens. Log-weights are absolute: at any time Σ counts·exp(logw) is the
unbiased estimate of the evidence. So resampling keeps the total weight, and no separate evidence is kept.
Independent of text and of the exponent's schedule.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace

import numpy as np

from localsmc.errors import ContextFull
from localsmc.lm.interface import TokenIds
from localsmc.lm.kv_slots import KVSlots
from localsmc.methods.finish_state import LIVE, OUT_OF_LENGTH, PRUNED, STOPPED
from localsmc.methods.smc.histories import Histories
from localsmc.methods.token_tree import ROOT, TokenTree
from localsmc.numerics.categorical import CategoricalSampler
from localsmc.numerics.fearnhead_clifford import fearnhead_clifford
from localsmc.numerics.log_math import Doubles, Floats, Ints, Lowest, log_sum_exp, normalised
from localsmc.numerics.resampling import Scheme, apportion, thin
from localsmc.numerics.tempered_logits import TemperedLogits
from localsmc.text.stop_rule import StopRule


@dataclass(frozen=True, slots=True)
class Proposal:
    """The proposal of a step: tokens ∝ p^alpha; with `lowest`, only logits of at least `lowest(row)`."""

    alpha: float
    lowest: Lowest | None = None


class Particles:
    """N particles on one prompt, extended one token at a time.

    A step consists of `set_exponent`, `add_token_weight`, `resample` and `propose` (draw tokens), as the
    method needs, and then `decode` (the survivors). With `share=False` every particle has a separate
    history: the same distribution at a higher cost, for comparison.
    """

    def __init__(
        self,
        sequences: KVSlots,
        slot: int,
        logits: Floats,
        n: int,
        *,
        n_tokens: int,
        stop: StopRule,
        draw: CategoricalSampler,
        share: bool = True,
        keeps_prompt: bool = False,
        sets_aside: Callable[[TokenIds], bool] | None = None,
    ) -> None:
        self.sequences, self.n, self.n_tokens = sequences, n, n_tokens
        self.genealogy = TokenTree()
        self.reductions = 0
        self.length = 0
        self.alpha = 1.0
        """The exponent for which the histories are weighted at present."""
        self.ended: Ints = np.zeros(0, dtype=np.int64)
        """Indices of the histories that ended with the last token drawn; valid until one is dropped."""
        self.draw, self.stop, self.share = draw, stop, share
        self._sets_aside = sets_aside
        """Whether the slot of a finished history is set aside."""
        self.prompt_slot, self.prompt_logits = slot, logits
        """The prompt's slot, valid while it is kept, and the logits (1, V) after the prompt."""
        self._logits: Floats | None = logits
        """(R, V) the logits of the histories decoded last; None once tokens are drawn."""
        self._rows: Ints | None = None
        """The rows of `_logits` that belong to live histories, if some have been dropped since."""
        self._tempered: TemperedLogits | None = None
        """The live histories' logits at the exponent used last."""
        self.is_eog = sequences.model.is_eog
        one = np.ones(1, dtype=np.int64)
        self.histories = Histories(
            node=one * ROOT,
            count=one * n,
            logw=np.full(1, -np.log(n)),
            logp=np.zeros(1),
            finish=np.zeros(1, dtype=np.int8),
            slot=one * (sequences.fork(slot) if keeps_prompt else slot),
            stop=(stop.start(),),
            source=one * 0,
        )

    # --- queries -------------------------------------------------------------------------------

    @property
    def n_live(self) -> int:
        """The number of histories that are not finished."""
        return len(self.histories.live)

    @property
    def log_count(self) -> float:
        """log of the number of particles: n, unless a grammar left some without a next token."""
        n = int(self.histories.count.sum())
        return float(np.log(n)) if n else -np.inf

    @property
    def log_z(self) -> float:
        """The log of the unbiased evidence estimate, Σ counts·exp(logw)."""
        return log_sum_exp(self.histories.log_totals)

    @property
    def ess(self) -> float:
        """Effective sample size, in particles."""
        return self.histories.ess

    @property
    def weights(self) -> Doubles:
        """(H,) the normalised weight of each history, all its particles together."""
        return normalised(self.histories.log_totals) if len(self.histories) else np.zeros(0)

    # --- one step ------------------------------------------------------------------------------

    def set_exponent(self, alpha: float) -> None:
        """Reweight all histories for p^alpha: adds (alpha − previous alpha)·logp to the log-weights."""
        if alpha != self.alpha:
            self.reweight((alpha - self.alpha) * self.histories.logp)
            self.alpha = alpha

    def add_token_weight(self) -> None:
        """Add log Σ_v p(v)^alpha to each live history: the weight of any token drawn ∝ p^alpha."""
        increments = np.zeros(len(self.histories))
        increments[self.histories.live] = self._at(self.alpha).log_power
        self.reweight(increments)

    @property
    def _pending(self) -> Floats:
        """(R, V) the live histories' logits."""
        assert self._logits is not None  # noqa: S101 - `decode` comes first
        return self._logits if self._rows is None else self._logits[self._rows]

    def _set_logits(self, logits: Floats | None) -> None:
        """Set the logits of the live histories; None if they are not decoded yet."""
        self._logits, self._rows, self._tempered = logits, None, None

    def _at(self, alpha: float) -> TemperedLogits:
        """The live histories' logits at an exponent; cached for the exponent used last."""
        if self._tempered is None or self._tempered.alpha != alpha:
            self._tempered = self.sequences.tempered(self._pending, alpha)
        return self._tempered

    def _drop_dead_ends(self) -> None:
        """Drop the live histories after which the grammar allows no token."""
        dead = self.sequences.no_token_allowed(self._pending)
        if dead.any():
            counts = self.histories.count.copy()
            counts[self.histories.live[dead]] = 0
            self._select(counts, self.histories.logw)

    def propose(self, proposal: Proposal) -> None:
        """Draw the next token of every live particle, and group equal tokens into child histories."""
        live = self.histories.live
        tempered, counts, thresholds = self._at(proposal.alpha), self.histories.count[live], None
        if proposal.lowest is not None:
            thresholds = np.array(
                [proposal.lowest(row) for row in self.sequences.token_columns(self._pending)]
            )
        rows, tokens, counts = tempered.sample(self.draw, counts, thresholds)
        if not self.share:
            rows, tokens = np.repeat(rows, counts), np.repeat(tokens, counts)
            counts = np.ones_like(tokens)
        logps = tempered.logp(rows, tokens)
        logs = np.empty((len(logps), 2))
        logs[:, 0], logs[:, 1] = logps, proposal.alpha * logps - tempered.log_power[rows]
        if thresholds is not None:
            logs[:, 1] = np.nan  # log_power does not normalise the truncated distribution
        self._replace_live(live[rows], tokens, counts, logs)

    def greedy_step(self) -> None:
        """Extend every live history by its most probable token."""
        live, plain = self.histories.live, self._at(1.0)
        tokens = plain.argmax()
        logs = np.zeros((len(live), 2))
        logs[:, 0] = plain.logp(np.arange(len(live)), tokens)
        self._replace_live(live, tokens, self.histories.count[live], logs)

    def _replace_live(self, parents: Ints, tokens: Ints, counts: Ints, logs: Doubles) -> None:
        """Replace the live histories by children (K,), after the finished ones.

        `parents`, `tokens` and `counts` are (K,); `logs` (K, 2) are those of the tokens, see `TokenTree`.
        """
        old = self.histories
        self.length += 1
        done = old.finish != LIVE
        stop = self.stop.advance_all(old.stop, parents.tolist(), tokens.tolist())
        ended = self.is_eog[tokens]
        if self.stop.is_active:
            ended = ended | np.array([state.hit for state in stop], dtype=np.bool_)
        finish = np.where(ended, STOPPED, LIVE)
        if self.length == self.n_tokens:
            finish[finish == LIVE] = OUT_OF_LENGTH
        children = Histories(
            node=self.genealogy.append(old.node[parents], tokens, logs),
            count=counts,
            logw=old.logw[parents],
            logp=old.logp[parents] + logs[:, 0],
            finish=finish.astype(np.int8),
            slot=old.slot[parents],
            stop=stop,
            source=old.source[parents],
        )
        self.histories = old.take(done).append_children(children) if done.any() else children
        self.ended = int(done.sum()) + np.flatnonzero(children.finish != LIVE)
        self._set_logits(None)
        self._release_except(children, old.slot[~done], self._ended_slots(children))

    def _ended_slots(self, children: Histories) -> dict[int, TokenIds]:
        """The slots of ended histories that are set aside, with the tokens they hold: all but the last."""
        ended = children.take(children.finish != LIVE)
        # Some methods leave more than the last token for later.
        if self._sets_aside is None or (self.sequences.lengths(ended.slot) != self.length - 1).any():
            return {}
        texts = zip(ended.slot.tolist(), map(self.genealogy.tokens, ended.node.tolist()), strict=True)
        return {slot: tokens[:-1] for slot, tokens in texts if self._sets_aside(tokens)}

    def resample_children(self, n: int) -> None:
        """Replace the live histories by all their children, weighted by p^alpha and thinned to at most n.

        This replaces drawing tokens, weighting and resampling, without bias. Every history then has one
        particle. Finished histories are thinned together with the children.
        """
        before, live = self.histories, self.histories.live
        totals = before.log_totals
        done = totals[before.finish != LIVE]
        found = fearnhead_clifford(self._at(self.alpha), totals[live], done, n, self.draw)
        one_each = np.ones(len(found.rows), dtype=np.int64)
        # A child was not drawn from a proposal: its log q is 0, and later proposals add to that.
        logs = np.zeros((len(found.logps), 2))
        logs[:, 0] = found.logps
        self._replace_live(live[found.rows], found.tokens, one_each, logs)
        logw = np.concatenate((found.finished, found.logw))
        self._select((logw > -np.inf).astype(np.int64), logw)

    def reweight(self, increments: Doubles) -> None:
        """Add increments (H,) to the log-weights."""
        self.histories = replace(self.histories, logw=self.histories.logw + increments)

    def resample(self, scheme: Scheme, log_value: Doubles | float = 0.0) -> None:
        """Resample to n particles by a scheme, keeping each history's expected weight.

        `log_value` (H,) biases the choice: a history is chosen as if its log-weight were higher by its value,
        and its particles then weigh less by it. Any values are unbiased; good ones look ahead.
        """
        totals = self.histories.log_totals + log_value
        offspring = scheme(normalised(totals), self.n, self.draw)
        self._select(offspring.counts, log_sum_exp(totals) + np.log(offspring.weights) - log_value)

    # --- other sets of histories ---------------------------------------------------------------

    def lookahead_copy(self, histories: Histories, length: int, logits: Floats | None = None) -> Particles:
        """Separate particles on the same token tree and KV slots, with these histories of this length.

        Without `logits` they have to be decoded first.
        """
        other = copy(self)
        other.histories, other.length, other.reductions = histories, length, 0
        other._sets_aside = None
        other._set_logits(logits)
        return other

    def pin_logits(self) -> Floats:
        """Copy the live histories' logits, so that decodes by others leave them valid; returns the copy."""
        held = self._pending.copy()
        self._set_logits(held)
        return held

    def set_histories(self, histories: Histories, length: int, logits: Floats | None = None) -> None:
        """Continue with these histories; slots that none of their live ones uses are freed.

        The live ones have `length` tokens and these logits; without logits they have to be decoded first.
        """
        before = self.histories
        self.histories, self.length = histories, length
        self._set_logits(logits)
        self._release_except(histories, before.slot[before.live])
        if logits is not None:
            self._drop_dead_ends()

    def merge_histories(self, histories: Histories) -> None:
        """Continue with these histories: drop those without particles, merge those with equal tokens."""
        self.histories = histories
        self._set_logits(None)
        if not self.share:
            self._select(histories.count, histories.logw)
            return
        texts = [self.genealogy.tokens(node).tobytes() for node in histories.node.tolist()]
        first = {text: i for i, text in reversed(list(enumerate(texts)))}
        into = np.array([first[text] for text in texts])
        counts = np.bincount(into, histories.count, len(texts)).astype(np.int64)
        totals = np.full(len(texts), -np.inf)
        with np.errstate(divide="ignore"):
            np.logaddexp.at(totals, into, histories.logw + np.log(histories.count))
            self._select(counts, totals - np.log(np.maximum(counts, 1)))

    def prune(self, index: Ints) -> None:
        """Stop some live histories (state PRUNED); their particles and weights stay."""
        if not len(index):
            return
        before = self.histories
        finish = before.finish.copy()
        finish[index] = PRUNED
        self.histories = replace(before, finish=finish)
        self._release_except(self.histories, before.slot[before.live])

    def decode(self) -> None:
        """Give every live history a separate slot, and decode the tokens that the slot does not hold yet.

        Histories after which the grammar allows no token are then dropped.
        """
        live = self.histories.live
        if not len(live):
            return
        held = self.sequences.lengths(self.histories.slot[live[:1]])
        n_missing = self.length - int(held[0])
        self._reduce_to_fit(n_missing)
        live = self.histories.live
        slots = self._fork(live)
        tokens = self.genealogy.endings(self.histories.node[live], n_missing)
        if n_missing == 1:
            self._set_logits(self.sequences.decode(slots, tokens[:, 0]))
        else:
            self._set_logits(self.sequences.decode_blocks(slots, list(tokens), last_only=True))
        self._drop_dead_ends()

    def verify(self, blocks: Sequence[Ints]) -> Floats:
        """Decode a block of tokens per live history, not yet in its slot; returns all logits, in order.

        Each history then has a separate slot. Call `make_room` first.
        """
        live = self.histories.live
        return self.sequences.decode_blocks(self._fork(live), blocks)

    def min_top_probability(self) -> float:
        """The lowest probability, over live histories, of the most probable next token."""
        plain = self._at(1.0)
        return float(np.exp(plain.top - plain.log_norm).min())

    def log_probabilities(self, logits: Floats, rows: Ints, tokens: Ints) -> Doubles:
        """(D,) log-probabilities at temperature 1 of tokens (D,) in rows (D,) of logits."""
        return self.sequences.tempered(logits, 1.0).logp(rows, tokens)

    def make_room(self, n_each: int) -> None:
        """Thin the live histories without bias until n_each more tokens of each fit into the KV cache."""
        self._reduce_to_fit(n_each)

    def _fork(self, live: Ints) -> Ints:
        """Give each live history a separate slot; returns their slots."""
        slots = self.histories.slot.copy()
        # The first child of a parent keeps its slot; the others fork before any token is decoded.
        taken: set[int] = set()
        forked = False
        for i in live.tolist():
            slot = int(slots[i])
            if slot in taken:
                slots[i], forked = self.sequences.fork(slot), True
            taken.add(slot)
        if forked:
            self.histories = replace(self.histories, slot=slots)
        return slots[live]

    def _reduce_to_fit(self, n_each: int) -> None:
        """Thin the live histories without bias until n_each more tokens of each fit into the KV cache.

        Whether and how far to thin depends on the past only (on the slots in use, not on the weights), and
        `thin` keeps E[weight] of each history; so E[Ẑ] = Z still holds. Raises ContextFull if one history
        alone does not fit.
        """
        while not self.sequences.can_decode(self.n_live, n_each):
            n_live = self.n_live
            if n_live == 1:
                raise ContextFull("one history alone does not fit into the context")
            self._reduce(self.sequences.n_usable if n_live > self.sequences.n_usable else n_live // 2)

    def _reduce(self, n_histories: int) -> None:
        live = self.histories.live
        log_totals = self.histories.log_totals
        top = log_totals[live].max()
        kept = thin(np.exp(log_totals[live] - top), n_histories, self.draw)
        # Each survivor gets particles in proportion to its weight. Splitting a weight evenly changes no
        # expectation, and the ESS stays meaningful.
        counts, logw = self.histories.count.copy(), self.histories.logw.copy()
        counts[live] = apportion(kept, int(counts[live].sum()))
        with np.errstate(divide="ignore"):
            logw[live] = np.log(kept) + top - np.log(np.maximum(counts[live], 1))
        self.reductions += 1
        self._select(counts, logw)

    def _select(self, counts: Ints, logw: Doubles) -> None:
        """Set counts and log-weights; drop histories without particles, and free their slots."""
        before = replace(self.histories, count=counts, logw=logw)
        self.histories = before
        if counts.all():
            return
        alive = counts[before.live] > 0
        if self._logits is not None and not alive.all():
            self._rows = np.flatnonzero(alive) if self._rows is None else self._rows[alive]
            self._tempered = None if self._tempered is None else self._tempered.take(alive)
        self.histories = before.take(counts > 0)
        self._release_except(self.histories, before.slot[before.live])

    def _release_except(
        self, survivors: Histories, held: Ints, aside: Mapping[int, TokenIds] | None = None
    ) -> None:
        """Free the slots in `held` that no live survivor uses, or set them aside with their tokens."""
        needed = set(survivors.slot[survivors.finish == LIVE].tolist())
        for slot in sorted(set(held.tolist()) - needed):
            if aside and slot in aside:
                self.sequences.set_aside(slot, aside[slot])
            else:
                self.sequences.release(slot)
