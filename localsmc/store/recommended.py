"""A few models to start with, by the memory they need. None has been measured with localsmc."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

CELLS = 16 * 1024
"""KV cache cells that the memory figure includes: 16 particles of 1,024 tokens with no shared prefix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """A model, by its name on the hub; `gigabytes` is the file size in 10⁹ bytes, rounded."""

    name: str
    gigabytes: float
    layers: int
    kv_width: int
    """Elements of a layer's keys for one token; its values have as many."""
    why: str

    @property
    def memory(self) -> float:
        """Bytes of the weights and of an F16 KV cache of CELLS; excludes llama.cpp's compute buffers."""
        return self.gigabytes * 1e9 + CELLS * self.layers * self.kv_width * 2 * 2


def recommendations() -> list[Recommendation]:
    """All recommended models, smallest first."""
    text = Path(__file__).with_name("recommended.json").read_text(encoding="utf-8")
    return sorted((Recommendation(**entry) for entry in json.loads(text)), key=lambda one: one.memory)
