"""Settings that apply to every method: prompt, limits, constraints, context."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from localsmc.errors import ConfigError
from localsmc.selection import SELECTORS
from localsmc.text.chat_template import Message
from localsmc.text.examples import Examples

AS_MANY_AS_FIT = -1
"""The token limit that means no limit but the context, as in llama.cpp."""

CONCLUDE = ("auto", "on", "off")
"""Values of `Settings.conclude`; auto: on for tasks, and for selectors that vote on answers."""

Box = Literal["auto", "on", "off"]
"""Whether the model is asked to state its answer, see `Settings`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    r"""How to prompt the model and when to stop. None means the model's own default.

    `n_predict` is the token limit, -1 for as many tokens as fit. `budget` is in seconds, prompt included.
    `n_ctx` is the size of the KV cache in tokens, shared by all particles; 0 chooses it by prompt,
    particles, token limit and free memory. `examples` come before all messages but the system message.
    `earlier` holds the messages of a conversation before the problem. `box` says which instruction is added
    below the problem: with "on" that for an answer in `\boxed{}`; with "auto" a neutral one to state the
    answer, if the problem wants a short one and neither examples nor anything else say how to reply; with
    "off" none. `raw` sends the problem without template and instruction; then `special` reads control tokens
    in it. `grammar` (GBNF) or `json_schema` constrains the output from its first token on. `select` is a name
    of `SELECTORS`. `conclude` says whether completions without an answer are asked for one, see
    `engine.conclusion`. Raises ConfigError for a value out of range.
    """

    n_predict: int | None = None
    seed: int | None = None
    select: str | None = None
    system: str | None = None
    examples: Examples | None = None
    earlier: tuple[Message, ...] = ()
    box: Box = "auto"
    raw: bool = False
    special: bool = False
    thinking: bool | None = None
    stop: tuple[str, ...] = ()
    stop_at_box: bool = False
    budget: float | None = None
    grammar: str | None = None
    json_schema: str | None = None
    conclude: str = "auto"
    n_ctx: int = 0
    n_batch: int = 2048
    n_ubatch: int = 512
    n_threads: int = 0
    n_threads_draft: int = 0
    flash_attention: str = "auto"
    type_k: str = "f16"
    type_v: str = "f16"

    @property
    def is_restricted(self) -> bool:
        """Whether the output is constrained."""
        return self.grammar is not None or self.json_schema is not None

    def __post_init__(self) -> None:
        _require_one_of("select", self.select, (None, *SELECTORS))
        _require_one_of("box", self.box, get_args(Box))
        _require_one_of("conclude", self.conclude, CONCLUDE)
        _require_types(self.stop, self.examples)
        self._refuse_combinations()
        if self.n_predict is not None and self.n_predict != AS_MANY_AS_FIT and self.n_predict < 1:
            raise ConfigError(f"`predict` is {self.n_predict}, but must be at least 1, or -1")
        if self.budget is not None and not self.budget > 0:
            raise ConfigError(f"`budget` is {self.budget:g} seconds, but must be above 0")
        if self.seed is not None and self.seed < 0:
            raise ConfigError(f"`seed` is {self.seed}, but must not be negative")

    def _refuse_combinations(self) -> None:
        if self.raw and self.system is not None:
            raise ConfigError(
                "`raw` sends no system message, so `system` has no effect", hint="remove one of them"
            )
        if self.raw and self.thinking is not None:
            raise ConfigError(
                "`raw` uses no chat template, so `thinking` has no effect", hint="remove one of them"
            )
        if self.raw and self.box == "on":
            raise ConfigError("`raw` adds no instruction, so `box` has no effect", hint="remove one of them")
        if self.special and not self.raw:
            raise ConfigError(
                "`special` works with `raw` only: a chat template writes the control tokens itself",
                hint="add `--raw`, or remove `--special`",
            )
        if self.grammar is not None and self.json_schema is not None:
            raise ConfigError("`grammar` and `json-schema` cannot be combined", hint="remove one of them")
        if self.conclude == "on" and self.is_restricted:
            raise ConfigError(
                "`conclude` does not work with a grammar: the request for an answer is outside of it",
                hint="remove `--conclude`, or the grammar",
            )


def _require_types(stop: object, examples: object) -> None:
    """Refuse what callers easily pass by mistake, and what would fail late or mean something else."""
    if isinstance(stop, str):
        raise ConfigError(
            "`stop` is one text, but must be a tuple of texts", hint=f"write it as stop=({stop!r},)"
        )
    if examples is not None and not isinstance(examples, Examples):
        raise ConfigError(
            f"`examples` has the type `{type(examples).__name__}`, but must be `Examples`",
            hint="pass read_examples(FILE), or Examples(pairs=((question, answer), ...))",
        )


def _require_one_of(name: str, value: str | None, choices: Sequence[str | None]) -> None:
    if value not in choices:
        known = ", ".join(choice for choice in choices if choice is not None)
        raise ConfigError(f"`{name}` is `{value}`", hint=f"choose from: {known}")
