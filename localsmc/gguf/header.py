"""The header of a GGUF file: metadata and tensor table, without tensor data."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

from localsmc.gguf.tensor_types import FILE_TYPES, GUESSED
from localsmc.system.printable import printable

_LONGEST_NAME = 200
"""Characters of a name that are shown."""


@dataclass(frozen=True, slots=True)
class ArrayInfo:
    """A metadata array, described by the type and number of its elements.

    `values` contains the elements if they are few and integers, such as per-layer settings.
    """

    type: str
    length: int
    values: tuple[int, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One row of the tensor table; `offset` is relative to the start of the tensor data of its part."""

    name: str
    shape: tuple[int, ...]
    type: str
    offset: int
    n_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Header:
    """The header of a model file; for a split model, of all parts together.

    Compared by identity, so that what follows from a header can be remembered.
    """

    path: Path
    parts: tuple[Path, ...]
    size: int  # bytes, of all parts
    version: int
    metadata: dict[str, object]
    tensors: tuple[TensorInfo, ...]
    title: str | None = None
    """Used as the name if the metadata have none."""

    @property
    def architecture(self) -> str:
        """The architecture name that llama.cpp uses, such as "llama" or "qwen2"."""
        return str(self.metadata["general.architecture"])

    @property
    def name(self) -> str:
        """The name in the metadata, or else the title or the file's stem; always printable, and not long."""
        given = self.metadata.get("general.name")
        name = printable(given if isinstance(given, str) and given else self.title or self.path.stem)
        return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"

    @property
    def file_type(self) -> str:
        """The quantization mix, such as "Q4_K_M"; "unknown" if the file does not state it."""
        number = self.metadata.get("general.file_type")
        if not isinstance(number, int) or not 0 <= number & ~GUESSED < len(FILE_TYPES):
            return "unknown"
        return FILE_TYPES[number & ~GUESSED].replace("-", "unknown")

    @property
    def n_params(self) -> int:
        """The total number of elements in all tensors."""
        return sum(math.prod(tensor.shape) for tensor in self.tensors)
