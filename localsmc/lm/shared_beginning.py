"""The beginning that many prompts share: decoded in batches of its own, once for all of them if it is held.

The last bits of logits depend on which tokens are decoded together. So a prompt is cut where its shared
beginning ends, whether that is decoded now or was before: the same tokens are sampled.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from localsmc.lm.interface import LanguageModel, LMWrapper, TokenIds
from localsmc.numerics.log_math import Floats

PROMPT_CHUNK = 256
"""Prompt tokens decoded between two checks for a time limit or Ctrl-C."""


def decode_prompt(
    model: LanguageModel,
    seq: int,
    tokens: TokenIds,
    start: int = 0,
    check: Callable[[], None] = lambda: None,
) -> Floats | None:
    """Decode the tokens from `start` on into a sequence that holds those before, in chunks.

    Returns the logits (1, V) after the last one, or None if there is nothing to decode. `check` is called
    before each chunk; it may raise to stop early.
    """
    logits, step = None, min(PROMPT_CHUNK, model.n_batch)
    for first in range(start, len(tokens), step):
        check()
        chunk = np.asarray(tokens[first : first + step], dtype=np.int64)
        positions, last = np.arange(first, first + len(chunk)), np.array([len(chunk) - 1])
        logits = model.decode(chunk, positions, np.full(len(chunk), seq), outputs=last)
    return logits


class SharedBeginning(LMWrapper):
    """A model that decodes a beginning apart from the rest of every prompt that has it."""

    def __init__(self, model: LanguageModel, beginning: TokenIds) -> None:
        super().__init__(model)
        self.beginning = beginning

    def n_shared(self, prompt: TokenIds) -> int:
        """See `LanguageModel.n_shared`."""
        n = len(self.beginning)
        return n if n < len(prompt) and np.array_equal(prompt[:n], self.beginning) else 0


class HeldBeginning(SharedBeginning):
    """The same with the last sequence id reserved: it holds the beginning, and prompts are forks of it.

    `hold` is called before each run. The cells of the beginning are those of every prompt that has it, so
    they take no extra room; for a prompt that does not have it they are freed.
    """

    def __init__(self, model: LanguageModel) -> None:
        super().__init__(model, np.zeros(0, dtype=np.int32))
        self._can_hold = model.n_seq_max > 1
        self._keeper = model.n_seq_max - 1
        self.n_seq_max = max(1, self._keeper)
        self._is_held = False

    def hold(self, beginning: TokenIds) -> int:
        """Clear the model and decode a beginning, unless it is held already; returns the tokens decoded."""
        if self._is_held and np.array_equal(self.beginning, beginning):
            self.clear()
            return 0
        self._is_held = False
        self._model.clear()
        self.beginning = beginning
        if not self._can_hold or not len(beginning):
            return 0
        decode_prompt(self._model, self._keeper, beginning)
        self._is_held = True
        return len(beginning)

    def clear(self) -> None:
        """Remove all tokens of all sequences but those of the beginning."""
        if not self._is_held:
            self._model.clear()
            return
        for seq in range(self.n_seq_max):
            self._model.remove(seq)

    def match_prefix(self, seq: int, prompt: TokenIds) -> int:
        """See `LanguageModel.match_prefix`."""
        n = self.n_shared(prompt)
        if n and self._is_held:
            self._model.copy(self._keeper, seq)
            return n
        if self._is_held:
            self._model.remove(self._keeper)
            self._is_held = False
        return 0
