"""The models that are here: those that ship with the package and those in the Hugging Face cache."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import localsmc_models
from localsmc import aliases, catalog, gguf, hub
from localsmc.errors import ModelError, ModelNotFound
from localsmc.gguf import Header


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A model by the name that `-m` takes; without a header where the file is none, and `error` says why."""

    name: str
    path: Path
    is_embedded: bool
    aliases: tuple[str, ...] = ()
    header: Header | None = None
    error: str | None = None

    @property
    def context(self) -> int | None:
        """Tokens that the model was made for."""
        header = self.header
        found = header and header.metadata.get(f"{header.architecture}.context_length")
        return found if isinstance(found, int) else None

    @property
    def chat_template(self) -> str | None:
        """The file's own, where it has one."""
        found = self.header and self.header.metadata.get("tokenizer.chat_template")
        return found if isinstance(found, str) else None

    def to_json(self) -> dict[str, Any]:
        """What a list tells of it."""
        found = self.header
        return {
            "name": self.name,
            "aliases": list(self.aliases),
            "embedded": self.is_embedded,
            "path": str(self.path),
            "bytes": found and found.size,
            "quantization": found and found.file_type,
            "params": found and found.n_params,
            "context": self.context,
            "has_chat_template": found and self.chat_template is not None,
            "error": self.error,
        }


def inventory() -> list[Entry]:
    """Embedded models first, then those of the cache."""
    short = _aliases_by_path()
    here = [(name, localsmc_models.path(name), True) for name in localsmc_models.names()]
    cached = [(str(model.name), model.path, False) for model in hub.cache.models()]
    return [_entry(*one, short.get(one[1], ())) for one in (*here, *cached)]


def find(name: str) -> tuple[Entry, Header]:
    """A model that is here, by any of its names, or a file; raises ModelNotFound and ModelLoadFailed."""
    meant = catalog.meaning(name)
    if isinstance(meant, hub.HubName):
        found = hub.cache.find(meant)
        if found is None:
            raise ModelNotFound(f"`{meant}` is not here yet", hint=f"localsmc models pull {meant}")
        meant = found.path
    path = localsmc_models.path(meant) if isinstance(meant, str) else meant
    header = gguf.read_header(path)
    return Entry(name=name, path=path, is_embedded=isinstance(meant, str), header=header), header


def _entry(name: str, path: Path, is_embedded: bool, short: tuple[str, ...]) -> Entry:
    try:
        header, error = gguf.read_header(path), None
    except ModelError as failure:
        header, error = None, str(failure)
    return Entry(name=name, path=path, is_embedded=is_embedded, aliases=short, header=header, error=error)


def _aliases_by_path() -> dict[Path, tuple[str, ...]]:
    found: dict[Path, tuple[str, ...]] = {}
    for alias in aliases.read():
        if (path := _path_of(alias)) is not None:
            found[path] = (*found.get(path, ()), alias)
    return found


def _path_of(alias: str) -> Path | None:
    """The file that an alias means; None where it is not here."""
    try:
        meant = catalog.meaning(alias)
    except ModelNotFound:
        return None
    if isinstance(meant, hub.HubName):
        cached = hub.cache.find(meant)
        return None if cached is None else cached.path
    return localsmc_models.path(meant) if isinstance(meant, str) else meant
