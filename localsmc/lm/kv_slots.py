"""The KV slots of one model: which tokens each holds, which are shared, and what still fits.

There is one slot (a llama.cpp sequence) per distinct live history. A fork copies metadata only; tokens
generated before it stay shared. Methods and particles use only slots allocated here, never other
sequence ids. Independent of weights and of text.

A slot can be set aside instead of released: it keeps its tokens until its cells or its sequence are needed,
the oldest first. Slots set aside do not count as used: what fits is the same with and without them. But later
tokens lie in other cells, and llama.cpp's rounding depends on that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from localsmc.errors import ContextFull, SequenceError
from localsmc.lm.constrained import ConstrainedLM, TokenConstraint, no_token_allowed
from localsmc.lm.interface import LanguageModel, TokenIds
from localsmc.lm.shared_beginning import decode_prompt
from localsmc.numerics.log_math import Floats, Ints
from localsmc.numerics.tempered_logits import TemperedLogits


class SlotCounts(NamedTuple):
    """What the decodes of slots have cost so far."""

    forks: int = 0
    rows: int = 0
    decode_calls: int = 0
    peak_rows: int = 0
    peak_cells: int = 0


class KVSlots:
    """Slots over one prompt, each with up to n_tokens generated tokens.

    With a grammar the rows of logits are those of `ConstrainedLM`; `tempered` reads them.
    """

    def __init__(self, model: LanguageModel, n_tokens: int, grammar: TokenConstraint | None = None) -> None:
        self.model, self._grammar = model, grammar
        self.n_slots = model.n_seq_max
        self.n_pinned = 0
        """Number of slots that stay as they are because they are forked later."""
        self.forks = self.rows = self.decode_calls = self.peak_rows = self.peak_cells = 0
        self.n_each = n_tokens
        """The most tokens that a slot can hold after the prompt."""
        self.n_longest = 0
        """The most tokens that a slot has held after the prompt, where they were decoded one by one."""
        self._n_prompt = self.prompt_rows = self.n_cached = 0
        self._free = list(range(self.n_slots - 1, -1, -1))
        self._is_held = np.zeros(self.n_slots, dtype=np.bool_)
        self._length = np.zeros(self.n_slots, dtype=np.int64)
        # The cell of each slot's i-th generated token, and how many slots hold each cell: the same records
        # that llama.cpp keeps, so that it is known what fits before a decode fails.
        self._cell = np.zeros((self.n_slots, n_tokens), dtype=np.int32)
        self._holders = np.zeros(model.n_cells, dtype=np.int32)
        self._aside_holders = np.zeros(model.n_cells, dtype=np.int32)
        self._unused = np.arange(model.n_cells, dtype=np.int32)
        self._n_taken = self._n_aside = 0
        """Cells that any slot holds, and those of them that only slots set aside hold."""
        self._aside: dict[bytes, int] = {}
        """From a history's tokens, as bytes, to the slot that was set aside with it; the oldest first."""
        model.clear()

    def prefill(self, tokens: TokenIds, check: Callable[[], None] = lambda: None) -> tuple[int, Floats]:
        """Decode the part of the prompt that is not in the prefix cache, in chunks; a shared beginning first.

        Returns its slot and the logits (1, V) after its last token. `check` is called between chunks; it
        may raise to stop early.
        """
        if self._grammar is not None:
            self.model = cast(LanguageModel, ConstrainedLM(self.model, self._grammar, len(tokens)))
        slot = self._take_slot()
        self.n_cached = self.model.match_prefix(slot, tokens)
        n_shared = self.model.n_shared(tokens)
        decode_prompt(self.model, slot, tokens[:n_shared], self.n_cached, check)
        logits = decode_prompt(self.model, slot, tokens, max(n_shared, self.n_cached), check)
        assert logits is not None  # noqa: S101 - neither the cache nor a shared beginning has the last token
        self.model.store_prefix(slot, tokens)
        self._n_prompt, self.prompt_rows = len(tokens), len(tokens) - self.n_cached
        self._length[slot] = 0
        self.peak_cells = self.cells_used
        return slot, logits

    def tempered(self, logits: Floats, alpha: float) -> TemperedLogits:
        """Rows of logits that this object returned, at an exponent."""
        return TemperedLogits(logits, alpha, self.model.n_threads, has_rest=self._grammar is not None)

    def token_columns(self, logits: Floats) -> Floats:
        """The columns (R, V) of rows of logits that belong to tokens."""
        return logits[:, : self.model.n_vocab]

    def no_token_allowed(self, logits: Floats) -> NDArray[np.bool_]:
        """(R,) True where a grammar allows no next token."""
        return np.zeros(len(logits), dtype=np.bool_) if self._grammar is None else no_token_allowed(logits)

    @property
    def counts(self) -> SlotCounts:
        """The counters; setting them goes back to earlier ones."""
        return SlotCounts(self.forks, self.rows, self.decode_calls, self.peak_rows, self.peak_cells)

    @counts.setter
    def counts(self, earlier: SlotCounts) -> None:
        self.forks, self.rows, self.decode_calls, self.peak_rows, self.peak_cells = earlier

    @property
    def cells_used(self) -> int:
        """Cells in use, including those of the prompt."""
        return self._n_prompt + self._n_taken - self._n_aside

    @property
    def n_usable(self) -> int:
        """Number of slots that are not pinned."""
        return self.n_slots - self.n_pinned

    @property
    def has_free_slot(self) -> bool:
        """Whether a slot can be taken without freeing one that was set aside."""
        return bool(self._free)

    def can_decode(self, n_histories: int, n_each: int = 1) -> bool:
        """Whether n_each more tokens fit for each of n_histories, including the slots of new histories."""
        n_rows = n_histories * n_each
        return n_histories <= self.n_usable and self.cells_used + n_rows <= self.model.n_cells

    def fork(self, slot: int, length: int | None = None) -> int:
        """A new slot with the same history, or with its first `length` generated tokens.

        A shorter copy needs a model that can forget tokens (`can_forget`).
        """
        if not self._is_held[slot]:
            raise SequenceError(f"slot {slot} is free: it has no history to fork")
        if length is None:
            length = int(self._length[slot])
        is_shorter = length < self._length[slot]
        if is_shorter and not self.model.can_forget:
            raise SequenceError("the model cannot forget a history's last tokens: decode its beginning again")
        new = self._take_slot()
        self.model.copy(slot, new)
        if is_shorter:
            self.model.remove(new, self._n_prompt + length)
        cells = self._cell[slot, :length]
        self._cell[new, :length] = cells
        self._holders[cells] += 1
        self._length[new] = length
        self.forks += 1
        return new

    def release(self, slot: int) -> None:
        """Free a slot, and the cells that no other slot holds."""
        if not self._is_held[slot]:
            raise SequenceError(f"slot {slot} is already free")
        self._free_cells(self._cell[slot, : self._length[slot]])
        self._free_slot(slot)

    def _free_slot(self, slot: int) -> None:
        self.model.remove(slot)
        self._length[slot] = 0
        self._is_held[slot] = False
        self._free.append(slot)

    def _free_cells(self, cells: NDArray[np.int32]) -> None:
        """Record that one slot less holds these cells; free those that no slot holds."""
        self._holders[cells] -= 1
        left = cells[self._holders[cells] == 0]
        is_aside = self._aside_holders[left] > 0
        self._n_aside += int(is_aside.sum())
        self._return_cells(left[~is_aside])

    def _return_cells(self, cells: NDArray[np.int32]) -> None:
        self._n_taken -= len(cells)
        self._unused[self._n_taken : self._n_taken + len(cells)] = cells

    # --- slots set aside -----------------------------------------------------------------------

    def set_aside(self, slot: int, history: TokenIds) -> None:
        """Release a slot, but keep its tokens, which are this history's, as long as there is room."""
        if not self._is_held[slot]:
            raise SequenceError(f"slot {slot} is already free")
        if history.tobytes() in self._aside:
            self.release(slot)
            return
        cells = self._cell[slot, : self._length[slot]]
        self._aside_holders[cells] += 1
        self._free_cells(cells)
        self._is_held[slot] = False
        self._aside[history.tobytes()] = slot

    def find_aside(self, history: TokenIds) -> int | None:
        """A slot that was set aside with this history, or with one that begins with it; None if none was."""
        start = history.tobytes()
        if start in self._aside:
            return self._aside[start]
        return next((slot for held, slot in self._aside.items() if held.startswith(start)), None)

    def take_back(self, slot: int) -> None:
        """Hold a slot again that was set aside."""
        self._aside = {held: one for held, one in self._aside.items() if one != slot}
        cells = self._cell[slot, : self._length[slot]]
        self._aside_holders[cells] -= 1
        self._holders[cells] += 1
        self._n_aside -= int((self._holders[cells] == 1).sum())
        self._is_held[slot] = True

    def drop_aside(self) -> None:
        """Free the slot that was set aside first."""
        slot = self._aside.pop(next(iter(self._aside)))
        cells = self._cell[slot, : self._length[slot]]
        self._aside_holders[cells] -= 1
        freed = cells[(self._aside_holders[cells] == 0) & (self._holders[cells] == 0)]
        self._n_aside -= len(freed)
        self._return_cells(freed)
        self._free_slot(slot)

    # --- decoding ------------------------------------------------------------------------------

    def _take_slot(self) -> int:
        if not self._free and self._aside:
            self.drop_aside()
        if not self._free:
            raise ContextFull(f"all {self.n_slots} sequences are in use")
        slot = self._free.pop()
        self._is_held[slot] = True
        return slot

    def truncate(self, slot: int, length: int) -> None:
        """Drop all but the first `length` generated tokens of a slot; needs a model that `can_forget`."""
        if length >= self._length[slot]:
            return
        if not self.model.can_forget:
            raise SequenceError("the model cannot forget a history's last tokens: decode its beginning again")
        self.model.remove(slot, self._n_prompt + length)
        self._free_cells(self._cell[slot, length : self._length[slot]])
        self._length[slot] = length

    def lengths(self, slots: Ints) -> Ints:
        """The number of generated tokens that each slot holds."""
        return self._length[slots]

    def decode(self, slots: Ints, tokens: Ints) -> Floats:
        """Decode one token for each slot (R,); returns logits (R, V), valid until the next call."""
        self._require_room(slots, len(slots))
        lengths = self._length[slots]
        logits = self.model.decode(tokens, self._n_prompt + lengths, slots)
        self._record_cells(slots, lengths)
        self._length[slots] += 1
        self.n_longest = max(self.n_longest, int(lengths.max()) + 1)
        self.peak_rows = max(self.peak_rows, len(slots))
        return logits

    def decode_blocks(
        self, slots: Ints, blocks: Sequence[Ints], *, last_only: bool = False, rows: Ints | None = None
    ) -> Floats:
        """Decode a block of tokens for each slot, in batches of up to `n_batch` tokens.

        Returns the logits of all tokens, block after block, or of each block's last token (`last_only`), or
        of some `rows`, ascending. They are valid until the next call. A block has at least one token.
        """
        sizes = np.array([len(block) for block in blocks])
        if rows is None and sizes.max() == 1 and len(blocks) <= self.model.n_batch:
            return self.decode(slots, np.concatenate(blocks))
        ends = np.cumsum(sizes)
        n_rows = int(ends[-1])
        self._require_room(slots, n_rows)
        tokens, row_slots = np.concatenate(blocks), np.repeat(slots, sizes)
        lengths = self._length[row_slots] + np.arange(n_rows) - np.repeat(ends - sizes, sizes)
        outputs = ends - 1 if last_only else np.arange(n_rows) if rows is None else rows
        found = []
        for start in range(0, n_rows, self.model.n_batch):
            part = slice(start, min(start + self.model.n_batch, n_rows))
            # llama.cpp needs at least one output row; if none is needed, that of the last row is dropped.
            here = outputs[(outputs >= start) & (outputs < part.stop)] - start
            part_outputs = here if len(here) else np.array([part.stop - start - 1])
            logits = self.model.decode(
                tokens[part], self._n_prompt + lengths[part], row_slots[part], outputs=part_outputs
            )
            self._record_cells(row_slots[part], lengths[part])
            np.maximum.at(self._length, row_slots[part], lengths[part] + 1)
            is_only = n_rows <= self.model.n_batch
            found.append(logits if is_only else logits[: len(here)].copy())
        self.peak_rows = max(self.peak_rows, min(n_rows, self.model.n_batch))
        return found[0] if len(found) == 1 else np.concatenate(found)

    def refill(self, slot: int, tokens: Ints) -> None:
        """Decode tokens (any number, or none) that follow a slot's history; their logits are dropped."""
        if len(tokens):
            self.decode_blocks(np.array([slot]), [tokens], last_only=True)

    def _require_room(self, slots: Ints, n_rows: int) -> None:
        if not self._is_held[slots].all():
            raise SequenceError("a slot is free: it has no history to append to")
        if len(slots) > self.n_usable or self.cells_used + n_rows > self.model.n_cells:
            raise ContextFull(f"the KV cache has no room for {n_rows} more tokens")
        while self._aside and self._n_prompt + self._n_taken + n_rows > self.model.n_cells:
            self.drop_aside()

    def _record_cells(self, slots: Ints, lengths: Ints) -> None:
        """Record a new cell for the token of each slot at each length, and count the decode."""
        cells = self._unused[self._n_taken : self._n_taken + len(slots)]
        self._cell[slots, lengths] = cells
        self._holders[cells] = 1
        self._n_taken += len(slots)
        self.rows += len(slots)
        self.decode_calls += 1
        self.peak_cells = max(self.peak_cells, self.cells_used)
