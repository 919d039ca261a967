"""List the models on this machine: embedded, in the Hugging Face cache, of pip, ollama and LM Studio."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import localsmc_models
from localsmc.errors import ModelError
from localsmc.gguf import reader
from localsmc.gguf.header import Header
from localsmc.store import aliases, hub, model_source, other_programs, pip_packages
from localsmc.system.json_cache import JsonCache

_SCHEMA = 1  # version of the cached entries; increase it when ModelFacts changes
_HEADERS = JsonCache("headers.json")

Origin = Literal["embedded", "hub"] | other_programs.Program
"""Who keeps a model."""


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
    origin: Origin
    aliases: tuple[str, ...]
    facts: ModelFacts | None
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        """One JSON object; without facts if the file is broken."""
        return {
            "name": self.name,
            "aliases": list(self.aliases),
            "origin": self.origin,
            "path": str(self.path),
            **({} if self.facts is None else asdict(self.facts)),
            "error": self.error,
        }


def inventory() -> list[InventoryEntry]:
    """Embedded models first, then those in the Hugging Face cache, then those of other programs.

    A header with a large vocabulary takes 0.2 s to read, so facts are cached until a file changes.
    """
    short, known = _aliases_by_path(), _HEADERS.read()
    found, new = [], dict[str, object]()
    for name, parts, origin, error in _on_this_machine():
        facts = None
        if error is None:
            facts, error = _facts_of_file(parts, known, new)
        own = short.get(parts[0], ())
        found.append(
            InventoryEntry(name=name, path=parts[0], origin=origin, aliases=own, facts=facts, error=error)
        )
    if new:
        _HEADERS.add(new)
    return found


def _facts_of_file(
    parts: Sequence[Path], known: Mapping[str, object], new: dict[str, object]
) -> tuple[ModelFacts | None, str | None]:
    """The facts, or the error message; facts that were not cached are added to `new`."""
    key = str(parts[0])
    try:
        stamp = _stamp(parts)
        cached = new.get(key, known.get(key))  # two names can mean the same file
        if isinstance(cached, list) and cached[:-1] == stamp:
            return ModelFacts(**cached[-1]), None
        facts = facts_of(reader.read_header(parts[0]))
    except ModelError as error:
        return None, str(error)
    except OSError as error:  # removed, or in a folder that must not be read
        return None, f"`{parts[0]}` cannot be read: {error.strerror}"
    new[key] = [*stamp, asdict(facts)]
    return facts, None


def _on_this_machine() -> Iterator[tuple[str, Sequence[Path], Origin, str | None]]:
    """Name, parts and origin of each model, and why it cannot be used, if that is known."""
    for name in localsmc_models.names():
        yield name, (localsmc_models.path(name),), "embedded", None
    for cached in hub.cache.models():
        yield str(cached.name), cached.paths, "hub", None
    own_names = _own_names()
    for program, models in other_programs.MODELS.items():
        for model in models():
            yield own_names.get(model.path, model.name), model.paths, program, model.error


def _own_names() -> dict[Path, str]:
    """The models in packages that a name of their own means, unless it means an alias or a file here."""
    found = {}
    for name in pip_packages.NAMED:
        with contextlib.suppress(ModelError):
            found[model_source.installed(name).path] = name
    return found


def _stamp(parts: Sequence[Path]) -> list[object]:
    """Identifies the file versions that cached facts are valid for; survives a round trip through JSON."""
    return [_SCHEMA, *([status.st_size, status.st_mtime_ns] for status in map(Path.stat, parts))]


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
            path = model_source.installed(alias).path
        except ModelError:
            continue
        found[path] = (*found.get(path, ()), alias)
    return found
