"""Where the time of a step goes: seconds spent in marked functions, read by `bench`.

Two readings of the clock a call; nothing depends on what it says.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

GivenT = ParamSpec("GivenT")
FoundT = TypeVar("FoundT")


class Timer:
    """Runs while one of the functions that it marks is at work; of nested ones the outermost counts."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._depth = 0

    def __call__(self, function: Callable[GivenT, FoundT]) -> Callable[GivenT, FoundT]:
        """The function, timed."""

        @functools.wraps(function)
        def timed(*given: GivenT.args, **named: GivenT.kwargs) -> FoundT:
            if self._depth:
                return function(*given, **named)
            self._depth = 1
            began = time.perf_counter()
            try:
                return function(*given, **named)
            finally:
                self.seconds += time.perf_counter() - began
                self._depth = 0

        return timed


numerics_time = Timer()
"""Work on whole rows of logits: exponentials, sums, draws."""
