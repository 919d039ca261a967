"""What options are where nothing is typed, as rows of `localsmc config show`."""

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
    """An option with a value, where that is from, and the commands it is for."""

    option: str
    value: Any
    origin: str
    is_set: bool
    commands: list[str] = field(default_factory=list)
    is_alone: bool = True
    """Whether all commands that have such an option are among these."""

    @property
    def text(self) -> str:
        """The value as the file could have it; a default as the help has it."""
        return json.dumps(self.value, ensure_ascii=False) if self.is_set else str(self.value)

    @property
    def told(self) -> str:
        """The commands in words."""
        return "all" if self.is_alone and len(self.commands) > 1 else ", ".join(self.commands)

    def to_json(self) -> dict[str, Any]:
        """For programs; a default's value is the help's word for it."""
        return {"option": self.option, "value": self.value, "from": self.origin, "commands": self.commands}


def shown(root: click.Context, known: Known, tables: Sequence[str]) -> list[OptionRow]:
    """The options of some commands; those with the same value from the same place are one row."""
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
    """As click itself finds the values where nothing is typed."""
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
    told = _DEFAULT.search(option.help or "")
    return OptionRow(key, told[1] if told else "off" if option.is_flag else "", "default", is_set=False)
