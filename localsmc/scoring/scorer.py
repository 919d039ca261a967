"""The log-probabilities of token sequences under a model, in batches; shared prefixes are decoded once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from localsmc.errors import PromptTooLong
from localsmc.lm.interface import LanguageModel
from localsmc.numerics.log_math import Doubles, Floats, Ints
from localsmc.numerics.token_logps import log_normalisers
from localsmc.scoring.rounds import Branch, Round, ScoredTokens, branches, is_wanted, rounds

OUTPUT_BYTES = 256 << 20
"""The most memory for the logits of one batch: those of one token take a megabyte in large vocabularies."""


@dataclass(frozen=True, slots=True)
class TokenLogps:
    """For each scored token of a sequence (n,): its log-probability, and the most probable token's."""

    logps: Doubles
    top_tokens: NDArray[np.int32]
    top_logps: Doubles


class Stopped(Exception):
    """The caller stopped the scorer between two batches."""


class Scorer:
    """Scores sequences on one model; iterate it for pairs of a sequence's index and its log-probabilities.

    They come in the order in which they are done. `n_decoded` counts the tokens decoded so far.
    """

    def __init__(
        self,
        model: LanguageModel,
        sequences: Sequence[ScoredTokens],
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self._model, self._sequences, self._should_stop = model, sequences, should_stop
        self.n_decoded = 0
        self._n_outputs = max(1, OUTPUT_BYTES // (model.dtype.itemsize * model.n_vocab))
        longest = max((sequence.n_decoded for sequence in sequences), default=0)
        if longest > min(model.n_length, model.n_cells):
            raise PromptTooLong(f"a text has {longest} tokens, but the context holds {model.n_length}")

    def __iter__(self) -> Iterator[tuple[int, TokenLogps]]:
        model = self._model
        model.clear()
        free = list(range(model.n_seq_max - 1, -1, -1))
        # One sequence id for the trunk of this round, one for that of the next.
        planned = rounds(self._sequences, n_cells=model.n_cells, n_seqs=max(1, model.n_seq_max - 2))
        upcoming = next(planned, None)
        trunk = _Trunk(None, 0)
        while upcoming is not None:
            now, upcoming = upcoming, next(planned, None)
            if trunk.seq is None:
                now = now._replace(n_trunk=0)
            n_next = 0 if upcoming is None or model.n_seq_max < 3 else upcoming.n_trunk
            run = _RoundRun(self, now, trunk, n_next, free)
            yield from run
            trunk = run.next_trunk

    def decode(self, tokens: Ints, positions: Ints, seqs: Ints, outputs: Ints) -> Floats:
        """Decode a batch; raises Stopped if the caller wants no more."""
        if self._should_stop():
            raise Stopped
        self.n_decoded += len(tokens)
        return self._model.decode(tokens, positions, seqs, outputs=outputs)

    @property
    def model(self) -> LanguageModel:
        """The model."""
        return self._model

    @property
    def sequences(self) -> Sequence[ScoredTokens]:
        """All sequences."""
        return self._sequences

    @property
    def n_outputs(self) -> int:
        """The most rows of logits that one batch may have."""
        return self._n_outputs


class _Trunk(NamedTuple):
    """The sequence id that holds what a round begins with, and how many tokens it holds."""

    seq: int | None
    length: int


class _Part(NamedTuple):
    """Tokens of a branch in a batch: `low` … `high` − 1, decoded into a sequence id."""

    branch: Branch
    seq: int
    low: int
    high: int
    outputs: Ints
    """Positions of the rows whose logits are wanted."""


class _RoundRun:
    """One round: its branches wait in a queue until those that they follow are decoded."""

    def __init__(self, scorer: Scorer, round_: Round, trunk: _Trunk, n_next: int, free: list[int]) -> None:
        self._scorer, self._model, self._free = scorer, scorer.model, free
        self._trunk = trunk
        self._roots, last_path = branches(scorer.sequences, round_)
        self._wanted: dict[int, NDArray[np.bool_]] = {}
        self._queue: deque[tuple[Branch, int, int]] = deque()
        """Branches that can be decoded, each with its sequence id and its next position."""
        self.next_trunk = _Trunk(None, 0)
        self._keep(last_path, n_next)
        self._left = {i: scorer.sequences[i].n_scored for i in round_.members}
        self._found = {i: _empty(scorer.sequences[i].n_scored) for i in round_.members}

    def _keep(self, path: Sequence[Branch], n_next: int) -> None:
        """Plan where the next round's trunk is copied: as a branch without tokens of its own."""
        self._keeper: Branch | None = None
        if n_next == 0:
            return
        owner = next((branch for branch in reversed(path) if branch.start < n_next), None)
        if owner is None:
            self._keep_of_trunk(n_next)
            return
        self._keeper = Branch(owner.tokens, n_next, n_next, owner)
        owner.forks.setdefault(n_next, []).append(self._keeper)

    def _keep_of_trunk(self, n_next: int) -> None:
        """The next trunk is a part of this one: it stays, or the next round decodes it again."""
        seq, length = self._trunk
        if seq is not None and (n_next == length or self._model.can_forget):
            kept = self._free.pop()
            self._model.copy(seq, kept)
            self._model.remove(kept, n_next)
            self.next_trunk = _Trunk(kept, n_next)

    def __iter__(self) -> Iterator[tuple[int, TokenLogps]]:
        yield from [(i, self._found.pop(i)) for i, left in self._left.items() if not left]
        for root in self._roots:
            self._begin(root, self._trunk.seq)
        if self._trunk.seq is not None:
            self._release(self._trunk.seq)
        while self._queue:
            parts = self._batch()
            logits = self._decode(parts)
            yield from self._read(parts, logits)
            for part in parts:
                self._go_on(part)

    def _begin(self, branch: Branch, source: int | None) -> None:
        seq = self._free.pop()
        if source is not None:
            self._model.copy(source, seq)
        if branch is self._keeper:
            self.next_trunk = _Trunk(seq, branch.start)
            return
        self._wanted[id(branch)] = is_wanted(branch)
        self._queue.append((branch, seq, branch.start))

    def _release(self, seq: int) -> None:
        self._model.remove(seq)
        self._free.append(seq)

    def _batch(self) -> list[_Part]:
        """The next parts of the first branches in the queue, as many as fit in a batch."""
        parts: list[_Part] = []
        n_tokens, n_outputs = self._model.n_batch, self._scorer.n_outputs
        while self._queue and n_tokens and n_outputs:
            branch, seq, at = self._queue.popleft()
            part = self._part(branch, seq, at, n_tokens, n_outputs)
            parts.append(part)
            n_tokens -= part.high - at
            n_outputs -= len(part.outputs)
        return parts

    def _part(self, branch: Branch, seq: int, at: int, n_tokens: int, n_outputs: int) -> _Part:
        stop = min((position for position in branch.forks if position > at), default=branch.end)
        high = min(stop, branch.end, at + n_tokens)
        outputs = np.flatnonzero(self._wanted[id(branch)][at - branch.start : high - branch.start])
        if len(outputs) > n_outputs:
            high = at + int(outputs[n_outputs])
            outputs = outputs[:n_outputs]
        return _Part(branch, seq, at, high, at + outputs)

    def _decode(self, parts: Sequence[_Part]) -> Floats:
        tokens = np.concatenate([part.branch.tokens[part.low : part.high] for part in parts])
        positions = np.concatenate([np.arange(part.low, part.high) for part in parts])
        sizes = [part.high - part.low for part in parts]
        seqs = np.repeat([part.seq for part in parts], sizes)
        begins = np.cumsum([0, *sizes[:-1]])
        outputs = np.concatenate(
            [begin + part.outputs - part.low for begin, part in zip(begins, parts, strict=True)]
        )
        # llama.cpp needs at least one output row.
        asked = outputs if len(outputs) else np.array([len(tokens) - 1])
        logits = self._scorer.decode(tokens.astype(np.int64), positions, seqs, asked)
        return logits[: len(outputs)]

    def _read(self, parts: Sequence[_Part], logits: Floats) -> Iterator[tuple[int, TokenLogps]]:
        """Fill in what the rows of a batch predict; yield the sequences that are complete."""
        if not len(logits):
            return
        norms = log_normalisers(logits, self._model.n_threads)
        tops = logits.argmax(axis=1)
        n_before = 0
        for part in parts:
            for i, low, high in part.branch.wanted:
                inside = np.flatnonzero((part.outputs >= low) & (part.outputs < high))
                if len(inside):
                    self._fill(i, part.outputs[inside], n_before + inside, logits, norms, tops)
                    if self._left[i] == 0:
                        yield i, self._found.pop(i)
            n_before += len(part.outputs)

    def _fill(self, i: int, positions: Ints, rows: Ints, logits: Floats, norms: Doubles, tops: Ints) -> None:
        sequence, found = self._scorer.sequences[i], self._found[i]
        at = positions + 1 - sequence.first
        found.logps[at] = logits[rows, sequence.tokens[positions + 1]] - norms[rows]
        found.top_tokens[at] = tops[rows]
        found.top_logps[at] = logits[rows, tops[rows]] - norms[rows]
        self._left[i] -= len(positions)

    def _go_on(self, part: _Part) -> None:
        """After a part is decoded: begin the branches that fork there, and queue what is left of its own."""
        for fork in part.branch.forks.get(part.high, ()):
            self._begin(fork, part.seq)
        if part.high < part.branch.end:
            self._queue.append((part.branch, part.seq, part.high))
        else:
            self._release(part.seq)


def _empty(n: int) -> TokenLogps:
    return TokenLogps(np.zeros(n), np.zeros(n, dtype=np.int32), np.zeros(n))
