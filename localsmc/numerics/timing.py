"""Timing for `bench`: seconds spent in decorated functions.

Each call reads the clock twice; no result depends on it.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

GivenT = ParamSpec("GivenT")
FoundT = TypeVar("FoundT")


class Timer:
    """A decorator that adds up the time spent in its functions; of nested calls only the outermost counts."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._depth = 0

    def __call__(self, function: Callable[GivenT, FoundT]) -> Callable[GivenT, FoundT]:
        """Wrap a function so that its time is added to `seconds`."""

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
"""The time spent on rows of logits: exponentials, sums, sampling."""
