"""The output: the answer or JSON on standard output, everything else on standard error.

Every line that the program writes goes through here, and appears above the live panel if one is shown.
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
from localsmc.system.printable import escaped, printable

if TYPE_CHECKING:
    from localsmc_cli.ui.live_panel import Panel


class Output:
    """Two modes: quiet writes only errors to standard error, verbose adds details and tracebacks."""

    def __init__(self) -> None:
        self.is_quiet = self.is_verbose = False
        self._panel: Panel | None = None

    def set_modes(self, *, is_quiet: bool, is_verbose: bool) -> None:
        """Set the modes of `--quiet` and `--verbose`; raises ConfigError for both."""
        if is_quiet and is_verbose:
            raise ConfigError("`--quiet` and `--verbose` cannot be used together", hint="remove one of them")
        self.is_quiet, self.is_verbose = is_quiet, is_verbose

    # --- standard output ---

    def text(self, text: str) -> None:
        """Write the answer. Raises BrokenPipeError if its reader is gone."""
        _write(text + "\n")

    def json(self, value: Any) -> None:
        """Write one JSON value on one line; what a terminal would take as a command is escaped."""
        _write(escaped(json.dumps(value, ensure_ascii=False)) + "\n")

    # --- standard error ---

    def note(self, line: str) -> None:
        """Write a line, unless quiet."""
        if not self.is_quiet:
            self._line(line)

    def warn(self, line: str) -> None:
        """Write a warning, unless quiet."""
        self.note(f"Warning: {line}")

    def detail(self, line: str) -> None:
        """Write a detail, if verbose."""
        if self.is_verbose:
            self._line(line)

    def error(self, error: LocalSMCError) -> None:
        """Write an error with its hint."""
        self._line(f"Error: {error}")
        if error.hint:
            self._line(f"\nhint: {error.hint}")

    def trace_back(self, error: Exception) -> None:
        """Write an error's traceback, if verbose."""
        self.detail("".join(traceback.format_exception(error)).rstrip())

    def _line(self, line: str) -> None:
        # A line may quote a file, its path or its metadata.
        line = printable(line, keep="\n\t")
        if self._panel is None:
            # If standard error is closed, only the exit code reports the error.
            with contextlib.suppress(OSError):
                click.echo(line, err=True)
        else:
            self._panel.print(line)

    # --- live output ---

    @contextlib.contextmanager
    def panel(self, make: Callable[[], Panel] | None = None) -> Iterator[Panel | None]:
        """A live panel if standard error is a terminal, else None; erased at the end."""
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
        """Show llama.cpp's log on standard error, if verbose."""
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
        """Show the cursor again, for an exit without clean-up."""
        if self._panel is not None:
            os.write(2, b"\n\x1b[?25h")


class _Handler(logging.Handler):
    def __init__(self, output: Output) -> None:
        super().__init__()
        self._output = output

    def emit(self, record: logging.LogRecord) -> None:
        self._output.detail(self.format(record))


def is_terminal(stream: Any) -> bool:
    """Whether a standard stream is open and is a terminal."""
    return stream is not None and not stream.closed and stream.isatty()


def _write(text: str) -> None:
    """Write immediately, as UTF-8, whatever the locale."""
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
