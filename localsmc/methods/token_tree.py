"""The tree of all tokens drawn in a run: each node is a token and its parent node.

A history is a node. Forking a history costs nothing here; its tokens are read by walking up to the root. A
node may store its history's log-probability under the model and under the proposal, for later moves.
"""

from __future__ import annotations

import numpy as np

from localsmc.lm.interface import TokenIds
from localsmc.numerics.log_math import Doubles, Ints

ROOT = 0


class TokenTree:
    """A tree of tokens; node 0 (ROOT) is the end of the prompt."""

    def __init__(self) -> None:
        self._parent = np.zeros(1024, dtype=np.int64)
        self._token = np.zeros(1024, dtype=np.int32)
        self._logs = np.zeros((1024, 2))
        self._size = 1

    def __len__(self) -> int:
        """The number of nodes, including the root."""
        return self._size

    def append(self, parents: Ints, tokens: Ints, logs: Doubles | None = None) -> Ints:
        """Add a node for each parent node and token (K,); returns the nodes (K,).

        `logs` (K, 2) are the tokens' log-probabilities; `logs()` returns their sums over a history.
        """
        nodes = np.arange(self._size, self._size + len(parents))
        while self._size + len(parents) > len(self._parent):
            self._parent = np.concatenate((self._parent, np.zeros_like(self._parent)))
            self._token = np.concatenate((self._token, np.zeros_like(self._token)))
            self._logs = np.concatenate((self._logs, np.zeros_like(self._logs)))
        self._parent[nodes] = parents
        self._token[nodes] = tokens
        self._logs[nodes] = np.nan if logs is None else self._logs[parents] + logs
        self._size += len(parents)
        return nodes

    def parents(self, nodes: Ints) -> Ints:
        """The parent node of each node."""
        return self._parent[nodes]

    def last_tokens(self, nodes: Ints) -> Ints:
        """The token of each node."""
        return self._token[nodes].astype(np.int64)

    def endings(self, nodes: Ints, n_tokens: int) -> Ints:
        """(K, n_tokens) the last tokens of each node's history, in order."""
        tokens = np.empty((len(nodes), n_tokens), dtype=np.int64)
        for column in reversed(range(n_tokens)):
            tokens[:, column] = self._token[nodes]
            nodes = self._parent[nodes]
        return tokens

    def logs(self, nodes: Ints) -> Doubles:
        """(K, 2) log-probability of each node's history, under the model and under its proposal.

        NaN if it is not known.
        """
        return self._logs[nodes]

    def path(self, node: int) -> Ints:
        """The nodes from the first token to a node, in order."""
        path = []
        while node != ROOT:
            path.append(node)
            node = int(self._parent[node])
        return np.array(path[::-1], dtype=np.int64)

    def tokens(self, node: int) -> TokenIds:
        """The tokens from the end of the prompt to a node, in order."""
        return self._token[self.path(node)]
