"""List the models on this machine: those shipped with the package and those in the Hugging Face cache."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import localsmc_models
from localsmc.errors import ModelError, ModelNotFound
from localsmc.gguf import reader
from localsmc.gguf.header import Header
from localsmc.store import aliases, hub, model_source
from localsmc.system.json_cache import JsonCache

_SCHEMA = 1  # version of the cached entries; increase it when ModelFacts changes
_HEADERS = JsonCache("headers.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """The facts about a model file that a listing shows."""

    bytes: int
    quantization: str
    params: int
    context: int | None
    has_chat_template: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryEntry:
    """A model, under the name that `-m` accepts.

    If the file cannot be read, `facts` is None and `error` gives the reason.
    """

    name: str
    path: Path
    is_embedded: bool
    aliases: tuple[str, ...]
    facts: ModelFacts | None
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        """One JSON object; without facts if the file is broken."""
        return {
            "name": self.name,
            "aliases": list(self.aliases),
            "embedded": self.is_embedded,
            "path": str(self.path),
            **({} if self.facts is None else asdict(self.facts)),
            "error": self.error,
        }


def inventory() -> list[InventoryEntry]:
    """Embedded models first, then those in the Hugging Face cache.

    A header with a large vocabulary takes 0.2 s to read, so facts are cached until a file changes.
    """
    short, known = _aliases_by_path(), _HEADERS.read()
    found, new = [], dict[str, object]()
    for name, parts, is_embedded in _installed():
        facts, error = _facts_of_file(parts, known, new)
        own = short.get(parts[0], ())
        found.append(
            InventoryEntry(
                name=name, path=parts[0], is_embedded=is_embedded, aliases=own, facts=facts, error=error
            )
        )
    if new:
        _HEADERS.add(new)
    return found


def _facts_of_file(
    parts: Sequence[Path], known: Mapping[str, object], new: dict[str, object]
) -> tuple[ModelFacts | None, str | None]:
    """The facts, or the error message; facts that were not cached are added to `new`."""
    key, stamp = str(parts[0]), _stamp(parts)
    cached = known.get(key)
    if isinstance(cached, list) and cached[:-1] == stamp:
        return ModelFacts(**cached[-1]), None
    try:
        facts = facts_of(reader.read_header(parts[0]))
    except ModelError as error:
        return None, str(error)
    new[key] = [*stamp, asdict(facts)]
    return facts, None


def _installed() -> Iterator[tuple[str, Sequence[Path], bool]]:
    for name in localsmc_models.names():
        yield name, (localsmc_models.path(name),), True
    for model in hub.cache.models():
        yield str(model.name), model.paths, False


def _stamp(parts: Sequence[Path]) -> list[object]:
    """Identifies the file versions that cached facts are valid for; survives a round trip through JSON."""
    return [_SCHEMA, *([status.st_size, status.st_mtime_ns] for status in map(Path.stat, parts))]


def find(name: str) -> Path:
    """The file of an installed model, by any of its names; raises ModelNotFound. Downloads nothing."""
    meant = model_source.parse_name(name)
    if isinstance(meant, hub.HubName):
        found = hub.cache.find(meant)
        if found is None:
            raise ModelNotFound(f"`{meant}` is not downloaded yet", hint=f"run: localsmc models pull {meant}")
        return found.path
    return localsmc_models.path(meant) if isinstance(meant, str) else meant


def facts_of(header: Header) -> ModelFacts:
    """Extract the listed facts from a header."""
    context = header.metadata.get(f"{header.architecture}.context_length")
    return ModelFacts(
        bytes=header.size,
        quantization=header.file_type,
        params=header.n_params,
        context=context if isinstance(context, int) else None,
        has_chat_template=chat_template(header) is not None,
    )


def chat_template(header: Header) -> str | None:
    """The chat template stored in the file, or None."""
    found = header.metadata.get("tokenizer.chat_template")
    return found if isinstance(found, str) else None


def _aliases_by_path() -> dict[Path, tuple[str, ...]]:
    found: dict[Path, tuple[str, ...]] = {}
    for alias in aliases.read():
        try:
            path = find(alias)
        except ModelNotFound:
            continue
        found[path] = (*found.get(path, ()), alias)
    return found
