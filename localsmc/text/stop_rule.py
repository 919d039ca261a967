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
from localsmc.text.thought_marks import (
    BEGUN,
    HEADER,
    SPOKEN,
    TEXT_MARKS,
    THOUGHT,
    ThoughtMarks,
    ThoughtState,
    has_names,
    named,
    names_in,
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

    Neither counts within a thought. The name of a token in a stop string means that token, or the same text;
    a stop string that is the name of a token alone stops within a thought as well.
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
        if not thought.pending and not self.marks.begins(piece):
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
        data, at, last = thought.pending + piece, len(thought.pending), 0
        for part in self.marks.segments(data, thought):
            thought, end, last = part.state, part.mark_end, part.start
            if end == len(data) == part.end:
                break
            if thought.kind in SPOKEN:
                hit, tail, box = self._said(hit, tail, box, data[at:end])
            elif self._needles is not None:
                hit = hit or self._needles.search(data[part.end : end]) is not None
            if part.after.kind not in SPOKEN:
                tail, box = b"", (box if box.complete else BoxScan())
            at = end
        if thought.kind in SPOKEN:
            hit, tail, box = self._said(hit, tail, box, data[at:])
        elif self._needles is not None and has_names(data[at:]):
            hit = hit or self._needles.search(data[at:]) is not None
        return StopState(hit, tail, box, self.marks.waiting(thought, data[last:]))

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
        start = None
        for part in self.marks.segments(text, self.begin):
            if part.state.kind in SPOKEN:
                start = part.start if start is None else start
                found = needles.search(text, start, part.mark_end)
            else:
                start = None
                names = (needles.search(name[0]) and name for name in names_in(text, part.start, part.end))
                found = next((name for name in names if name), None)
                found = found or needles.search(text, part.end, part.mark_end)
            if found is not None:
                return text[: found.start()]
        return text


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
    return len(text.encode()) + sum(len(named(name)) for name in names if name in text)


def _names(text: str, names: Collection[str]) -> str:
    inside = sorted((name for name in names if name in text), key=len, reverse=True)
    return f"({'|'.join(map(re.escape, inside))})" if inside else "(?!)()"
