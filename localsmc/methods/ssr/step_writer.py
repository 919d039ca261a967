"""Writes steps of completions with one model: several in parallel, one token of each at a time.

A step ends after the separator, with an end token, when a stop rule applies, or at its token limit.
Separators before the first word of a step do not end it. Independent of how steps are judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from localsmc.lm.kv_slots import KVSlots
from localsmc.numerics.categorical import CategoricalSampler
from localsmc.numerics.log_math import Floats, Lowest
from localsmc.numerics.tempered_logits import TemperedLogits
from localsmc.text.stop_rule import StopRule, StopState


@dataclass(slots=True, eq=False)
class DecodingState:
    """The state of a completion in one model: its KV slot, and tokens."""

    slot: int
    tokens: list[int]
    """The tokens that the slot holds or has yet to decode: the prompt's suffix, then the completion."""
    logits: Floats | None = None
    """(V,) the logits after all tokens that the slot holds; None if not known."""


@dataclass(slots=True, eq=False)
class WrittenStep:
    """A step so far, in the tokens of the model that writes it."""

    limit: int
    stop: StopState
    tokens: list[int] = field(default_factory=list)
    text: bytes = b""
    is_last: bool = False
    """Whether the completion ends with it, by an end token or the stop rule."""
    is_closed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSampling:
    """How tokens are drawn: ∝ p^alpha for logits of at least `lowest(row)`; and the separator of steps."""

    alpha: float
    lowest: Lowest | None
    separator: bytes
    draw: CategoricalSampler


class StepWriter:
    """A model that decodes and extends completions. The generators yield before each batch.

    It writes only token ids below `n_known`, of its vocabulary of V.
    """

    def __init__(self, sequences: KVSlots, stop: StopRule, manner: StepSampling, n_known: int) -> None:
        self.sequences, self.stop = sequences, stop
        self._manner, self._n_known = manner, n_known
        model = sequences.model
        self._pieces, self._is_eog = model.pieces, model.is_eog
        self._n_threads = model.n_threads

    def states(self, root: int, logits: Floats, rests: Sequence[Sequence[int]]) -> list[DecodingState]:
        """New completions after the slot `root` with logits (1, V); each has a suffix to decode first."""
        return [DecodingState(self.sequences.fork(root), [*rest], logits[0].copy()) for rest in rests]

    def n_held(self, state: DecodingState) -> int:
        """The number of tokens that the slot holds after the common prefix of the prompts."""
        return int(self.sequences.lengths(np.array([state.slot]))[0])

    def pending(self, state: DecodingState) -> list[int]:
        """The tokens that the slot has still to decode."""
        return state.tokens[self.n_held(state) :]

    def fork(self, state: DecodingState) -> DecodingState:
        """A copy in a new slot."""
        return DecodingState(self.sequences.fork(state.slot), [*state.tokens], state.logits)

    def read(self, states: Sequence[DecodingState]) -> Iterator[None]:
        """Decode all pending tokens, so that the logits after each completion are known."""
        pending = [state for state in states if self.pending(state)]
        if not pending:
            return
        yield
        blocks = [np.array(self.pending(state), dtype=np.int64) for state in pending]
        rows = self.sequences.decode_blocks(np.array([one.slot for one in pending]), blocks, last_only=True)
        for state, row in zip(pending, rows, strict=True):
            state.logits = row.copy()

    def write(self, states: Sequence[DecodingState], steps: Sequence[WrittenStep]) -> Iterator[None]:
        """Write a step of each completion; the last token of each is then still pending."""
        open_ = [pair for pair in zip(states, steps, strict=True) if pair[1].limit > 0]
        while open_:
            yield from self.read([state for state, _ in open_])
            logits = np.stack([state.logits for state, _ in open_ if state.logits is not None])
            for (state, step), token in zip(open_, self._drawn(logits), strict=True):
                state.tokens.append(token)
                state.logits = None
                self._append(step, token)
            open_ = [(state, step) for state, step in open_ if not step.is_closed]

    def _drawn(self, logits: Floats) -> list[int]:
        """A token from each row (R, V)."""
        logits[:, self._n_known :] = -np.inf
        lowest = self._manner.lowest
        thresholds = None if lowest is None else np.array([lowest(row) for row in logits])
        rows = TemperedLogits(logits, self._manner.alpha, self._n_threads)
        drawn = rows.sample(self._manner.draw, np.ones(len(logits), dtype=np.int64), thresholds)
        return [int(token) for token in drawn.tokens]

    def _append(self, step: WrittenStep, token: int) -> None:
        step.tokens.append(token)
        step.text += self._pieces[token]
        if self.stop.is_active:
            step.stop = self.stop.advance(step.stop, token)
        step.is_last = bool(self._is_eog[token]) or step.stop.hit
        is_whole = self._manner.separator in step.text.lstrip()
        step.is_closed = step.is_last or is_whole or len(step.tokens) == step.limit

    def words(self, tokens: Sequence[int]) -> int:
        """The number of a step's tokens up to its last word, without blanks and an end token after it."""
        n = len(tokens)
        while n and (self._is_eog[tokens[n - 1]] or not self._pieces[tokens[n - 1]].strip()):
            n -= 1
        return n
