"""The file `config.toml`: where it lies, what is in it, and in which line. Knows no options."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from localsmc.errors import ConfigError
from localsmc.system.user_dirs import config_folder

Keys = tuple[str, ...]
"""Where in the file: the names of the tables, then of the value."""


FILE = "config.toml"


def config_path() -> Path:
    """Where the file is, or would be."""
    return config_folder() / FILE


@dataclass(frozen=True)
class Configuration:
    """What is in a file, or would be; without any, nothing."""

    name: str
    """For messages."""
    text: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)

    def where(self, keys: Sequence[str]) -> str:
        """Name and line, for a message."""
        line = self._lines.get(tuple(keys))
        return self.name if line is None else f"{self.name} line {line}"

    def short(self, keys: Sequence[str]) -> str:
        """Line, for a table."""
        return f"{FILE} line {self._lines[tuple(keys)]}"

    @cached_property
    def _lines(self) -> dict[Keys, int]:
        """The line in which each value and each table begins; tomllib does not tell."""
        found: dict[Keys, int] = {}
        header, chunk, start = "", "", 1
        for number, line in enumerate(self.text.split("\n"), 1):
            chunk += line + "\n"
            try:
                values = _loads(header + chunk)
            except ValueError:
                continue  # the value goes on in the next line
            if chunk.lstrip().startswith("["):
                header, values = chunk, _loads(chunk)
            for keys in _paths(values):
                found.setdefault(keys, start)
            chunk, start = "", number + 1
        return found


def read() -> Configuration:
    """The user's file; raises ConfigError where it cannot be read or is no TOML."""
    path = config_path()
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Configuration(f"`{path}`")
    except OSError as error:
        raise ConfigError(
            f"`{path}` cannot be read: {error.strerror}",
            hint="it is localsmc's configuration; LOCALSMC_CONFIG names another folder for it",
        ) from error
    try:
        return parse(f"`{path}`", data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise ConfigError(f"`{path}` is not UTF-8 text", hint="convert it to UTF-8") from None


def parse(name: str, text: str) -> Configuration:
    """A file with this text; raises ConfigError where that is no TOML."""
    try:
        return Configuration(name, text, _loads(text))
    except (ValueError, RecursionError) as error:
        what, _, where = str(error).partition(" (at ")
        last = len(text.rstrip().split("\n"))
        place = where.rstrip(")") if where.startswith("line") else f"line {last}, at its end"
        raise ConfigError(
            f"{name} {place}: {what[:1].lower()}{what[1:]}",
            hint='the file is TOML, for example: particles = 32, or model = "model.gguf"',
        ) from error


def _loads(text: str) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    return tomllib.loads(text)


def _paths(values: Mapping[str, Any], above: Keys = ()) -> Iterator[Keys]:
    for key, value in values.items():
        yield (*above, key)
        if isinstance(value, dict):
            yield from _paths(value, (*above, key))
