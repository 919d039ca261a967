"""Why a GGUF file is refused, and what to do about it."""

from __future__ import annotations

from pathlib import Path

from localsmc.errors import ModelLoadFailed

AGAIN = "download the file again, and compare its size or sha256 with its source"


CONVERT = "look for a GGUF of this model, or convert it with llama.cpp's convert_hf_to_gguf.py"


UPDATE = "llama-cpp-python or localsmc may be older than the file: update both, or take another quantization"


NO_MODEL = "give a GGUF file of a whole language model"


def refused(path: Path, what: str, hint: str) -> ModelLoadFailed:
    """The error for a file that is whole, but no model for llama.cpp."""
    return ModelLoadFailed(f"`{path}` {what}", hint=hint)


def damaged(path: Path, what: str) -> ModelLoadFailed:
    """The error for a file that contradicts itself."""
    return refused(path, f"is damaged: {what}", AGAIN)
