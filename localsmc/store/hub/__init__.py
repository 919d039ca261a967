"""Models and datasets from the Hugging Face hub, in its standard cache; cached files need no network."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from localsmc.errors import ModelNotFound
from localsmc.store.hub import cache
from localsmc.store.hub.access import Access, Transfer, is_true
from localsmc.store.hub.cache import CachedModel
from localsmc.store.hub.download import fetch_files
from localsmc.store.hub.failure_messages import NoRepository
from localsmc.store.hub.file_choice import candidates, choose
from localsmc.store.hub.listing import Listing, fetch_listing
from localsmc.store.hub.repo_name import HubName, joined, parse
from localsmc.store.hub.repository import Repository

__all__ = [
    "Access",
    "CachedModel",
    "HubName",
    "NoRepository",
    "Repository",
    "Transfer",
    "cache",
    "fetch_file",
    "find_model",
    "is_true",
    "joined",
    "parse",
]


def find_model(name: HubName, access: Access | None = None) -> CachedModel:
    """The model in the cache, downloaded first if necessary, with all parts of a split model.

    Raises ModelNotFound, DownloadFailed, ConfigError, or RunError if the disk is full.
    """
    access = access or Access()
    found = cache.find(name)
    if found is not None:
        return found
    if access.is_offline:
        raise _not_cached(name)
    listing = fetch_listing(name.repository, access)
    chosen = choose(name, listing.files)
    if chosen is None:
        raise _no_such(name, listing)
    paths = fetch_files(listing, chosen.parts, cache.folder(), access)
    whole = HubName(name.repo, file=chosen.file)
    return CachedModel(name=whole, paths=paths, quantization=chosen.quantization)


def fetch_file(repository: Repository, path: str, access: Access) -> Path:
    """Any file of a repository, from the cache if it is there; raises the same errors as `find_model`."""
    folder = cache.folder(is_llamas=repository.kind == "model")
    found = cache.find_file(folder / repository.folder, path)
    if found is not None:
        return found
    if access.is_offline:
        raise ModelNotFound(f"`{repository.id}` is not in the Hugging Face cache, and offline mode is on")
    listing = fetch_listing(repository, access)
    if path not in listing.files:
        message = f"`{repository.id}` on the hub has no file `{path}`"
        raise ModelNotFound(message, hint=f"it has {_shown(listing.files, path)}; see {repository.page}")
    return fetch_files(listing, [path], folder, access)[0]


_MOST_SHOWN = 6


def _shown(files: Iterable[str], like: str) -> str:
    """The files with the same suffix as the wanted one first, for a message."""
    suffix = Path(like).suffix
    names = sorted(files, key=lambda name: (Path(name).suffix != suffix, name))
    rest = len(names) - _MOST_SHOWN
    return ", ".join(names[:_MOST_SHOWN]) + (f" and {rest} more" if rest > 0 else "") or "no files"


def _not_cached(name: HubName) -> ModelNotFound:
    """The error in offline mode; lists what the cache has of the repository."""
    others = [str(model.name) for model in cache.models() if model.name.repo == name.repo]
    cached = f"choose from: {', '.join(others)}; or " if others else ""
    return ModelNotFound(
        f"`{name}` is not in the cache, and offline mode is on",
        hint=f"{cached}download it first: run once without `--offline` and with HF_HUB_OFFLINE unset",
    )


def _no_such(name: HubName, listing: Listing) -> ModelNotFound:
    """The error for a missing file or quantization; lists what the repository has."""
    models = candidates(listing.files)
    if not models:
        return ModelNotFound(
            f"`{name.repo}` has no GGUF model",
            hint="look for its GGUF quantizations on the hub; their repositories usually end in -GGUF",
        )
    if name.file is not None:
        files = ", ".join(model.file for model in models)
        return ModelNotFound(f"`{name.repo}` has no file `{name.file}`", hint=f"choose from: {files}")
    labels = dict.fromkeys(model.quantization or model.file for model in models)
    return ModelNotFound(
        f"`{name.repo}` has no quantization `{name.quantization}`", hint=f"choose from: {', '.join(labels)}"
    )
