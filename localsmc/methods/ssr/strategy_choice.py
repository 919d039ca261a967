"""Which strategies of a pool a model finds best for a problem, by the probabilities of their codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from localsmc.errors import ConfigError, ContextFull
from localsmc.lm.interface import TokenIds, common_prefix
from localsmc.lm.kv_slots import KVSlots
from localsmc.methods.request import PromptBuilder, Request
from localsmc.methods.ssr.multiple_choice import multiple_choice
from localsmc.methods.ssr.strategy_pool import Pool, Strategy
from localsmc.numerics.log_math import Doubles, Floats


class ChosenStrategies(NamedTuple):
    """Strategies, the best first, and how many rows the model decoded to choose them."""

    strategies: list[Strategy]
    rows: int


def require_prompts(wording: PromptBuilder | None) -> PromptBuilder:
    """The wording of a request; ConfigError where it has none."""
    if wording is None:
        raise ConfigError("the method writes prompts of its own, and the request has no `wording`")
    return wording


def choose(pool: Pool, n: int, request: Request) -> ChosenStrategies:
    """The n best, or all of a smaller pool: code after code, the likeliest of those not chosen yet.

    Nothing is drawn. The model's memory is cleared.
    """
    n, left = min(n, len(pool.strategies)), list(pool.strategies)
    if len(left) == 1:
        return ChosenStrategies(left, 0)
    wording = require_prompts(request.prompts)
    reading = _CodeReader(pool, n, request, wording)
    reply = pool.choice_reply
    found: list[Strategy] = []
    while len(found) < n and len(left) > 1:
        request.check()
        best = int(reading.shares([wording.tokens(f"{reply} {one.code}") for one in left]).argmax())
        reply += f" {left[best].code},"
        found.append(left.pop(best))
    return ChosenStrategies([*found, *left][:n], reading.rows)


class _CodeReader:
    """The request to choose, read by the model, and replies to it as far as they are known."""

    def __init__(self, pool: Pool, n: int, request: Request, wording: PromptBuilder) -> None:
        head = wording.request(pool.choose(wording.problem, n))
        codes = ", ".join(one.code for one in pool.strategies)
        # No tokenizer makes more tokens of a text than it has bytes, and a blank before it.
        longest = 2 + len(f"{pool.choice_reply} {codes}".encode())
        room = min(request.model.n_length, request.model.n_cells)
        if len(head) + longest > room:
            raise ContextFull(
                f"to choose strategies takes {len(head) + longest} tokens, but the context holds {room}",
                hint="raise `--ctx-size`, or use `pool=none`",
            )
        self._sequences = KVSlots(request.model, longest)
        # The last token is read with each reply, so that there is always something to read.
        self._head, self._held = head[-1:], head[:0]
        self._slot, _ = self._sequences.prefill(head[:-1], request.check)

    def shares(self, replies: Sequence[TokenIds]) -> Doubles:
        """The probability of each reply (K,) among them, read up to where it is none of the others."""
        asked = multiple_choice(replies)
        shares = asked.shares(self._behind(asked.tokens))
        for token in np.unique(asked.replies):
            same = np.flatnonzero(asked.replies == token).tolist()
            if len(same) > 1:
                shares[same] *= self.shares([replies[i] for i in same])
        return shares

    def _behind(self, reply: TokenIds) -> Floats:
        """The logits (V,) behind some reply's tokens."""
        text = np.concatenate((self._head, reply))
        n = min(len(common_prefix([self._held, text])), len(text) - 1)
        self._sequences.truncate(self._slot, n)
        logits = self._sequences.decode_blocks(
            np.array([self._slot]), [text[n:].astype(np.int64)], last_only=True
        )
        self._held = text
        found: Floats = logits[0]
        return found

    @property
    def rows(self) -> int:
        """Decoded so far."""
        return self._sequences.prompt_rows + self._sequences.rows
