"""The seam between methods and whatever computes logits: the `LanguageModel` protocol.

Two implementations ship: `llama.LlamaModel` (a GGUF in llama.cpp) and `toy.ToyModel` (exact and
finite). Only `sequences` calls the methods that take sequence ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from localsmc.numerics.log_math import Floats, Ints

TokenIds = NDArray[np.int32]


def common_prefix(texts: Sequence[TokenIds]) -> TokenIds:
    """The longest beginning that all of them have."""
    n = min(map(len, texts))
    differs = np.flatnonzero(np.any([text[:n] != texts[0][:n] for text in texts], axis=0))
    return texts[0][: int(differs[0]) if len(differs) else n]


class Pieces(Protocol):
    """The bytes of each token id; empty for control tokens."""

    def __getitem__(self, token: int, /) -> bytes: ...

    def __len__(self) -> int: ...


class LanguageModel(Protocol):
    """A causal language model with a memory of several token sequences that share cells."""

    @property
    def n_vocab(self) -> int:
        """Size of the vocabulary, V."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the logits."""
        ...

    @property
    def n_seq_max(self) -> int:
        """Sequence ids are 0 … n_seq_max − 1."""
        ...

    @property
    def n_cells(self) -> int:
        """Tokens that all sequences can hold together, a shared token counted once."""
        ...

    @property
    def n_length(self) -> int:
        """Tokens that one sequence can hold."""
        ...

    @property
    def can_forget(self) -> bool:
        """Whether a sequence can forget its last tokens only; a recurrent state cannot."""
        ...

    @property
    def n_batch(self) -> int:
        """Rows that one decode can take."""
        ...

    @property
    def n_threads(self) -> int:
        """Threads that work on its logits may take."""
        ...

    @property
    def is_eog(self) -> NDArray[np.bool_]:
        """(V,) True for every token that ends a generation."""
        ...

    @property
    def pieces(self) -> Pieces:
        """The bytes of each token id; empty for control tokens."""
        ...

    @property
    def decode_seconds(self) -> float:
        """Seconds spent evaluating batches so far, waiting for the device included."""
        ...

    def decode(self, tokens: Ints, positions: Ints, seqs: Ints, *, outputs: Ints | None = None) -> Floats:
        """Append a token to each named sequence (or several, at ascending positions, to one).

        Returns logits (R, V), or those of the rows `outputs` only, ascending and at least one: a view
        that the next decode invalidates. Raises ContextFull, the memory unchanged, where cells are short,
        DecodeFailed where the evaluation fails, SequenceError for a batch that breaks a rule.
        """
        ...

    def copy(self, source: int, target: int) -> None:
        """Make the empty sequence `target` hold what `source` holds; no data is copied."""
        ...

    def remove(self, seq: int, start: int = 0) -> None:
        """Forget the tokens of a sequence from position `start` on."""
        ...

    def clear(self) -> None:
        """Forget every sequence."""
        ...

    def match_prefix(self, seq: int, prompt: TokenIds) -> int:
        """Make the empty sequence hold what is remembered of a prompt's beginning; returns how many tokens.

        At least the last token is left to be decoded. Most models remember nothing, see `kept.Kept`.
        """
        ...

    def store_prefix(self, seq: int, prompt: TokenIds) -> None:
        """Told when a sequence holds a whole prompt, and nothing else."""
        ...


class LMWrapper:
    """A model that stands in front of another, and is it but for what subclasses change."""

    def __init__(self, model: LanguageModel) -> None:
        self._model = model

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)
