"""A model with a chat template that localsmc knows nothing about: the embedded one under another name."""

from pathlib import Path

import numpy as np
from gguf import GGUFReader

import localsmc_models


def renamed(path: Path) -> Path:
    """Write the copy."""
    path.write_bytes(localsmc_models.path("tiny").read_bytes())
    field = GGUFReader(path, "r+").fields["general.name"]
    field.parts[field.data[0]][:] = np.frombuffer(b"localsmc_tiny", np.uint8)
    return path
