"""Render chat messages into the prompt text that a model expects.

The chat template comes from the GGUF file and is rendered by jinja2 in a sandbox. This module does
not use a model.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NoReturn

from jinja2 import Template, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from localsmc.errors import PromptError

if TYPE_CHECKING:
    from localsmc.text.examples import Examples

Message = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ChatTemplate:
    """A GGUF's chat template, and the BOS and EOS strings that it may insert."""

    source: str
    bos: str = ""
    eos: str = ""

    def render(self, messages: Sequence[Message], *, thinking: bool | None = None) -> str:
        """The prompt up to the start of the assistant's reply.

        `thinking` sets the template's `enable_thinking` switch, if it has one. Raises PromptError if the
        template is broken or rejects the messages.
        """
        values: dict[str, Any] = {"bos_token": self.bos, "eos_token": self.eos, "add_generation_prompt": True}
        if thinking is not None:
            values["enable_thinking"] = thinking
        try:
            return _compiled(self.source).render(messages=list(messages), **values)
        except Exception as error:  # a template is a third-party program: it can fail in any way
            raise PromptError(
                f"the model's chat template failed: {error}",
                hint="use `--raw` to send the text unchanged, without a template",
            ) from error

    def parts(
        self, messages: Sequence[Message], control_texts: Sequence[str], *, thinking: bool | None = None
    ) -> list[tuple[str, bool]]:
        """The rendered prompt in parts: (text, whether to parse control tokens in it).

        Usually a single part. If a message contains the text of a control token, each message becomes a
        separate part, so that a message cannot end its own turn. Raises PromptError if the template then
        rewrites the messages, so that they cannot be separated from it.
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
                "the chat template modifies a message that contains one of the model's control tokens",
                hint=f"remove such tokens ({', '.join(control_texts[:4])}) from the problem",
            )
        return [part for part in parts if part[0]]


@functools.lru_cache(maxsize=8)
def _compiled(source: str) -> Template:
    # Compiling takes milliseconds, as long as a small model needs to decode the whole prompt.
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.globals["raise_exception"] = _refuse
    environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    return environment.from_string(source)


def _refuse(message: str) -> NoReturn:
    raise TemplateError(message)


def conversation(
    problem: str,
    system: str | None,
    instruction: str | None,
    earlier: Sequence[Message] = (),
    examples: Examples | None = None,
) -> list[Message]:
    """The messages: an optional system turn, examples, earlier turns, and the problem with its instruction.

    Examples that are a text begin the first message of the user.
    """
    before = [] if system is None else [{"role": "system", "content": system}]
    shown = () if examples is None else examples.messages()
    said = [*earlier, {"role": "user", "content": instructed(problem, instruction)}]
    if examples is not None and examples.text:
        said[0] = {**said[0], "content": f"{examples.text}\n\n{said[0]['content']}"}
    return [*before, *shown, *said]


def instructed(problem: str, instruction: str | None) -> str:
    """The problem, followed by an instruction after a blank line."""
    return problem if instruction is None else f"{problem}\n\n{instruction}"
