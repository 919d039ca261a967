"""A model ready to use: the weights, the file's header, and what is recommended for it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from localsmc import catalog, gguf, probe
from localsmc.catalog import Source
from localsmc.errors import ConfigError
from localsmc.llama import LlamaModel, LoadOptions
from localsmc.methods import METHODS, Method, from_options
from localsmc.records import ModelInfo

HASHED_SIZE = 64 * 1024 * 1024
"""Files up to this size are hashed for the record; a larger one's hash would cost seconds."""

CHUNK = 1 << 20
"""Bytes hashed at a time."""


@dataclass(frozen=True, slots=True)
class Model:
    """A loaded GGUF with what is recommended for it. Close it, or use it in a `with`."""

    llama: LlamaModel
    source: Source
    header: gguf.Header

    def close(self) -> None:
        """Free the weights and every context over them."""
        self.llama.close()

    def __enter__(self) -> Model:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def info(self, n_ctx: int) -> ModelInfo:
        """What a result says about the model, with the context's number of cells."""
        return ModelInfo(
            name=self.header.name or self.source.path.stem,
            path=str(self.source.path),
            sha256=self.source.sha256,
            params=self.llama.n_params,
            quantization=self.header.file_type,
            n_ctx=n_ctx,
            device=self.llama.device,
        )

    def method(self, name: str = "power-smc", **options: object) -> Method:
        """A method with this model's recommended parameters, where none are given."""
        if name not in METHODS:
            raise ConfigError(f"no method is called `{name}`", hint=f"there is: {', '.join(METHODS)}")
        recommended = self.source.defaults.of_method(name)
        return from_options(METHODS[name], recommended | options)


def load(path: str | Path | None = None, options: LoadOptions | None = None) -> Model:
    """Load a GGUF, or the embedded model where no path is given.

    A file that is not the embedded one is checked first, in Python and then by loading it in a
    child process, once. Raises ModelNotFound or ModelLoadFailed.
    """
    source = catalog.resolve(path)
    header = gguf.read_header(source.path)
    if not source.is_embedded:
        probe.ensure_loadable(source.path, header)
        source = replace(source, defaults=catalog.recommended(header.name))
    if source.sha256 is None and source.path.stat().st_size <= HASHED_SIZE:
        source = replace(source, sha256=sha256([source.path]))
    return Model(LlamaModel(source.path, options), source, header)


def sha256(parts: Sequence[Path]) -> str:
    """The hash of a model's bytes, all parts in order."""
    digest = hashlib.sha256()
    for part in parts:
        with part.open("rb") as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
    return digest.hexdigest()
