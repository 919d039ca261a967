"""From messages to the text a model expects, and the rules that end a generation.

Chat templates are the GGUF's own, rendered by jinja2 in a sandbox. A stop rule looks at one
history's tokens alone, so every particle on that history stops at once; the stopped text, its
whole last token included, is what has a probability. Knows no model and no weights.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn

from jinja2 import Template, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from localsmc.errors import PromptError

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
