"""Edits of the configuration file that keep its comments and order."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from localsmc.errors import ConfigError
from localsmc.system.atomic_write import write_whole
from localsmc_cli.config.config_file import Configuration, Keys, parse
from localsmc_cli.config.keys import PROFILES, normal
from localsmc_cli.options.base_command import Option


def keys_of(text: str) -> Keys:
    """Parse a dotted TOML key such as `profiles.mine.alpha`; raises ConfigError if it is not one."""
    try:
        values: Any = parse("", f"{text} = 0").values
    except ConfigError:
        values = {}
    keys = []
    while isinstance(values, dict) and len(values) == 1:
        ((key, values),) = values.items()
        keys.append(key)
    if values != 0:
        raise ConfigError(f"`{text}` is not a valid key", hint="for example: particles, or solve.particles")
    return tuple(keys)


def value_of(option: Option | None, texts: Sequence[str]) -> Any:
    """The typed words as a TOML value: a boolean for a flag, a number, a string or a list of strings."""
    if len(texts) > 1:
        return list(texts)
    (text,) = texts
    if option is None or isinstance(option.type, type(click.STRING)):
        return text
    readers: list[Callable[[str], Any]] = [click.BOOL] if option.is_flag else [int, float]
    for read in readers:
        with contextlib.suppress(ValueError, click.BadParameter):
            return read(text)
    return text


class Document:
    """The file's text with pending changes."""

    def __init__(self, file: Configuration) -> None:
        import tomlkit

        self._file = file
        self._toml: Any = tomlkit.parse(file.text)

    def set(self, keys: Keys, value: Any, names: Sequence[str] = ()) -> None:
        """Set a value; `names` are other names of the option, any of which is replaced."""
        import tomlkit

        table = self._toml
        for depth, key in enumerate(keys[:-1]):
            if key not in table:
                table[key] = tomlkit.table(is_super_table=depth + 2 < len(keys))
            table = table[key]
            if not isinstance(table, dict):
                raise ConfigError(
                    f"{self._file.where(keys[: depth + 1])}: `{key}` is a value, not a table",
                    hint=f"localsmc config unset {'.'.join(keys[: depth + 1])}",
                )
        same = [key for key in table if normal(key) in names]
        table[same[0] if same else keys[-1]] = value

    def unset(self, keys: Keys) -> None:
        """Remove a value or a table; raises ConfigError if it is not there."""
        table = self._toml
        for key in keys[:-1]:
            table = table.get(key, {}) if isinstance(table, dict) else {}
        if not isinstance(table, dict) or keys[-1] not in table:
            raise ConfigError(
                f"`{'.'.join(keys)}` is not in {self._file.name}",
                hint="`localsmc config show` lists what is set",
            )
        del table[keys[-1]]

    def write(self, path: Path) -> None:
        """Write the file atomically."""
        import tomlkit

        text = tomlkit.dumps(self._toml)
        parse("the new text of the file", text)
        write_whole(path, text)


def alone(file: Configuration, keys: Keys, value: Any) -> Configuration:
    """A configuration with this value only, and the names of the profiles in `file`."""
    values: dict[str, Any] = {PROFILES: {name: {} for name in file.values.get(PROFILES, {})}}
    table = values
    for key in keys[:-1]:
        table = table.setdefault(key, {})
    table[keys[-1]] = value
    return Configuration("the new value", values=values)
