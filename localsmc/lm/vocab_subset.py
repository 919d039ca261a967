"""A model restricted to the first tokens of its vocabulary: each next-token distribution is renormalised."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from localsmc.lm.interface import LanguageModel, LMWrapper
from localsmc.numerics.log_math import Floats, Ints


def vocab_subset(model: LanguageModel, n_vocab: int) -> LanguageModel:
    """The model over its first n_vocab tokens; the model itself if it has no more."""
    return model if model.n_vocab == n_vocab else cast(LanguageModel, _VocabSubset(model, n_vocab))


class _VocabSubset(LMWrapper):
    """A model that returns only the first columns of the logits."""

    def __init__(self, model: LanguageModel, n_vocab: int) -> None:
        super().__init__(model)
        self.n_vocab = n_vocab
        self.is_eog: NDArray[np.bool_] = model.is_eog[:n_vocab]

    def decode(self, tokens: Ints, positions: Ints, seqs: Ints, *, outputs: Ints | None = None) -> Floats:
        """See `LanguageModel.decode`."""
        return self._model.decode(tokens, positions, seqs, outputs=outputs)[:, : self.n_vocab]
