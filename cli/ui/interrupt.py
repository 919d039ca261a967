"""Ctrl-C: exits at once if nothing would be lost, or after the current step if there is a result.

A thread receives the signal immediately. Python's own handlers wait for llama.cpp to return, which can
take a while with a large model.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Iterator
from types import FrameType

from localsmc_cli.ui.output import Output

INTERRUPTED = 130
"""Exit code 128 + SIGINT, as in shells."""


class Interrupts:
    """Handles Ctrl-C from `__enter__` to `__exit__`; exits the process, except within `gentle`."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._is_gentle = False
        self._kept = "without a result"
        self._sender: socket.socket | None = None
        self.is_requested = False

    def __enter__(self) -> Interrupts:
        self._undo = contextlib.ExitStack()
        is_main = threading.current_thread() is threading.main_thread()
        # An ignored signal (in a background job of a script) stays ignored.
        if is_main and signal.getsignal(signal.SIGINT) not in (signal.SIG_IGN, None):
            self._listen()
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    def _listen(self) -> None:
        receiver, sender = socket.socketpair()
        sender.setblocking(False)
        self._sender = sender
        thread = threading.Thread(target=self._watch, args=(receiver,), daemon=True)
        thread.start()
        self._undo.callback(receiver.close)
        self._undo.callback(thread.join)
        self._undo.callback(sender.close)
        previous_fd = signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
        self._undo.callback(signal.set_wakeup_fd, previous_fd)
        previous = signal.signal(signal.SIGINT, _ignore)
        self._undo.callback(signal.signal, signal.SIGINT, previous)

    @contextlib.contextmanager
    def gentle(self, kept: str = "") -> Iterator[None]:
        """Within this context, the first Ctrl-C sets `is_requested`; the second exits the process.

        `kept` is appended to the message and says what is saved by then.
        """
        self._is_gentle, self._kept = True, kept or self._kept
        if self._sender is not None:
            # prompt_toolkit resets the wakeup descriptor after reading a line.
            signal.set_wakeup_fd(self._sender.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            self._is_gentle = False

    def forget(self) -> None:
        """Clear the request, to continue after a stopped reply."""
        self.is_requested = False

    @contextlib.contextmanager
    def keeping(self, kept: str) -> Iterator[None]:
        """Within this context, Ctrl-C still exits at once, with `kept` in the message."""
        before, self._kept = self._kept, kept
        try:
            yield
        finally:
            self._kept = before

    def _watch(self, receiver: socket.socket) -> None:
        while signals := receiver.recv(16):
            for number in signals:
                if number == signal.SIGINT:
                    self._hear()

    def _hear(self) -> None:
        if not self._is_gentle or self.is_requested:
            self._quit()
        self.is_requested = True
        self._output.note("stopping after this step; press Ctrl-C again to quit at once")

    def _quit(self) -> None:
        self._output.restore_terminal()
        with contextlib.suppress(OSError):
            os.write(2, f"Interrupted, {self._kept}\n".encode())
        os._exit(INTERRUPTED)


def _ignore(_signal: int, _frame: FrameType | None) -> None:
    """Does nothing; the thread handles Ctrl-C."""
