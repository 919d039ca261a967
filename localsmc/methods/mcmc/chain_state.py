"""Completions written token by token, several in one batch, that can be continued and branched.

A completion stores, for each token, what Metropolis steps need, so that a proposal can branch off after any
of its tokens: by a fork of its slot at that length, and one token decoded again for its logits. Independent
of acceptance rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from localsmc.lm.kv_slots import KVSlots
from localsmc.methods.finish_state import LIVE, OUT_OF_LENGTH, PRUNED, STOPPED
from localsmc.methods.token_tree import ROOT, TokenTree
from localsmc.numerics.categorical import CategoricalSampler
from localsmc.numerics.log_math import Doubles, Floats, Ints
from localsmc.numerics.tempered_logits import TemperedLogits
from localsmc.text.stop_rule import StopRule, StopState


@dataclass(slots=True, eq=False, kw_only=True)
class ChainState:
    """A completion so far, at most `horizon` tokens; lists have one entry per token.

    `temperature_index` is the index of the exponent at which its next tokens are drawn. `excluded_token` is a
    token that the next draw excludes, −1 for none.
    """

    slot: int
    """The KV slot, which holds all tokens but the last."""
    horizon: int
    temperature_index: int
    tokens: list[int]
    nodes: list[int]
    """The nodes of its tokens in the token tree."""
    logps: list[float]
    """Log-probability of each token under the model at temperature 1."""
    log_powers: list[Doubles]
    """Per token, (A,) log Σ_v p(v)^alpha over the tokens allowed at its position, for every exponent."""
    stops: list[StopState]
    """The state of the stop rule after each token."""
    finish: int = LIVE
    excluded_token: int = -1

    @property
    def logp(self) -> float:
        """Log-probability of the completion under the model at temperature 1."""
        return sum(self.logps)

    def stays(self, keep: int, rung: int, alpha: float) -> Doubles:
        """For each token from position `keep` on, the probability p^alpha / Σ p^alpha of drawing it again.

        `alpha` is the exponent with index `rung`.
        """
        log_powers = np.array([row[rung] for row in self.log_powers[keep:]])
        found: Doubles = np.exp(np.minimum(alpha * np.array(self.logps[keep:]) - log_powers, 0.0))
        return found

    def __len__(self) -> int:
        return len(self.tokens)


class ChainWriter:
    """Begins completions after the prompt, branches them off others, and extends several in one batch."""

    def __init__(
        self,
        sequences: KVSlots,
        root: int,
        root_logits: Floats,
        genealogy: TokenTree,
        *,
        alphas: Sequence[float],
        stop: StopRule,
        draw: CategoricalSampler,
    ) -> None:
        self.alphas = tuple(alphas)
        self.genealogy = genealogy
        self._sequences, self._root, self._root_logits = sequences, root, root_logits
        self._stop, self._draw_tokens = stop, draw
        self._is_eog = sequences.model.is_eog

    def begin(self, rung: int, horizon: int) -> ChainState:
        """An empty completion."""
        return ChainState(
            slot=self._sequences.fork(self._root),
            horizon=horizon,
            temperature_index=rung,
            tokens=[],
            nodes=[],
            logps=[],
            log_powers=[],
            stops=[],
        )

    def branch(self, text: ChainState, keep: int, *, rung: int, horizon: int, avoid: int = -1) -> ChainState:
        """A new completion with the first `keep` tokens of this one; its next token is not `avoid`."""
        return ChainState(
            slot=self._slot(text, keep - 1) if keep else self._sequences.fork(self._root),
            horizon=horizon,
            temperature_index=rung,
            tokens=text.tokens[:keep],
            nodes=text.nodes[:keep],
            logps=text.logps[:keep],
            log_powers=text.log_powers[:keep],
            stops=text.stops[:keep],
            excluded_token=avoid,
        )

    def _slot(self, text: ChainState, length: int) -> int:
        """A new slot with the first `length` tokens of a completion."""
        if self._sequences.model.can_forget:
            return self._sequences.fork(text.slot, length)
        slot = self._sequences.fork(self._root)
        self._sequences.refill(slot, np.array(text.tokens[:length], dtype=np.int64))
        return slot

    def reopen(self, text: ChainState, horizon: int) -> None:
        """Continue a completion that was cut at its horizon."""
        text.horizon = horizon
        if text.finish == OUT_OF_LENGTH and len(text) < horizon:
            text.finish = LIVE

    def release(self, text: ChainState) -> None:
        """Free its slot: it can no longer be extended or branched."""
        self._sequences.release(text.slot)

    def write(self, texts: Sequence[ChainState]) -> None:
        """Extend each by one token; one after which the grammar allows no token is PRUNED."""
        empty, begun = [one for one in texts if not one.tokens], [one for one in texts if one.tokens]
        if empty:
            self._draw(empty, np.repeat(self._root_logits, len(empty), axis=0))
        if begun:
            slots = np.array([one.slot for one in begun])
            self._draw(begun, self._sequences.decode(slots, np.array([one.tokens[-1] for one in begun])))

    def _draw(self, texts: Sequence[ChainState], logits: Floats) -> None:
        dead = self._sequences.no_token_allowed(logits)
        for i in np.flatnonzero(dead).tolist():
            texts[i].finish = PRUNED
        if dead.any():
            texts, logits = [text for text in texts if text.finish == LIVE], logits[~dead]
        if texts:
            self._draw_next(texts, logits)

    def _draw_next(self, texts: Sequence[ChainState], logits: Floats) -> None:
        rungs = np.array([one.temperature_index for one in texts])
        avoid = np.array([one.excluded_token for one in texts])
        log_powers = np.empty((len(texts), len(self.alphas)))
        tokens = np.empty(len(texts), dtype=np.int64)
        logps = np.empty(len(texts))
        for rung, alpha in enumerate(self.alphas):
            tempered = self._sequences.tempered(logits, alpha)
            log_powers[:, rung] = tempered.log_power
            rows = np.flatnonzero(rungs == rung)
            if len(rows):
                tokens[rows] = self._drawn(tempered.take(rows), avoid[rows])
                logps[rows] = tempered.logp(rows, tokens[rows])
        parents = np.array([one.nodes[-1] if one.nodes else ROOT for one in texts])
        nodes = self.genealogy.append(parents, tokens)
        for i, text in enumerate(texts):
            self._append(text, int(tokens[i]), int(nodes[i]), float(logps[i]), log_powers[i])

    def _drawn(self, tempered: TemperedLogits, avoid: Ints) -> Ints:
        excluding = np.flatnonzero(avoid >= 0)
        rest = tempered.masked(excluding, avoid[excluding]) if len(excluding) else tempered
        # If rounding leaves no mass but that of the excluded token, that token is taken after all.
        tokens, free = avoid.copy(), np.flatnonzero(rest.totals > 0)
        if len(free):
            tokens[free] = (
                rest.take(free).sample(self._draw_tokens, np.ones(len(free), dtype=np.int64)).tokens
            )
        return tokens

    def _append(self, text: ChainState, token: int, node: int, logp: float, log_powers: Doubles) -> None:
        state = text.stops[-1] if text.stops else self._stop.start()
        state = self._stop.advance(state, token) if self._stop.is_active else state
        text.tokens.append(token)
        text.nodes.append(node)
        text.logps.append(logp)
        text.log_powers.append(log_powers)
        text.stops.append(state)
        text.excluded_token = -1
        if self._is_eog[token] or state.hit:
            text.finish = STOPPED
        elif len(text) == text.horizon:
            text.finish = OUT_OF_LENGTH
