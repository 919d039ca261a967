"""What all methods have in common: a frozen configuration that starts a run on a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

from localsmc.errors import ConfigError
from localsmc.methods.request import KVDemand, Request
from localsmc.selection import BY_LOGP

if TYPE_CHECKING:
    from localsmc.methods.run import SamplingRun


class Method(Protocol):
    """A frozen dataclass of parameters, with a name.

    Optional attributes: `unused`, `knows_logp`, `early`, `pair` and `no_grammar`, see the functions below.
    """

    name: ClassVar[str]

    @property
    def select(self) -> str:
        """The selector that is used if the user names none."""
        ...

    @property
    def weight_exponent(self) -> float | None:
        """The exponent α by which its weights are sharper than the model; None if they say nothing."""
        ...

    @property
    def kv_demand(self) -> KVDemand:
        """The KV cache it asks for; with less, a run works in batches, reduces its histories, or raises."""
        ...

    def start(self, request: Request) -> SamplingRun:
        """Decode the prompt and return a run that is ready for its first step."""
        ...


def options_of(method: type[Method]) -> list[str]:
    """The names of a method's parameters."""
    return [field.name for field in fields(method)]  # type: ignore[arg-type]


def from_options(
    method: type[Method], options: Mapping[str, Any], recommended: Mapping[str, Any] | None = None
) -> Method:
    """Build a method from a mapping.

    `recommended` values replace defaults: they apply if `options` does not name the parameter and the
    parameter has an effect with `options`. Raises ConfigError for an unknown key, with the nearest known one.
    """
    known = options_of(method)
    for option in options:
        if option not in known:
            near = get_close_matches(option, known, 1)
            choices = f"choose from: {', '.join(known)}" if known else "remove it: it has no options"
            raise ConfigError(
                f"{method.name} has no option `{option}`",
                hint=f"did you mean `{near[0]}`?" if near else choices,
            )
    found = method(**options)
    if not recommended:
        return found
    unused = {name for group in unused_of(found) for name in group.names}
    used = {name: value for name, value in recommended.items() if name not in unused}
    return method(**{**used, **options})


def checked_for(method: Method, select: str | None) -> Method:
    """The method to run for this selector, None for the method's own.

    Raises ConfigError for a selector that needs log-probabilities, if the method does not know them. `early`
    is turned off for any selector but the method's own: dropping completions that cannot win keeps the
    stated distribution for that selector only.
    """
    if select in BY_LOGP and not getattr(method, "knows_logp", True):
        raise ConfigError(
            f"`select={select}` needs log-probabilities, which `{method.name}` does not compute here",
            hint=f"remove it, or use the method's own selector, `{method.select}`",
        )
    if getattr(method, "early", False) and select not in (None, method.select):
        return replace(method, early=False)  # type: ignore[type-var]
    return method


TOKENS, COMPLETIONS = "tokens", "texts"
"""What the two models of a method must share: token ids, or only text."""


def draft_kind(method: Method | type[Method]) -> str | None:
    """What a method's target and draft must share (`pair`); None if it has no draft."""
    found: str | None = getattr(method, "pair", None)
    return found


def refuse_grammar(method: Method) -> None:
    """Raise ConfigError if the method does not support constrained decoding (`no_grammar` says why)."""
    why: str | None = getattr(method, "no_grammar", None)
    if why is not None:
        raise ConfigError(
            f"`{method.name}` does not support a grammar: {why}",
            hint="use `power-smc`, `draft-smc`, `power-mh`, `power-tempering`, `sample`, `best-of-n`,"
            " `self-consistency` or `greedy`",
        )


class Unused(NamedTuple):
    """Parameters that have no effect with the others as they are, why, and what gives them one.

    `when` continues "has no effect", e.g. "with `rule=opt`"; `remedy` is an imperative.
    """

    names: tuple[str, ...]
    when: str
    remedy: str


class UnusedOption(ConfigError):
    """A parameter is set that has no effect with the others as they are."""


def unused_of(method: Method) -> list[Unused]:
    """The parameters of a method that have no effect with the others as they are (`unused`)."""
    found: list[Unused] = getattr(method, "unused", [])
    return found


def reject_unused(method: Method) -> None:
    """Raise UnusedOption if a parameter is not at its default and has no effect."""
    defaults = {field.name: field.default for field in fields(method)}  # type: ignore[arg-type]
    for group in unused_of(method):
        for name in group.names:
            if getattr(method, name) != defaults[name]:
                raise UnusedOption(
                    f"`{name}` has no effect {group.when}", hint=f"remove it, or {group.remedy}"
                )


def require_between(name: str, value: float, low: float, high: float) -> None:
    """Raise ConfigError unless low ≤ value ≤ high."""
    if not low <= value <= high:
        raise ConfigError(f"`{name}` is {value}, but must be from {low:,} to {high:,}")
