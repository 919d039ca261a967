"""What `--model_args` of lm-eval says: the model, the method, and how to load and run them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from localsmc.engine.settings import Settings
from localsmc.errors import ConfigError
from localsmc.llama import AUTO_LAYERS, LoadOptions, builtin_templates
from localsmc.methods import METHODS
from localsmc.methods.base import draft_kind, options_of
from localsmc.methods.spec import ALIASES, MethodSpec, format_value, parse_method
from localsmc.system.text_file import read_text

KINDS: Mapping[str, type] = {
    "model": str,
    "method": str,
    "model_draft": str,
    "seed": int,
    "ctx_size": int,
    "threads": int,
    "gpu_layers": int,
    "chat_template": str,
    "thinking": bool,
}
"""The arguments and their types. Any other is an option of the method: lm-eval parts arguments at commas."""

_WORDS = {str: "a text", int: "a whole number", bool: "true or false"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelArguments:
    """A model and how it answers. Without a method it writes what the task asks for: greedy, or samples.

    `seed` is that of all requests; each derives its own from it.
    """

    model: str | None = None
    model_draft: str | None = None
    method: MethodSpec | None = None
    seed: int = 0
    thinking: bool | None = None
    settings: Settings = field(default_factory=Settings)
    loading: LoadOptions = field(default_factory=LoadOptions)

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> ModelArguments:
        """Read the arguments as lm-eval passes them, None for a default; raises ConfigError."""
        values = {name: value for name, value in given.items() if value is not None}
        method = _method(values.get("method"), {k: v for k, v in values.items() if k not in KINDS})
        known = {name: _checked(name, value) for name, value in values.items() if name in KINDS}
        if "model_draft" in known and (method is None or not draft_kind(METHODS[method.name])):
            raise ConfigError(
                "`model_draft` has no effect: the method uses no draft model",
                hint="remove it, or add a method that uses one, such as method=speculative",
            )
        template = known.get("chat_template")
        return cls(
            model=known.get("model"),
            model_draft=known.get("model_draft"),
            method=method,
            seed=known.get("seed", 0),
            thinking=known.get("thinking"),
            settings=Settings(n_ctx=known.get("ctx_size", 0), n_threads=known.get("threads", 0)),
            loading=LoadOptions(
                n_gpu_layers=known.get("gpu_layers", AUTO_LAYERS),
                chat_template=None if template is None else _template(template),
            ),
        )


def _method(text: Any, options: Mapping[str, Any]) -> MethodSpec | None:
    """The method with the options that lm-eval parted from it; None if it is not given."""
    if text is None:
        if options:
            raise _unknown(next(iter(options)), list(KINDS))
        return None
    spec = parse_method(str(_checked("method", text)), is_complete=not options)
    own = options_of(METHODS[spec.name])
    for name in options:
        if ALIASES.get(name, name.replace("-", "_")) not in (*own, "select"):
            raise _unknown(name, [*KINDS, *own, "select"])
    if not options:
        return spec
    parts = ",".join(f"{name}={format_value(value)}" for name, value in options.items())
    return parse_method(f"{spec.label}{',' if ':' in spec.label else ':'}{parts}")


def _unknown(name: str, known: list[str]) -> ConfigError:
    near = get_close_matches(name, known, 1)
    hint = f"did you mean `{near[0]}`?" if near else f"choose from: {', '.join(known)}"
    return ConfigError(f"the model localsmc has no argument `{name}`", hint=hint)


def _checked(name: str, value: Any) -> Any:
    kind = KINDS[name]
    if kind is str and isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)  # lm-eval reads a name of digits as a number
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ConfigError(f"`{name}` is `{value}`, but must be {_WORDS[kind]}")
    is_below_zero = isinstance(value, int) and value < 0 and name in ("seed", "ctx_size", "threads")
    if value == "" or is_below_zero:
        raise ConfigError(f"`{name}` is `{value}`", hint="give another value, or remove it")
    return value


def _template(given: str) -> str:
    """A template's name in llama.cpp, or the text of a file."""
    return given if given in builtin_templates() else read_text(given, "the chat template", "chat_template")
