"""Steps of texts, written by one model: several side by side, a token of each at a time.

A step ends behind the separator, with an end token, where a stop rule hits, or when it is long enough.
Separators before the first word of a step do not end it. Knows nothing of who judges steps.
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
    """Where a text stands in a model's memory."""

    slot: int
    tokens: list[int]
    """What the slot holds or is still to read: the end of the prompt, then the text."""
    logits: Floats | None = None
    """(V,) behind all that the slot holds, where they are known."""


@dataclass(slots=True, eq=False)
class WrittenStep:
    """A step as far as it is written, by the model whose tokens these are."""

    limit: int
    stop: StopState
    tokens: list[int] = field(default_factory=list)
    text: bytes = b""
    is_last: bool = False
    """Whether the reply ends with it: by an end token or the stop rule."""
    is_closed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSampling:
    """How tokens are drawn, from p^alpha down to a row's `lowest` logit; and what ends a step."""

    alpha: float
    lowest: Lowest | None
    separator: bytes
    draw: CategoricalSampler


class StepWriter:
    """One model that reads and writes texts. Generators yield before each batch.

    `n_known` are the ids that it may write, of its vocabulary's V.
    """

    def __init__(self, sequences: KVSlots, stop: StopRule, manner: StepSampling, n_known: int) -> None:
        self.sequences, self.stop = sequences, stop
        self._manner, self._n_known = manner, n_known
        model = sequences.model
        self._pieces, self._is_eog = model.pieces, model.is_eog
        self._n_threads = model.n_threads

    def states(self, root: int, logits: Floats, rests: Sequence[Sequence[int]]) -> list[DecodingState]:
        """Texts that stand at the root, with the logits (1, V) behind it, each with a rest to read first."""
        return [DecodingState(self.sequences.fork(root), [*rest], logits[0].copy()) for rest in rests]

    def n_held(self, stand: DecodingState) -> int:
        """How many tokens the slot holds behind where all prompts part."""
        return int(self.sequences.lengths(np.array([stand.slot]))[0])

    def pending(self, stand: DecodingState) -> list[int]:
        """What the slot is still to read."""
        return stand.tokens[self.n_held(stand) :]

    def fork(self, stand: DecodingState) -> DecodingState:
        """Another text that stands at the same place."""
        return DecodingState(self.sequences.fork(stand.slot), [*stand.tokens], stand.logits)

    def read(self, stands: Sequence[DecodingState]) -> Iterator[None]:
        """Catch up with the texts, so that the logits behind them are known."""
        behind = [stand for stand in stands if self.pending(stand)]
        if not behind:
            return
        yield
        blocks = [np.array(self.pending(stand), dtype=np.int64) for stand in behind]
        rows = self.sequences.decode_blocks(np.array([one.slot for one in behind]), blocks, last_only=True)
        for stand, row in zip(behind, rows, strict=True):
            stand.logits = row.copy()

    def write(self, stands: Sequence[DecodingState], steps: Sequence[WrittenStep]) -> Iterator[None]:
        """Write a step of each text; its last token is still to be read then."""
        open_ = [pair for pair in zip(stands, steps, strict=True) if pair[1].limit > 0]
        while open_:
            yield from self.read([stand for stand, _ in open_])
            logits = np.stack([stand.logits for stand, _ in open_ if stand.logits is not None])
            for (stand, step), token in zip(open_, self._drawn(logits), strict=True):
                stand.tokens.append(token)
                stand.logits = None
                self._append(step, token)
            open_ = [(stand, step) for stand, step in open_ if not step.is_closed]

    def _drawn(self, logits: Floats) -> list[int]:
        """A token from each row (R, V)."""
        logits[:, self._n_known :] = -np.inf
        lowest = self._manner.lowest
        bars = None if lowest is None else np.array([lowest(row) for row in logits])
        rows = TemperedLogits(logits, self._manner.alpha, self._n_threads)
        drawn = rows.sample(self._manner.draw, np.ones(len(logits), dtype=np.int64), bars)
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
        """How many of a step's tokens there are up to its last word: blanks and an end token may follow."""
        n = len(tokens)
        while n and (self._is_eog[tokens[n - 1]] or not self._pieces[tokens[n - 1]].strip()):
            n -= 1
        return n
