"""The Hugging Face cache of models, which llama.cpp uses too; read without a network.

models--user--repo/refs/main                        a commit
models--user--repo/snapshots/COMMIT/model.gguf  ->  ../../blobs/SHA256
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from localsmc.store.hub.file_choice import candidates, choose
from localsmc.store.hub.repo_name import HubName, parse

PARTIAL = ".incomplete"
"""Suffix of an incomplete blob, as in huggingface_hub."""

_FOLDERS = (
    ("LLAMA_CACHE", ""),
    ("HF_HUB_CACHE", ""),
    ("HUGGINGFACE_HUB_CACHE", ""),
    ("HF_HOME", "hub"),
    ("XDG_CACHE_HOME", "huggingface/hub"),
)
"""Environment variables, in llama.cpp's order, and the cache's path below each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedModel:
    """A complete model in the cache; `paths` are its parts."""

    name: HubName
    paths: tuple[Path, ...]
    quantization: str | None

    @property
    def path(self) -> Path:
        """The first part."""
        return self.paths[0]


def folder(*, is_llamas: bool = True) -> Path:
    """The cache folder; `LLAMA_CACHE` applies to models only."""
    for variable, below in _FOLDERS[0 if is_llamas else 1 :]:
        if value := os.environ.get(variable):
            return Path(os.path.expandvars(value)).expanduser() / below
    return Path("~/.cache/huggingface/hub").expanduser()


def find(name: HubName) -> CachedModel | None:
    """The cached model for a name, or None; for a bare repository, any model that is cached."""
    for snapshot in _snapshots(folder() / name.repository.folder):
        chosen = choose(name, _files(snapshot))
        if chosen is not None:
            paths = tuple(snapshot / part for part in chosen.parts)
            whole = HubName(name.repo, file=chosen.file)
            return CachedModel(name=whole, paths=paths, quantization=chosen.quantization)
    return None


def find_file(repository: Path, path: str) -> Path | None:
    """The cached path of a file, given the repository's folder; None if it is not cached."""
    found = (snapshot / path for snapshot in _snapshots(repository))
    return next((file for file in found if file.is_file()), None)


def models() -> list[CachedModel]:
    """Every model in the cache, under the shortest name that selects it."""
    found: list[CachedModel] = []
    for repository in sorted(folder().glob("models--*--*")):
        repo = repository.name.removeprefix("models--").replace("--", "/")
        if parse(repo) is not None:
            found += _models_of(repository, repo)
    return found


def _models_of(repository: Path, repo: str) -> Iterator[CachedModel]:
    seen: set[str] = set()
    for snapshot in _snapshots(repository):
        for one in candidates(_files(snapshot)):
            if one.file in seen:
                continue
            seen.add(one.file)
            short, whole = HubName(repo, one.quantization), HubName(repo, file=one.file)
            met = None if one.quantization is None else find(short)
            paths = tuple(snapshot / part for part in one.parts)
            name = short if met is not None and met.paths == paths else whole
            yield CachedModel(name=name, paths=paths, quantization=one.quantization)


def _snapshots(repository: Path) -> list[Path]:
    """The snapshots of a repository: that of `main` first, then the newest."""
    main, current = repository / "refs" / "main", ""
    if main.is_file():
        current = main.read_text(encoding="utf-8", errors="replace").strip()
    found = [path for path in (repository / "snapshots").glob("*") if path.is_dir()]
    return sorted(found, key=lambda path: (path.name != current, -path.stat().st_mtime, path.name))


def _files(snapshot: Path) -> list[str]:
    """GGUF files of a snapshot, without links to deleted blobs."""
    return [
        path.relative_to(snapshot).as_posix() for path in sorted(snapshot.rglob("*.gguf")) if path.is_file()
    ]


# --- removal --------------------------------------------------------------------------------------


def remove(model: CachedModel) -> None:
    """Delete a model from every snapshot, and the blobs that nothing else uses."""
    repository = folder() / model.name.repository.folder
    snapshots = repository / "snapshots"
    inside = [Path(*path.relative_to(snapshots).parts[1:]) for path in model.paths]
    blobs: set[str | None] = set()
    for snapshot in _snapshots(repository):
        for file in inside:
            blobs.add(_blob_of(snapshot / file))
            (snapshot / file).unlink(missing_ok=True)
        _drop_empty(snapshot)
    used = {_blob_of(path) for path in snapshots.rglob("*")}
    for blob in blobs - used - {None}:
        (repository / "blobs" / str(blob)).unlink(missing_ok=True)
    _drop_without_snapshots(repository)


def partials(name: HubName) -> list[Path]:
    """The incomplete blobs of interrupted downloads of a repository."""
    return sorted((folder() / name.repository.folder / "blobs").glob(f"*{PARTIAL}"))


def remove_partials(name: HubName) -> None:
    """Delete the incomplete blobs of a repository."""
    for blob in partials(name):
        blob.unlink(missing_ok=True)
    _drop_without_snapshots(folder() / name.repository.folder)


def _drop_without_snapshots(repository: Path) -> None:
    """Delete the repository's folder if it has no snapshots left."""
    if repository.exists() and not _snapshots(repository):
        shutil.rmtree(repository)


def _blob_of(path: Path) -> str | None:
    """The name of the blob that a snapshot's file links to.

    Follows one link only: if the blob is itself a link, its target belongs to huggingface_hub's store
    of all repositories.
    """
    return Path(os.readlink(path)).name if path.is_symlink() else None


def _drop_empty(snapshot: Path) -> None:
    """Delete empty folders of a snapshot, and the snapshot if nothing is left."""
    for below in sorted((path for path in snapshot.rglob("*") if path.is_dir()), reverse=True):
        with contextlib.suppress(OSError):
            below.rmdir()
    with contextlib.suppress(OSError):
        snapshot.rmdir()
