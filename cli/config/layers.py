"""Values of the file and of a profile in their order, as click's `default_map` of a command.

Lowest first: the file's plain values, its table for the command, the profile's, the profile's table
for the command. Above them are the environment and what is typed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import click
from click.core import ParameterSource

from localsmc.errors import ConfigError
from localsmc_cli.config.config_file import Configuration, Keys
from localsmc_cli.config.keys import PROFILES, Known, as_typed, check_names, normal
from localsmc_cli.config.profiles import BUILT_IN
from localsmc_cli.config.provenance import origin
from localsmc_cli.options.base_command import Option, did_you_mean
from localsmc_cli.options.choices import PARAMETERS

# --- layers ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Layer:
    """Some values, and where they stand: in the file, or in a built-in profile."""

    values: Mapping[str, Any]
    place: Keys
    is_for_command: bool
    file: Configuration | None

    @property
    def rank(self) -> int:
        """What has a higher one wins."""
        return 2 * self.is_of_profile + self.is_for_command

    @property
    def is_of_profile(self) -> bool:
        """Whether its values count where the profile is asked for."""
        return self.place[:1] == (PROFILES,)

    def origin(self, key: str) -> str:
        """Where one of the values is from, for a message."""
        if self.file is None:
            return f"the built-in profile `{self.place[1]}`, `{key}`"
        keys = (*self.place, key)
        return f"{self.file.where(keys)}, `{'.'.join(keys)}`"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value is from."""

    layer: Layer
    key: str

    @property
    def text(self) -> str:
        """For a message."""
        return self.layer.origin(self.key)

    @property
    def short(self) -> str:
        """For a table: `config.toml line 3`, `profile fast`."""
        profile = [f"profile {self.layer.place[1]}"] if self.layer.is_of_profile else []
        line = [] if self.layer.file is None else [self.layer.file.short((*self.layer.place, self.key))]
        return ", ".join(profile + line)


class Values(dict[str, Any]):
    """Parameter to value, for click; what is added later wins."""

    def __init__(self, file: Configuration) -> None:
        super().__init__()
        self.file = file
        self.origins: dict[str, Origin] = {}

    def add(self, layer: Layer, options: Mapping[str, Option]) -> None:
        """Take what is for these options; raises ConfigError for a value of a wrong type."""
        for key, value in layer.values.items():
            option = options.get(normal(key))
            if option is None or option.each_time or (option.scope and not layer.is_for_command):
                continue
            before = self.origins.get(str(option.name))
            if before is not None and before.layer is layer:
                raise ConfigError(
                    f"{layer.origin(key)} is `{before.key}` by another name", hint="leave one of them out"
                )
            self[str(option.name)] = as_typed(option, value, layer.origin(key))
            self.origins[str(option.name)] = Origin(layer, key)


def layers(values: Mapping[str, Any], table: str, place: Keys, file: Configuration | None) -> Iterator[Layer]:
    """The plain values of the file or a profile, and those for a command."""
    plain = {key: one for key, one in values.items() if not isinstance(one, dict)}
    yield Layer(plain, place, False, file)
    if isinstance(values.get(table), dict):
        yield Layer(values[table], (*place, table), True, file)


# --- into a command's context ---------------------------------------------------------------------


def take_file(ctx: click.Context, file: Configuration) -> None:
    """Use what the file has; raises ConfigError for what nobody knows."""
    known = Known(ctx)
    check_names(file, known)
    ctx.default_map = values = Values(file)
    _add(values, known, file.values, (), file)


def take_profile(ctx: click.Context, name: str) -> None:
    """Use a profile's values over the file's; raises ConfigError where there is none of the name."""
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
    """A profile's values, and the file that they are from; raises ConfigError where there is none."""
    own = file.values.get(PROFILES, {})
    if name in own:
        return own[name], file
    if name not in BUILT_IN:
        hint = did_you_mean(name, [*BUILT_IN, *(other for other in own if other not in BUILT_IN)])
        raise ConfigError(f"no profile is called `{name}`", hint=hint)
    return BUILT_IN[name], None


def _add(
    values: Values, known: Known, found: Mapping[str, Any], place: Keys, file: Configuration | None
) -> None:
    for layer in layers(found, known.table, place, file):
        values.add(layer, known.options(known.table))


# --- the whole file -------------------------------------------------------------------------------


def check(file: Configuration, known: Known) -> None:
    """Raise ConfigError for the first mistake in the file, whatever command it is for."""
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
    """Raise ConfigError for a profile or a method that there is not, and for what no method takes."""
    if name == "profile":
        find_profile(value, file)
    elif name == "methods":
        from localsmc.methods.spec import parse_method

        for text in value:
            parse_method(text)
    elif name in PARAMETERS and not isinstance(value, tuple):
        _check_parameter(name, value)


def _check_parameter(name: str, value: Any) -> None:
    from localsmc.methods import METHODS, from_options
    from localsmc.methods.base import options_of

    errors = []
    # Some have a say beside another scheme only.
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
