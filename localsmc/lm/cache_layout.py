"""How the cache of a model holds several sequences: what llama.cpp gets right differs by architecture."""

from __future__ import annotations

from enum import StrEnum


class CacheLayout(StrEnum):
    """The layouts from the best to the last resort; a trial load finds the first one that works.

    `UNIFIED`: all sequences share cells, so that a fork costs nothing. `STREAMS`: each sequence has cells of
    its own, and a fork copies them. `_APART`: a batch never has several tokens of several sequences.
    `SINGLE`: one sequence only.
    """

    UNIFIED = "unified"
    UNIFIED_APART = "unified, blocks apart"
    STREAMS = "streams"
    STREAMS_APART = "streams, blocks apart"
    SINGLE = "one sequence"

    @property
    def is_unified(self) -> bool:
        """Whether sequences share cells."""
        return self not in (CacheLayout.STREAMS, CacheLayout.STREAMS_APART)

    @property
    def mixes_blocks(self) -> bool:
        """Whether a batch may have several tokens of each of several sequences."""
        return self not in (CacheLayout.UNIFIED_APART, CacheLayout.STREAMS_APART)
