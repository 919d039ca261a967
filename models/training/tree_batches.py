"""Convert trees to rows of tokens with positions and attention masks.

A row is the concatenation of a tree's segments. A token has the position that it has in its own text,
and attends only to the tokens before it in that text, so one row replaces all texts of the tree.
Uses only NumPy; the trainer converts the arrays to tensors.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from localsmc_models.corpus.trees import Tree

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TreeRow:
    """A tree of T tokens: ids, positions, index of the previous token, loss weights (all (T,)).

    `mask` (T, T) is true where the token of the row attends to the token of the column.
    """

    ids: Ints
    positions: Ints
    before: Ints
    weights: NDArray[np.float32]
    mask: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class TreeBatch:
    """Rows padded to one width, as arrays or as tensors.

    Token ids and positions (B, T) and the attention mask (B, T, T). For the M tokens that count in the
    loss: the index of the previous token in the flattened batch (M,), the id (M,) and the weight (M,).
    """

    tokens: Any
    positions: Any
    mask: Any
    before: Any
    targets: Any
    weights: Any


def row(tree: Tree, parts: Sequence[Sequence[int]]) -> TreeRow:
    """Convert a tree to a row, given the token ids of each segment."""
    lengths = [len(part) for part in parts]
    ends = np.cumsum(lengths)
    before = np.arange(-1, ends[-1] - 1)
    positions = np.arange(ends[-1])
    sees = np.eye(len(parts), dtype=bool)
    for i, segment in enumerate(tree.segments[1:], start=1):
        begin, last = ends[i - 1], ends[segment.parent] - 1
        before[begin] = last
        positions[begin : ends[i]] = positions[last] + 1 + np.arange(lengths[i])
        sees[i] |= sees[segment.parent]
    segments = np.repeat(np.arange(len(parts)), lengths)
    weights = np.repeat([segment.weight for segment in tree.segments], lengths)
    mask = np.tril(sees[segments][:, segments])
    return TreeRow(np.concatenate(parts), positions, before, weights.astype(np.float32), mask)


def groups(pool: Iterable[TreeRow], budget: int) -> Iterator[list[TreeRow]]:
    """Group rows of similar length, each group with at most `budget` tokens, padding included."""
    group: list[TreeRow] = []
    for row in sorted(pool, key=lambda row: len(row.ids)):
        if group and (len(group) + 1) * len(row.ids) > budget:
            yield group
            group = []
        group.append(row)
    if group:
        yield group


def padded(group: Sequence[TreeRow], padding: int) -> TreeBatch:
    """Combine rows into one padded batch of arrays."""
    width = max(len(row.ids) for row in group)
    tokens = np.full((len(group), width), padding)
    positions = np.zeros_like(tokens)
    # Padding attends to the first token, because attention over no tokens is undefined.
    mask = np.zeros((len(group), width, width), dtype=bool)
    mask[:, :, 0] = True
    for i, row in enumerate(group):
        n = len(row.ids)
        tokens[i, :n], positions[i, :n], mask[i, :n, :n] = row.ids, row.positions, row.mask
    learned = [row.weights > 0 for row in group]
    chosen = list(zip(group, learned, strict=True))
    before = np.concatenate([i * width + row.before[some] for i, (row, some) in enumerate(chosen)])
    targets = np.concatenate([row.ids[some] for row, some in chosen])
    weights = np.concatenate([row.weights[some] for row, some in chosen])
    return TreeBatch(tokens, positions, mask, before, targets, weights)
