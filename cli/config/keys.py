"""The configuration's keys: which exist, in which tables they are allowed, and their types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from typing import Any

import click

from localsmc.errors import ConfigError
from localsmc_cli.config.config_file import Configuration, Keys
from localsmc_cli.options.base_command import Option, PlainCommand, did_you_mean

PROFILES = "profiles"
"""The table of the user's profiles, each a table."""


def normal(key: str) -> str:
    """A key with the spelling of options: dashes for underscores."""
    return key.replace("_", "-")


class Known:
    """The options of all commands. Commands are imported on demand, the running one first."""

    def __init__(self, ctx: click.Context) -> None:
        self._root = ctx.find_root()
        while ctx.parent is not None and ctx.parent is not self._root:
            ctx = ctx.parent
        self.table = str(ctx.info_name)
        """Table of the running command."""
        self.options = cache(self._options)

    def tables(self) -> list[str]:
        """The names of all commands, each of which can have a table."""
        group = self._root.command
        names = group.list_commands(self._root) if isinstance(group, click.Group) else []
        return sorted(names, key=lambda name: name != self.table)

    def commands(self, table: str) -> Iterator[PlainCommand]:
        """The configurable commands of a table: one, several for a group, or none."""
        group = self._root.command
        pending = [group.get_command(self._root, table)] if isinstance(group, click.Group) else []
        for command in pending:
            if isinstance(command, click.Group):
                pending.extend(command.commands.values())
            elif isinstance(command, PlainCommand) and command.is_configurable:
                yield command

    def _options(self, table: str) -> dict[str, Option]:
        """Key to option, for all commands of a table."""
        params = [param for command in self.commands(table) for param in command.params]
        return {key: param for param in params if isinstance(param, Option) for key in param.keys}

    def find(self, keys: Keys) -> Option | None:
        """The option that a path in the file sets, of the first command that allows it there."""
        *tables, key = (keys[2:] if keys[0] == PROFILES else keys) or ("",)
        names = tables or self.tables()
        found = (self.options(table).get(normal(key)) for table in names)
        return next((option for option in found if option and (tables or option.is_shared)), None)


# --- keys -----------------------------------------------------------------------------------------


def check_names(file: Configuration, known: Known) -> None:
    """Raise ConfigError for the first key that is unknown or in the wrong table."""
    _check_level(file, known, {key: one for key, one in file.values.items() if key != PROFILES}, ())
    profiles = file.values.get(PROFILES, {})
    if not isinstance(profiles, dict):
        raise ConfigError(f"{file.where((PROFILES,))}: `{PROFILES}` is a table", hint=_PROFILE)
    for name, values in profiles.items():
        if not isinstance(values, dict):
            raise ConfigError(
                f"{file.where((PROFILES, name))}: a profile must be a table, but `{name}` is a value",
                hint=_PROFILE,
            )
        _check_level(file, known, values, (PROFILES, name))


_PROFILE = "write [profiles.NAME], and the profile's values below it"


def _check_level(file: Configuration, known: Known, values: Mapping[str, Any], place: Keys) -> None:
    """Check the top level of the file or of a profile."""
    for key, value in values.items():
        where = file.where((*place, key))
        if not isinstance(value, dict):
            _check_plain(where, key, known, place)
        elif key not in known.tables():
            hint = _PROFILE if key == "profile" else did_you_mean(key, [*known.tables(), PROFILES])
            raise ConfigError(f"{where}: unknown command `{key}`", hint=hint)
        else:
            for inner in value:
                _check_of_command(file.where((*place, key, inner)), inner, known, key, place)


def _check_plain(where: str, key: str, known: Known, place: Keys) -> None:
    """Check a key that applies to all commands with this option."""
    _check_profile(where, key, place)
    if key in known.tables():
        raise ConfigError(
            f"{where}: `{key}` is a command, not an option", hint=f"write [{'.'.join((*place, key))}]"
        )
    refusals = []
    for table in known.tables():
        option = known.options(table).get(normal(key))
        if option is not None and option.is_shared:
            return
        if option is not None:
            refusals.append((option.each_time, table))
    for reason, table in sorted(refusals, key=lambda refusal: refusal[0] is not None):
        if reason is None:
            hint = f"move it to the table [{'.'.join((*place, table))}]"
            raise ConfigError(f"{where}: `{key}` applies to {table} only", hint=hint)
        raise _not_configured(where, key, reason)
    _raise_unknown(where, key, [name for table in known.tables() for name in known.options(table)])


def _check_of_command(where: str, key: str, known: Known, table: str, place: Keys) -> None:
    _check_profile(where, key, place)
    option = known.options(table).get(normal(key))
    if option is None:
        _raise_unknown(where, key, list(known.options(table)), f" of {table}")
    elif option.each_time:
        raise _not_configured(where, key, option.each_time)


def _check_profile(where: str, key: str, place: Keys) -> None:
    if place and key == "profile":
        raise ConfigError(f"{where}: a profile cannot include another profile", hint="remove `profile`")


def _raise_unknown(where: str, key: str, known: Sequence[str], of: str = "") -> None:
    if key in ("help", "version"):
        raise _not_configured(where, key, "it prints something and exits")
    if not known:
        raise ConfigError(f"{where}: no option{of} can be configured", hint="remove it")
    near = get_close_matches(normal(key), known, 1)
    hint = (
        f"did you mean `{near[0]}`?" if near else "keys are the long options of `--help-all`, without dashes"
    )
    raise ConfigError(f"{where}: unknown option `{key}`{of}", hint=hint)


def _not_configured(where: str, key: str, reason: str) -> ConfigError:
    return ConfigError(f"{where}: `{key}` cannot be configured: {reason}", hint="pass it on the command line")


# --- values ---------------------------------------------------------------------------------------


def as_typed(option: Option, value: Any, where: str) -> Any:
    """A value of the file as click parses it; raises ConfigError if its type is wrong."""
    if option.is_flag:
        if not isinstance(value, bool):
            raise ConfigError(
                f"{where}: {_shown(value)} is not `true` or `false`",
                hint="write true or false, without quotes",
            )
        return value
    if isinstance(value, list):
        texts = [_as_text(option, one, where) for one in value]
        if option.multiple:
            return tuple(texts)
        if getattr(option.type, "is_list", False):
            return ",".join(texts)
        raise ConfigError(f"{where}: expected a single value, not a list", hint="give one value")
    text = _as_text(option, value, where)
    return (text,) if option.multiple else text


def _as_text(option: Option, value: Any, where: str) -> str:
    if isinstance(value, str):
        return value
    if not isinstance(value, bool | int | float):
        raise ConfigError(
            f"{where}: {_shown(value)} is not a string or a number", hint="write a string or a number"
        )
    if isinstance(option.type, type(click.STRING)):
        raise ConfigError(f"{where}: {_shown(value)} is not a string", hint="put it in quotes")
    return str(value).lower()


def _shown(value: Any) -> str:
    names = {dict: "a table", list: "a list", bool: f"`{str(value).lower()}`"}
    return names.get(type(value), f"`{value}`")
