"""What every method is: a frozen configuration that starts a run on a request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from localsmc.errors import ConfigError
from localsmc.methods.request import KVDemand, Request
from localsmc.selection import BY_LOGP

if TYPE_CHECKING:
    from localsmc.methods.run import SamplingRun


class Method(Protocol):
    """A frozen dataclass of parameters with a name."""

    name: ClassVar[str]

    @property
    def select(self) -> str:
        """The selector that is used where none is asked for."""
        ...

    @property
    def weight_exponent(self) -> float | None:
        """The exponent by which its weights are sharper than the model; None where they tell nothing."""
        ...

    @property
    def room(self) -> KVDemand:
        """What memory it would like; with less a run waits, reduces, or says that it cannot."""
        ...

    def start(self, request: Request) -> SamplingRun:
        """Decode the prompt and stand at its end."""
        ...


def options_of(method: type[Method]) -> list[str]:
    """The names of a method's parameters."""
    return [field.name for field in fields(method)]  # type: ignore[arg-type]


def from_options(method: type[Method], options: Mapping[str, Any]) -> Method:
    """A method from a mapping; raises ConfigError for an unknown key, with the nearest known one."""
    known = options_of(method)
    for option in options:
        if option not in known:
            near = get_close_matches(option, known, 1)
            there = f"it has: {', '.join(known)}" if known else "it has none: leave them out"
            raise ConfigError(
                f"{method.name} has no option `{option}`",
                hint=f"did you mean `{near[0]}`?" if near else there,
            )
    return method(**options)


def checked_for(method: Method, select: str | None) -> Method:
    """The method where its outcome is selected so, None for its own selector.

    Raises ConfigError for selectors that look at what it does not know. Giving up texts that cannot win
    (`early`) has the stated law under the method's own selector only.
    """
    if select in BY_LOGP and not getattr(method, "knows_logp", True):
        raise ConfigError(
            f"`select` {select} needs log-probabilities, which `{method.name}` does not know here",
            hint=f"leave it out; its own is `{method.select}`",
        )
    if getattr(method, "early", False) and select not in (None, method.select):
        return replace(method, early=False)  # type: ignore[type-var]
    return method


TOKENS, COMPLETIONS = "tokens", "texts"
"""What a method has its two models share: a vocabulary, or words only."""


def draft_kind(method: Method | type[Method]) -> str | None:
    """What the method has a target and a draft share; None where it has no draft."""
    found: str | None = getattr(method, "pair", None)
    return found


def refuse_grammar(method: Method) -> None:
    """Raise ConfigError for a method that does not keep to a grammar; it says why."""
    why: str | None = getattr(method, "no_grammar", None)
    if why is not None:
        raise ConfigError(
            f"`{method.name}` takes no grammar: {why}",
            hint="`power-smc`, `draft-smc`, `power-mh`, `power-tempering`, `sample`, `best-of-n`,"
            " `self-consistency` and `greedy` do",
        )


def reject_unused(method: Method, idle: Sequence[str], where: str, hint: str) -> None:
    """Raise ConfigError for a parameter that was changed and has no say."""
    for field in fields(method):  # type: ignore[arg-type]
        if field.name in idle and getattr(method, field.name) != field.default:
            raise ConfigError(f"`{field.name}` has no say where {where}", hint=f"leave it out, or {hint}")


def require_between(name: str, value: float, low: float, high: float) -> None:
    """Raise ConfigError unless low ≤ value ≤ high."""
    if not low <= value <= high:
        raise ConfigError(f"`{name}` is {value}, but must be from {low:,} to {high:,}")
