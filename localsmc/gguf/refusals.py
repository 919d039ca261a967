"""Errors and hints for GGUF files that are rejected."""

from __future__ import annotations

from pathlib import Path

from localsmc.errors import ModelLoadFailed

AGAIN = "download the file again, and compare its size or SHA-256 with the source"


CONVERT = "look for a GGUF of this model, or convert it with llama.cpp's convert_hf_to_gguf.py"


UPDATE = "llama-cpp-python or localsmc may be older than the file: update both, or use another quantization"


NO_MODEL = "give a GGUF file of a complete language model"


def refused(path: Path, what: str, hint: str) -> ModelLoadFailed:
    """The error for an undamaged file that is not a model for llama.cpp."""
    return ModelLoadFailed(f"`{path}` {what}", hint=hint)


def damaged(path: Path, what: str) -> ModelLoadFailed:
    """The error for a file with inconsistent content."""
    return refused(path, f"is damaged: {what}", AGAIN)
