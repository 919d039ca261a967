"""Choose the strategies of a pool for a problem, by a model's probabilities of their codes."""

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
    """Strategies, best first, and the number of tokens that the model decoded to choose them."""

    strategies: list[Strategy]
    rows: int


def require_prompts(prompts: PromptBuilder | None) -> PromptBuilder:
    """The prompt builder of a request; raises ConfigError if it has none."""
    if prompts is None:
        raise ConfigError("the method writes prompts itself, and the request has no `prompts`")
    return prompts


def choose(pool: Pool, n: int, request: Request) -> ChosenStrategies:
    """The n best strategies, or all of a smaller pool: one code after another, the most probable one left.

    Deterministic. Clears the model's KV cache.
    """
    n, left = min(n, len(pool.strategies)), list(pool.strategies)
    if len(left) == 1:
        return ChosenStrategies(left, 0)
    prompts = require_prompts(request.prompts)
    reading = _CodeReader(pool, n, request, prompts)
    reply = pool.choice_reply
    found: list[Strategy] = []
    while len(found) < n and len(left) > 1:
        request.check()
        best = int(reading.shares([prompts.tokens(f"{reply} {one.code}") for one in left]).argmax())
        reply += f" {left[best].code},"
        found.append(left.pop(best))
    return ChosenStrategies([*found, *left][:n], reading.rows)


class _CodeReader:
    """The request to choose, decoded by the model, and the probabilities of replies to it."""

    def __init__(self, pool: Pool, n: int, request: Request, prompts: PromptBuilder) -> None:
        head = prompts.request(pool.choose(prompts.problem, n))
        codes = ", ".join(one.code for one in pool.strategies)
        # A text has at most as many tokens as bytes, and there may be a blank before it.
        longest = 2 + len(f"{pool.choice_reply} {codes}".encode())
        room = min(request.model.n_length, request.model.n_cells)
        if len(head) + longest > room:
            raise ContextFull(
                f"choosing strategies needs {len(head) + longest} tokens, but the context holds {room}",
                hint="raise `--ctx-size`, or use `pool=none`",
            )
        self._sequences = KVSlots(request.model, longest)
        # The last token is decoded with each reply, so that there is always a token to decode.
        self._head, self._held = head[-1:], head[:0]
        self._slot, _ = self._sequences.prefill(head[:-1], request.check)

    def shares(self, replies: Sequence[TokenIds]) -> Doubles:
        """(K,) the probability of each reply among all, from their tokens up to where they differ."""
        choice = multiple_choice(replies)
        shares = choice.shares(self._logits_after(choice.tokens))
        for token in np.unique(choice.replies):
            same = np.flatnonzero(choice.replies == token).tolist()
            if len(same) > 1:
                shares[same] *= self.shares([replies[i] for i in same])
        return shares

    def _logits_after(self, reply: TokenIds) -> Floats:
        """The logits (V,) after the tokens of a reply."""
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
        """The number of tokens decoded so far."""
        return self._sequences.prompt_rows + self._sequences.rows
