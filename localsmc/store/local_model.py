"""A model that another program installed on this machine. Its files are used in place, never copied."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalModel:
    """The files of a model, usually one, under the name that `-m` accepts."""

    name: str
    paths: tuple[Path, ...]
    removal: str
    """How to delete the model: what to type, or what to do."""
    sha256: str | None = None
    """Set if it is known without reading the file."""
    title: str | None = None
    """A short name for tables, if the file's own name says nothing."""
    notice: str | None = None
    """A warning for whoever uses the model."""
    error: str | None = None
    """Why the model cannot be used; only in listings."""

    @property
    def path(self) -> Path:
        """The first part, by which llama.cpp finds the others."""
        return self.paths[0]
