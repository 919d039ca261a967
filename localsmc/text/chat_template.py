"""Render chat messages into the prompt text that a model expects.

A GGUF's own chat template is Jinja: a program, see `localsmc.text.templates`. This module does not use a
model.
"""

from __future__ import annotations

import functools
import re
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from localsmc.errors import ConfigError, PromptError
from localsmc.text.templates.disguise import Disguise, Part, can_make_name, finder
from localsmc.text.templates.known import is_known
from localsmc.text.templates.process import PROCESS, TemplateFailed
from localsmc.text.thought_marks import TAGS

if TYPE_CHECKING:
    from localsmc.text.examples import Examples

Message = Mapping[str, str]
"""A message: its `role` and its `content`."""

_SWITCHES: Mapping[str, tuple[Any, Any]] = {
    "enable_thinking": (False, True),
    "thinking": (False, True),
    "thinking_mode": ("disabled", "enabled"),
    "thinking_option": ("off", "on"),
}
"""Variables by which templates turn reasoning on or off, and their values for off and on."""

_NO_PROCESS = "check the limits on processes and memory"

_WORDS = ("ABACUS", "BAROMETER", "THERMOMETER")
"""Contents of messages that show what a template does with them."""

_PROBE: tuple[Message, Message] = (
    {"role": "system", "content": _WORDS[0]},
    {"role": "user", "content": _WORDS[1]},
)


class MessageForm(NamedTuple):
    """How a template takes messages."""

    takes_system: bool = True
    """If not, the system message is put before the first message of the user."""
    takes_text: bool = True
    """If not, a message's content is a list of typed parts."""
    has_none: bool = True
    """Whether tools and documents are given as None, as Transformers does; else they are not defined."""


class TemplateAtLimit(PromptError):
    """A template was ended because it needed too much of something, or no process could be had for it."""


class Template(ABC):
    """Turns messages into the text of a prompt."""

    source: str
    """The text of a Jinja template; empty if it is a program."""

    other = "give another with `--chat-template NAME|FILE`, or use `--raw` to send the text unchanged"
    """What to type if the template is of no use."""

    @property
    @abstractmethod
    def has_thinking_switch(self) -> bool:
        """Whether the template can turn the model's reasoning on or off."""

    @property
    def takes_system(self) -> bool:
        """Whether the template writes system messages; else they are put before the user's first message."""
        return form_of(self).takes_system

    @abstractmethod
    def render_in(
        self, form: MessageForm, messages: Sequence[Message], *, thinking: bool | None = None
    ) -> str:
        """What the template makes of messages that are given in a form; see `render`."""

    def render(self, messages: Sequence[Message], *, thinking: bool | None = None) -> str:
        """The prompt up to the start of the assistant's reply; raises PromptError if that fails.

        `thinking` sets the template's switch for reasoning, if it has one.
        """
        return self.render_in(form_of(self), messages, thinking=thinking)

    def parts(
        self, messages: Sequence[Message], control_texts: Sequence[str], *, thinking: bool | None = None
    ) -> list[Part]:
        """The rendered prompt in parts: (text, whether to parse control tokens in it).

        Usually a single part. The name of a control token in a message becomes part of a text in which none
        is parsed, so that a message cannot end its own turn, whatever the template does with it. Raises
        PromptError for a template that fails, or shows nothing of the messages.
        """
        if _leaves_out_user(self):
            raise PromptError("the chat template leaves out what the user says", hint=self.other)
        contents = [message["content"] for message in messages]
        names = tuple(control_texts)
        if not can_make_name(names, contents):
            text = self.render(messages, thinking=thinking)
            roles = tuple(message["role"] for message in messages)
            # A template can also make a name of other characters: in lower case, or by joining messages.
            if finder(names).count(text) <= _count_in_frame(self, names, roles, thinking):
                return [(text, True)]
        disguise = Disguise(contents, names, [self.source])
        rendered = self._rendered_in_disguise(messages, disguise, thinking)
        whole = Disguise(contents, names, [self.source], hides_all=True)
        try:
            unseen = self.render(_with(messages, map(whole.put_on, contents)), thinking=thinking)
        except PromptError:  # it wants to see something in the messages
            return disguise.parts(rendered)
        # A template that leaves out words, such as `/think`, can join what was around them to a name.
        made = finder(names).count(rendered) - finder(names).count(unseen)
        replies = [message["content"] for message in messages if message["role"] == "assistant"]
        seen = {mark for mark in _THOUGHT if any(mark in reply for reply in replies)}
        return whole.parts(unseen) if made.keys() - seen else disguise.parts(rendered)

    def _rendered_in_disguise(
        self, messages: Sequence[Message], disguise: Disguise, thinking: bool | None
    ) -> str:
        """What the template makes of disguised messages.

        It sees the marks of thoughts in earlier replies if it looks for them there, to leave thoughts out.
        """
        hidden = _with(messages, (disguise.put_on(message["content"]) for message in messages))
        seen = _with(
            messages,
            (
                disguise.put_on(message["content"], but=_THOUGHT if message["role"] == "assistant" else _NONE)
                for message in messages
            ),
        )
        texts = self._rendered_each([hidden, seen] if seen != hidden else [hidden], thinking)
        looks = disguise.take_off(texts[0]) != disguise.take_off(texts[-1])
        return texts[-1] if looks else texts[0]

    def _rendered_each(self, ways: Sequence[Sequence[Message]], thinking: bool | None) -> list[str]:
        """What the template makes of each way that it does not refuse; PromptError if it refuses all."""
        texts: list[str] = []
        refusals: list[PromptError] = []
        for messages in ways:
            try:
                texts.append(self.render(messages, thinking=thinking))
            except PromptError as error:
                refusals.append(error)
        if not texts:
            raise refusals[0]
        return texts


@functools.lru_cache(maxsize=32)
def _count_in_frame(
    template: Template, names: tuple[str, ...], roles: tuple[str, ...], thinking: bool | None
) -> Counter[str]:
    """How often a template writes each control token around messages of these roles."""
    messages = [{"role": role, "content": _WORDS[i % len(_WORDS)]} for i, role in enumerate(roles)]
    try:
        return finder(names).count(template.render(messages, thinking=thinking))
    except PromptError:  # it wants to see something in the messages
        return Counter()


_THOUGHT = frozenset(mark for tag in TAGS for mark in (tag.opening, tag.closing))
_NONE: frozenset[str] = frozenset()


def _with(messages: Sequence[Message], contents: Iterable[str]) -> list[Message]:
    return [{**message, "content": content} for message, content in zip(messages, contents, strict=True)]


_PATIENCE = 2.0
"""Seconds after which a template that fails is not tried in other ways; one try takes milliseconds."""

_FORMS = [
    (takes_system, takes_text, has_none)
    for takes_text in (True, False)
    for takes_system in (True, False)
    for has_none in (True, False)
]


@functools.lru_cache(maxsize=8)
def form_of(template: Template) -> MessageForm:
    """How a template takes messages, found by trying; as they are if it shows them in no way."""
    began = time.monotonic()
    for form in map(MessageForm._make, _FORMS):
        try:
            text = template.render_in(form, _PROBE)
        except TemplateAtLimit:
            raise
        except PromptError:
            if time.monotonic() - began > _PATIENCE:
                raise
            continue
        if all(message["content"].casefold() in text.casefold() for message in _PROBE):
            return form
    return MessageForm()


@functools.lru_cache(maxsize=8)
def _leaves_out_user(template: Template) -> bool:
    """Whether the template writes the same whatever the user says."""
    try:
        texts = {template.render([{"role": "user", "content": word}]) for word in _WORDS[1:]}
    except PromptError:  # the messages of the prompt may do
        return False
    return len(texts) == 1


def in_form(messages: Sequence[Message], form: MessageForm) -> list[dict[str, Any]]:
    """The messages as a template takes them, as llama.cpp gives them to it."""
    said: list[dict[str, Any]] = [dict(message) for message in messages]
    if not form.takes_system and len(said) > 1 and said[0]["role"] == "system":
        system = said.pop(0)["content"]
        said[0]["content"] = f"{system}\n{said[0]['content']}"
    if not form.takes_text:
        for message in said:
            message["content"] = [{"type": "text", "text": message["content"]}]
    return said


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
        if not _switches(self.source):
            return False
        texts = [self.render([_PROBE[1]], thinking=thinking) for thinking in (False, True)]
        return texts[0] != texts[1]

    def render_in(
        self, form: MessageForm, messages: Sequence[Message], *, thinking: bool | None = None
    ) -> str:
        """See `Template.render_in`; the variables are those that Transformers gives to a template."""
        values: dict[str, Any] = {
            "messages": in_form(messages, form),
            "add_generation_prompt": True,
            "bos_token": self.bos,
            "eos_token": self.eos,
        }
        if form.has_none:
            values |= {"tools": None, "documents": None}
        if thinking is not None:
            values |= {name: _SWITCHES[name][thinking] for name in _switches(self.source)}
        try:
            return _rendered(self.source, values)
        except TemplateFailed as error:
            raise self._failure(error) from error

    def _failure(self, error: TemplateFailed) -> PromptError:
        kind = TemplateAtLimit if error.is_at_limit else PromptError
        if not error.is_tried:
            return kind(f"no chat template can be rendered: {error}", hint=_NO_PROCESS)
        if self.is_given:
            return kind(
                f"the given chat template failed: {error}", hint="correct or remove `--chat-template`"
            )
        return kind(
            f"the model's chat template failed: {error}",
            hint=self.other,
        )


def _rendered(source: str, values: dict[str, Any]) -> str:
    """The text that a template writes: in this process if it is known to be harmless, else in a child."""
    if not is_known(source):
        return PROCESS.render(source, values)
    from localsmc.text.templates import (
        environment,  # it takes tens of milliseconds, which a child takes apart
    )

    try:
        return environment.render(source, values)
    except Exception as error:  # a template is a program: it can fail in any way
        raise TemplateFailed(str(error) or type(error).__name__) from error


def prepare(source: object) -> None:
    """Start the process that renders a template, if one does, while its model is loaded."""
    if isinstance(source, str) and is_jinja(source) and not is_known(source):
        PROCESS.prepare()


_OPENING = re.compile(r"\{[{%#]")
_CLOSINGS = {"{{": "}}", "{%": "%}", "{#": "#}"}
# A string without its end goes to the end: else each quote in it would be tried as a beginning.
_STRING = re.compile(r"'[^'\\]*(?:\\.[^'\\]*)*(?:'|\Z)|\"[^\"\\]*(?:\\.[^\"\\]*)*(?:\"|\Z)", re.DOTALL)
_WORD = re.compile(r"(?<![\w.])[a-z_]+")


@functools.lru_cache(maxsize=8)
def _switches(source: str) -> tuple[str, ...]:
    """The switches for reasoning that a template mentions as variables."""
    words = {word for code in _code(source) for word in _WORD.findall(_STRING.sub("''", code))}
    return tuple(name for name in _SWITCHES if name in words)


def _code(source: str) -> Iterator[str]:
    """The code of a template without its comments, in linear time: here, no limit ends what takes long."""
    end = 0
    while start := _OPENING.search(source, end):
        stop = source.find(_CLOSINGS[start[0]], start.end())
        if stop < 0:
            return
        end = stop + 2
        if start[0] != "{#":
            yield source[start.start() : end]


def is_jinja(text: str) -> bool:
    """Whether a text is a template, as llama.cpp tells it from the name of one."""
    return "{{" in text or "{%" in text


def check_jinja(source: str, name: str) -> None:
    """Raise ConfigError unless the text is a template that can be compiled.

    Raises PromptError if no process can be had to compile it.
    """
    if not is_jinja(source) or source.lstrip().startswith('{"'):
        raise ConfigError(
            f"{name} is not a Jinja template",
            hint="give a template as on the hub: chat_template.jinja, or the value of `chat_template` in"
            " tokenizer_config.json",
        )
    if is_known(source):
        return
    try:
        PROCESS.check(source)
    except TemplateFailed as error:
        why = str(error).rstrip(".")
        if not error.is_tried:
            raise PromptError(f"{name} cannot be checked: {why}", hint=_NO_PROCESS) from None
        message = (
            "cannot be compiled" if error.line is None else f"is not a Jinja template: line {error.line}"
        )
        raise ConfigError(f"{name} {message}: {why}", hint="correct the template") from None


_TAG = re.compile(r"<[|｜][^<>|｜\s]{1,40}[|｜]>|</?[A-Za-z_:▁]{1,40}>")


def tags(template: Template) -> list[str]:
    """What looks like control tokens in the text that a template writes around messages."""
    talk: list[Message] = [
        {"role": role, "content": "\ue000"} for role in ("system", "user", "assistant", "user")
    ]
    for messages in (talk, talk[1:]):  # some templates refuse a system message
        try:
            return list(dict.fromkeys(_TAG.findall(template.render(messages))))
        except TemplateAtLimit:
            raise
        except PromptError:
            continue
    return []


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
