"""Constrained output: the GBNF grammar of the settings, and the answer of a constrained completion."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from localsmc.engine.settings import Settings
from localsmc.errors import ConfigError
from localsmc.llama import gbnf, json_schema_to_gbnf
from localsmc.results import AnswerKind
from localsmc.text import answers
from localsmc.text.answers import Answer

SCHEMA_HINT = (
    'for example: {"type": "object", "properties": {"answer": {"type": "integer"}}, "required": ["answer"]}'
)

UNSUPPORTED = frozenset(
    "contains dependentRequired dependentSchemas else exclusiveMaximum exclusiveMinimum if maxProperties"
    " maximum minProperties minimum multipleOf not patternProperties propertyNames then unevaluatedItems"
    " unevaluatedProperties uniqueItems".split()
)
"""JSON schema keywords that the generated grammar does not enforce."""


def to_gbnf(settings: Settings) -> str | None:
    """The grammar that constrains the output, checked; None if there is none. Raises ConfigError."""
    if settings.json_schema is not None:
        return _from_schema(settings.json_schema)
    if settings.grammar is not None:
        gbnf.check(settings.grammar)
    return settings.grammar


def _from_schema(text: str) -> str:
    schema = _parsed(text)
    if "$ref" in schema:
        # Pydantic writes recursive models like this; the converter ignores keywords next to a reference.
        schema["anyOf"] = [{"$ref": schema.pop("$ref")}]
    try:
        found = _NESTED.sub(_flat, json_schema_to_gbnf(json.dumps(schema)))
        gbnf.check(found)
    except ConfigError as error:
        raise ConfigError(
            f"the JSON schema gives a grammar that cannot be used ({error})", hint=SCHEMA_HINT
        ) from error
    except Exception as error:  # the converter asserts, and looks up missing keys
        raise ConfigError(
            f"the JSON schema cannot be converted to a grammar: {_why(error)}", hint=SCHEMA_HINT
        ) from error
    return found


_NESTED = re.compile(r"\(([^()]+) (?:\(\1 )*\(\1(?:\)\?)+")
_DEEP = 50
"""Only a repetition is nested this deep; a constant never is."""


def _flat(nested: re.Match[str]) -> str:
    """Rewrite `(a (a (a)?)?)?`, the converter's "up to three", as a repetition: nesting has a limit."""
    n_times, n_ends = nested[0].count("("), nested[0].count(")?")
    if n_ends < n_times or n_times < _DEEP:
        return nested[0]
    return f"({nested[1]}){{0,{n_times}}}" + ")?" * (n_ends - n_times)


def _parsed(text: str) -> Any:
    try:
        schema = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"the JSON schema is not JSON: {_why(error)}", hint=SCHEMA_HINT) from None
    if not isinstance(schema, dict):
        raise ConfigError("the JSON schema is not an object", hint=SCHEMA_HINT)
    return schema


def _why(error: Exception) -> str:
    if isinstance(error, AssertionError | ValueError) and str(error):
        return str(error).splitlines()[0][:120]
    return f"it is nested too deep, or is not a schema ({type(error).__name__})"


def unsupported_keywords(settings: Settings) -> list[str]:
    """The keywords of the JSON schema that are not enforced, sorted."""
    found = set() if settings.json_schema is None else set(_keywords(_parsed(settings.json_schema)))
    return sorted(found & UNSUPPORTED)


def _keywords(schema: Any) -> Iterator[str]:
    if isinstance(schema, list):
        for part in schema:
            yield from _keywords(part)
    elif isinstance(schema, dict):
        for name, part in schema.items():
            yield name
            # Property names are not keywords, and constants contain no schema.
            inner = part.values() if name in ("properties", "$defs", "definitions") else [part]
            if isinstance(part, dict | list) and name not in ("enum", "const", "default", "examples"):
                for one in inner:
                    yield from _keywords(one)


def answer_of(text: str, settings: Settings, kind: AnswerKind, *, is_whole: bool) -> Answer | None:
    """The answer that a completion states, or None.

    With a JSON schema it is the JSON value in canonical form. With a grammar it is what the text states,
    or else the whole completion. A constrained completion that was cut short has no answer.
    """
    if settings.json_schema is not None:
        return _stated(canonical(text)) if is_whole else None
    found = answers.find(text, kind, is_cut=not is_whole, with_fallback=False, is_reply=True)
    if found is None and settings.grammar is not None and is_whole:
        return _stated(text.strip())
    return found


def _stated(text: str | None) -> Answer | None:
    return Answer(text, "stated") if text else None


def canonical(text: str) -> str | None:
    """A JSON value with sorted keys and without spaces; None if the text is not JSON."""
    try:
        return json.dumps(json.loads(text), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    except (ValueError, RecursionError):
        return None
