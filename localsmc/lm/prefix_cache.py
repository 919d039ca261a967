"""A model that remembers the last prompt: the next one that begins alike is decoded from where they part.

One sequence, the keeper, is kept out of everybody's reach. It holds what the last prompt was, in cells
that the run at work shares, so that it takes no room beside that run; when a prompt comes that goes
another way, what differs is forgotten first. A recurrent model remembers a whole prompt or nothing.
"""

from __future__ import annotations

import numpy as np

from localsmc.lm.interface import LanguageModel, LMWrapper, TokenIds, common_prefix


class PrefixCache(LMWrapper):
    """A model but for one sequence id, its last, which holds the prompt that was decoded last."""

    def __init__(self, model: LanguageModel) -> None:
        super().__init__(model)
        self.n_seq_max = self._keeper = model.n_seq_max - 1
        self._prompt: TokenIds = np.zeros(0, dtype=np.int32)

    def clear(self) -> None:
        """Forget every sequence but the keeper."""
        for seq in range(self.n_seq_max):
            self._model.remove(seq)

    def match_prefix(self, seq: int, prompt: TokenIds) -> int:
        """See `LanguageModel.match_prefix`."""
        # Logits come from decoding: the last token is decoded in any case.
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
        """All but the first tokens; where this breaks off nothing is known of what the keeper holds."""
        rest, self._prompt = self._prompt[:n], self._prompt[:0]
        self._model.remove(self._keeper, n)
        self._prompt = rest
