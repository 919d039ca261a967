"""Results that are done in any order, shown in the order in which they were asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

ResultT = TypeVar("ResultT")


class InOrder(Generic[ResultT]):
    """Shows each result, with its number from 0, as soon as all before it are shown."""

    def __init__(self, show: Callable[[int, ResultT], None]) -> None:
        self._show = show
        self._waiting: dict[int, ResultT] = {}
        self._n_shown = 0
        self.n_done = 0

    def add(self, i: int, one: ResultT) -> None:
        """Take result i."""
        self.n_done += 1
        self._waiting[i] = one
        while self._n_shown in self._waiting:
            self._show(self._n_shown, self._waiting.pop(self._n_shown))
            self._n_shown += 1

    def end(self) -> None:
        """Show what is left, also after a gap if it was stopped."""
        for i in sorted(self._waiting):
            self._show(i, self._waiting.pop(i))
