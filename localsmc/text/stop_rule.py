r"""When a completion ends: at a stop string or a complete ``\boxed{...}``.

A stop rule depends only on the tokens of one history, so all particles with that history stop together.
The probability is that of the stopped completion including its whole last token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from localsmc.lm.interface import Pieces
from localsmc.text.answers import BoxScan


@dataclass(frozen=True, slots=True)
class StopState:
    """The state of a stop rule for one history."""

    hit: bool = False
    tail: bytes = b""
    box: BoxScan = BoxScan()


@dataclass(frozen=True, slots=True)
class StopRule:
    r"""Stops a history at the first stop string, or at the first complete ``\boxed{...}``."""

    pieces: Pieces
    """The bytes of each token."""
    strings: tuple[str, ...] = ()
    at_box: bool = False
    _needles: tuple[bytes, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_needles", tuple(text.encode() for text in self.strings if text))

    def start(self) -> StopState:
        """The state of the empty history."""
        return StopState()

    @property
    def is_active(self) -> bool:
        """Whether the rule has any stop condition."""
        return bool(self._needles) or self.at_box

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
        if self._needles:
            text = state.tail + piece
            keep = max(map(len, self._needles)) - 1
            hit = any(needle in text for needle in self._needles)
            state = replace(state, hit=hit, tail=text[-keep:] if keep else b"")
        if self.at_box:
            box = state.box.feed(piece)
            state = replace(state, box=box, hit=state.hit or box.complete)
        return state

    def shown(self, text: bytes) -> bytes:
        """The finished completion cut before its stop string."""
        starts = [text.find(needle) for needle in self._needles if needle in text]
        return text[: min(starts)] if starts else text
