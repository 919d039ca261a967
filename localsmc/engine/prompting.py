"""Prompts: a problem rendered with the chat template and tokenised, and the prompts that methods write."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from localsmc.engine.instruction import instruction_of
from localsmc.engine.settings import Settings
from localsmc.errors import ConfigError
from localsmc.lm.interface import TokenIds
from localsmc.text import chat_template
from localsmc.text import examples as examples_form
from localsmc.text.encoding import encoded
from localsmc.text.examples import Examples, Pair
from localsmc.text.templates.disguise import Part

if TYPE_CHECKING:
    from localsmc.engine.load import Model

_MARK = "\ue000reply\ue001"
"""A placeholder for a reply in a rendered template, in private-use characters."""


class Prompt(NamedTuple):
    """A prompt as text and as tokens, and the instruction that it has below the problem."""

    text: str
    tokens: TokenIds
    instruction: str | None = None


class ModelPrompts:
    """Implements `methods.request.PromptBuilder` for a model, a problem and settings."""

    def __init__(self, model: Model, problem: str, settings: Settings) -> None:
        self.problem = problem
        self._model, self._settings = model, settings

    def prompt(self, problem: str) -> TokenIds:
        """See `PromptBuilder.prompt`."""
        return build_prompt(self._model, problem, self._settings, about=self.problem).tokens

    def request(self, text: str) -> TokenIds:
        """See `PromptBuilder.request`."""
        return build_prompt(self._model, text, self._settings, is_problem=False).tokens

    def follow_up(self, request: str, reply: str) -> TokenIds:
        """See `PromptBuilder.follow_up`."""
        llama, settings = self._model.llama, self._settings
        if llama.chat_template is None or settings.raw:
            return self.tokens(f"\n{request}\n{reply}")
        messages = chat_template.conversation("-", settings.system, None)
        messages += [{"role": "assistant", "content": _MARK}, {"role": "user", "content": request}]
        rendered = llama.chat_template.render(messages, thinking=settings.thinking)
        # The reply stays in the KV cache as it was generated, whatever the template makes of it.
        return llama.tokenize_on(rendered.rpartition(_MARK)[2] + reply, special=True)

    def tokens(self, text: str) -> TokenIds:
        """See `PromptBuilder.tokens`."""
        return self._model.llama.tokenize_on(text)

    def text(self, tokens: TokenIds) -> str:
        """See `PromptBuilder.text`."""
        llama = self._model.llama
        return llama.text(tokens[~llama.is_eog[tokens]]).decode(errors="replace")


def build_prompt(
    model: Model, problem: str, settings: Settings, *, is_problem: bool = True, about: str | None = None
) -> Prompt:
    """Render and tokenise a problem; raises ConfigError for an empty one.

    Examples and an instruction are added to problems only. `about` is the problem as it was asked, if a
    method rewrote it: the instruction depends on it alone.
    """
    if not problem.strip():
        raise ConfigError("the problem is empty", hint='for example: localsmc solve "What is 17 * 23?"')
    asked = problem if about is None else about
    instruction = instruction_of(model, asked, settings) if is_problem else None
    settings = settings if is_problem else replace(settings, examples=None)
    parts = _parts(model, problem, settings, instruction)
    tokens = model.llama.tokenize_parts(parts)
    if not len(tokens):
        raise ConfigError("the problem has no tokens", hint="write a few words")
    return Prompt("".join(text for text, _ in parts), model.llama.with_bos(tokens), instruction)


def stop_strings(model: Model, settings: Settings) -> tuple[str, ...]:
    """Where a completion ends: at the settings' own strings, and before a next question in the plain form."""
    examples = settings.examples
    is_plain = _has_no_template(model, settings) and examples is not None and examples.pairs
    return (*settings.stop, *(examples_form.STOPS if is_plain else ()))


def _has_no_template(model: Model, settings: Settings) -> bool:
    return settings.raw or model.llama.chat_template is None


def _parts(model: Model, problem: str, settings: Settings, instruction: str | None) -> list[Part]:
    """The prompt in parts: (text, whether control tokens are parsed in it)."""
    llama, examples = model.llama, settings.examples
    if settings.raw and examples is None:
        return [(problem, settings.special)]
    if llama.chat_template is None or settings.raw:
        if examples is not None:
            asked = chat_template.instructed(problem, instruction)
            return [(_plain(asked, settings, examples), settings.special)]
        messages = chat_template.conversation(problem, settings.system, instruction, settings.earlier)
        # A base model continues the text: not even a newline is added.
        return [("\n\n".join(message["content"] for message in messages), False)]
    messages = chat_template.conversation(problem, settings.system, instruction, settings.earlier, examples)
    for message in messages:
        encoded(message["content"])  # a template would write something else for what has no UTF-8
    return llama.chat_template.parts(messages, llama.control_texts, thinking=settings.thinking)


def _plain(problem: str, settings: Settings, examples: Examples) -> str:
    """The prompt without a template: the system message, the examples, and the problem in their form."""
    system = "" if settings.system is None or settings.raw else f"{settings.system}\n\n"
    # A reply in the plain form begins with the blank after its label.
    earlier = [message["content"].strip() for message in settings.earlier]
    if not examples.pairs:
        return system + "\n\n".join((examples.text, *earlier, problem))
    pairs = (*examples.pairs, *map(Pair, earlier[::2], earlier[1::2]))
    return system + examples_form.plain_pairs(pairs) + examples_form.plain_question(problem)
