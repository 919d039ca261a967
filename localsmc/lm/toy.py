"""A finite language model with known probabilities, for tests of localsmc and of your own methods.

`ToyModel` implements the `LanguageModel` interface exactly, in float64. It is as strict as llama.cpp about
sequences, positions and cells. Its next-token distribution depends on the whole history, so a wrong KV
cell changes the result.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from localsmc.errors import ContextFull, SequenceError
from localsmc.lm.interface import TokenIds
from localsmc.numerics.log_math import Doubles, Floats, Ints


class ToyModel:
    """Random logits for every history over a tiny vocabulary; token 0 is the end token by default.

    `laws` sets the next-token probabilities of some histories (prompt included).
    """

    def __init__(
        self,
        n_vocab: int = 3,
        *,
        seed: int = 0,
        scale: float = 1.0,
        eog: Sequence[int] = (0,),
        n_cells: int = 1024,
        n_seq_max: int = 64,
        n_batch: int = 64,
        can_forget: bool = True,
        laws: Mapping[tuple[int, ...], Sequence[float]] | None = None,
    ) -> None:
        self.n_vocab, self.n_cells, self.n_seq_max, self.n_batch = n_vocab, n_cells, n_seq_max, n_batch
        self.n_length = n_cells
        self.n_threads = 1
        self.can_forget = can_forget
        self.dtype: np.dtype[Any] = np.dtype(np.float64)
        self.is_eog: NDArray[np.bool_] = np.isin(np.arange(n_vocab), eog)
        self.pieces = [b"" if end else bytes([97 + i]) for i, end in enumerate(self.is_eog)]
        self.decode_seconds = 0.0
        self._seed, self._scale = seed, scale
        with np.errstate(divide="ignore"):
            self._table: dict[tuple[int, ...], Doubles] = {
                history: np.log(np.array(law, float)) for history, law in (laws or {}).items()
            }
        # A cell is (position, token, sequences that hold it), as in llama.cpp's unified KV cache.
        self._cells: list[tuple[int, int, set[int]]] = []

    def logits(self, history: Sequence[int]) -> Doubles:
        """(V,) logits after a whole history, prompt included; they may contain −inf."""
        key = tuple(int(token) for token in history)
        if key not in self._table:
            rng = np.random.default_rng([self._seed, len(key), *key])
            self._table[key] = self._scale * rng.normal(size=self.n_vocab)
        found: Doubles = self._table[key]
        return found

    def logp(self, history: Sequence[int]) -> Doubles:
        """(V,) log-probabilities after a whole history."""
        logits = self.logits(history)
        top = logits.max()
        return np.asarray(logits - top - np.log(np.exp(logits - top).sum()))

    def texts(self, prompt: Sequence[int], n_tokens: int) -> Iterator[tuple[tuple[int, ...], float]]:
        """Every completion of at most n_tokens tokens, with its log-probability.

        A completion ends with an end token or has exactly n_tokens tokens.
        """
        pending: list[tuple[tuple[int, ...], float]] = [((), 0.0)]
        while pending:
            text, logp = pending.pop()
            if len(text) == n_tokens or (text and self.is_eog[text[-1]]):
                yield text, logp
                continue
            step = self.logp([*prompt, *text])
            pending += [((*text, v), logp + float(step[v])) for v in range(self.n_vocab)]

    def history(self, seq: int) -> list[int]:
        """The tokens of a sequence by position; raises SequenceError if one is missing or doubled."""
        held = sorted((position, token) for position, token, seqs in self._cells if seq in seqs)
        positions = [position for position, _ in held]
        if positions != list(range(len(held))):
            raise SequenceError(f"sequence {seq} holds the positions {positions}")
        return [token for _, token in held]

    def decode(self, tokens: Ints, positions: Ints, seqs: Ints, *, outputs: Ints | None = None) -> Floats:
        """See `LanguageModel.decode`."""
        if not 1 <= len(tokens) <= self.n_batch:
            raise SequenceError(f"the batch has {len(tokens)} tokens, but must have 1 to {self.n_batch}")
        if len(self._cells) + len(tokens) > self.n_cells:
            raise ContextFull(f"the KV cache has no room for {len(tokens)} more tokens")
        before = len(self._cells)
        rows = []
        try:
            for row in zip(tokens.tolist(), positions.tolist(), seqs.tolist(), strict=True):
                rows.append(self._append(*row))
        except SequenceError:
            del self._cells[before:]
            raise
        return np.stack(rows if outputs is None else [rows[i] for i in outputs.tolist()])

    def _append(self, token: int, position: int, seq: int) -> Doubles:
        if not 0 <= token < self.n_vocab or not 0 <= seq < self.n_seq_max:
            raise SequenceError(f"token {token} or sequence {seq} is out of range")
        history = self.history(seq)
        if position != len(history):
            raise SequenceError(f"the next position of sequence {seq} is {len(history)}, not {position}")
        self._cells.append((position, token, {seq}))
        return self.logits([*history, token])

    def copy(self, source: int, target: int) -> None:
        """See `LanguageModel.copy`."""
        if self.history(target):
            raise SequenceError(f"sequence {target} is in use: a copy onto it would mix two histories")
        for _, _, seqs in self._cells:
            if source in seqs:
                seqs.add(target)

    def remove(self, seq: int, start: int = 0) -> None:
        """See `LanguageModel.remove`."""
        if 0 < start < len(self.history(seq)) and not self.can_forget:
            raise SequenceError(f"the model cannot forget sequence {seq} from position {start} on")
        for position, _, seqs in self._cells:
            if position >= start:
                seqs.discard(seq)
        self._cells = [cell for cell in self._cells if cell[2]]

    def clear(self) -> None:
        """See `LanguageModel.clear`."""
        self._cells.clear()

    def match_prefix(self, seq: int, prompt: TokenIds) -> int:
        """See `LanguageModel.match_prefix`: nothing is cached."""
        return 0

    def n_shared(self, prompt: TokenIds) -> int:
        """See `LanguageModel.n_shared`: nothing is shared."""
        return 0

    def store_prefix(self, seq: int, prompt: TokenIds) -> None:
        """See `LanguageModel.store_prefix`: nothing is cached."""

    @property
    def n_used(self) -> int:
        """Cells in use."""
        return len(self._cells)
