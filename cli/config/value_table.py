"""The values of options that are not typed, as rows of `localsmc config show`."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import click
from click.core import ParameterSource

from localsmc_cli.config.keys import Known
from localsmc_cli.config.values import Values
from localsmc_cli.options.base_command import Option, PlainCommand

_DEFAULT = re.compile(r"\[default: (.*)\]$")


@dataclass(slots=True)
class OptionRow:
    """An option, its value, the source of the value and the commands it applies to."""

    option: str
    value: Any
    origin: str
    is_set: bool
    commands: list[str] = field(default_factory=list)
    is_alone: bool = True
    """Whether `commands` has all commands with this option."""

    @property
    def text(self) -> str:
        """The value as in the file; a default as in the help text."""
        return json.dumps(self.value, ensure_ascii=False) if self.is_set else str(self.value)

    @property
    def commands_text(self) -> str:
        """The commands as text."""
        return "all" if self.is_alone and len(self.commands) > 1 else ", ".join(self.commands)

    def to_json(self) -> dict[str, Any]:
        """As JSON; the value of a default is its text in the help."""
        return {"option": self.option, "value": self.value, "from": self.origin, "commands": self.commands}


def shown(root: click.Context, known: Known, tables: Sequence[str]) -> list[OptionRow]:
    """The options of these commands; equal values from the same source share a row."""
    rows: dict[tuple[str, str, str], OptionRow] = {}
    for table in tables:
        for command in known.commands(table):
            for row in _rows(root, table, command):
                one = rows.setdefault((row.option, repr(row.value), row.origin), row)
                if table not in one.commands:
                    one.commands.append(table)
    n_rows = Counter(row.option for row in rows.values())
    for row in rows.values():
        row.is_alone = n_rows[row.option] == 1
    return list(rows.values())


def _rows(root: click.Context, table: str, command: PlainCommand) -> Iterator[OptionRow]:
    """The values that click finds for a command line without options."""
    ctx = click.Context(command, info_name=table, parent=root)
    options = [option for option in command.params if isinstance(option, Option) and not option.each_time]
    for option in sorted(options, key=lambda option: not option.is_eager):
        option.handle_parse_result(ctx, {}, [])
        yield _row(ctx, option)


def _row(ctx: click.Context, option: Option) -> OptionRow:
    name, key = str(option.name), ".".join([*([option.scope] if option.scope else []), option.keys[0]])
    source = ctx.get_parameter_source(name)
    if source is ParameterSource.ENVIRONMENT:
        variable = str(option.variable())
        return OptionRow(key, os.environ[variable], f"environment {variable}", is_set=True)
    if source is ParameterSource.DEFAULT_MAP and isinstance(ctx.default_map, Values):
        found = ctx.default_map.origins[name]
        return OptionRow(key, found.layer.values[found.key], found.short, is_set=True)
    default = _DEFAULT.search(option.help or "")
    return OptionRow(key, default[1] if default else "off" if option.is_flag else "", "default", is_set=False)
