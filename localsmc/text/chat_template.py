"""Render chat messages into the prompt text that a model expects.

A GGUF's own chat template is Jinja and is rendered by jinja2 in a sandbox. This module does not use a
model.
"""

from __future__ import annotations

import functools
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NoReturn

from jinja2 import Template as Jinja
from jinja2 import TemplateError, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from localsmc.errors import ConfigError, PromptError

if TYPE_CHECKING:
    from localsmc.text.examples import Examples

Message = Mapping[str, str]

_SWITCH = "enable_thinking"


class Template(ABC):
    """Turns messages into the text of a prompt."""

    source: str
    """The text of a Jinja template; empty if it is a program."""

    @property
    @abstractmethod
    def has_thinking_switch(self) -> bool:
        """Whether the template can turn the model's reasoning on or off."""

    @abstractmethod
    def render(self, messages: Sequence[Message], *, thinking: bool | None = None) -> str:
        """The prompt up to the start of the assistant's reply; raises PromptError if that fails.

        `thinking` sets the template's switch for reasoning, if it has one.
        """

    def parts(
        self, messages: Sequence[Message], control_texts: Sequence[str], *, thinking: bool | None = None
    ) -> list[tuple[str, bool]]:
        """The rendered prompt in parts: (text, whether to parse control tokens in it).

        Usually a single part. A message that contains the text of a control token becomes a separate part,
        so that it cannot end its own turn. Raises PromptError if the template then rewrites the messages, so
        that they cannot be separated from it.
        """
        text = self.render(messages, thinking=thinking)
        if not any(name in message["content"] for message in messages for name in control_texts):
            return [(text, True)]
        marks = [f"\ue000{i}\ue001" for i in range(len(messages))]
        frame = self.render(_with(messages, marks), thinking=thinking)
        contents = [message["content"] for message in messages]
        for inserted in (contents, [content.strip() for content in contents]):  # many templates strip them
            parts = _filled(frame, marks, inserted, control_texts)
            if "".join(part for part, _ in parts) == text:
                return parts
        raise PromptError(
            "the chat template modifies a message that contains one of the model's control tokens",
            hint=f"remove such tokens ({', '.join(control_texts[:4])}) from the problem",
        )


def _with(messages: Sequence[Message], contents: Sequence[str]) -> list[Message]:
    return [{**message, "content": content} for message, content in zip(messages, contents, strict=True)]


def _filled(
    frame: str, marks: Sequence[str], contents: Sequence[str], control_texts: Sequence[str]
) -> list[tuple[str, bool]]:
    """The frame with each mark replaced, in parts: (text, whether control tokens are parsed in it)."""
    parts, rest = [("", True)], frame
    for mark, content in zip(marks, contents, strict=True):
        before, _, rest = rest.partition(mark)
        parts[-1] = parts[-1][0] + before, True
        if any(name in content for name in control_texts):
            parts += [(content, False), ("", True)]
        else:
            parts[-1] = parts[-1][0] + content, True
    parts[-1] = parts[-1][0] + rest, True
    return [part for part in parts if part[0]]


@dataclass(frozen=True, slots=True)
class ChatTemplate(Template):
    """A template in Jinja, as GGUF files have them, and the BOS and EOS strings that it may insert."""

    source: str
    bos: str = ""
    eos: str = ""
    is_given: bool = False
    """Whether it was given instead of the model's own."""

    @property
    def has_thinking_switch(self) -> bool:
        """See `Template.has_thinking_switch`."""
        return _SWITCH in self.source

    def render(self, messages: Sequence[Message], *, thinking: bool | None = None) -> str:
        """See `Template.render`; the switch is the variable `enable_thinking`."""
        values: dict[str, Any] = {"bos_token": self.bos, "eos_token": self.eos, "add_generation_prompt": True}
        if thinking is not None:
            values[_SWITCH] = thinking
        try:
            return _compiled(self.source).render(messages=list(messages), **values)
        except Exception as error:  # a template is a third-party program: it can fail in any way
            raise self._failure(error) from error

    def _failure(self, error: Exception) -> PromptError:
        if self.is_given:
            return PromptError(
                f"the given chat template failed: {error}", hint="correct or remove `--chat-template`"
            )
        return PromptError(
            f"the model's chat template failed: {error}",
            hint="use `--raw` to send the text unchanged, without a template",
        )


def is_jinja(text: str) -> bool:
    """Whether a text is a template, as llama.cpp tells it from the name of one."""
    return "{{" in text or "{%" in text


def check_jinja(source: str, name: str) -> None:
    """Raise ConfigError unless the text is a template that can be compiled."""
    if not is_jinja(source) or source.lstrip().startswith('{"'):
        raise ConfigError(
            f"{name} is not a Jinja template",
            hint="give a template as on the hub: chat_template.jinja, or the value of `chat_template` in"
            " tokenizer_config.json",
        )
    try:
        _compiled(source)
    except TemplateSyntaxError as error:
        raise ConfigError(
            f"{name} is not a Jinja template: line {error.lineno}: {str(error.message).rstrip('.')}",
            hint="correct the template",
        ) from None


_TAG = re.compile(r"<[|｜][^<>|｜\s]{1,40}[|｜]>|</?[A-Za-z_:▁]{1,40}>")


def tags(template: Template) -> list[str]:
    """What looks like control tokens in the text that a template writes around messages."""
    talk: list[Message] = [
        {"role": role, "content": "\ue000"} for role in ("system", "user", "assistant", "user")
    ]
    for messages in (talk, talk[1:]):  # some templates refuse a system message
        try:
            return list(dict.fromkeys(_TAG.findall(template.render(messages))))
        except PromptError:
            continue
    return []


@functools.lru_cache(maxsize=8)
def _compiled(source: str) -> Jinja:
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
