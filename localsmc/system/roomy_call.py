"""Calls of C code that recurses deeply, each in a thread whose stack is large enough.

The stack is address space: memory is used only as far as the recursion gets. C code cannot be stopped, so a
call that takes too long goes on in its thread, without anybody who waits for its result.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

_PAGE = 1 << 20
"""Stacks are multiples of this, in bytes: some systems take whole pages only."""

_GLANCE = 0.1
"""Seconds between two looks for signals."""

_starting = threading.Lock()
"""`threading.stack_size` holds for all threads that start meanwhile, so one at a time changes it."""

T = TypeVar("T")


class NoRoom(Exception):
    """The system gives no thread with such a stack."""


class RoomyCalls:
    """Calls one after another or at once; `is_busy` while one of them runs, also one that was given up."""

    def __init__(self) -> None:
        self._threads: set[threading.Thread] = set()

    @property
    def is_busy(self) -> bool:
        """Whether a call is running."""
        return any(thread.is_alive() for thread in tuple(self._threads))

    def call(self, function: Callable[[], T], *, stack: int, seconds: float) -> T:
        """The function's result, with a stack of at least `stack` bytes.

        Raises NoRoom, and TimeoutError after `seconds`. Ctrl-C interrupts the wait.
        """
        future: Future[T] = Future()
        thread = threading.Thread(target=_settle, args=(future, function), daemon=True)
        self._threads.add(thread)
        try:
            _start(thread, stack)
            deadline = time.monotonic() + seconds
            # A signal that reaches another thread is heard between two waits only.
            while thread.is_alive() and (left := deadline - time.monotonic()) > 0:
                thread.join(min(left, _GLANCE))
        finally:
            if not thread.is_alive():
                self._threads.discard(thread)
        if thread.is_alive():
            raise TimeoutError
        return future.result()


def _settle(future: Future[T], function: Callable[[], T]) -> None:
    try:
        future.set_result(function())
    except BaseException as error:
        future.set_exception(error)


def _start(thread: threading.Thread, stack: int) -> None:
    with _starting:
        try:
            before = threading.stack_size(-(-stack // _PAGE) * _PAGE)
        except (ValueError, RuntimeError) as error:  # too large here, or no stack sizes here at all
            raise NoRoom from error
        try:
            thread.start()
        except RuntimeError as error:
            raise NoRoom from error
        finally:
            threading.stack_size(before)
