"""Where an option's value came from, and what that means where two disagree."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import click
from click.core import ParameterSource

from localsmc.errors import ModelNotFound
from localsmc_cli.options.base_command import PREFIX, Option

if TYPE_CHECKING:
    from localsmc_cli.config.values import Values

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


def _layers(ctx: click.Context) -> Values:
    """Nothing else is ever put there."""
    return cast("Values", ctx.default_map)


def _option(ctx: click.Context, name: str) -> click.Parameter | None:
    return next((param for param in ctx.command.params if param.name == name), None)
