"""Prefix cache: a model keeps the last prompt, and decodes the next one from the first different token on.

One sequence, the keeper, is reserved for the cache. It holds the last prompt in cells that the current run
shares, so it takes no extra room. If the next prompt differs, the keeper first drops the tokens after the
common prefix. A recurrent model keeps the whole prompt or nothing.
"""

from __future__ import annotations

import numpy as np

from localsmc.lm.interface import LanguageModel, LMWrapper, TokenIds, common_prefix


class PrefixCache(LMWrapper):
    """A model whose last sequence id is reserved: it holds the prompt that was decoded last."""

    def __init__(self, model: LanguageModel) -> None:
        super().__init__(model)
        self.n_seq_max = self._keeper = model.n_seq_max - 1
        self._prompt: TokenIds = np.zeros(0, dtype=np.int32)

    def clear(self) -> None:
        """Remove all tokens of all sequences but the keeper."""
        for seq in range(self.n_seq_max):
            self._model.remove(seq)

    def match_prefix(self, seq: int, prompt: TokenIds) -> int:
        """See `LanguageModel.match_prefix`."""
        # The last token is always decoded, since its logits are needed.
        n = len(common_prefix([self._prompt, prompt[:-1]]))
        if n < len(self._prompt):
            n = n if self._model.can_forget else 0
            self._forget(n)
        if n:
            self._model.copy(self._keeper, seq)
        return n

    def store_prefix(self, seq: int, prompt: TokenIds) -> None:
        """See `LanguageModel.store_prefix`."""
        self._forget(0)
        self._model.copy(seq, self._keeper)
        self._prompt = prompt

    def _forget(self, n: int) -> None:
        """Drop all but the first n tokens; if this raises, the cache counts as empty."""
        rest, self._prompt = self._prompt[:n], self._prompt[:0]
        self._model.remove(self._keeper, n)
        self._prompt = rest
