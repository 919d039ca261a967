"""Option values from the file and profiles, and the source of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from localsmc.errors import ConfigError
from localsmc_cli.config.config_file import Configuration, Keys
from localsmc_cli.config.keys import PROFILES, as_typed, normal
from localsmc_cli.options.base_command import Option


@dataclass(frozen=True, slots=True)
class ValueLayer:
    """Values from one table of the file or of a built-in profile."""

    values: Mapping[str, Any]
    place: Keys
    is_for_command: bool
    file: Configuration | None

    @property
    def rank(self) -> int:
        """Precedence: the higher rank wins."""
        return 2 * self.is_of_profile + self.is_for_command

    @property
    def is_of_profile(self) -> bool:
        """Whether the values belong to a profile."""
        return self.place[:1] == (PROFILES,)

    def origin(self, key: str) -> str:
        """The source of a value, for a message."""
        if self.file is None:
            return f"the built-in profile `{self.place[1]}`, `{key}`"
        keys = (*self.place, key)
        return f"{self.file.where(keys)}, `{'.'.join(keys)}`"


@dataclass(frozen=True, slots=True)
class Origin:
    """The source of a value."""

    layer: ValueLayer
    key: str

    @property
    def text(self) -> str:
        """The source, for a message."""
        return self.layer.origin(self.key)

    @property
    def short(self) -> str:
        """The source, for a table: `config.toml line 3`, `profile fast`."""
        profile = [f"profile {self.layer.place[1]}"] if self.layer.is_of_profile else []
        line = [] if self.layer.file is None else [self.layer.file.short((*self.layer.place, self.key))]
        return ", ".join(profile + line)


class Values(dict[str, Any]):
    """Parameter to value, for click; later layers win."""

    def __init__(self, file: Configuration) -> None:
        super().__init__()
        self.file = file
        self.origins: dict[str, Origin] = {}

    def add(self, layer: ValueLayer, options: Mapping[str, Option]) -> None:
        """Add the values for these options; raises ConfigError for a value of the wrong type."""
        for key, value in layer.values.items():
            option = options.get(normal(key))
            if option is None or option.each_time or (option.scope and not layer.is_for_command):
                continue
            before = self.origins.get(str(option.name))
            if before is not None and before.layer is layer:
                raise ConfigError(
                    f"{layer.origin(key)} is another name of `{before.key}`, which is also set",
                    hint="remove one of them",
                )
            self[str(option.name)] = as_typed(option, value, layer.origin(key))
            self.origins[str(option.name)] = Origin(layer, key)


def layers(
    values: Mapping[str, Any], table: str, place: Keys, file: Configuration | None
) -> Iterator[ValueLayer]:
    """The top-level values of the file or a profile, then those for a command."""
    plain = {key: one for key, one in values.items() if not isinstance(one, dict)}
    yield ValueLayer(plain, place, False, file)
    if isinstance(values.get(table), dict):
        yield ValueLayer(values[table], (*place, table), True, file)
