"""Which sequences are decoded together, and which of their tokens once for several: pure arithmetic.

Sequences are sorted, so that those with the longest common prefix are neighbours. A round is a run of
neighbours whose distinct tokens fit in the cache at once. What the next round begins with stays in the cache:
it is the round's trunk. So a prefix is decoded once, however many sequences share it.

The last token of a sequence is never decoded: it is only predicted. Row q of a sequence is what the model
predicts after its token q, so token q + 1 is scored by row q.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from localsmc.lm.interface import TokenIds, common_prefix

BLOCK = 1024
"""Sequences that are sorted together: results come in about the order of the input."""


class ScoredTokens(NamedTuple):
    """A sequence whose tokens from position `first` on, at least 1, are scored given those before."""

    tokens: TokenIds
    first: int

    @property
    def n_decoded(self) -> int:
        """Tokens that are decoded: all but the last."""
        return len(self.tokens) - 1

    @property
    def n_scored(self) -> int:
        """Tokens that are scored."""
        return len(self.tokens) - self.first


@dataclass(slots=True)
class Branch:
    """Tokens `start` … `end` − 1 of a sequence, decoded after those of its parent; None: after the trunk."""

    tokens: TokenIds
    start: int
    end: int
    parent: Branch | None
    forks: dict[int, list[Branch]] = field(default_factory=dict)
    """Branches that begin at a position, where this one must be copied."""
    wanted: list[Rows] = field(default_factory=list)


class Rows(NamedTuple):
    """Rows `low` … `high` − 1 of a sequence, whose predictions are wanted."""

    sequence: int
    low: int
    high: int


class Round(NamedTuple):
    """Sequences that are decoded together, by index; `n_trunk` tokens are in the cache already."""

    members: tuple[int, ...]
    n_trunk: int


def schedule(sequences: Sequence[ScoredTokens]) -> list[int]:
    """The order in which sequences are scored: sorted by tokens within each block of the input."""
    order: list[int] = []
    for start in range(0, len(sequences), BLOCK):
        block = range(start, min(start + BLOCK, len(sequences)))
        # Big-endian bytes are in the order of the tokens.
        order += sorted(block, key=lambda i: sequences[i].tokens[:-1].astype(">i4").tobytes())
    return order


def n_common(one: ScoredTokens, other: ScoredTokens) -> int:
    """The number of decoded tokens that two sequences begin with."""
    return len(common_prefix([one.tokens[:-1], other.tokens[:-1]]))


def rounds(sequences: Sequence[ScoredTokens], *, n_cells: int, n_seqs: int) -> Iterator[Round]:
    """Divide sequences into rounds, each of at most `n_seqs` sequences and `n_cells` distinct tokens.

    Each sequence must fit alone.
    """
    order = schedule(sequences)
    shared = [0, *(n_common(sequences[i], sequences[j]) for i, j in zip(order, order[1:], strict=False)), 0]
    begin = 0
    while begin < len(order):
        end = _end(sequences, order, shared, begin, n_cells, n_seqs)
        members = tuple(order[begin:end])
        # All members begin with the trunk, and none wants a prediction within it.
        n_trunk = min(shared[begin:end] + [sequences[i].first - 1 for i in members])
        yield Round(members, n_trunk)
        begin = end


def _end(
    sequences: Sequence[ScoredTokens],
    order: Sequence[int],
    shared: Sequence[int],
    begin: int,
    n_cells: int,
    n_seqs: int,
) -> int:
    """The end of the round that begins here: as late as it fits, but where the next sequence shares least."""
    end, n_tokens = begin + 1, sequences[order[begin]].n_decoded
    while end < len(order) and end - begin < n_seqs:
        n_tokens += sequences[order[end]].n_decoded - shared[end]
        if n_tokens > n_cells:
            break
        end += 1
    if end == len(order):
        return end
    least = begin + (end - begin) // 2 + 1
    return max(range(least, end + 1), key=lambda i: (-shared[i], i), default=end)


def branches(sequences: Sequence[ScoredTokens], round_: Round) -> tuple[list[Branch], list[Branch]]:
    """The branches that begin at a round's trunk, and the path of its last sequence, from the trunk on."""
    roots: list[Branch] = []
    path: list[Branch] = []
    before: ScoredTokens | None = None
    for i in round_.members:
        sequence = sequences[i]
        start = round_.n_trunk if before is None else n_common(before, sequence)
        while path and path[-1].start >= start:
            path.pop()
        if sequence.n_decoded > start:
            branch = Branch(sequence.tokens, start, sequence.n_decoded, path[-1] if path else None)
            (path[-1].forks.setdefault(start, []) if path else roots).append(branch)
            path.append(branch)
        _want(path, i, sequence)
        before = sequence
    return roots, path


def _want(path: Sequence[Branch], i: int, sequence: ScoredTokens) -> None:
    """Ask each branch on a sequence's path for the rows that score it."""
    ends = [branch.start for branch in path[1:]] + [sequence.n_decoded]
    for branch, end in zip(path, ends, strict=True):
        low = max(branch.start, sequence.first - 1)
        if low < end:
            branch.wanted.append(Rows(i, low, end))


def is_wanted(branch: Branch) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """(end − start,) True for the rows of a branch that anybody wants."""
    found = np.zeros(branch.end - branch.start, dtype=np.bool_)
    for rows in branch.wanted:
        found[rows.low - branch.start : rows.high - branch.start] = True
    return found
