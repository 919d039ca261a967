"""The embedded models: the paths of their files and their recommended settings.

This module needs only the standard library, and never opens a GGUF. Training and export
(`localsmc_models.training`) need the extra `localsmc[train]`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

__all__ = ["Card", "card", "names", "path", "title"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A model's recommended settings and the checksum of its GGUF, from `<name>/card.json`."""

    name: str
    description: str
    alpha: float
    ramp: int
    n_predict: int
    refusals: tuple[str, ...]
    """The openings of the sentences with which it refuses what it cannot do."""
    sha256: str


def names() -> tuple[str, ...]:
    """The names of the embedded models in this installation."""
    folder = Path(str(resources.files(__name__)))
    return tuple(sorted(file.stem for file in folder.glob("*/*.gguf") if file.stem == file.parent.name))


def title(name: str) -> str:
    """The `general.name` in an embedded model's GGUF, which quantized copies keep."""
    return f"localsmc {name}"


def path(name: str) -> Path:
    """The path of an embedded model's GGUF; raises LookupError for an unknown name."""
    return _file(name, f"{name}.gguf")


def card(name: str) -> Card:
    """The recommended settings of an embedded model; raises LookupError for an unknown name."""
    values = json.loads(_file(name, "card.json").read_text(encoding="utf-8"))
    return Card(**values | {"refusals": tuple(values["refusals"])})


def _file(name: str, file: str) -> Path:
    if name not in names():
        raise LookupError(f"no embedded model `{name}`; choose from: {', '.join(names()) or 'none'}")
    return Path(str(resources.files(f"{__name__}.{name}") / file))
