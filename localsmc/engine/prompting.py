"""How a problem is put to a model in words, for methods that write prompts of their own."""

from __future__ import annotations

from localsmc.engine import context_size
from localsmc.engine.load import Model
from localsmc.engine.settings import Settings
from localsmc.lm.interface import TokenIds
from localsmc.text import chat_template

_MARK = "\ue000reply\ue001"
"""Stands for a reply in a rendered template; private characters that no text has."""


class ModelWording:
    """Implements `methods.base.Wording` for a model, a problem and settings."""

    def __init__(self, model: Model, problem: str, settings: Settings) -> None:
        self.problem = problem
        self._model, self._settings = model, settings

    def prompt(self, problem: str) -> TokenIds:
        """See `Wording.prompt`."""
        return context_size.put(self._model, problem, self._settings)[1]

    def request(self, text: str) -> TokenIds:
        """See `Wording.request`."""
        return context_size.put(self._model, text, self._settings, is_problem=False)[1]

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
