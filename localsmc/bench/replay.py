"""Wrappers around models that make the cost of a step measurable with given histories.

Random weights do not give realistic histories. A `Replay` decodes every token on such a model, at its
cost, but returns the logits of a small real model: decoded tokens and forks at every step are those of the
small model's run. An `Endless` model has no end tokens, so that completions have the requested length.
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
"""Added to the small model's logits. Those of random weights have a standard deviation of about 1, so the
tokens that the small model lacks have a total probability below 1e-11."""


class Endless(LMWrapper):
    """A model without end-of-generation tokens."""

    def __init__(self, model: LanguageModel) -> None:
        super().__init__(model)
        self.is_eog = np.zeros(model.n_vocab, dtype=np.bool_)


class Replay(LMWrapper):
    """Decodes on `model`, but returns the logits of `donor` for the same tokens.

    Both models hold the same sequences. Raises ConfigError if the donor's vocabulary is larger.
    """

    def __init__(self, model: LanguageModel, donor: LanguageModel) -> None:
        super().__init__(model)
        require_vocabulary(model.n_vocab, donor.n_vocab)
        self._donor = donor
        self.seconds = 0.0
        """Seconds of overhead that a real model would not have."""
        self.pieces = donor.pieces
        self.is_eog = np.zeros(model.n_vocab, dtype=np.bool_)
        self.is_eog[: donor.n_vocab] = donor.is_eog

    def decode(self, tokens: Ints, positions: Ints, seqs: Ints, *, outputs: Ints | None = None) -> Floats:
        """See `LanguageModel.decode`."""
        began = time.perf_counter()
        replayed = self._donor.decode(tokens, positions, seqs, outputs=outputs) + np.float32(HEADROOM)
        self.seconds += time.perf_counter() - began
        logits = self._model.decode(tokens, positions, seqs, outputs=outputs)
        began = time.perf_counter()
        _writeable(logits)[:, : self._donor.n_vocab] = replayed
        self.seconds += time.perf_counter() - began
        return logits

    def copy(self, source: int, target: int) -> None:
        """See `LanguageModel.copy`."""
        self._model.copy(source, target)
        began = time.perf_counter()
        self._donor.copy(source, target)
        self.seconds += time.perf_counter() - began

    def remove(self, seq: int, start: int = 0) -> None:
        """See `LanguageModel.remove`."""
        self._model.remove(seq, start)
        began = time.perf_counter()
        self._donor.remove(seq, start)
        self.seconds += time.perf_counter() - began

    def clear(self) -> None:
        """See `LanguageModel.clear`."""
        self._model.clear()
        self._donor.clear()


def require_vocabulary(n_vocab: int, n_replayed: int) -> None:
    """Raise ConfigError if a model's vocabulary is smaller than that of the model replayed on it."""
    if n_replayed > n_vocab:
        raise ConfigError(
            f"the vocabulary has {n_vocab} tokens, but the replayed model has {n_replayed}",
            hint=f"choose a shape with a vocabulary of at least {n_replayed} tokens",
        )


def _writeable(logits: Floats) -> NDArray[np.float32]:
    """A writeable view of llama.cpp's logits, valid until the next decode."""
    data = (ctypes.c_float * logits.size).from_address(logits.ctypes.data)
    return np.ctypeslib.as_array(data).reshape(logits.shape)
