"""A method as it is written on a command line: its name, its options, and who selects."""

from __future__ import annotations

import typing
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from localsmc.errors import ConfigError
from localsmc.methods import METHODS, from_options
from localsmc.methods.base import options_of
from localsmc.selection import SELECTORS

ALIASES = {"N": "particles", "n": "particles", "temp": "temperature", "a": "alpha"}

SWITCH = {"on": True, "off": False, "true": True, "false": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodSpec:
    """A method with the options that were given, and how one completion is selected.

    `label` is how it was written: it names the method in every line and seeds its runs.
    """

    label: str
    name: str
    options: dict[str, Any]
    select: str | None = None

    @property
    def selector(self) -> str:
        """The selector that was asked for, or the method's own."""
        return self.select or from_options(METHODS[self.name], self.options).select

    def to_json(self) -> dict[str, Any]:
        """For a manifest."""
        return {"label": self.label, "name": self.name, "config": {**self.options, "select": self.selector}}


def parse_method(text: str) -> MethodSpec:
    """A method written as `power-smc:N=16,alpha=4,select=majority`; raises ConfigError."""
    label = "".join(text.split()).rstrip(":,")
    name, _, rest = label.partition(":")
    if name not in METHODS:
        near = get_close_matches(name, METHODS, 1)
        hint = f"did you mean `{near[0]}`?" if near else f"there is: {', '.join(METHODS)}"
        raise ConfigError(f"no method is called `{name}`", hint=hint)
    pairs = [_option(name, part) for part in rest.split(",") if part]
    options = dict(pairs)
    if len(options) < len(pairs):
        raise ConfigError(f"`{label}` has an option twice", hint="leave one of them out")
    select = options.pop("select", None)
    if select is not None and select not in SELECTORS:
        raise ConfigError(f"`select` is `{select}`", hint=f"there is: {', '.join(SELECTORS)}")
    from_options(METHODS[name], options)
    return MethodSpec(label=label, name=name, options=options, select=select)


def _option(name: str, part: str) -> tuple[str, Any]:
    written, sign, value = part.partition("=")
    option = ALIASES.get(written, written.replace("-", "_"))
    if not sign or not value:
        raise ConfigError(f"`{part}` is no option: it has no value", hint=f"write {name}:{written}=...")
    if option == "select":
        return option, value
    if option not in options_of(METHODS[name]):
        from_options(METHODS[name], {option: value})  # says which one may have been meant
    kind = typing.get_type_hints(METHODS[name])[option]
    try:
        return option, SWITCH[value] if kind is bool else kind(value)
    except (ValueError, KeyError):
        words = {bool: "`on` or `off`", int: "a whole number", float: "a number"}
        raise ConfigError(
            f"`{part}` is not {words[kind]}", hint=f"write {name}:{written}={'on' if kind is bool else 4}"
        ) from None
