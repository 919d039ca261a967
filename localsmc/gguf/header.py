"""The header of a GGUF file: metadata and tensors, without their data."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

from localsmc.gguf.tensor_types import FILE_TYPES, GUESSED


@dataclass(frozen=True, slots=True)
class ArrayInfo:
    """An array of the metadata, by the type and number of its elements.

    `values` has them where they are few and whole numbers, as what differs by layer is.
    """

    type: str
    length: int
    values: tuple[int, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One row of the tensor table; `offset` counts from the start of the data of its own part."""

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

    @property
    def architecture(self) -> str:
        """The name llama.cpp dispatches on, as "llama" or "qwen2"."""
        return str(self.metadata["general.architecture"])

    @property
    def name(self) -> str:
        """The model's own name, or the file's where it has none."""
        name = self.metadata.get("general.name")
        return name if isinstance(name, str) and name else self.path.stem

    @property
    def file_type(self) -> str:
        """The quantization mix, as "Q4_K_M"; "unknown" where the file does not say."""
        number = self.metadata.get("general.file_type")
        if not isinstance(number, int) or not 0 <= number & ~GUESSED < len(FILE_TYPES):
            return "unknown"
        return FILE_TYPES[number & ~GUESSED].replace("-", "unknown")

    @property
    def n_params(self) -> int:
        """The number of elements in all tensors."""
        return sum(math.prod(tensor.shape) for tensor in self.tensors)
