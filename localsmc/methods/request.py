"""The input and output of a method: `Request` and `WeightedText`, and its `KVDemand`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from localsmc.lm.constrained import TokenConstraint
from localsmc.lm.interface import LanguageModel, TokenIds
from localsmc.numerics.categorical import CategoricalSampler
from localsmc.results import FinishReason
from localsmc.text.stop_rule import StopRule


def no_check() -> None:
    """The default `check`: never stops."""


def no_answer(_tokens: TokenIds) -> None:
    """The default `answer`: a completion has none."""


class PromptBuilder(Protocol):
    """Builds prompts for a model, for methods that write prompts themselves."""

    problem: str

    def prompt(self, problem: str) -> TokenIds:
        """The prompt for a problem, with everything the settings add, up to the start of the reply."""
        ...

    def request(self, text: str) -> TokenIds:
        """The prompt for another request, without what the settings add to a problem."""
        ...

    def follow_up(self, request: str, reply: str) -> TokenIds:
        """The tokens after a reply: its end, another request, and the start of the reply to that."""
        ...

    def tokens(self, text: str) -> TokenIds:
        """The tokens of a reply's text; control tokens in it are tokenised as plain text."""
        ...

    def text(self, tokens: TokenIds) -> str:
        """The text of tokens of a reply; end tokens have no text."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftModel:
    """A draft model and its prompt, which is the target's prompt if they share token ids.

    `cost` is the cost of one of its tokens divided by that of one of the target's. `shares_tokens` is True if
    an id that both vocabularies have is the same token in both; methods that need this get no other draft.
    """

    model: LanguageModel
    prompt: TokenIds
    stop: StopRule | None = None
    """The run's stop rule in the draft's own tokens, if it has a prompt of its own."""
    cost: float = 1.0
    prompts: PromptBuilder | None = None
    shares_tokens: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The input of a run. `n_tokens` ≥ 1 is the token limit: longer completions are cut there.

    `draft` is set for methods that need a draft model, `prompts` for methods that write prompts themselves.
    """

    model: LanguageModel
    prompt: TokenIds
    n_tokens: int
    stop: StopRule
    draw: CategoricalSampler
    check: Callable[[], None] = no_check
    """Called between chunks of the prompt; may raise to stop early."""
    answer: Callable[[TokenIds], str | None] = no_answer
    """The answer in a finished completion, equal for equal answers; None if it has none. All refusals have
    the same one, `refusal.KEY`, so they are a candidate in a vote."""
    n_concluding: int = 0
    """Above 0 if finished completions without an answer are asked for one after the run
    (`engine.conclusion`), which takes up to so many tokens: until then their weight is undecided."""
    draft: DraftModel | None = None
    prompts: PromptBuilder | None = None
    grammar: TokenConstraint | None = None
    """The grammar that constrains completions, those of the draft as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightedText:
    """A distinct completion of a run; the weights of all of them sum to 1.

    `logp` and `score` are as in `results.Completion`.
    """

    tokens: TokenIds
    count: int
    weight: float
    logp: float | None
    finish_reason: FinishReason
    score: float | None = None


class KVDemand(NamedTuple):
    """The KV cache that a run asks for, besides the prompt: sequences, and completions of full length.

    With room for fewer than `least` completions it cannot run. Each completion comes with about `beside` more
    tokens of prompts that the method writes.
    """

    sequences: int
    texts: int
    least: int = 1
    beside: int = 0
