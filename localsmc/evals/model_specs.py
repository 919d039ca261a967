"""The models of an evaluation, as given on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from localsmc.engine.load import sha256
from localsmc.errors import ConfigError
from localsmc.gguf import reader
from localsmc.gguf.header import Header
from localsmc.store import model_source
from localsmc.store.model_source import ModelSource


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """A model to evaluate, with a name that is unique in the run. The file is not loaded yet."""

    name: str
    file: str | None
    source: ModelSource
    header: Header

    def to_json(self) -> dict[str, Any]:
        """The model's manifest entry; hashes the file if its hash is not known."""
        known = self.source.sha256 if len(self.header.parts) == 1 else None
        return {
            "name": self.name,
            "path": str(self.source.path),
            "sha256": known or sha256(self.header.parts),
            "params": self.header.n_params,
            "quantization": self.header.file_type,
            "bytes": self.header.size,
        }


def parse_models(files: Sequence[str], sources: Sequence[ModelSource] = ()) -> tuple[ModelSpec, ...]:
    """Resolve models by path, or the embedded one if none is given; raises ModelError or ConfigError.

    `sources` are their files, if they are known already.
    """
    specs: list[ModelSpec] = []
    for i, file in enumerate(files or (None,)):
        source = sources[i] if sources else model_source.resolve(file)
        taken = {spec.name for spec in specs}
        if any(spec.source.path.resolve() == source.path.resolve() for spec in specs):
            raise ConfigError(f"`{file or source.path}` is given twice", hint="remove one of them")
        name, n = source.name, 2
        while name in taken:
            name, n = f"{source.name} ({n})", n + 1
        specs.append(ModelSpec(name=name, file=file, source=source, header=reader.read_header(source.path)))
    return tuple(specs)
