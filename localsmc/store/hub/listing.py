"""List the files of a repository on the hub at its newest commit, with sizes and checksums."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from localsmc.errors import DownloadFailed
from localsmc.store.hub.access import Access, endpoint, shown_endpoint
from localsmc.store.hub.failure_messages import in_words
from localsmc.store.hub.repository import Repository
from localsmc.system.printable import printable


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteFile:
    """A file of a repository: large files have a SHA-256, small ones git's SHA-1."""

    path: str
    size: int
    sha256: str | None
    git_sha1: str

    @property
    def blob(self) -> str:
        """The file's name in a cache's `blobs` folder."""
        return self.sha256 or self.git_sha1


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A repository at a commit."""

    repository: Repository
    commit: str
    files: dict[str, RemoteFile]

    def url(self, file: RemoteFile) -> str:
        """The download URL of a file."""
        return f"{endpoint()}/{self.repository.path}/resolve/{self.commit}/{quote(file.path)}"


def fetch_listing(repository: Repository, access: Access) -> Listing:
    """Request the listing from the hub; raises ModelNotFound or DownloadFailed."""
    address = endpoint()  # checked first: importing huggingface_hub fails with an invalid address
    from huggingface_hub import constants
    from huggingface_hub.utils import get_session, hf_raise_for_status

    url = f"{address}/api/{repository.kind}s/{repository.id}/revision/main"
    with in_words(repository):
        # Not HfApi: it makes a further request, for a list of AI agents to identify itself by.
        response = get_session().get(
            url, params={"blobs": "true"}, headers=access.headers(), timeout=constants.HF_HUB_ETAG_TIMEOUT
        )
        hf_raise_for_status(response)
    try:
        return _parsed(repository, response.json())
    except (ValueError, LookupError, TypeError) as error:
        message = f"{shown_endpoint()} does not respond like a Hugging Face hub"
        raise DownloadFailed(message, hint="check HF_ENDPOINT") from error


def _parsed(repository: Repository, answer: dict[str, Any]) -> Listing:
    files = {}
    for entry in answer["siblings"]:
        path, lfs = str(entry["rfilename"]), entry.get("lfs") or {}
        # Skip paths that lead outside the snapshot or contain terminal control characters.
        if not _is_inside(path) or printable(path) != path:
            continue
        files[path] = RemoteFile(
            path=path,
            size=int(lfs.get("size", entry["size"])),
            sha256=_hash(lfs["sha256"], 64) if lfs else None,
            git_sha1=_hash(entry["blobId"], 40),
        )
    return Listing(repository=repository, commit=_hash(answer["sha"], 40), files=files)


def _is_inside(path: str) -> bool:
    """Whether a path stays inside the snapshot folder, on Windows too."""
    return not path.startswith("/") and not set(path) & set("\\:") and ".." not in path.split("/")


def _hash(text: str, length: int) -> str:
    """Check that a text is a hash, because it becomes a file name."""
    if len(text) != length or set(text) - set("0123456789abcdef"):
        raise ValueError(f"{text!r} is not a hash")
    return text
