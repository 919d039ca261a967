"""Texts that are written token by token, side by side in one batch, and can be taken up again.

A text keeps, token by token, what Metropolis steps need of it, so that another text can leave it
at any of its tokens: a fork of its slot there, and one token decoded again for its logits. Knows
nothing of acceptance rules.
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
    """A text as far as it is written, at most `horizon` tokens; lists have an entry a token.

    `rung` is the exponent, by its number, that its next tokens are drawn at. `avoid` is a token
    that the next draw leaves out, −1 for none.
    """

    slot: int
    """Holds all of its tokens but the last."""
    horizon: int
    temperature_index: int
    tokens: list[int]
    nodes: list[int]
    """Its tokens in the genealogy."""
    logps: list[float]
    """Log-probability of each token under the model at temperature 1."""
    log_powers: list[Doubles]
    """(A,) log Σ_v p(v)^alpha before each token, over those that may follow there, for every exponent."""
    stops: list[StopState]
    """What the stop rule remembers after each token."""
    finish: int = LIVE
    excluded_token: int = -1

    @property
    def logp(self) -> float:
        """Log-probability of the whole text."""
        return sum(self.logps)

    def stays(self, keep: int, rung: int, alpha: float) -> Doubles:
        """The probability of each of its tokens from `keep` on, drawn anew at that rung's exponent."""
        log_powers = np.array([row[rung] for row in self.log_powers[keep:]])
        found: Doubles = np.exp(np.minimum(alpha * np.array(self.logps[keep:]) - log_powers, 0.0))
        return found

    def __len__(self) -> int:
        return len(self.tokens)


class ChainWriter:
    """Begins texts at the prompt's end, branches them off others, and writes all of them at once."""

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
        """An empty text."""
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
        """Another text with the first `keep` tokens of this one; the next is not `avoid`."""
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
        """A slot of its own with the first tokens of a text."""
        if self._sequences.model.can_forget:
            return self._sequences.fork(text.slot, length)
        slot = self._sequences.fork(self._root)
        self._sequences.refill(slot, np.array(text.tokens[:length], dtype=np.int64))
        return slot

    def reopen(self, text: ChainState, horizon: int) -> None:
        """Let a text that was cut at its horizon go on."""
        text.horizon = horizon
        if text.finish == OUT_OF_LENGTH and len(text) < horizon:
            text.finish = LIVE

    def release(self, text: ChainState) -> None:
        """Give its slot back: nothing is written or branched off it any more."""
        self._sequences.release(text.slot)

    def write(self, texts: Sequence[ChainState]) -> None:
        """One token more for each of them; one that no token may follow is CUT."""
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
        barred = np.flatnonzero(avoid >= 0)
        rest = tempered.masked(barred, avoid[barred]) if len(barred) else tempered
        # Where rounding leaves nothing beside the token to avoid, there is nothing else to take.
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
