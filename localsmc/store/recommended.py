"""A few models to begin with, by the memory they take. None was measured by us."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

CELLS = 16 * 1024
"""Of the context that the memory is for: 16 particles of 1,024 tokens that share nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """A model by its name on the hub; `gigabytes` (10⁹ bytes) is the file's size, rounded."""

    name: str
    gigabytes: float
    layers: int
    kv_width: int
    """Of a layer's keys, and of its values, for one token."""
    why: str

    @property
    def memory(self) -> float:
        """Bytes of the weights and of an F16 cache of CELLS; what llama.cpp computes in is not counted."""
        return self.gigabytes * 1e9 + CELLS * self.layers * self.kv_width * 2 * 2


def recommendations() -> list[Recommendation]:
    """The smallest first."""
    text = Path(__file__).with_name("recommended.json").read_text(encoding="utf-8")
    return sorted((Recommendation(**entry) for entry in json.loads(text)), key=lambda one: one.memory)
