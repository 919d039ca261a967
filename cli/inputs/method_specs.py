"""The methods of a command line: `--method`, and the flags that apply to each."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from localsmc.errors import ConfigError
from localsmc_cli.config.provenance import is_typed, origin, rank
from localsmc_cli.inputs.parsed_options import MethodOptions

if TYPE_CHECKING:
    from localsmc.methods.spec import MethodSpec


def parse_methods(texts: Sequence[str], *, is_complete: bool = True) -> tuple[MethodSpec, ...]:
    """Parse the methods as written; raises ConfigError if one is given twice.

    With `is_complete` False, `with_flags` follows and refuses options that have no effect: flags may give
    them one.
    """
    from localsmc.methods.spec import parse_method

    try:
        specs = tuple(parse_method(text, is_complete=is_complete) for text in texts)
    except ConfigError as error:
        raise error if is_typed("methods") else _at(error, "methods") from None
    labels = [spec.label for spec in specs]
    for label in labels:
        if labels.count(label) > 1:
            raise ConfigError(f"the method `{label}` is given twice", hint="remove one of them")
    return specs


def with_flags(specs: Sequence[MethodSpec], options: MethodOptions) -> tuple[MethodSpec, ...]:
    """The methods with the flags that apply to each; raises ConfigError for one that applies to none."""
    flags = {name: value for name, value in options.parameters().items() if not is_idle(name, specs)}
    for name in flags:
        _check_owner(name, [spec.name for spec in specs])
    if options.select is not None:
        flags["select"] = options.select
    return tuple(_joined(spec, flags) for spec in specs)


def is_idle(option: str, specs: Sequence[MethodSpec]) -> bool:
    """Whether an option is ignored: it was not typed, and no method can use it or all set it themselves.

    A configured value applies only to the methods that have the option.
    """
    owners = _owners(option)
    return not is_typed(option) and not any(
        spec.name in owners and (option not in spec.options or _beats_methods(option)) for spec in specs
    )


def check_draft(
    specs: Sequence[MethodSpec], draft: str | None, models: Sequence[str], *, is_for_later: bool = False
) -> None:
    """Raise ConfigError if a draft model is missing, or is typed for methods that use none.

    `is_for_later` allows the latter, because other methods may follow.
    """
    from localsmc.methods import METHODS
    from localsmc.methods.base import draft_kind

    pairs = [spec.name for spec in specs if draft_kind(METHODS[spec.name])]
    if pairs and draft is None and not _all_embedded(models):
        raise ConfigError(
            f"{_listed(pairs)} needs a draft model",
            hint="add one with `-md small.gguf`: a small model of the same family",
        )
    for option in ("model_draft", "hf_repo_draft", "n_gpu_layers_draft", "n_threads_draft"):
        if not pairs and not is_for_later and is_typed(option):
            owners = [name for name, method in METHODS.items() if draft_kind(method)]
            raise ConfigError(
                f"`{spelling(option)}` does not apply to {_listed([spec.name for spec in specs])}",
                hint=f"remove it, or use {_listed(owners)}",
            )


def _all_embedded(models: Sequence[str]) -> bool:
    """Whether every model is an embedded one, which has its own draft model."""
    from localsmc.store.model_source import is_embedded

    return all(map(is_embedded, models))


def _joined(spec: MethodSpec, flags: Mapping[str, Any]) -> MethodSpec:
    """The method with the flags that apply to it; of two values the more explicit one wins."""
    from localsmc.methods import METHODS
    from localsmc.methods.base import options_of

    known, spelled = {*options_of(METHODS[spec.name]), "select"}, set(spec.options)
    if spec.select is not None:
        spelled.add("select")
    own = {name: value for name, value in flags.items() if name in known}
    for name in own.keys() & spelled:
        if is_typed(name) and is_typed("methods"):
            raise ConfigError(
                f"`{spelling(name)}` is given twice: it is also in `{spec.label}`",
                hint="remove one of them",
            )
        if not _beats_methods(name):
            del own[name]
    spec = _without(spec, own.keys() & spelled)
    _check_values(spec, {name: value for name, value in own.items() if name != "select"})
    select = own.pop("select", spec.select)
    return replace(spec, options={**spec.options, **own}, select=select)


def _beats_methods(option: str) -> bool:
    """Whether an option is more explicit than `--method`."""
    ctx = click.get_current_context()
    return rank(ctx, option) > rank(ctx, "methods")


def _without(spec: MethodSpec, options: Collection[str]) -> MethodSpec:
    """The method without some of its options."""
    from localsmc.methods.spec import ALIASES, parse_method

    name, _, rest = spec.label.partition(":")
    parts = {part: part.partition("=")[0] for part in rest.split(",")}
    kept = [part for part, key in parts.items() if ALIASES.get(key, key.replace("-", "_")) not in options]
    return parse_method(f"{name}:{','.join(kept)}", is_complete=False) if options else spec


def _check_values(spec: MethodSpec, flags: Mapping[str, Any]) -> None:
    """Raise ConfigError for a value out of range; if it was not typed, with the place that it is from."""
    from localsmc.methods import METHODS, from_options

    def found(values: Mapping[str, Any]) -> ConfigError | None:
        try:
            from_options(METHODS[spec.name], {**spec.options, **values})
        except ConfigError as error:
            return error
        return None

    error = found(flags)
    if error is None:
        return
    for name in flags:
        others = {other: value for other, value in flags.items() if other != name}
        if not is_typed(name) and found(others) is None:
            raise _at(error, name)
    raise error if is_typed("methods") or found({}) is None else _at(error, "methods")


def _at(error: ConfigError, option: str) -> ConfigError:
    """The error with the place that the option's value is from."""
    return ConfigError(f"{origin(click.get_current_context(), option)}: {error}", hint=error.hint)


def _check_owner(option: str, names: Sequence[str]) -> None:
    owners = _owners(option)
    if not owners.keys() & set(names):
        raise ConfigError(
            f"`{spelling(option)}` does not apply to {_listed(names)}",
            hint=f"remove it, or use {_listed(list(owners))}",
        )


def _owners(option: str) -> dict[str, None]:
    """The methods that have an option."""
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
