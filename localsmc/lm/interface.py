"""The interface between methods and models: the `LanguageModel` protocol.

Two implementations ship: `llama.LlamaModel` (a GGUF in llama.cpp) and `toy.ToyModel` (exact and
finite). Only `kv_slots` calls the functions that take sequence ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from localsmc.numerics.log_math import Floats, Ints

TokenIds = NDArray[np.int32]


def common_prefix(texts: Sequence[TokenIds]) -> TokenIds:
    """The longest prefix that all of them share."""
    n = min(map(len, texts))
    differs = np.flatnonzero(np.any([text[:n] != texts[0][:n] for text in texts], axis=0))
    return texts[0][: int(differs[0]) if len(differs) else n]


class Pieces(Protocol):
    """The bytes of each token id; empty for control tokens."""

    def __getitem__(self, token: int, /) -> bytes: ...

    def __len__(self) -> int: ...


class LanguageModel(Protocol):
    """A causal language model with a KV cache of several token sequences that share cells."""

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
        """Number of sequences; their ids are 0 … n_seq_max − 1."""
        ...

    @property
    def n_cells(self) -> int:
        """Tokens that all sequences together can hold; a shared token counts once."""
        ...

    @property
    def n_length(self) -> int:
        """Tokens that one sequence can hold."""
        ...

    @property
    def can_forget(self) -> bool:
        """Whether a sequence can drop its last tokens and keep the rest; a recurrent state cannot."""
        ...

    @property
    def n_batch(self) -> int:
        """Maximum number of tokens in one call of `decode`."""
        ...

    @property
    def n_threads(self) -> int:
        """Number of threads to use for work on the logits."""
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
        """Seconds spent evaluating batches so far, including the wait for the device."""
        ...

    def decode(self, tokens: Ints, positions: Ints, seqs: Ints, *, outputs: Ints | None = None) -> Floats:
        """Append tokens (R,) to the sequences `seqs` (R,); several for one sequence at ascending positions.

        Returns logits (R, V), or only those of the rows `outputs` (ascending, at least one): a view that the
        next call invalidates. Raises ContextFull, with the KV cache unchanged, if there are too few cells,
        DecodeFailed if the evaluation fails, and SequenceError for an invalid batch.
        """
        ...

    def copy(self, source: int, target: int) -> None:
        """Make the empty sequence `target` hold the tokens of `source`; the cells are shared, not copied."""
        ...

    def remove(self, seq: int, start: int = 0) -> None:
        """Remove the tokens of a sequence from position `start` on."""
        ...

    def clear(self) -> None:
        """Remove all tokens of all sequences."""
        ...

    def match_prefix(self, seq: int, prompt: TokenIds) -> int:
        """Make the empty sequence hold the cached prefix of a prompt; returns its number of tokens.

        It never includes the last token, which has to be decoded. Most models cache nothing, see
        `prefix_cache.PrefixCache`.
        """
        ...

    def n_shared(self, prompt: TokenIds) -> int:
        """How many of a prompt's first tokens are decoded apart from the rest, fewer than it has.

        None of them in most models, see `shared_beginning.SharedBeginning`.
        """
        ...

    def store_prefix(self, seq: int, prompt: TokenIds) -> None:
        """Called when a sequence holds exactly this prompt; a prefix cache stores it."""
        ...


class LMWrapper:
    """A wrapper that passes everything on to a model, except for what subclasses override."""

    def __init__(self, model: LanguageModel) -> None:
        self._model = model

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)
