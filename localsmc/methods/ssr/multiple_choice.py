"""Questions that have a few possible replies: what is read before they part, and the token of each.

Found by comparing whole texts, since a tokenizer may join a blank and one letter, and not another.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from localsmc.errors import ConfigError
from localsmc.lm.interface import TokenIds, common_prefix
from localsmc.numerics.log_math import Doubles, Floats, Ints


class MultipleChoice(NamedTuple):
    """Tokens up to where the replies part, and the token (K,) that each goes on with."""

    tokens: TokenIds
    replies: Ints

    def shares(self, logits: Floats) -> Doubles:
        """(K,) the probability that each goes on so, among them, from the logits (V,) behind the tokens."""
        tokens, of_reply = np.unique(self.replies, return_inverse=True)
        chosen = logits[tokens].astype(np.float64)
        mass: Doubles = np.exp(chosen - chosen.max())
        mass /= mass.sum()
        found: Doubles = mass[of_reply]
        return found

    @property
    def are_apart(self) -> bool:
        """Whether no two replies go on with the same token."""
        return len(np.unique(self.replies)) == len(self.replies)


def multiple_choice(texts: Sequence[TokenIds]) -> MultipleChoice:
    """From the whole text with each of the replies; ConfigError where one text begins another."""
    tokens = common_prefix(texts)
    if len(texts) > 1 and len(tokens) == min(map(len, texts)):
        raise ConfigError(
            "one of the replies that a model may choose from begins another",
            hint="give the pool's strategies codes of one letter",
        )
    n = min(len(tokens), len(texts[0]) - 1)
    return MultipleChoice(texts[0][:n], np.array([text[n] for text in texts], dtype=np.int64))
