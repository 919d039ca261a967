"""The values of the file and of a profile, merged into a command's `default_map` of click.

Precedence, lowest first: the file's top-level values, its table for the command, the profile's
top-level values, the profile's table for the command. The environment overrides these, and the command
line overrides the environment.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click
from click.core import ParameterSource

from localsmc.errors import ConfigError
from localsmc_cli.config.config_file import Configuration, Keys
from localsmc_cli.config.keys import PROFILES, Known, check_names
from localsmc_cli.config.profiles import BUILT_IN
from localsmc_cli.config.provenance import origin
from localsmc_cli.config.values import Values, layers
from localsmc_cli.options.base_command import Option, did_you_mean
from localsmc_cli.options.choices import PARAMETERS

# --- into a command's context ---------------------------------------------------------------------


def take_file(ctx: click.Context, file: Configuration) -> None:
    """Use the file's values; raises ConfigError for an unknown key."""
    known = Known(ctx)
    check_names(file, known)
    ctx.default_map = values = Values(file)
    _add(values, known, file.values, (), file)


def take_profile(ctx: click.Context, name: str) -> None:
    """Let a profile's values override the file's; raises ConfigError for an unknown profile."""
    if ctx.default_map is None:
        ctx.default_map = Values(Configuration(""))
    values = ctx.default_map
    assert isinstance(values, Values)  # noqa: S101 - made here, or by `take_file`
    try:
        found, file = find_profile(name, values.file)
    except ConfigError as error:
        if ctx.get_parameter_source("profile") is ParameterSource.COMMANDLINE:
            raise
        raise ConfigError(f"{origin(ctx, 'profile')}: {error}", hint=error.hint) from None
    _add(values, Known(ctx), found, (PROFILES, name), file)


def find_profile(name: str, file: Configuration) -> tuple[Mapping[str, Any], Configuration | None]:
    """A profile's values and the file they come from; raises ConfigError for an unknown profile."""
    own = file.values.get(PROFILES, {})
    if name in own:
        return own[name], file
    if name not in BUILT_IN:
        hint = did_you_mean(name, [*BUILT_IN, *(other for other in own if other not in BUILT_IN)])
        raise ConfigError(f"unknown profile `{name}`", hint=hint)
    return BUILT_IN[name], None


def _add(
    values: Values, known: Known, found: Mapping[str, Any], place: Keys, file: Configuration | None
) -> None:
    for layer in layers(found, known.table, place, file):
        values.add(layer, known.options(known.table))


# --- the whole file -------------------------------------------------------------------------------


def check(file: Configuration, known: Known) -> None:
    """Raise ConfigError for the first mistake in the file, for any command."""
    check_names(file, known)
    places: list[tuple[Keys, Mapping[str, Any]]] = [((), file.values)]
    places += [((PROFILES, name), values) for name, values in file.values.get(PROFILES, {}).items()]
    for table in known.tables():
        options = known.options(table)
        for place, found in places:
            for layer in layers(found, table, place, file):
                values = Values(file)
                values.add(layer, options)
                _check_values(values, {str(option.name): option for option in options.values()})


def _check_values(values: Values, options: Mapping[str, Option]) -> None:
    ctx = click.Context(click.Command(None))
    for name, value in values.items():
        origin = values.origins[name].text
        try:
            typed = options[name].type_cast_value(ctx, value)
            _check_meaning(name, typed, values.file)
        except click.BadParameter as error:
            message = error.message.rstrip(".")
            raise ConfigError(f"{origin}: {message[:1].lower()}{message[1:]}") from error
        except ConfigError as error:
            raise ConfigError(f"{origin}: {error}", hint=error.hint) from error


def _check_meaning(name: str, value: Any, file: Configuration) -> None:
    """Raise ConfigError for an unknown profile or method, or a value that no method accepts."""
    if name == "profile":
        find_profile(value, file)
    elif name == "methods":
        from localsmc.methods.spec import parse_method

        for text in value:
            parse_method(text, is_complete=False)
    elif name in PARAMETERS and not isinstance(value, tuple):
        _check_parameter(name, value)


def _check_parameter(name: str, value: Any) -> None:
    from localsmc.methods import METHODS, from_options
    from localsmc.methods.base import options_of

    errors = []
    # Some parameters have an effect with another resampling scheme only.
    for others in ({}, {"resampling": "systematic"}):
        for method in METHODS.values():
            if {name, *others} <= set(options_of(method)):
                try:
                    from_options(method, {**others, name: value})
                except ConfigError as error:
                    errors.append(error)
                else:
                    return
    raise errors[0]
