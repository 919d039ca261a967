r"""When a completion ends: at a stop string or a complete ``\boxed{...}``, outside of its thought.

A stop rule depends only on the tokens of one history, so all particles with that history stop together.
The probability is that of the stopped completion including its whole last token.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from localsmc.lm.interface import Pieces
from localsmc.text.answers import BoxScan
from localsmc.text.named_bytes import named, names_in
from localsmc.text.thought_marks import (
    BEGUN,
    BLANK,
    HEADER,
    SPOKEN,
    TEXT_MARKS,
    THOUGHT,
    ThoughtMarks,
    ThoughtState,
)


@dataclass(frozen=True, slots=True)
class StopState:
    """The state of a stop rule for one history."""

    hit: bool = False
    tail: bytes = b""
    """The end of the reply so far, in which a stop string may have begun."""
    box: BoxScan = BoxScan()
    thought: ThoughtState = ThoughtState()


@dataclass(frozen=True, slots=True)
class StopRule:
    r"""Stops a history at the first stop string, or at the first complete ``\boxed{...}``.

    Neither counts within a thought, and a stop string counts in no part of a mark. The name of a token in a
    stop string means that token, or the same text. A stop string that is a whole mark, or the name of a token
    alone, stops within a thought as well.
    """

    pieces: Pieces
    """The bytes of each token, as they are read."""
    strings: tuple[str, ...] = ()
    at_box: bool = False
    marks: ThoughtMarks = TEXT_MARKS
    begin: ThoughtState = ThoughtState()
    """What the prompt ends in."""
    names: frozenset[str] = frozenset()
    """The names of tokens in the stop strings."""
    _needles: re.Pattern[bytes] | None = field(init=False)
    _keep: int = field(init=False)

    def __post_init__(self) -> None:
        texts = [text for text in self.strings if text]
        needles = re.compile(b"|".join(_needle(text, self.names) for text in texts)) if texts else None
        object.__setattr__(self, "_needles", needles)
        object.__setattr__(self, "_keep", max((_length(text, self.names) for text in texts), default=1) - 1)

    def start(self) -> StopState:
        """The state of the empty history."""
        return StopState(thought=self.begin)

    @property
    def is_active(self) -> bool:
        """Whether the rule has any stop condition."""
        return self._needles is not None or self.at_box

    def advance_all(
        self, states: Sequence[StopState], parents: Sequence[int], tokens: Sequence[int]
    ) -> tuple[StopState, ...]:
        """The state of each child: its parent's state advanced by its token."""
        if not self.is_active:
            return (states[0],) * len(tokens)
        return tuple(
            self.advance(states[parent], token) for parent, token in zip(parents, tokens, strict=True)
        )

    def advance(self, state: StopState, token: int) -> StopState:
        """The state after one more token; states are immutable, so forks can share them."""
        piece = self.pieces[token]
        thought = state.thought
        if not thought.pending and thought.kind != BLANK and not self.marks.begins(piece):
            if thought.kind == THOUGHT:
                return state
            hit, tail, box = state.hit, state.tail, state.box
            if thought.kind in SPOKEN:
                hit, tail, box = self._said(hit, tail, box, piece)
            if thought.kind in (HEADER, BEGUN):
                thought = self.marks.waiting(thought, piece)
            is_same = (
                hit is state.hit and tail == state.tail and box is state.box and thought == state.thought
            )
            return state if is_same else StopState(hit, tail, box, thought)
        return self._advance_at_mark(state, piece)

    def _advance_at_mark(self, state: StopState, piece: bytes) -> StopState:
        """The state after a piece in which a mark of a thought begins, goes on or ends."""
        thought, hit, tail, box = state.thought, state.hit, state.tail, state.box
        data, at = thought.pending + piece, len(thought.pending) - _n_held(thought)
        for part in self.marks.segments(data, thought):
            start, end, mark_end, before, thought = part
            if is_last := end == mark_end:
                thought = self.marks.waiting(before, data[start:])
                end -= _n_held(thought)
            if before.kind in SPOKEN:
                hit, tail, box = self._said(hit, tail, box, data[at:end])
            else:
                hit = hit or self._named(data, at, end) is not None
            if not is_last:
                hit, tail, box = self._marked(hit, tail, box, data[end:mark_end], max(0, at - end))
                if thought.kind not in SPOKEN:
                    tail, box = b"", (box if box.complete else BoxScan())
            at = mark_end
        return StopState(hit, tail, box, thought)

    def _marked(
        self, hit: bool, tail: bytes, box: BoxScan, mark: bytes, n_said: int
    ) -> tuple[bool, bytes, BoxScan]:
        """The conditions after a mark: it counts as a whole, and so does a name in it that is new."""
        if self._needles is None:
            return hit, tail, box
        hit = hit or self._needles.fullmatch(mark) is not None
        names = mark[n_said : _names_end(mark, 0, len(mark))]
        return self._said(hit, tail, box, names) if names else (hit, b"", box)

    def _named(self, data: bytes, start: int, end: int) -> re.Match[bytes] | None:
        """The first name of a token within a thought that is a stop string."""
        needles = self._needles
        if needles is None:
            return None
        names = (needles.fullmatch(data, *name.span()) for name in names_in(data, start, end))
        return next((name for name in names if name is not None), None)

    def _said(self, hit: bool, tail: bytes, box: BoxScan, text: bytes) -> tuple[bool, bytes, BoxScan]:
        """The conditions after more text of the reply."""
        if self._needles is not None:
            tail += text
            hit = hit or self._needles.search(tail) is not None
            tail = tail[-self._keep :] if self._keep else b""
        if self.at_box:
            box = box.feed(text)
            hit = hit or box.complete
        return hit, tail, box

    def shown(self, text: bytes) -> bytes:
        """The finished completion, as it is read, cut before its stop string."""
        needles = self._needles
        if needles is None or needles.search(text) is None:
            return text
        said: int | None = None  # where the text begins that can hold a stop string
        for start, end, mark_end, before, _ in self.marks.segments(text, self.begin):
            if before.kind in SPOKEN:
                said = start if said is None else said
                names_end = _names_end(text, end, mark_end)
                found = needles.search(text, said, names_end)
                said = None if end == names_end else said
            else:
                said, found = None, self._named(text, start, end)
            found = found or needles.fullmatch(text, end, mark_end)
            if found is not None:
                return text[: found.start()]
        return text


def _n_held(thought: ThoughtState) -> int:
    """The bytes at the end of a reply that are not said yet, since a mark may begin there."""
    if not thought.pending or thought.kind not in SPOKEN:
        return 0
    held = thought.pending.lstrip(b"`")
    return len(held) - _names_end(held, 0, len(held))


def _names_end(data: bytes, start: int, end: int) -> int:
    """Where the names of tokens in a mark end; its start if it is text."""
    return max((name.end() for name in names_in(data, start, end)), default=start)


def _needle(text: str, names: Collection[str]) -> bytes:
    """A stop string as a regular expression."""
    parts = re.split(_names(text, names), text) if names else [text]
    return b"".join(
        b"(?:" + re.escape(named(part)) + b"|" + re.escape(part.encode()) + b")"
        if part in names
        else re.escape(part.encode())
        for part in parts
    )


def _length(text: str, names: Collection[str]) -> int:
    """The most bytes that a stop string has where it is read."""
    return len(text.encode()) + sum(text.count(name) * len(named(name)) for name in names)


def _names(text: str, names: Collection[str]) -> str:
    inside = sorted((name for name in names if name in text), key=len, reverse=True)
    return f"({'|'.join(map(re.escape, inside))})" if inside else "(?!)()"
