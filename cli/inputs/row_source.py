"""Rows of a file, or of standard input, whose format shows in its first bytes."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from localsmc.errors import ConfigError, TaskError
from localsmc.system.user_dirs import expand_user
from localsmc_cli.inputs.problem_text import STDIN, Say, saying
from localsmc_cli.ui.output import is_terminal

if TYPE_CHECKING:
    from localsmc.system.row_files import Row

STDIN_NAME = "standard input"
OPTION = "FILE"
"""How messages name what takes the file."""


def read_given(file: str, say: Say) -> tuple[list[Row], str]:
    """The rows, and what messages call the file; `-` is standard input. Raises TaskError or ConfigError."""
    from localsmc.system.row_files import read_rows

    if file != STDIN:
        path = expand_user(file)
        return read_rows(path, OPTION), str(path)
    with saying(say, "reading rows from standard input"):
        data = _stdin_bytes()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, f"rows{_suffix(data)}")
        copy.write_bytes(data)
        try:
            return read_rows(copy, OPTION), STDIN_NAME
        except TaskError as error:
            message = str(error).replace(f"`{copy}`", STDIN_NAME).replace(f"`{copy.name}`", STDIN_NAME)
            raise TaskError(message, hint=error.hint) from error


def _stdin_bytes() -> bytes:
    if sys.stdin is None or is_terminal(sys.stdin):
        raise ConfigError(
            "standard input is a terminal", hint="pipe rows in: `localsmc grade - <answers.jsonl`"
        )
    return sys.stdin.buffer.read()


def _suffix(data: bytes) -> str:
    """The suffix for the format of these bytes."""
    begin = data.removeprefix(b"\xef\xbb\xbf").lstrip()
    if data.startswith(b"PAR1"):
        return ".parquet"
    if begin.startswith(b"{"):
        # An object over several lines is one JSON value.
        return ".jsonl" if begin.split(b"\n", 1)[0].rstrip().endswith(b"}") else ".json"
    return ".json" if begin.startswith(b"[") else ".csv"
