"""Requests with a few possible replies: the tokens before the replies differ, and the next token of each.

They are found by comparing whole token sequences, since a tokenizer may merge a blank with one letter and not
with another.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from localsmc.errors import ConfigError
from localsmc.lm.interface import TokenIds, common_prefix
from localsmc.numerics.log_math import Doubles, Floats, Ints


class MultipleChoice(NamedTuple):
    """The tokens up to where the replies differ, and the next token (K,) of each reply."""

    tokens: TokenIds
    replies: Ints

    def shares(self, logits: Floats) -> Doubles:
        """(K,) the probability of each reply's next token among those of all, from the logits (V,)."""
        tokens, of_reply = np.unique(self.replies, return_inverse=True)
        chosen = logits[tokens].astype(np.float64)
        mass: Doubles = np.exp(chosen - chosen.max())
        mass /= mass.sum()
        found: Doubles = mass[of_reply]
        return found

    @property
    def are_apart(self) -> bool:
        """Whether all replies have different next tokens."""
        return len(np.unique(self.replies)) == len(self.replies)


def multiple_choice(texts: Sequence[TokenIds]) -> MultipleChoice:
    """Build one from the token sequences with each reply; ConfigError if one is a prefix of another."""
    tokens = common_prefix(texts)
    if len(texts) > 1 and len(tokens) == min(map(len, texts)):
        raise ConfigError(
            "one of the replies that a model may choose from is a prefix of another",
            hint="use codes of one letter for the pool's strategies",
        )
    n = min(len(tokens), len(texts[0]) - 1)
    return MultipleChoice(texts[0][:n], np.array([text[n] for text in texts], dtype=np.int64))
