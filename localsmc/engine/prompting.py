"""How a problem is put to a model in words, for methods that write prompts of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from localsmc.engine.settings import Settings
from localsmc.errors import ConfigError
from localsmc.lm.interface import TokenIds
from localsmc.text import chat_template

if TYPE_CHECKING:
    from localsmc.engine.load import Model

_MARK = "\ue000reply\ue001"
"""Stands for a reply in a rendered template; private characters that no text has."""


class Prompt(NamedTuple):
    """A prompt as text and as tokens."""

    text: str
    tokens: TokenIds


class ModelPrompts:
    """Implements `methods.base.Wording` for a model, a problem and settings."""

    def __init__(self, model: Model, problem: str, settings: Settings) -> None:
        self.problem = problem
        self._model, self._settings = model, settings

    def prompt(self, problem: str) -> TokenIds:
        """See `Wording.prompt`."""
        return build_prompt(self._model, problem, self._settings).tokens

    def request(self, text: str) -> TokenIds:
        """See `Wording.request`."""
        return build_prompt(self._model, text, self._settings, is_problem=False).tokens

    def follow_up(self, request: str, reply: str) -> TokenIds:
        """See `Wording.follow_up`."""
        llama, settings = self._model.llama, self._settings
        if llama.chat_template is None or settings.raw:
            return self.tokens(f"\n{request}\n{reply}")
        messages = chat_template.conversation("-", settings.system, None)
        messages += [{"role": "assistant", "content": _MARK}, {"role": "user", "content": request}]
        rendered = llama.chat_template.render(messages, thinking=settings.thinking)
        # What the template makes of a reply is left aside: it stands in the memory as it was written.
        return llama.tokenize_on(rendered.rpartition(_MARK)[2] + reply, special=True)

    def tokens(self, text: str) -> TokenIds:
        """See `Wording.tokens`."""
        return self._model.llama.tokenize_on(text)

    def text(self, tokens: TokenIds) -> str:
        """See `Wording.text`."""
        llama = self._model.llama
        return llama.text(tokens[~llama.is_eog[tokens]]).decode(errors="replace")


def build_prompt(model: Model, problem: str, settings: Settings, *, is_problem: bool = True) -> Prompt:
    """The prompt that puts a problem to a model; ConfigError for an empty one.

    Other requests than problems have no instruction added; nor have those whose answer keeps to a grammar.
    """
    if not problem.strip():
        raise ConfigError("the problem is empty", hint='for example: localsmc solve "What is 17 * 23?"')
    instruction = instruction_of(model, settings) if is_problem else None
    parts = _parts(model, problem, settings, instruction)
    tokens = np.concatenate([model.llama.tokenize(text, special=special) for text, special in parts])
    if not len(tokens):
        raise ConfigError("the problem has no tokens", hint="write a few words")
    return Prompt("".join(text for text, _ in parts), model.llama.with_bos(tokens))


def instruction_of(model: Model, settings: Settings) -> str | None:
    """What is asked for below a problem."""
    is_asked = settings.instruct and not settings.raw and not settings.is_restricted
    return model.source.defaults.instruction if is_asked else None


def _parts(model: Model, problem: str, settings: Settings, instruction: str | None) -> list[tuple[str, bool]]:
    """The prompt's text in parts, (text, whether control tokens may be read in it)."""
    llama = model.llama
    if settings.raw:
        return [(problem, False)]
    messages = chat_template.conversation(problem, settings.system, instruction, settings.earlier)
    if llama.chat_template is None:
        # A base model: the problem as it is, its instruction below it.
        return [("\n\n".join(message["content"] for message in messages) + "\n", False)]
    return llama.chat_template.parts(messages, llama.control_texts, thinking=settings.thinking)
