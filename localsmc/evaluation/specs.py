"""What is evaluated: methods and models, as they are written on a command line."""

from __future__ import annotations

import typing
from collections.abc import Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Any

from localsmc import catalog, gguf
from localsmc.catalog import Source
from localsmc.errors import ConfigError
from localsmc.gguf import Header
from localsmc.loading import sha256
from localsmc.methods import METHODS, from_options
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
    select: str = "draw"

    def to_json(self) -> dict[str, Any]:
        """For a manifest."""
        return {"label": self.label, "name": self.name, "config": {**self.options, "select": self.select}}


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
    select = options.pop("select", "draw")
    if select not in SELECTORS:
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
    if option not in (field.name for field in fields(METHODS[name])):
        from_options(METHODS[name], {option: value})  # says which one may have been meant
    kind = typing.get_type_hints(METHODS[name])[option]
    try:
        return option, SWITCH[value] if kind is bool else kind(value)
    except (ValueError, KeyError):
        words = {bool: "`on` or `off`", int: "a whole number", float: "a number"}
        raise ConfigError(
            f"`{part}` is not {words[kind]}", hint=f"write {name}:{written}={'on' if kind is bool else 4}"
        ) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """A model to evaluate, under a name that no other of the run has. The file is not loaded yet."""

    name: str
    file: str | None
    source: Source
    header: Header

    def to_json(self) -> dict[str, Any]:
        """For a manifest; hashes the file where its hash is not known."""
        known = self.source.sha256 if len(self.header.parts) == 1 else None
        return {
            "name": self.name,
            "path": str(self.source.path),
            "sha256": known or sha256(self.header.parts),
            "params": self.header.n_params,
            "quantization": self.header.file_type,
            "bytes": self.header.size,
        }


def parse_models(files: Sequence[str]) -> tuple[ModelSpec, ...]:
    """Models by path, or the embedded one where none is given; raises ModelError or ConfigError."""
    specs: list[ModelSpec] = []
    for file in files or (None,):
        source = catalog.resolve(file)
        taken = {spec.name for spec in specs}
        if any(spec.source.path.resolve() == source.path.resolve() for spec in specs):
            raise ConfigError(f"`{source.path}` is given twice", hint="leave one of them out")
        name, i = source.path.stem, 2
        while name in taken:
            name, i = f"{source.path.stem} ({i})", i + 1
        specs.append(ModelSpec(name=name, file=file, source=source, header=gguf.read_header(source.path)))
    return tuple(specs)
