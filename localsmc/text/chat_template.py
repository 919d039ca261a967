"""From messages to the text a model expects, and the rules that end a generation.

Chat templates are the GGUF's own, rendered by jinja2 in a sandbox. A stop rule looks at one
history's tokens alone, so every particle on that history stops at once; the stopped text, its
whole last token included, is what has a probability. Knows no model and no weights.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NoReturn

from jinja2 import Template, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from localsmc.errors import PromptError
from localsmc.lm.interface import Pieces
from localsmc.text.answers import BoxScan

Message = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ChatTemplate:
    """A GGUF's chat template and the texts of the tokens that it may write."""

    source: str
    bos: str = ""
    eos: str = ""

    def render(self, messages: Sequence[Message], *, thinking: bool | None = None) -> str:
        """The text up to where the assistant begins; `thinking` where a template knows the switch.

        Raises PromptError where the template is broken or refuses the messages.
        """
        values: dict[str, Any] = {"bos_token": self.bos, "eos_token": self.eos, "add_generation_prompt": True}
        if thinking is not None:
            values["enable_thinking"] = thinking
        try:
            return _compiled(self.source).render(messages=list(messages), **values)
        except Exception as error:  # a template is a program of somebody else's: it can fail in any way
            raise PromptError(
                f"the model's chat template fails: {error}",
                hint="`--raw` sends the text as it is, without a template",
            ) from error

    def parts(
        self, messages: Sequence[Message], control_texts: Sequence[str], *, thinking: bool | None = None
    ) -> list[tuple[str, bool]]:
        """The rendered text in parts, (text, whether control tokens may be read in it).

        One part as a rule. Where a message spells a control token, the messages are parts of their
        own, so that nobody can end a turn from inside of it; raises PromptError where the template
        rewrites them, so that they cannot be told from it.
        """
        text = self.render(messages, thinking=thinking)
        if not any(name in message["content"] for message in messages for name in control_texts):
            return [(text, True)]
        marks = [f"\ue000{i}\ue001" for i in range(len(messages))]
        marked = [{**message, "content": mark} for message, mark in zip(messages, marks, strict=True)]
        rest, parts = self.render(marked, thinking=thinking), []
        for message, mark in zip(messages, marks, strict=True):
            before, _, rest = rest.partition(mark)
            parts += [(before, True), (message["content"], False)]
        parts.append((rest, True))
        if "".join(part for part, _ in parts) != text:
            raise PromptError(
                "the chat template rewrites a text that spells one of the model's control tokens",
                hint=f"take such names ({', '.join(control_texts[:4])}) out of the problem",
            )
        return [part for part in parts if part[0]]


@functools.lru_cache(maxsize=8)
def _compiled(source: str) -> Template:
    # Compiling takes milliseconds, as long as a small model's whole prompt.
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.globals["raise_exception"] = _refuse
    environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    return environment.from_string(source)


def _refuse(message: str) -> NoReturn:
    raise TemplateError(message)


def conversation(
    problem: str, system: str | None, instruction: str | None, earlier: Sequence[Message] = ()
) -> list[Message]:
    """A user turn with an instruction below it, behind an optional system turn and earlier ones."""
    before = [] if system is None else [{"role": "system", "content": system}]
    return [*before, *earlier, {"role": "user", "content": instructed(problem, instruction)}]


def instructed(problem: str, instruction: str | None) -> str:
    """A problem with an instruction below it."""
    return problem if instruction is None else f"{problem}\n\n{instruction}"


@dataclass(frozen=True, slots=True)
class StopState:
    """What a stop rule remembers of one history."""

    hit: bool = False
    tail: bytes = b""
    box: BoxScan = BoxScan()


@dataclass(frozen=True, slots=True)
class StopRule:
    r"""Stops a history at the first of some strings, or at its first complete ``\boxed{...}``."""

    pieces: Pieces
    """The bytes of each token."""
    strings: tuple[str, ...] = ()
    at_box: bool = False
    _needles: tuple[bytes, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_needles", tuple(text.encode() for text in self.strings if text))

    def start(self) -> StopState:
        """The state of the empty history."""
        return StopState()

    @property
    def is_active(self) -> bool:
        """Whether it can stop anything."""
        return bool(self._needles) or self.at_box

    def advance_all(
        self, states: Sequence[StopState], parents: Sequence[int], tokens: Sequence[int]
    ) -> tuple[StopState, ...]:
        """The state of each child: the state of its parent after its token."""
        if not self.is_active:
            return (states[0],) * len(tokens)
        return tuple(
            self.advance(states[parent], token) for parent, token in zip(parents, tokens, strict=True)
        )

    def advance(self, state: StopState, token: int) -> StopState:
        """The state after one token more; states are values, so forks share them."""
        piece = self.pieces[token]
        if self._needles:
            text = state.tail + piece
            keep = max(map(len, self._needles)) - 1
            hit = any(needle in text for needle in self._needles)
            state = replace(state, hit=hit, tail=text[-keep:] if keep else b"")
        if self.at_box:
            box = state.box.feed(piece)
            state = replace(state, box=box, hit=state.hit or box.complete)
        return state

    def shown(self, text: bytes) -> bytes:
        """A finished text without its stop string and what follows it in the last token."""
        starts = [text.find(needle) for needle in self._needles if needle in text]
        return text[: min(starts)] if starts else text
