"""The name of a synthetic model: SHAPE[:QUANT][:vocab=N]."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from difflib import get_close_matches

from localsmc.bench.synthetic.quant_mix import QUANTIZATIONS
from localsmc.bench.synthetic.shapes import SHAPES, ModelShape
from localsmc.errors import ConfigError

MIN_VOCAB = 258
"""The tokens that the tokenizer requires: 256 bytes, a merge of two, the end token."""

MAX_VOCAB = 2**20
"""Four times the largest vocabulary in use; all tokens are in memory as strings during writing."""

_VOCAB = "vocab="
_FORM = "write SHAPE[:QUANT][:vocab=N], e.g. qwen2.5-7b:Q4_K_M"


@dataclass(frozen=True, slots=True)
class FileSpec:
    """A shape's name, a quantization, and the vocabulary size; None is that of the real model.

    Raises ConfigError for unknown names, with a suggestion, and for vocabulary sizes out of range.
    """

    name: str
    quantization: str = "Q4_0"
    n_vocab: int | None = None

    def __post_init__(self) -> None:
        _require_known("shape", self.name, SHAPES)
        _require_known("quantization of synthetic models", self.quantization, QUANTIZATIONS)
        if self.n_vocab is not None and not MIN_VOCAB <= self.n_vocab <= MAX_VOCAB:
            raise ConfigError(
                f"a vocabulary of {self.n_vocab:,} tokens is not supported",
                hint=f"use {MIN_VOCAB:,} to {MAX_VOCAB:,} tokens",
            )

    def __str__(self) -> str:
        vocab = "" if self.n_vocab is None else f":{_VOCAB}{self.n_vocab}"
        return f"{self.name}:{self.quantization}{vocab}"

    @property
    def shape(self) -> ModelShape:
        """The model's sizes, with the requested vocabulary."""
        real = SHAPES[self.name]
        return real if self.n_vocab is None else replace(real, n_vocab=self.n_vocab)


def parse(text: str) -> FileSpec:
    """Parse `SHAPE[:QUANT][:vocab=N]`, case-insensitively. Raises ConfigError for invalid input."""
    name, *rest = text.split(":")
    n_vocab = _number(rest.pop()) if rest and rest[-1].lower().startswith(_VOCAB) else None
    quantization = rest.pop(0) if rest else "Q4_0"
    if rest:
        raise ConfigError(f"`{text}` is not a valid synthetic model", hint=_FORM)
    return FileSpec(name.strip().lower(), quantization.strip().upper(), n_vocab)


def _number(option: str) -> int:
    try:
        return int(option[len(_VOCAB) :])
    except ValueError as error:
        raise ConfigError(f"`{option}` is not a number of tokens", hint=_FORM) from error


def _require_known(kind: str, name: str, known: Iterable[str]) -> None:
    names = list(known)
    if name in names:
        return
    near = get_close_matches(name, names, 1)
    hint = f"did you mean `{near[0]}`?" if near else f"choose from: {', '.join(names)}"
    raise ConfigError(f"no {kind} is called `{name}`", hint=hint)
