"""Models that stand in front of others, to measure what steps cost where histories are given.

Random weights have no histories worth the name. A `Replay` decodes every row on such a model, at its
cost, and hands out the logits of a small real one: row counts and forks are those of the small model's
own run, row by row. An `Endless` model has no end tokens, so that texts have the length asked for.
"""

from __future__ import annotations

import ctypes
import time

import numpy as np
from numpy.typing import NDArray

from localsmc.errors import ConfigError
from localsmc.lm.interface import LanguageModel, LMWrapper
from localsmc.numerics.log_math import Floats, Ints

HEADROOM = 40.0
"""By how much the small model's logits are lifted above those of random weights, which spread by about 1:
the tokens that it does not have weigh less than 1e-11 together."""


class Endless(LMWrapper):
    """A model none of whose tokens ends a text."""

    def __init__(self, model: LanguageModel) -> None:
        super().__init__(model)
        self.is_eog = np.zeros(model.n_vocab, dtype=np.bool_)


class Replay(LMWrapper):
    """Decodes on `model`, and says what `teller`, whose vocabulary is no larger, says to the same tokens.

    Both hold the same sequences. Raises ConfigError for a teller with more tokens than the model.
    """

    def __init__(self, model: LanguageModel, teller: LanguageModel) -> None:
        super().__init__(model)
        require_vocabulary(model.n_vocab, teller.n_vocab)
        self._teller = teller
        self.seconds = 0.0
        """Spent on what a real model would not need."""
        self.pieces = teller.pieces
        self.is_eog = np.zeros(model.n_vocab, dtype=np.bool_)
        self.is_eog[: teller.n_vocab] = teller.is_eog

    def decode(self, tokens: Ints, positions: Ints, seqs: Ints, *, outputs: Ints | None = None) -> Floats:
        """See `LanguageModel.decode`."""
        began = time.perf_counter()
        told = self._teller.decode(tokens, positions, seqs, outputs=outputs) + np.float32(HEADROOM)
        self.seconds += time.perf_counter() - began
        logits = self._model.decode(tokens, positions, seqs, outputs=outputs)
        began = time.perf_counter()
        _writeable(logits)[:, : self._teller.n_vocab] = told
        self.seconds += time.perf_counter() - began
        return logits

    def copy(self, source: int, target: int) -> None:
        """See `LanguageModel.copy`."""
        self._model.copy(source, target)
        began = time.perf_counter()
        self._teller.copy(source, target)
        self.seconds += time.perf_counter() - began

    def remove(self, seq: int, start: int = 0) -> None:
        """See `LanguageModel.remove`."""
        self._model.remove(seq, start)
        began = time.perf_counter()
        self._teller.remove(seq, start)
        self.seconds += time.perf_counter() - began

    def clear(self) -> None:
        """See `LanguageModel.clear`."""
        self._model.clear()
        self._teller.clear()


def require_vocabulary(n_vocab: int, n_told: int) -> None:
    """Raise ConfigError where a model has fewer tokens than are replayed on it."""
    if n_told > n_vocab:
        raise ConfigError(
            f"the model has {n_vocab} tokens, but {n_told} are replayed on it",
            hint=f"choose a shape with a vocabulary from {n_told} on",
        )


def _writeable(logits: Floats) -> NDArray[np.float32]:
    """The same memory, which is llama.cpp's until the next decode, to be written to."""
    data = (ctypes.c_float * logits.size).from_address(logits.ctypes.data)
    return np.ctypeslib.as_array(data).reshape(logits.shape)
