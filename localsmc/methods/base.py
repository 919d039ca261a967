"""What every method is: a frozen configuration that starts a run on a request."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

from localsmc.errors import ConfigError
from localsmc.lm.constrained import Grammar
from localsmc.lm.interface import LanguageModel, TokenIds
from localsmc.numerics.categorical import Draw
from localsmc.results import FinishReason
from localsmc.selection import BY_LOGP
from localsmc.text.chat_template import StopRule

if TYPE_CHECKING:
    from localsmc.methods.run import Run


def _nothing() -> None:
    """The default check: go on."""


def _no_answer(_tokens: TokenIds) -> None:
    """The default reading of a text: it gives no answer."""


class Wording(Protocol):
    """How a problem is put to a model in words, for methods that write their own prompts."""

    problem: str

    def prompt(self, problem: str) -> TokenIds:
        """Some problem as the settings have it put, up to where the reply begins."""
        ...

    def request(self, text: str) -> TokenIds:
        """Some other request, without what the settings add to a problem."""
        ...

    def follow_up(self, request: str, reply: str) -> TokenIds:
        """What comes behind a reply: its end, another request, and how the reply to that begins."""
        ...

    def tokens(self, text: str) -> TokenIds:
        """A reply's text, control tokens not read as such."""
        ...

    def text(self, tokens: TokenIds) -> str:
        """The text of some tokens of a reply; end tokens have none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A smaller model that writes for a larger one; where they share tokens, its prompt is the other's.

    `cost` is that of one of its tokens over one of the other's. `shares_tokens` says whether an id is the
    same token in both, as far as both have it; methods that need it are given no other draft.
    """

    model: LanguageModel
    prompt: TokenIds
    cost: float = 1.0
    wording: Wording | None = None
    shares_tokens: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a method works on. `n_tokens` ≥ 1 is the horizon: longer generations are cut there.

    A method that needs a draft, or words of its own, is given them.
    """

    model: LanguageModel
    prompt: TokenIds
    n_tokens: int
    stop: StopRule
    draw: Draw
    check: Callable[[], None] = _nothing
    """Called between chunks of the prompt; may raise to stop."""
    answer: Callable[[TokenIds], str | None] = _no_answer
    """What a finished text answers, equal for equal answers; None where it gives none."""
    draft: Draft | None = None
    wording: Wording | None = None
    grammar: Grammar | None = None
    """What texts are restricted to, the draft's as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """A distinct history as a run leaves it; the weights of all of them sum to 1.

    `logp` and `score` as in `records.Completion`.
    """

    tokens: TokenIds
    count: int
    weight: float
    logp: float | None
    finish_reason: FinishReason
    score: float | None = None


class Room(NamedTuple):
    """What a run would like to hold at once, the prompt aside: sequences, and texts of full length.

    With fewer than `least` texts it cannot run. Each has about `beside` more tokens, of what the method says.
    """

    sequences: int
    texts: int
    least: int = 1
    beside: int = 0


class Method(Protocol):
    """A frozen dataclass of parameters with a name."""

    name: ClassVar[str]

    @property
    def select(self) -> str:
        """The selector that is used where none is asked for."""
        ...

    @property
    def sharpness(self) -> float | None:
        """The exponent by which its weights are sharper than the model; None where they tell nothing."""
        ...

    @property
    def room(self) -> Room:
        """What memory it would like; with less a run waits, reduces, or says that it cannot."""
        ...

    def start(self, request: Request) -> Run:
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


def suited(method: Method, select: str | None) -> Method:
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


TOKENS, TEXTS = "tokens", "texts"
"""What a method has its two models share: a vocabulary, or words only."""


def pair_of(method: Method | type[Method]) -> str | None:
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


def refuse_idle(method: Method, idle: Sequence[str], where: str, hint: str) -> None:
    """Raise ConfigError for a parameter that was changed and has no say."""
    for field in fields(method):  # type: ignore[arg-type]
        if field.name in idle and getattr(method, field.name) != field.default:
            raise ConfigError(f"`{field.name}` has no say where {where}", hint=f"leave it out, or {hint}")


def require(name: str, value: float, low: float, high: float) -> None:
    """Raise ConfigError unless low ≤ value ≤ high."""
    if not low <= value <= high:
        raise ConfigError(f"`{name}` is {value}, but must be from {low:,} to {high:,}")
