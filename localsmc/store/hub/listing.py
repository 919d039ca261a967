"""What the hub has: the files of a repository at its newest commit, with sizes and checksums."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from localsmc.errors import DownloadFailed
from localsmc.store.hub.access import Access, endpoint, shown_endpoint
from localsmc.store.hub.failure_messages import in_words
from localsmc.store.hub.repository import Repository


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteFile:
    """A file of a repository: large ones have a SHA-256, small ones git's own SHA-1."""

    path: str
    size: int
    sha256: str | None
    git_sha1: str

    @property
    def blob(self) -> str:
        """Its name among a cache's blobs."""
        return self.sha256 or self.git_sha1


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A repository at a commit."""

    repository: Repository
    commit: str
    files: dict[str, RemoteFile]

    def url(self, file: RemoteFile) -> str:
        """Where a file is downloaded from."""
        return f"{endpoint()}/{self.repository.path}/resolve/{self.commit}/{quote(file.path)}"


def fetch_listing(repository: Repository, access: Access) -> Listing:
    """Ask the hub, in one request; raises ModelNotFound or DownloadFailed."""
    address = endpoint()  # huggingface_hub cannot be imported where it is none
    from huggingface_hub import constants
    from huggingface_hub.utils import get_session, hf_raise_for_status

    url = f"{address}/api/{repository.kind}s/{repository.id}/revision/main"
    with in_words(repository):
        # Not HfApi: it asks the hub for a list of agents, too, to tell it which one is at work.
        response = get_session().get(
            url, params={"blobs": "true"}, headers=access.headers(), timeout=constants.HF_HUB_ETAG_TIMEOUT
        )
        hf_raise_for_status(response)
    try:
        return _parsed(repository, response.json())
    except (ValueError, LookupError, TypeError) as error:
        message = f"{shown_endpoint()} does not answer as a hub does"
        raise DownloadFailed(message, hint="check HF_ENDPOINT") from error


def _parsed(repository: Repository, answer: dict[str, Any]) -> Listing:
    files = {}
    for entry in answer["siblings"]:
        path, lfs = str(entry["rfilename"]), entry.get("lfs") or {}
        # What climbs out of the snapshot, or would speak to a terminal, is no file of a repository.
        if not _is_inside(path) or not path.isprintable():
            continue
        files[path] = RemoteFile(
            path=path,
            size=int(lfs.get("size", entry["size"])),
            sha256=_hash(lfs["sha256"], 64) if lfs else None,
            git_sha1=_hash(entry["blobId"], 40),
        )
    return Listing(repository=repository, commit=_hash(answer["sha"], 40), files=files)


def _is_inside(path: str) -> bool:
    """Whether it stays where it is put; Windows has drives, too."""
    return not path.startswith("/") and not set(path) & set("\\:") and ".." not in path.split("/")


def _hash(text: str, length: int) -> str:
    """A hash, which becomes a file's name."""
    if len(text) != length or set(text) - set("0123456789abcdef"):
        raise ValueError(f"{text!r} is no hash")
    return text
