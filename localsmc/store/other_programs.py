"""Models of pip, ollama and LM Studio, by the prefix of their names: `pip:`, `ollama:`, `lmstudio:`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from localsmc.store import lm_studio, ollama, pip_packages
from localsmc.store.local_model import LocalModel

Program = Literal["pip", "ollama", "lmstudio"]

_FIND: Mapping[Program, Callable[[str], LocalModel]] = {
    "pip": pip_packages.find,
    "ollama": ollama.find,
    "lmstudio": lm_studio.find,
}
MODELS: Mapping[Program, Callable[[], list[LocalModel]]] = {
    "pip": pip_packages.models,
    "ollama": ollama.models,
    "lmstudio": lm_studio.models,
}
"""The listing of each program's models."""


def program_of(name: str) -> Program | None:
    """The program whose prefix a name has, or None."""
    return next((program for program in _FIND if name.startswith(f"{program}:")), None)


def find(name: str) -> LocalModel | None:
    """The model of a name with a prefix, None without one; raises ModelNotFound or ModelLoadFailed."""
    program = program_of(name)
    return None if program is None else _FIND[program](name.partition(":")[2])


def models() -> list[LocalModel]:
    """The models of all of them."""
    return [model for listed in MODELS.values() for model in listed()]
