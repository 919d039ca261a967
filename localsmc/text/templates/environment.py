"""The environment in which a chat template runs: what Transformers gives its `apply_chat_template`."""

from __future__ import annotations

import functools
import json
from typing import Any, NoReturn

from jinja2 import Template, TemplateError
from jinja2.ext import Extension
from jinja2.nodes import CallBlock, Node
from jinja2.parser import Parser
from jinja2.runtime import Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment

from localsmc.text.templates import today

LONGEST_FORMAT = 200
"""Characters of a date's form: strftime takes memory for 256 times as many."""


def render(source: str, variables: dict[str, Any]) -> str:
    """The text that a template writes. A template is a program: it can raise anything, and run for ever."""
    return _readable(compiled(source).render(variables))


@functools.lru_cache(maxsize=8)
def compiled(source: str) -> Template:
    """The template as a program; raises jinja2.TemplateSyntaxError."""
    # Compiling takes milliseconds, as long as a small model needs to decode the whole prompt.
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, "jinja2.ext.loopcontrols"]
    )
    environment.filters["tojson"] = _as_json
    environment.globals["raise_exception"] = _refuse
    environment.globals["strftime_now"] = _strftime_now
    return environment.from_string(source)


class _Generation(Extension):
    """`{% generation %}` marks what the assistant says, for training; here it only has a scope of its own."""

    tags = {"generation"}

    def parse(self, parser: Parser) -> Node:
        """See `jinja2.ext.Extension.parse`."""
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return CallBlock(self.call_method("_said"), [], [], body).set_lineno(line)

    def _said(self, caller: Macro) -> str:
        return caller()


def _as_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """JSON as models were trained on it: Jinja's own filter escapes `<` and other characters of HTML."""
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def _refuse(message: str) -> NoReturn:
    raise TemplateError(message)


def _strftime_now(form: str) -> str:
    if len(form) > LONGEST_FORMAT:
        raise TemplateError("the form of a date is too long")
    return today.now().strftime(form)


def _readable(text: str) -> str:
    """The text without halves of surrogate pairs, which have no UTF-8 and which a template can write."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
