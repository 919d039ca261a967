"""Speculative decoding: the draft model proposes tokens, and the target verifies them in one batch.

A round of a completion (Leviathan et al., arXiv 2211.17192; Chen et al., arXiv 2302.01318), for any
next-token distribution π that is a function of both models' distributions p and q:

    1. the draft draws x_1 … x_γ from q;
    2. the target computes p at these positions and at the next one, in one batch;
    3. x_i is accepted with probability min(1, π_i(x_i) / q_i(x_i)), up to the first rejection;
    4. a rejected token x_j is drawn again from max(0, π_j − q_j), normalised; if all were accepted, one more
       token is drawn from π at the next position (which needs q there, unless π is p).

Every token has the distribution π given those before it, whatever γ, if γ is decided before the token is
drawn. The number of accepted tokens is drawn directly, from the products of these probabilities.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from localsmc.lm.kv_slots import KVSlots
from localsmc.methods.finish_state import LIVE, OUT_OF_LENGTH, STOPPED
from localsmc.methods.speculative.deferral_rules import RuleDistribution
from localsmc.methods.speculative.token_distributions import TokenDistributions
from localsmc.methods.token_tree import ROOT, TokenTree
from localsmc.numerics.categorical import CategoricalSampler
from localsmc.numerics.log_math import Doubles, Floats
from localsmc.text.stop_rule import StopRule, StopState


@dataclass(slots=True, eq=False)
class DraftedText:
    """A completion, and its KV slots in both models, which may lack its last one or two tokens."""

    target: int
    draft: int
    stop: StopState
    tokens: list[int] = field(default_factory=list)
    nodes: list[int] = field(default_factory=list)
    """The nodes of its tokens in the token tree."""
    logp: float = 0.0
    """Log-probability under the target at temperature 1; NaN if not known."""
    finish: int = LIVE


@dataclass(slots=True, eq=False)
class DraftBlock:
    """The tokens that the draft proposes for a completion in one round."""

    limit: int
    """Maximum number of tokens."""
    tokens: list[int] = field(default_factory=list)
    q_rows: list[RuleDistribution] = field(default_factory=list)
    """q for each token, and for the position after the last one if needed: one row each."""
    is_closed: bool = False
    """Whether no more tokens are proposed."""
    is_ended: bool = False
    """Whether it ends with an end token."""


@dataclass(slots=True)
class DraftCounts:
    """Token counts, see `SamplingRun`; `refused` counts the rejections."""

    drafted: int = 0
    kept: int = 0
    refused: int = 0
    rewritten: int = 0
    wasted: int = 0


@dataclass(frozen=True, slots=True)
class _TargetRows:
    """The target at a block's positions and after it: logits and π, (R, V) each, log-sum-exp (R,)."""

    logits: Floats
    log_norm: Doubles
    pi: Floats

    def logp(self, row: int, tokens: Sequence[int]) -> Doubles:
        """Log-probabilities at temperature 1 of consecutive tokens, the first one at `row`."""
        rows = np.arange(row, row + len(tokens))
        return np.asarray(self.logits[rows, list(tokens)].astype(np.float64) - self.log_norm[rows])


class SpeculativeDecoder:
    """Extends completions in rounds, all in parallel: one draft batch per token, and one target batch.

    `induced` maps q and p to π. With None π is p, and q after a block is not computed.
    """

    def __init__(
        self,
        target: KVSlots,
        draft: KVSlots,
        roots: tuple[tuple[int, Floats], tuple[int, Floats]],
        *,
        induced: Callable[[RuleDistribution, RuleDistribution], Floats] | None,
        tempering: TokenDistributions,
        least_sure: float,
        n_tokens: int,
        stop: StopRule,
        draw: CategoricalSampler,
    ) -> None:
        self._target, self._draft, self._roots = target, draft, roots
        self._induced, self._tempering, self._least_sure = induced, tempering, least_sure
        self._n_tokens, self._stop, self._draw = n_tokens, stop, draw
        self._is_eog = target.model.is_eog
        self.genealogy = TokenTree()
        self.counts = DraftCounts()

    def begin(self) -> DraftedText:
        """An empty completion."""
        (target, _), (draft, _) = self._roots
        return DraftedText(self._target.fork(target), self._draft.fork(draft), self._stop.start())

    def advance(self, texts: Sequence[DraftedText], n_draft: int) -> None:
        """Do a round: up to n_draft drafted tokens, and one more, for each of these live completions."""
        # The token after the block must fit as well.
        blocks = [DraftBlock(min(n_draft, self._n_tokens - len(text.tokens) - 1)) for text in texts]
        self._write(texts, blocks)
        logits = self._read(texts, blocks)
        self._decide(texts, blocks, logits)
        for text in texts:
            self._forget_rejected(text)

    # --- drafting ---

    def _write(self, texts: Sequence[DraftedText], blocks: Sequence[DraftBlock]) -> None:
        """Draw the blocks from the draft, one token of each at a time."""
        open_ = [i for i, block in enumerate(blocks) if self._continues(block)]
        while open_:
            q = self._tempering.distribution(self._drafted(texts, blocks, open_))
            tops = q.plain.max(axis=1)
            for row, i in enumerate(open_):
                blocks[i].q_rows.append(RuleDistribution(q.drawn[row], q.plain[row]))
                blocks[i].is_closed = len(blocks[i].tokens) == blocks[i].limit or tops[row] < self._least_sure
            writing = [row for row, i in enumerate(open_) if not blocks[i].is_closed]
            if not writing:
                return
            tokens = self._draw(q.drawn[writing], np.ones(len(writing), dtype=np.int64)).tolist()
            open_ = [open_[row] for row in writing]
            for i, token in zip(open_, tokens, strict=True):
                blocks[i].tokens.append(token)
                blocks[i].is_ended = bool(self._is_eog[token])
            self.counts.drafted += len(open_)
            open_ = [i for i in open_ if not blocks[i].is_ended and self._continues(blocks[i])]

    def _continues(self, block: DraftBlock) -> bool:
        return len(block.tokens) < block.limit or self._induced is not None

    def _drafted(
        self, texts: Sequence[DraftedText], blocks: Sequence[DraftBlock], which: Sequence[int]
    ) -> Floats:
        """The draft's logits after these completions and their blocks so far."""
        slots = np.array([texts[i].draft for i in which])
        # The draft reads tokens that its vocabulary lacks as its last token.
        last_id = self._draft.model.n_vocab - 1
        pending = []
        for i, n in zip(which, self._draft.lengths(slots).tolist(), strict=True):
            text, block = texts[i].tokens, blocks[i].tokens
            unread = text[n:] + block[max(0, n - len(text)) :]
            pending.append(np.minimum(np.array(unread, dtype=np.int64), last_id))
        if not len(pending[0]):  # the first round of all
            return np.repeat(self._roots[1][1], len(which), axis=0)
        return self._draft.decode_blocks(slots, pending, last_only=True)

    # --- reading ---

    def _read(self, texts: Sequence[DraftedText], blocks: Sequence[DraftBlock]) -> list[Floats]:
        """The target's logits at each block's positions, and after the block unless it has ended."""
        slots = np.array([text.target for text in texts])
        held = self._target.lengths(slots)
        pending = []
        for text, block, n in zip(texts, blocks, held.tolist(), strict=True):
            fed = block.tokens[:-1] if block.is_ended else block.tokens
            pending.append(np.array([*text.tokens[n:], *fed], dtype=np.int64))
        is_first = not texts[0].tokens
        some = [i for i, tokens in enumerate(pending) if len(tokens)]
        if not some:
            return [self._roots[0][1]] * len(texts)
        found = self._target.decode_blocks(slots[some], [pending[i] for i in some])
        ends = np.cumsum([len(tokens) for tokens in pending])
        rows = np.split(found, ends[:-1])
        return [np.concatenate((self._roots[0][1], part)) for part in rows] if is_first else rows

    # --- deciding ---

    def _decide(
        self, texts: Sequence[DraftedText], blocks: Sequence[DraftBlock], logits: Sequence[Floats]
    ) -> None:
        """Append to each completion the accepted tokens of its block, and the token after them."""
        readings = []
        masses = np.zeros((len(texts), 1 + max(len(block.tokens) for block in blocks)))
        for i, (block, rows) in enumerate(zip(blocks, logits, strict=True)):
            target, log_norm = self._tempering.read(rows)
            readings.append(_TargetRows(rows, log_norm, self._pi(block, target)))
            masses[i, : len(block.tokens) + 1] = _accepted(readings[i].pi, block)
        n_accepted = self._draw(masses, np.ones(len(texts), dtype=np.int64)).tolist()
        lasts: list[tuple[DraftedText, _TargetRows, int, Floats]] = []
        for text, block, reading, n in zip(texts, blocks, readings, n_accepted, strict=True):
            self._count(block, n, self._keep(text, block.tokens[:n], reading.logp(0, block.tokens[:n])))
            if text.finish == LIVE and n < len(reading.pi):
                lasts.append((text, reading, n, _residual(reading.pi[n], block, n)))
        if not lasts:
            return
        mass = np.stack([mass for *_, mass in lasts])
        drawn = self._draw(mass, np.ones(len(lasts), dtype=np.int64)).tolist()
        for (text, reading, n, _), token in zip(lasts, drawn, strict=True):
            self._keep(text, [token], reading.logp(n, [token]))
        self.counts.rewritten += len(lasts)

    def _pi(self, block: DraftBlock, target: RuleDistribution) -> Floats:
        if self._induced is None:
            return target.drawn
        drawn, plain = (np.stack([getattr(q, part) for q in block.q_rows]) for part in ("drawn", "plain"))
        return self._induced(RuleDistribution(drawn, plain), target)

    def _count(self, block: DraftBlock, n_accepted: int, n_kept: int) -> None:
        n_fed = len(block.tokens) - block.is_ended
        self.counts.kept += n_kept
        self.counts.refused += n_accepted < len(block.tokens)
        self.counts.wasted += max(0, n_fed - n_kept)

    def _keep(self, text: DraftedText, tokens: Sequence[int], logp: Doubles) -> int:
        """Append tokens up to the end of the completion; returns the number appended."""
        for n, token in enumerate(tokens):
            parent = text.nodes[-1] if text.nodes else ROOT
            text.nodes += self.genealogy.append(np.array([parent]), np.array([token])).tolist()
            text.tokens.append(token)
            text.logp += float(logp[n])
            text.stop = self._stop.advance(text.stop, token) if self._stop.is_active else text.stop
            if self._is_eog[token] or text.stop.hit:
                text.finish = STOPPED
            elif len(text.tokens) == self._n_tokens:
                text.finish = OUT_OF_LENGTH
            if text.finish != LIVE:
                return n + 1
        return len(tokens)

    def _forget_rejected(self, text: DraftedText) -> None:
        """Remove rejected tokens from both KV caches; free the slots of a finished completion."""
        if text.finish != LIVE:
            self.release(text)
            return
        # The last token is decoded with the next block.
        self._target.truncate(text.target, len(text.tokens) - 1)
        self._draft.truncate(text.draft, len(text.tokens) - 1)

    def release(self, text: DraftedText) -> None:
        """Free its slots."""
        self._target.release(text.target)
        self._draft.release(text.draft)


class SequentialCascade(SpeculativeDecoder):
    """The draft draws each token, unless `defers` is True: then the target draws it.

    The target decodes the tokens it has not read only then. It never reads the draft's last tokens, so the
    log-probabilities of completions are not known.
    """

    def __init__(
        self, *args: Any, defers: Callable[[RuleDistribution], NDArray[np.bool_]], **options: Any
    ) -> None:
        super().__init__(*args, **options)
        self._defers = defers

    def advance(self, texts: Sequence[DraftedText], _n_draft: int = 1) -> None:
        """Draw one token for each of these live completions."""
        nothing = [DraftBlock(0) for _ in texts]
        q = self._tempering.distribution(self._drafted(texts, nothing, range(len(texts))))
        mass, deferred = q.drawn.copy(), np.flatnonzero(self._defers(q))
        if len(deferred):
            mass[deferred] = self._tempering.distribution(
                self._answered([texts[i] for i in deferred.tolist()])
            ).drawn
        self.counts.rewritten += len(deferred)
        self.counts.drafted += len(texts) - len(deferred)
        self.counts.kept += len(texts) - len(deferred)
        tokens = self._draw(mass, np.ones(len(texts), dtype=np.int64)).tolist()
        for text, token in zip(texts, tokens, strict=True):
            self._keep(text, [token], np.array([np.nan]))
            if text.finish != LIVE:
                self.release(text)

    def _answered(self, texts: Sequence[DraftedText]) -> Floats:
        """The target's logits after these completions."""
        slots = np.array([text.target for text in texts])
        held = self._target.lengths(slots).tolist()
        pending = [np.array(text.tokens[n:], dtype=np.int64) for text, n in zip(texts, held, strict=True)]
        if not len(pending[0]):  # at the prompt's end
            return np.repeat(self._roots[0][1], len(texts), axis=0)
        return self._target.decode_blocks(slots, pending, last_only=True)


def _accepted(pi: Floats, block: DraftBlock) -> Doubles:
    """(γ + 1,) the probability that exactly n of the block's tokens are accepted, n = 0 … γ."""
    n, places = len(block.tokens), np.arange(len(block.tokens))
    target = pi[places, block.tokens].astype(np.float64)
    proposed = np.array([q.drawn[token] for q, token in zip(block.q_rows, block.tokens, strict=False)])
    accepts = np.minimum(1.0, target / proposed.astype(np.float64)) if n else np.zeros(0)
    reach = np.concatenate(([1.0], np.cumprod(accepts)))
    return np.asarray(reach * np.concatenate((1.0 - accepts, [1.0])))


def _residual(pi: Floats, block: DraftBlock, n: int) -> Floats:
    """The mass (V,) of the token after n accepted ones: max(0, π − q), or π if all were accepted."""
    if n == len(block.tokens):
        return pi
    mass: Floats = np.maximum(pi - block.q_rows[n].drawn, 0.0)
    if not mass.any():  # π and q are equal up to rounding: keep the draft's token.
        mass[block.tokens[n]] = 1.0
    return mass
