"""Parse methods as written on a command line, e.g. `power-smc:N=16,alpha=4`, and read their docstrings."""

from __future__ import annotations

import inspect
import re
import sys
import typing
from collections.abc import Iterable
from dataclasses import dataclass, fields
from difflib import get_close_matches
from functools import cached_property
from typing import Any

from localsmc.errors import ConfigError
from localsmc.methods import METHODS, Method, from_options
from localsmc.methods.base import UnusedOption, draft_kind, options_of, unused_of
from localsmc.selection import SELECTORS

ALIASES = {"N": "particles", "n": "particles", "temp": "temperature", "a": "alpha"}

SWITCH = {"on": True, "off": False, "true": True, "false": False}

# --- parsing --------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class MethodSpec:
    """A method with the options the user set, and the selector.

    `label` is what the user wrote, without blanks: it names the method in every record and seeds its runs.
    """

    label: str
    name: str
    options: dict[str, Any]
    select: str | None = None

    @cached_property
    def method(self) -> Method:
        """The method, without the values recommended for a model; built once."""
        return from_options(METHODS[self.name], self.options)

    @property
    def selector(self) -> str:
        """The selector the user chose, or the method's own."""
        return self.select or self.method.select

    def to_json(self) -> dict[str, Any]:
        """A record for a manifest."""
        return {"label": self.label, "name": self.name, "config": {**self.options, "select": self.selector}}


def uses_draft(specs: Iterable[MethodSpec]) -> bool:
    """Whether one of the methods needs a draft model."""
    return any(draft_kind(METHODS[spec.name]) for spec in specs)


def find_method(name: str) -> type[Method]:
    """The method of this name; raises ConfigError with the nearest known name."""
    if name not in METHODS:
        near = get_close_matches(name, METHODS, 1)
        hint = f"did you mean `{near[0]}`?" if near else f"choose from: {', '.join(METHODS)}"
        raise ConfigError(f"no method is called `{name}`", hint=hint)
    return METHODS[name]


def parse_method(text: str, *, is_complete: bool = True) -> MethodSpec:
    """Parse a method written as `power-smc:N=16,alpha=4,select=majority`; raises ConfigError.

    Set `is_complete` to False if options may still be added to it: then an option that has no effect with
    those written so far is not refused.
    """
    label = "".join(text.split()).rstrip(":,")
    name, _, rest = label.partition(":")
    find_method(name)
    pairs = [_option(name, part) for part in rest.split(",") if part]
    options = dict(pairs)
    if len(options) < len(pairs):
        raise ConfigError(f"`{label}` has an option twice", hint="remove one of them")
    select = options.pop("select", None)
    if select is not None and select not in SELECTORS:
        raise ConfigError(
            f"`select` is `{select}`, which is not a selector", hint=f"choose from: {', '.join(SELECTORS)}"
        )
    try:
        from_options(METHODS[name], options)
    except UnusedOption:
        if is_complete:
            raise
    return MethodSpec(label=label, name=name, options=options, select=select)


def _option(name: str, part: str) -> tuple[str, Any]:
    written, sign, value = part.partition("=")
    option = ALIASES.get(written, written.replace("-", "_"))
    if not sign or not value:
        raise ConfigError(f"`{part}` has no value", hint=f"write {name}:{written}=...")
    if option == "select":
        return option, value
    if option not in options_of(METHODS[name]):
        from_options(METHODS[name], {option: value})  # raises, and suggests an option
    kind = typing.get_type_hints(METHODS[name])[option]
    try:
        return option, SWITCH[value] if kind is bool else kind(value)
    except (ValueError, KeyError):
        words = {bool: "`on` or `off`", int: "a whole number", float: "a number"}
        raise ConfigError(
            f"`{part}` is not {words[kind]}", hint=f"write {name}:{written}={'on' if kind is bool else 4}"
        ) from None


def defaults_of(method: type[Method]) -> dict[str, Any]:
    """The defaults of a method's parameters, by name."""
    return {field.name: field.default for field in fields(method)}  # type: ignore[arg-type]


def used_parameters(spec: MethodSpec) -> dict[str, Any]:
    """The values of the parameters that have an effect with the options written, and of `select`."""
    method = spec.method
    unused = {name for group in unused_of(method) for name in group.names}
    values = {name: getattr(method, name) for name in options_of(type(method)) if name not in unused}
    return {**values, "select": spec.selector}


def format_value(value: Any) -> str:
    """Format a parameter's value as `parse_method` reads it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)


# --- documentation --------------------------------------------------------------------------------

_HEADING = re.compile(r"[A-Z]\w*")
_ROW = re.compile(r"([A-Z][a-z]+) {2,}(\S.*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """The sections of a method's docstring that all methods have or may have; empty if missing."""

    target: str = ""
    proposal: str = ""
    weight: str = ""
    stops: str = ""
    cost: str = ""
    source: str = ""


def describe(method: type[Method]) -> Description:
    """The sections of `Description` from a method's docstring."""
    names = [field.name for field in fields(Description)]
    found = {name.lower(): text for name, text in sections(method).items()}
    return Description(**{name: found[name] for name in names if name in found})


def title(method: type[Method]) -> str:
    """The first paragraph of a method's docstring, as one line."""
    return " ".join(_documentation(method).partition("\n\n")[0].split())


def sections(method: type[Method]) -> dict[str, str]:
    """All sections of a method's docstring, `Target` and so on, in order; each as one line."""
    _, _, rest = _documentation(method).partition("\n\n")
    found: dict[str, str] = {}
    last = ""
    for line in _block(rest.splitlines(), method.__name__):
        row = _ROW.fullmatch(line)
        if row is not None:
            last = row[1]
            found[last] = row[2]
        elif last and line.startswith(" "):
            found[last] += f" {line.strip()}"
        else:
            last = ""
    return found


def first_clause(text: str) -> str:
    """The start of a text, up to the first full stop or semicolon."""
    return re.split(r"[.;](?=\s|$)", text, maxsplit=1)[0]


def _documentation(method: type[Method]) -> str:
    # None if Python runs with -OO.
    return inspect.cleandoc(sys.modules[method.__module__].__doc__ or "")


def _block(lines: Iterable[str], name: str) -> list[str]:
    """The lines under the heading of this name; all lines if there are no headings."""
    blocks: dict[str, list[str]] = {"": []}
    at = ""
    for line in lines:
        if _HEADING.fullmatch(line):
            at = line
        blocks.setdefault(at, []).append(line)
    return blocks.get(name, blocks[""])
