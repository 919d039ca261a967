"""Where an option's value came from, and what that means where two disagree."""

from __future__ import annotations

import os
from collections.abc import Iterable
from difflib import get_close_matches
from typing import TYPE_CHECKING, cast

import click
from click.core import ParameterSource

from localsmc.errors import ModelNotFound
from localsmc.system.user_dirs import RESERVED
from localsmc_cli.options.base_command import PREFIX, Option

if TYPE_CHECKING:
    from localsmc_cli.config.layers import Values

_TYPED, _OURS, _THEIRS, _DEFAULT = 10, 9, 8, -1
"""Ranks: what is typed, our variables, llama.cpp's; layers of the configuration have 0 to 3."""


def origin(ctx: click.Context, name: str) -> str:
    """For messages: the option as it is typed, its variable, or the place in the configuration."""
    option, source = _option(ctx, name), ctx.get_parameter_source(name)
    if source is ParameterSource.ENVIRONMENT and isinstance(option, Option):
        return f"the environment variable `{option.variable()}`"
    if source is ParameterSource.DEFAULT_MAP:
        return _layers(ctx).origins[name].text
    opts = [name] if option is None else option.opts
    return f"`{next((one for one in opts if one.startswith('--')), opts[0])}`"


def is_typed(name: str) -> bool:
    """Whether an option of the command that runs stands on its command line."""
    return click.get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE


def rank(ctx: click.Context, name: str) -> int:
    """Of two options that exclude each other the one of higher rank is what is meant."""
    option, source = _option(ctx, name), ctx.get_parameter_source(name)
    if source is ParameterSource.COMMANDLINE:
        return _TYPED
    if source is ParameterSource.ENVIRONMENT and isinstance(option, Option):
        return _OURS if str(option.variable()).startswith(PREFIX) else _THEIRS
    if source is ParameterSource.DEFAULT_MAP:
        return _layers(ctx).origins[name].layer.rank
    return _DEFAULT


def prefer(ctx: click.Context, one: str, other: str) -> None:
    """Of two alternatives, both given, forget the one that was said less explicitly."""
    if ctx.params.get(one) and ctx.params.get(other):
        first, second = rank(ctx, one), rank(ctx, other)
        if first != second:
            weaker = one if first < second else other
            nothing = {bool: False, tuple: ()}
            ctx.params[weaker] = nothing.get(type(ctx.params[weaker]))


def tell_who_named(ctx: click.Context, error: ModelNotFound) -> None:
    """Add to the hint where a model that there is not is named, unless it is typed."""
    for name in ("model", "models", "model_draft", "hf_repo", "hf_repo_draft"):
        value = ctx.params.get(name)
        named = [value] if isinstance(value, str) else value or ()
        if rank(ctx, name) not in (_TYPED, _DEFAULT) and any(one in str(error) for one in named):
            error.hint = f"it is named by {origin(ctx, name)}; {error.hint}"


def unknown_variables(ctx: click.Context) -> list[str]:
    """A line for each variable that looks like one of ours and is none."""
    found = [name for name in os.environ if name.startswith(PREFIX) and name not in RESERVED]
    known = _variables(ctx.command)
    if set(found) <= known:
        return []
    from localsmc_cli.config.keys import Known

    everything = Known(ctx)
    known.update(*(_variables(one) for table in everything.tables() for one in everything.commands(table)))
    return [f"no option has the variable `{name}`{_near(name, known)}" for name in found if name not in known]


def _near(name: str, known: Iterable[str]) -> str:
    ends = [one.removeprefix(PREFIX) for one in known]
    near = get_close_matches(name.removeprefix(PREFIX), ends, 1)
    return f"; did you mean `{PREFIX}{near[0]}`?" if near else ""


def _layers(ctx: click.Context) -> Values:
    """Nothing else is ever put there."""
    return cast("Values", ctx.default_map)


def _variables(command: click.Command) -> set[str]:
    return {name for option in command.params if isinstance(option, Option) for name in option.variables}


def _option(ctx: click.Context, name: str) -> click.Parameter | None:
    return next((param for param in ctx.command.params if param.name == name), None)
