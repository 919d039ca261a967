"""The file `config.toml`: its path, its values and their line numbers. Does not know the options."""

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
"""Path of a value in the file: the names of its tables, then its key."""


FILE = "config.toml"


def config_path() -> Path:
    """The path of the file, whether or not it exists."""
    return config_folder() / FILE


@dataclass(frozen=True)
class Configuration:
    """The content of a configuration file; empty if there is no file."""

    name: str
    """How messages name the file."""
    text: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)

    def where(self, keys: Sequence[str]) -> str:
        """Name and line of a value, for a message."""
        line = self._lines.get(tuple(keys))
        return self.name if line is None else f"{self.name} line {line}"

    def short(self, keys: Sequence[str]) -> str:
        """File name and line of a value, for a table."""
        return f"{FILE} line {self._lines[tuple(keys)]}"

    @cached_property
    def _lines(self) -> dict[Keys, int]:
        """The first line of each value and table, which tomllib does not report."""
        found: dict[Keys, int] = {}
        header, chunk, start = "", "", 1
        for number, line in enumerate(self.text.split("\n"), 1):
            chunk += line + "\n"
            try:
                values = _loads(header + chunk)
            except ValueError:
                continue  # the value continues on the next line
            if chunk.lstrip().startswith("["):
                header, values = chunk, _loads(chunk)
            for keys in _paths(values):
                found.setdefault(keys, start)
            chunk, start = "", number + 1
        return found


def read() -> Configuration:
    """Read the user's file; raises ConfigError if it cannot be read or is not valid TOML."""
    path = config_path()
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Configuration(f"`{path}`")
    except OSError as error:
        raise ConfigError(
            f"`{path}` cannot be read: {error.strerror}",
            hint="this is localsmc's configuration file; set LOCALSMC_CONFIG to use another folder",
        ) from error
    try:
        return parse(f"`{path}`", data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise ConfigError(f"`{path}` is not UTF-8 text", hint="convert it to UTF-8") from None


def parse(name: str, text: str) -> Configuration:
    """Parse the text of a file; raises ConfigError if it is not valid TOML."""
    try:
        return Configuration(name, text, _loads(text))
    except (ValueError, RecursionError) as error:
        what, _, where = str(error).partition(" (at ")
        last = len(text.rstrip().split("\n"))
        place = where.rstrip(")") if where.startswith("line") else f"line {last}, at the end"
        raise ConfigError(
            f"{name} {place}: {what[:1].lower()}{what[1:]}",
            hint='write TOML, for example: particles = 32, or model = "model.gguf"',
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
