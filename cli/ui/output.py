"""The sink: standard output carries the answer or the JSON, standard error everything else.

Every line that the program writes goes through here, past the live panel where one is shown.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from localsmc.errors import ConfigError, LocalSMCError

if TYPE_CHECKING:
    from localsmc_cli.ui.live_panel import Panel


class Output:
    """Modes: quiet writes errors only to standard error, verbose adds details and tracebacks."""

    def __init__(self) -> None:
        self.is_quiet = self.is_verbose = False
        self._panel: Panel | None = None

    def set_modes(self, *, is_quiet: bool, is_verbose: bool) -> None:
        """As `--quiet` and `--verbose` say; raises ConfigError for both."""
        if is_quiet and is_verbose:
            raise ConfigError("`--quiet` and `--verbose` exclude each other", hint="leave one of them out")
        self.is_quiet, self.is_verbose = is_quiet, is_verbose

    # --- standard output ---

    def text(self, text: str) -> None:
        """The answer. Raises BrokenPipeError where nobody reads it."""
        _write(text + "\n")

    def json(self, value: Any) -> None:
        """One object on one line."""
        _write(json.dumps(value, ensure_ascii=False) + "\n")

    # --- standard error ---

    def note(self, line: str) -> None:
        """Something worth knowing."""
        if not self.is_quiet:
            self._line(line)

    def warn(self, line: str) -> None:
        """Something that is not as asked for."""
        self.note(f"Warning: {line}")

    def detail(self, line: str) -> None:
        """Something for who asked for more."""
        if self.is_verbose:
            self._line(line)

    def error(self, error: LocalSMCError) -> None:
        """An error, with its hint."""
        self._line(f"Error: {error}")
        if error.hint:
            self._line(f"\nhint: {error.hint}")

    def trace_back(self, error: Exception) -> None:
        """Where an error came from, for who asked for more."""
        self.detail("".join(traceback.format_exception(error)).rstrip())

    def _line(self, line: str) -> None:
        if self._panel is None:
            # Nobody to tell where standard error is gone; the exit code still tells.
            with contextlib.suppress(OSError):
                click.echo(line, err=True)
        else:
            self._panel.print(line)

    # --- what shows while something works ---

    @contextlib.contextmanager
    def panel(self, make: Callable[[], Panel] | None = None) -> Iterator[Panel | None]:
        """A live panel where standard error is a terminal, else None; gone at the end."""
        if self.is_quiet or not is_terminal(sys.stderr):
            yield None
            return
        from localsmc_cli.ui.live_panel import Panel

        with (Panel if make is None else make)() as panel:
            self._panel = panel
            try:
                yield panel
            finally:
                self._panel = None

    @contextlib.contextmanager
    def library_log(self) -> Iterator[None]:
        """llama.cpp's log on standard error, where details are asked for."""
        if not self.is_verbose:
            yield
            return
        logger, handler = logging.getLogger("localsmc"), _Handler(self)
        logger.addHandler(handler)
        level = logger.level
        logger.setLevel(logging.INFO)
        try:
            yield
        finally:
            logger.removeHandler(handler)
            logger.setLevel(level)

    def restore_terminal(self) -> None:
        """Show the cursor again; for leaving without cleaning up."""
        if self._panel is not None:
            os.write(2, b"\n\x1b[?25h")


class _Handler(logging.Handler):
    def __init__(self, output: Output) -> None:
        super().__init__()
        self._output = output

    def emit(self, record: logging.LogRecord) -> None:
        self._output.detail(self.format(record))


def is_terminal(stream: Any) -> bool:
    """Whether a standard stream is there and is a terminal."""
    return stream is not None and not stream.closed and stream.isatty()


def _write(text: str) -> None:
    """Write at once, as UTF-8 and unchanged wherever it goes."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode(errors="replace"))
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise LocalSMCError(f"standard output cannot be written: {error.strerror}") from error
