"""The embedded models: where their files lie and the settings they are meant to run with.

Light on purpose: the recipe's modules (`train`, `export`) need the extra `localsmc[train]`,
this one needs the standard library. It never opens a GGUF.
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
    sha256: str


def names() -> tuple[str, ...]:
    """The embedded models that this installation holds."""
    folder = Path(str(resources.files(__name__)))
    return tuple(sorted(file.stem for file in folder.glob("*/*.gguf") if file.stem == file.parent.name))


def title(name: str) -> str:
    """The name that an embedded model's GGUF carries (`general.name`), which its quantized copies keep."""
    return f"localsmc {name}"


def path(name: str) -> Path:
    """The GGUF of an embedded model; `LookupError` when there is none of that name."""
    return _file(name, f"{name}.gguf")


def card(name: str) -> Card:
    """The recommended settings of an embedded model."""
    return Card(**json.loads(_file(name, "card.json").read_text(encoding="utf-8")))


def _file(name: str, file: str) -> Path:
    if name not in names():
        raise LookupError(f"no embedded model `{name}`; there is: {', '.join(names()) or 'none'}")
    return Path(str(resources.files(f"{__name__}.{name}") / file))
