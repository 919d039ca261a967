"""What a task of lm-eval, or `--gen_kwargs`, says about a generation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from localsmc.errors import ConfigError
from localsmc.methods.spec import MethodSpec, format_value, parse_method

MAX_TOKENS = 256
"""The token limit of a task that gives none, as in lm-eval."""

_LIMITS = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")
_SAMPLING = ("temperature", "top_k", "top_p", "min_p")
_NEUTRAL: Mapping[str, Any] = {
    "num_beams": 1,
    "num_return_sequences": 1,
    "best_of": 1,
    "repetition_penalty": 1,
    "length_penalty": 1,
    "presence_penalty": 0,
    "frequency_penalty": 0,
}
"""Arguments with the one value that changes nothing; others are not supported."""

_IGNORED = ("use_cache", "skip_special_tokens")
"""Arguments of Transformers that change no text here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationArguments:
    """Where a generation ends, and the method that a task asks for: `greedy`, or `sample` if `do_sample`."""

    until: tuple[str, ...]
    max_tokens: int
    method: MethodSpec

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> GenerationArguments:
        """Read the arguments as lm-eval passes them; raises ConfigError for one that is not supported."""
        values = {name: value for name, value in given.items() if value is not None}
        for name, value in values.items():
            _check(name, value)
        until = values.get("until", ())
        limit = next((values[name] for name in _LIMITS if name in values), MAX_TOKENS)
        if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
            raise ConfigError(f"the token limit is `{limit}`", hint="write max_gen_toks=256")
        return cls(
            until=tuple(text for text in ([until] if isinstance(until, str) else until) if text),
            max_tokens=limit,
            method=_method(values),
        )


def _check(name: str, value: Any) -> None:
    if name in ("until", "do_sample", *_LIMITS, *_SAMPLING, *_IGNORED):
        return
    if name not in _NEUTRAL:
        known = ("until", "do_sample", _LIMITS[0], *_SAMPLING)
        raise ConfigError(
            f"the generation argument `{name}` is not supported",
            hint=f"choose from: {', '.join(known)}; --gen_kwargs {name}=None removes it from a task",
        )
    if value != _NEUTRAL[name]:
        raise ConfigError(
            f"the generation argument `{name}={value}` is not supported",
            hint=f"add --gen_kwargs {name}={_NEUTRAL[name]}",
        )


def _method(values: Mapping[str, Any]) -> MethodSpec:
    """As lm-eval reads them: without `do_sample`, a temperature above 0 samples; at 0 it never does."""
    temperature = values.get("temperature")
    samples = values.get("do_sample", bool(temperature))
    if not samples or temperature == 0:
        return parse_method("greedy")
    options = [f"{name}={format_value(values[name])}" for name in _SAMPLING if name in values]
    return parse_method(f"sample:{','.join(options)}")
