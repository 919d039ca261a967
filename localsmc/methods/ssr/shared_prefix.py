"""Prompts with a common prefix: the prefix is decoded once, and each completion decodes its suffix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from localsmc.errors import ConfigError, ContextFull, PromptTooLong
from localsmc.lm.interface import LanguageModel, TokenIds, common_prefix


class SharedPrefixPrompts(NamedTuple):
    """The prompts of all tracks for one model: their common prefix, and the suffix of each."""

    prefix: TokenIds
    suffixes: list[list[int]]

    @classmethod
    def of(cls, prompts: Sequence[TokenIds]) -> SharedPrefixPrompts:
        """Build from whole prompts; raises ConfigError if they have no common prefix."""
        prefix = common_prefix(prompts)
        if not len(prefix):
            raise ConfigError(
                "the prompts of the tracks have no common prefix",
                hint="begin the pool's `task` with `{problem}`, or use `pool=none`",
            )
        return cls(prefix, [prompt[len(prefix) :].tolist() for prompt in prompts])

    @property
    def longest(self) -> int:
        """The number of tokens of the longest suffix."""
        return max(map(len, self.suffixes))

    def require_fit(self, model: LanguageModel, who: str, n_each: int, n_slots: int) -> None:
        """Raise ContextError unless each track fits with n_each tokens after its prompt and n_slots slots."""
        n, room = len(self.suffixes), min(model.n_length, model.n_cells)
        n_longest = len(self.prefix) + self.longest + n_each
        if n_longest > room:
            raise PromptTooLong(
                f"a track of the {who} needs {n_longest} tokens, but the context holds {room}",
                hint="raise `--ctx-size`, lower `--predict`, or shorten the problem",
            )
        n_cells = len(self.prefix) + sum(map(len, self.suffixes)) + n * n_each
        if n_cells > model.n_cells:
            raise ContextFull(
                f"the tracks of the {who} need {n_cells} KV cells, but there are {model.n_cells}",
                hint="raise `--ctx-size`, or lower `--predict` or `--particles`",
            )
        if n * n_slots + 1 > model.n_seq_max:
            raise ContextFull(
                f"the tracks of the {who} need {n * n_slots + 1} sequences, but there are {model.n_seq_max}",
                hint="raise `--batch-size`, or lower `--particles`",
            )
