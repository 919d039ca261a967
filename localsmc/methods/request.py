"""What a method is asked for, and what it hands back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from localsmc.lm.constrained import TokenConstraint
from localsmc.lm.interface import LanguageModel, TokenIds
from localsmc.numerics.categorical import CategoricalSampler
from localsmc.results import FinishReason
from localsmc.text.stop_rule import StopRule

if TYPE_CHECKING:
    pass


def no_check() -> None:
    """The default check: go on."""


def no_answer(_tokens: TokenIds) -> None:
    """The default reading of a text: it gives no answer."""


class PromptBuilder(Protocol):
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
class DraftModel:
    """A smaller model that writes for a larger one; where they share tokens, its prompt is the other's.

    `cost` is that of one of its tokens over one of the other's. `shares_tokens` says whether an id is the
    same token in both, as far as both have it; methods that need it are given no other draft.
    """

    model: LanguageModel
    prompt: TokenIds
    cost: float = 1.0
    prompts: PromptBuilder | None = None
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
    draw: CategoricalSampler
    check: Callable[[], None] = no_check
    """Called between chunks of the prompt; may raise to stop."""
    answer: Callable[[TokenIds], str | None] = no_answer
    """What a finished text answers, equal for equal answers; None where it gives none."""
    draft: DraftModel | None = None
    prompts: PromptBuilder | None = None
    grammar: TokenConstraint | None = None
    """What texts are restricted to, the draft's as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightedText:
    """A distinct history as a run leaves it; the weights of all of them sum to 1.

    `logp` and `score` as in `records.Completion`.
    """

    tokens: TokenIds
    count: int
    weight: float
    logp: float | None
    finish_reason: FinishReason
    score: float | None = None


class KVDemand(NamedTuple):
    """What a run would like to hold at once, the prompt aside: sequences, and texts of full length.

    With fewer than `least` texts it cannot run. Each has about `beside` more tokens, of what the method says.
    """

    sequences: int
    texts: int
    least: int = 1
    beside: int = 0
