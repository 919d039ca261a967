"""Warnings about LOCALSMC_ variables that no option reads."""

from __future__ import annotations

import os
from collections.abc import Iterable
from difflib import get_close_matches

import click

from localsmc.system.user_dirs import RESERVED
from localsmc_cli.options.base_command import PREFIX, Option


def unknown_variables(ctx: click.Context) -> list[str]:
    """A warning for each variable with localsmc's prefix that no option reads."""
    found = [name for name in os.environ if name.startswith(PREFIX) and name not in RESERVED]
    known = _variables(ctx.command)
    if set(found) <= known:
        return []
    from localsmc_cli.config.keys import Known

    everything = Known(ctx)
    known.update(*(_variables(one) for table in everything.tables() for one in everything.commands(table)))
    return [
        f"unknown environment variable `{name}`{_near(name, known)}" for name in found if name not in known
    ]


def _near(name: str, known: Iterable[str]) -> str:
    ends = [one.removeprefix(PREFIX) for one in known]
    near = get_close_matches(name.removeprefix(PREFIX), ends, 1)
    return f"; did you mean `{PREFIX}{near[0]}`?" if near else ""


def _variables(command: click.Command) -> set[str]:
    return {name for option in command.params if isinstance(option, Option) for name in option.variables}
