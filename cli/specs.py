"""The methods of a command line: what `--method` spells, and the flags that apply to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from localsmc.errors import ConfigError
from localsmc_cli.choices import PARAMETERS
from localsmc_cli.given import Given, is_typed

if TYPE_CHECKING:
    from localsmc.methods.spec import MethodSpec


def parse_methods(texts: Sequence[str]) -> tuple[MethodSpec, ...]:
    """The methods as they are written; raises ConfigError where one is given twice."""
    from localsmc.methods.spec import parse_method

    specs = tuple(map(parse_method, texts))
    labels = [spec.label for spec in specs]
    for label in labels:
        if labels.count(label) > 1:
            raise ConfigError(f"the method `{label}` is given twice", hint="leave one of them out")
    return specs


def with_flags(specs: Sequence[MethodSpec], given: Given) -> tuple[MethodSpec, ...]:
    """The methods with the flags that apply to each; raises ConfigError for one that applies to none."""
    flags = {name: given[name] for name in PARAMETERS if given[name] is not None}
    for name in list(flags):
        if not is_typed(name) and not _owners(name).keys() & {spec.name for spec in specs}:
            del flags[name]  # a variable of llama.cpp's is there for whoever can use it
            continue
        _check_owner(name, [spec.name for spec in specs])
    return tuple(_joined(spec, flags, given["select"]) for spec in specs)


def check_draft(specs: Sequence[MethodSpec], given: Given) -> None:
    """Raise ConfigError where a draft is missing, or named on the command line for methods that have none."""
    from localsmc.methods import METHODS
    from localsmc.methods.base import pair_of

    pairs = [spec.name for spec in specs if pair_of(METHODS[spec.name])]
    if pairs and given["model_draft"] is None and not _all_embedded(given):
        raise ConfigError(
            f"{_listed(pairs)} needs a second, smaller model that writes drafts",
            hint="add `-md small.gguf`, a small model of the same family",
        )
    for option in ("model_draft", "hf_repo_draft", "n_gpu_layers_draft", "n_threads_draft"):
        if not pairs and is_typed(option):
            owners = [name for name, method in METHODS.items() if pair_of(method)]
            raise ConfigError(
                f"`{spelling(option)}` does not apply to {_listed([spec.name for spec in specs])}",
                hint=f"leave it out, or use {_listed(owners)}",
            )


def _all_embedded(given: Given) -> bool:
    """Whether every model ships with the package, and so does a draft for it."""
    from localsmc.catalog import is_embedded

    models = given.get("models") or filter(None, [given.get("model")])
    return all(map(is_embedded, models))


def _joined(spec: MethodSpec, flags: dict[str, Any], select: str | None) -> MethodSpec:
    from localsmc.methods import METHODS, from_options
    from localsmc.methods.base import options_of

    known = options_of(METHODS[spec.name])
    own = {name: value for name, value in flags.items() if name in known}
    twice = [name for name in own if name in spec.options]
    if spec.select is not None and select is not None:
        twice.append("select")
    if twice:
        raise ConfigError(
            f"`{spelling(twice[0])}` is given twice: it stands in `{spec.label}`, too",
            hint="leave one of them out",
        )
    options = {**spec.options, **own}
    from_options(METHODS[spec.name], options)  # says which value is out of range
    return replace(spec, options=options, select=spec.select or select)


def _check_owner(option: str, names: Sequence[str]) -> None:
    owners = _owners(option)
    if not owners.keys() & set(names):
        raise ConfigError(
            f"`{spelling(option)}` does not apply to {_listed(names)}",
            hint=f"leave it out, or use {_listed(list(owners))}",
        )


def _owners(option: str) -> dict[str, None]:
    """The methods that have an option, in their order."""
    from localsmc.methods import METHODS
    from localsmc.methods.base import options_of

    return {name: None for name, method in METHODS.items() if option in options_of(method)}


def _listed(names: Sequence[str]) -> str:
    *most, last = [f"`--method {name}`" for name in dict.fromkeys(names)]
    return f"{', '.join(most)} or {last}" if most else last


def spelling(option: str) -> str:
    """How an option is written on the command line."""
    own = {
        "temperature": "--temp",
        "n_max": "--spec-draft-n-max",
        "n_gpu_layers_draft": "--gpu-layers-draft",
        "n_threads_draft": "--threads-draft",
    }
    return own.get(option) or "--" + option.replace("_", "-")
