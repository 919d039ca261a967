"""The source of an option's value, and which of two conflicting options wins."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import click
from click.core import ParameterSource

from localsmc.errors import ModelNotFound
from localsmc_cli.options.base_command import PREFIX, Option

if TYPE_CHECKING:
    from localsmc_cli.config.values import Values

_TYPED, _LOCALSMC_ENV, _LLAMA_ENV, _DEFAULT = 10, 9, 8, -1
"""Ranks: command line, LOCALSMC_ variables, llama.cpp's variables; the configuration's layers are 0 to 3."""


def origin(ctx: click.Context, name: str) -> str:
    """The source of a value, for messages: the option, its variable, or its place in the configuration."""
    option, source = _option(ctx, name), ctx.get_parameter_source(name)
    if source is ParameterSource.ENVIRONMENT and isinstance(option, Option):
        return f"the environment variable `{option.variable()}`"
    if source is ParameterSource.DEFAULT_MAP:
        return _layers(ctx).origins[name].text
    opts = [name] if option is None else option.opts
    return f"`{next((one for one in opts if one.startswith('--')), opts[0])}`"


def is_typed(name: str) -> bool:
    """Whether an option of the running command was given on the command line."""
    return click.get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE


def rank(ctx: click.Context, name: str) -> int:
    """How explicitly an option was set: of two that exclude each other, the higher rank wins."""
    option, source = _option(ctx, name), ctx.get_parameter_source(name)
    if source is ParameterSource.COMMANDLINE:
        return _TYPED
    if source is ParameterSource.ENVIRONMENT and isinstance(option, Option):
        return _LOCALSMC_ENV if str(option.variable()).startswith(PREFIX) else _LLAMA_ENV
    if source is ParameterSource.DEFAULT_MAP:
        return _layers(ctx).origins[name].layer.rank
    return _DEFAULT


def prefer(ctx: click.Context, one: str, other: str) -> None:
    """If both alternatives are set, reset the one that was set less explicitly."""
    if ctx.params.get(one) and ctx.params.get(other):
        first, second = rank(ctx, one), rank(ctx, other)
        if first != second:
            weaker = one if first < second else other
            nothing = {bool: False, tuple: ()}
            ctx.params[weaker] = nothing.get(type(ctx.params[weaker]))


def add_origin_hint(ctx: click.Context, error: ModelNotFound) -> None:
    """Add the source of a model's name to the hint, unless it was typed."""
    for name in ("model", "models", "model_draft", "hf_repo", "hf_repo_draft"):
        value = ctx.params.get(name)
        named = [value] if isinstance(value, str) else value or ()
        if rank(ctx, name) not in (_TYPED, _DEFAULT) and any(one in str(error) for one in named):
            error.hint = f"the name comes from {origin(ctx, name)}; {error.hint}"


def _layers(ctx: click.Context) -> Values:
    """The values in `default_map`, which never holds anything else."""
    return cast("Values", ctx.default_map)


def _option(ctx: click.Context, name: str) -> click.Parameter | None:
    return next((param for param in ctx.command.params if param.name == name), None)
