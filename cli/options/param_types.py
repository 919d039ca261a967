"""Types of option values, each with its own error messages."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    _ParamType = click.ParamType[Any]
else:
    _ParamType = click.ParamType  # generic in newer versions only


class _Words(_ParamType):
    """A type that accepts a few words and offers them for completion."""

    words: tuple[str, ...]

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
        """See `click.ParamType.shell_complete`."""
        from click.shell_completion import CompletionItem

        return [CompletionItem(word) for word in self.words if word.startswith(incomplete)]


class GpuLayers(_Words):
    """A number of layers, or `auto` (−1) or `all` (−2)."""

    name = "N|auto|all"
    words = ("auto", "all")

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """See `click.ParamType.convert`."""
        words = {"auto": -1, "-1": -1, "all": -2, "-2": -2}
        if value in words:
            return words[value]
        if not re.fullmatch(r"[0-9]{1,9}", str(value)):
            self.fail(f"'{value}' is not a number of layers, `auto` or `all`", param, ctx)
        return int(value)


class Switch(_Words):
    """`on`, `off` or `auto`, in every spelling that llama.cpp accepts."""

    name = "on|off|auto"
    words = ("on", "off", "auto")
    _SPELLINGS = {
        "on": ("on", "enabled", "true", "1"),
        "off": ("off", "disabled", "false", "0"),
        "auto": ("auto", "-1"),
    }

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """See `click.ParamType.convert`."""
        meanings = [meaning for meaning, spellings in self._SPELLINGS.items() if value in spellings]
        if not meanings:
            self.fail(f"'{value}' is not `on`, `off` or `auto`", param, ctx)
        return meanings[0]


class CountType(_ParamType):
    """A whole number from `low` to `high`."""

    name = "N"

    def __init__(self, low: int, high: int = 2**31 - 1) -> None:
        self._low, self._high = low, high

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """See `click.ParamType.convert`."""
        if not re.fullmatch(r"-?[0-9]{1,19}", str(value)) or not self._low <= int(value) <= self._high:
            self.fail(f"'{value}' is not a whole number from {self._low} to {self._high}", param, ctx)
        return int(value)


class CountsType(_ParamType):
    """A comma-separated list of whole numbers, e.g. 1,16,64; an array in the configuration."""

    name = "N,..."
    is_list = True

    def __init__(self, low: int, high: int) -> None:
        self._one = CountType(low, high)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """See `click.ParamType.convert`."""
        parts = (self._one.convert(part.strip(), param, ctx) for part in str(value).split(","))
        return tuple(dict.fromkeys(parts))


class Exponents(_ParamType):
    """A comma-separated list of finite numbers of at least 1, e.g. 2,4; an array in the configuration."""

    name = "X,..."
    is_list = True

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...]:
        """See `click.ParamType.convert`."""
        try:
            numbers = tuple(dict.fromkeys(float(part) for part in str(value).split(",")))
        except ValueError:
            self.fail(f"'{value}' is not a list of numbers such as 2,4", param, ctx)
        if not all(math.isfinite(number) and number >= 1 for number in numbers):
            self.fail(f"'{value}' is not a list of exponents of at least 1", param, ctx)
        return numbers


class TokenLimit(_ParamType):
    """A number of tokens: at least 1, or −1 for as many as fit."""

    name = "N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """See `click.ParamType.convert`."""
        if not re.fullmatch(r"-1|0*[1-9][0-9]{0,8}", str(value)):
            self.fail(
                f"'{value}' is not a number of tokens: use 1 or more, or -1 for as many as fit", param, ctx
            )
        return int(value)


class Shares(_ParamType):
    """Proportions such as 3,1, separated by commas or slashes; an array in the configuration."""

    name = "N0,N1,..."
    is_list = True

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...]:
        """See `click.ParamType.convert`."""
        try:
            shares = tuple(float(part) for part in re.split("[,/]+", value))
        except ValueError:
            self.fail(f"'{value}' is not a list of numbers such as 3,1", param, ctx)
        if not all(math.isfinite(share) and share >= 0 for share in shares) or not any(shares):
            self.fail(f"'{value}' is not a list of proportions, at least one above 0", param, ctx)
        return shares


class SecondsType(_ParamType):
    """A finite number of seconds above 0."""

    name = "SECONDS"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """See `click.ParamType.convert`."""
        try:
            seconds = float(value)
        except ValueError:
            seconds = math.nan
        if not (math.isfinite(seconds) and seconds > 0):
            self.fail(f"'{value}' is not a number of seconds above 0", param, ctx)
        return seconds
