"""Prompts that begin alike: their beginning is decoded once, and each text reads the rest of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from localsmc.errors import ConfigError, ContextFull, PromptTooLong
from localsmc.lm.interface import LanguageModel, TokenIds, common_prefix


class SharedPrefixPrompts(NamedTuple):
    """The prompts of all tracks in one model: how all begin, and how each goes on."""

    prefix: TokenIds
    suffixes: list[list[int]]

    @classmethod
    def of(cls, prompts: Sequence[TokenIds]) -> SharedPrefixPrompts:
        """From whole prompts; ConfigError where they have no beginning in common."""
        prefix = common_prefix(prompts)
        if not len(prefix):
            raise ConfigError(
                "the prompts of the tracks have no beginning in common",
                hint="let the pool's `task` begin with `{problem}`, or use `pool=none`",
            )
        return cls(prefix, [prompt[len(prefix) :].tolist() for prompt in prompts])

    @property
    def longest(self) -> int:
        """Tokens of the longest rest."""
        return max(map(len, self.suffixes))

    def require_fit(self, model: LanguageModel, who: str, n_each: int, n_slots: int) -> None:
        """Raise ContextError unless each track may have so many tokens and slots beside its prompt."""
        n, room = len(self.suffixes), min(model.n_length, model.n_cells)
        n_longest = len(self.prefix) + self.longest + n_each
        if n_longest > room:
            raise PromptTooLong(
                f"a track of the {who} takes {n_longest} tokens, but the context holds {room}",
                hint="raise `--ctx-size`, lower `--predict`, or shorten the problem",
            )
        n_cells = len(self.prefix) + sum(map(len, self.suffixes)) + n * n_each
        if n_cells > model.n_cells:
            raise ContextFull(
                f"the tracks of the {who} take {n_cells} cells, but there are {model.n_cells}",
                hint="raise `--ctx-size`, or lower `--predict` or `--particles`",
            )
        if n * n_slots + 1 > model.n_seq_max:
            raise ContextFull(
                f"the tracks of the {who} take {n * n_slots + 1} sequences, but there are {model.n_seq_max}",
                hint="raise `--batch-size`, or lower `--particles`",
            )
