"""llama.cpp's built-in chat templates: by name, rendered by llama.cpp itself."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from localsmc.errors import ConfigError, PromptError
from localsmc.llama.binding import C
from localsmc.text.chat_template import Message, MessageForm, Template, check_jinja, in_form, is_jinja
from localsmc.text.encoding import encoded


@functools.cache
def builtin_templates() -> tuple[str, ...]:
    """The names of the templates, in alphabetical order."""
    n = C.llama_chat_builtin_templates(None, 0)
    names = (ctypes.c_char_p * n)()
    C.llama_chat_builtin_templates(names, n)
    return tuple(sorted(name.decode() for name in names if name))


def check_template(given: str) -> None:
    """Raise ConfigError unless it is a name that llama.cpp knows, or the text of a Jinja template."""
    if is_jinja(given):
        check_jinja(given, "the chat template")
    elif given not in builtin_templates():
        near = get_close_matches(given.lower(), builtin_templates(), 1)
        names = ", ".join(builtin_templates())
        raise ConfigError(
            f"no chat template is called `{given}`",
            hint=f"did you mean `{near[0]}`?" if near else f"choose from: {names}; or give a Jinja template",
        )


@dataclass(frozen=True, slots=True)
class BuiltInTemplate(Template):
    """A template that llama.cpp knows by name. It has no switch for reasoning, and never writes BOS first."""

    name: str
    source: str = ""
    has_thinking_switch = False

    def render_in(
        self, form: MessageForm, messages: Sequence[Message], *, thinking: bool | None = None
    ) -> str:
        """See `Template.render_in`; llama.cpp itself takes messages in any form."""
        messages = in_form(messages, form._replace(takes_text=True))
        if any("\0" in message["content"] for message in messages):
            raise PromptError("a message contains a zero character", hint="remove it")
        chat = (C.llama_chat_message * len(messages))()
        for one, message in zip(chat, messages, strict=True):
            one.role, one.content = message["role"].encode(), encoded(message["content"])
        size = 2 * sum(len(one.content) for one in chat) + 256
        while True:
            buffer = ctypes.create_string_buffer(size)
            n = C.llama_chat_apply_template(self.name.encode(), chat, len(chat), True, buffer, size)
            if n < 0:
                raise PromptError(f"llama.cpp cannot use its chat template `{self.name}`")
            if n <= size:
                return buffer.raw[:n].decode(errors="replace")
            size = n
