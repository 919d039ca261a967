"""Which model of random weights is wanted, as it is written: SHAPE[:QUANT][:vocab=N]."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from difflib import get_close_matches

from localsmc.bench.synthetic.quant_mix import QUANTIZATIONS
from localsmc.bench.synthetic.shapes import SHAPES, ModelShape
from localsmc.errors import ConfigError

MIN_VOCAB = 258
"""Tokens that the tokenizer cannot do without: 256 bytes, a merge of two, the end."""

MAX_VOCAB = 2**20
"""Four times the largest in use; each token of it is a string in memory while the file is written."""

_VOCAB = "vocab="
_FORM = "write it as SHAPE[:QUANT][:vocab=N], such as qwen2.5-7b:Q4_K_M"


@dataclass(frozen=True, slots=True)
class FileSpec:
    """A shape by its name, its quantization, and how many tokens it has, where not as many as the real one.

    Raises ConfigError for unknown names, with what may have been meant, and for vocabularies out of range.
    """

    name: str
    quantization: str = "Q4_0"
    n_vocab: int | None = None

    def __post_init__(self) -> None:
        _require_known("shape", self.name, SHAPES)
        _require_known("quantization of random weights", self.quantization, QUANTIZATIONS)
        if self.n_vocab is not None and not MIN_VOCAB <= self.n_vocab <= MAX_VOCAB:
            raise ConfigError(
                f"a vocabulary of {self.n_vocab:,} tokens cannot be made",
                hint=f"it can have from {MIN_VOCAB:,} to {MAX_VOCAB:,} tokens",
            )

    def __str__(self) -> str:
        vocab = "" if self.n_vocab is None else f":{_VOCAB}{self.n_vocab}"
        return f"{self.name}:{self.quantization}{vocab}"

    @property
    def shape(self) -> ModelShape:
        """The sizes, with the vocabulary that is asked for."""
        real = SHAPES[self.name]
        return real if self.n_vocab is None else replace(real, n_vocab=self.n_vocab)


def parse(text: str) -> FileSpec:
    """Read `SHAPE[:QUANT][:vocab=N]`, names in any case; raises ConfigError as `Spec` and for other forms."""
    name, *rest = text.split(":")
    n_vocab = _number(rest.pop()) if rest and rest[-1].lower().startswith(_VOCAB) else None
    quantization = rest.pop(0) if rest else "Q4_0"
    if rest:
        raise ConfigError(f"`{text}` is no model of random weights", hint=_FORM)
    return FileSpec(name.strip().lower(), quantization.strip().upper(), n_vocab)


def _number(option: str) -> int:
    try:
        return int(option[len(_VOCAB) :])
    except ValueError as error:
        raise ConfigError(f"`{option}` is no number of tokens", hint=_FORM) from error


def _require_known(kind: str, name: str, known: Iterable[str]) -> None:
    names = list(known)
    if name in names:
        return
    near = get_close_matches(name, names, 1)
    hint = f"did you mean `{near[0]}`?" if near else f"there is: {', '.join(names)}"
    raise ConfigError(f"no {kind} is called `{name}`", hint=hint)
