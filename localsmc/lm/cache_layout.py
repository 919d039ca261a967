"""How the cache of a model holds several sequences: what llama.cpp gets right differs by architecture."""

from __future__ import annotations

from enum import StrEnum


class CacheLayout(StrEnum):
    """The layouts from the best to the last resort; a trial load finds the first one that works.

    `UNIFIED`: all sequences share cells, so that a fork costs nothing. `STREAMS`: each sequence has cells of
    its own, and a fork copies them. `_APART`: llama.cpp is given one sequence at a time. `SINGLE`: there is
    only one sequence.
    """

    UNIFIED = "unified"
    UNIFIED_APART = "unified, one sequence per batch"
    STREAMS = "streams"
    STREAMS_APART = "streams, one sequence per batch"
    SINGLE = "one sequence"

    @property
    def is_unified(self) -> bool:
        """Whether sequences share cells."""
        return self not in (CacheLayout.STREAMS, CacheLayout.STREAMS_APART)

    @property
    def mixes_sequences(self) -> bool:
        """Whether llama.cpp decodes tokens of several sequences together."""
        return self not in (CacheLayout.UNIFIED_APART, CacheLayout.STREAMS_APART)
