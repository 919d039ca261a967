"""The models that are here: those that ship with the package and those in the Hugging Face cache."""

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

_SCHEMA = 1  # of what is remembered; raise it with a change of Facts
_HEADERS = JsonCache("headers.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """What a list tells of a file."""

    bytes: int
    quantization: str
    params: int
    context: int | None
    has_chat_template: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryEntry:
    """A model by the name that `-m` takes; without facts where the file is none, and `error` says why."""

    name: str
    path: Path
    is_embedded: bool
    aliases: tuple[str, ...]
    facts: ModelFacts | None
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As one object; of a broken file without facts."""
        return {
            "name": self.name,
            "aliases": list(self.aliases),
            "embedded": self.is_embedded,
            "path": str(self.path),
            **({} if self.facts is None else asdict(self.facts)),
            "error": self.error,
        }


def inventory() -> list[InventoryEntry]:
    """Embedded models first, then those of the cache.

    A header with a large vocabulary takes 0.2 s to read: facts are remembered until a file changes.
    """
    short, known = _aliases_by_path(), _HEADERS.read()
    found, new = [], dict[str, object]()
    for name, parts, is_embedded in _here():
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
    """Facts, or what is wrong with the file; `new` grows by what was not remembered."""
    key, stamp = str(parts[0]), _stamp(parts)
    remembered = known.get(key)
    if isinstance(remembered, list) and remembered[:-1] == stamp:
        return ModelFacts(**remembered[-1]), None
    try:
        facts = facts_of(reader.read_header(parts[0]))
    except ModelError as error:
        return None, str(error)
    new[key] = [*stamp, asdict(facts)]
    return facts, None


def _here() -> Iterator[tuple[str, Sequence[Path], bool]]:
    for name in localsmc_models.names():
        yield name, (localsmc_models.path(name),), True
    for model in hub.cache.models():
        yield str(model.name), model.paths, False


def _stamp(parts: Sequence[Path]) -> list[object]:
    """What must not have changed for remembered facts to hold; JSON gives it back as it was."""
    return [_SCHEMA, *([status.st_size, status.st_mtime_ns] for status in map(Path.stat, parts))]


def find(name: str) -> Path:
    """The file of a model that is here, by any of its names; raises ModelNotFound."""
    meant = model_source.parse_name(name)
    if isinstance(meant, hub.HubName):
        found = hub.cache.find(meant)
        if found is None:
            raise ModelNotFound(f"`{meant}` is not here yet", hint=f"localsmc models pull {meant}")
        return found.path
    return localsmc_models.path(meant) if isinstance(meant, str) else meant


def facts_of(header: Header) -> ModelFacts:
    """What a list tells of a file."""
    context = header.metadata.get(f"{header.architecture}.context_length")
    return ModelFacts(
        bytes=header.size,
        quantization=header.file_type,
        params=header.n_params,
        context=context if isinstance(context, int) else None,
        has_chat_template=chat_template(header) is not None,
    )


def chat_template(header: Header) -> str | None:
    """The file's own, where it has one."""
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
