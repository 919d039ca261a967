"""One file from the hub into a cache: gone on with where it broke off, checked, then given its name.

Two processes that want the same file take turns; the second one finds it there.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from localsmc.errors import DownloadFailed, RunError
from localsmc.store.hub.access import Access
from localsmc.store.hub.cache import PARTIAL
from localsmc.store.hub.failure_messages import in_words
from localsmc.store.hub.listing import Listing, RemoteFile
from localsmc.system.humanize import format_bytes

CHUNK = 1 << 20
"""Bytes that are hashed at a time."""

WAITS = (0.0, 1.0, 2.0, 4.0)
"""Seconds before each further try while nothing more arrives."""

_POLL = 0.5  # seconds between two looks at a file that another process downloads


def fetch_files(listing: Listing, paths: Sequence[str], cache: Path, access: Access) -> tuple[Path, ...]:
    """Files in the snapshot of a listing; raises ModelNotFound, DownloadFailed or RunError."""
    folder = cache / listing.repository.folder
    with _disk_in_words(cache):
        (folder / "blobs").mkdir(parents=True, exist_ok=True)
        missing = [path for path in paths if not _pointer(listing, path, folder).is_file()]
        _check_room([listing.files[path] for path in missing], folder / "blobs")
        pointers = tuple(_download(listing, listing.files[path], cache, access) for path in paths)
        _write_reference(folder / "refs" / "main", listing.commit)
    return pointers


def _download(listing: Listing, file: RemoteFile, cache: Path, access: Access) -> Path:
    folder = cache / listing.repository.folder
    pointer, blob = _pointer(listing, file.path, folder), folder / "blobs" / file.blob
    lock = cache / ".locks" / listing.repository.folder / f"{file.blob}.lock"
    for parent in (pointer.parent, lock.parent):
        parent.mkdir(parents=True, exist_ok=True)
    with _turn(lock, blob, file, access):
        if not pointer.is_file():
            if not blob.is_file():
                _fetch(listing, file, blob, access)
            _point(pointer, blob)
    return pointer


def _pointer(listing: Listing, path: str, folder: Path) -> Path:
    """Where a file of the repository stands in the cache."""
    return folder / "snapshots" / listing.commit / path


# --- the file itself ------------------------------------------------------------------------------


def _fetch(listing: Listing, file: RemoteFile, blob: Path, access: Access) -> None:
    """Download what is missing, check the whole and give it its name."""
    partial = blob.with_name(blob.name + PARTIAL)
    with partial.open("ab") as output:
        if output.tell() > file.size:
            output.truncate(0)
            output.seek(0)
        _receive_all(listing, file, output, access)
    if _digest(partial, file, access) != file.blob:
        partial.unlink()
        raise DownloadFailed(
            f"`{file.path}` came damaged, its checksum is not the hub's; it was deleted",
            hint="try again; if it comes damaged again, try another network",
        )
    partial.replace(blob)


def _receive_all(listing: Listing, file: RemoteFile, output: BinaryIO, access: Access) -> None:
    """Go on until the file is whole; give up where nothing more comes."""
    waits = iter(WAITS)
    while (start := output.tell()) < file.size:
        failure = _try_to_receive(listing, file, output, access)
        if output.tell() > start:
            waits = iter(WAITS)
            continue
        wait = next(waits, None)
        if wait is None:
            raise failure or DownloadFailed(
                f"`{file.path}` ends after {format_bytes(start)} of {format_bytes(file.size)}",
                hint="try again later",
            )
        time.sleep(wait)


def _try_to_receive(
    listing: Listing, file: RemoteFile, output: BinaryIO, access: Access
) -> DownloadFailed | None:
    """Receive what there is; returns a failure that another try may mend, and raises any other."""
    try:
        with in_words(listing.repository):
            _receive(listing, file, output, access)
    except DownloadFailed as error:
        if not error.is_passing:
            raise
        return error
    return None


def _receive(listing: Listing, file: RemoteFile, output: BinaryIO, access: Access) -> None:
    """One request for what is missing, from the position of `output` on."""
    from huggingface_hub import constants
    from huggingface_hub.utils import get_session, hf_raise_for_status

    start = output.tell()
    headers = {**access.headers(), "accept-encoding": "identity"}
    if start:
        headers["range"] = f"bytes={start}-"
    access.tell("downloading", file.path, start, file.size)
    timeout = constants.HF_HUB_DOWNLOAD_TIMEOUT
    with get_session().stream("GET", listing.url(file), headers=headers, timeout=timeout) as response:
        if response.status_code >= 400:
            response.read()
        hf_raise_for_status(response)
        if start and response.status_code != 206:  # the server begins again
            output.truncate(0)
            output.seek(0)
        for chunk in response.iter_bytes():  # as it arrives: nothing is lost where the line breaks
            output.write(chunk)
            access.tell("downloading", file.path, output.tell(), file.size)
            if output.tell() > file.size:
                return  # its checksum will be wrong


def _digest(path: Path, file: RemoteFile, access: Access) -> str:
    """What the hub's checksum must be: SHA-256, or what git makes of small files."""
    digest = hashlib.sha256() if file.sha256 else hashlib.sha1(b"blob %d\0" % path.stat().st_size)
    with path.open("rb") as data:
        while chunk := data.read(CHUNK):
            digest.update(chunk)
            access.tell("checking", file.path, data.tell(), file.size)
    return digest.hexdigest()


# --- its surroundings -----------------------------------------------------------------------------


@contextlib.contextmanager
def _turn(lock: Path, blob: Path, file: RemoteFile, access: Access) -> Iterator[None]:
    """Hold huggingface_hub's lock of a blob; meanwhile the other's progress is told as it grows."""
    from huggingface_hub.utils import WeakFileLock

    partial = blob.with_name(blob.name + PARTIAL)
    with contextlib.ExitStack() as stack:
        while True:
            try:
                stack.enter_context(WeakFileLock(lock, timeout=_POLL))
                break
            except TimeoutError:
                done = partial.stat().st_size if partial.exists() else 0
                access.tell("waiting", file.path, done, file.size)
        yield


def _check_room(files: Sequence[RemoteFile], blobs: Path) -> None:
    """Before anything is downloaded; raises RunError."""
    missing = sum(file.size - _present(blobs, file) for file in files)
    free = shutil.disk_usage(blobs).free
    if missing > free:
        raise RunError(
            f"{format_bytes(missing)} are to be downloaded, and {format_bytes(free)} are free in `{blobs}`",
            hint="make room, for example by `localsmc models rm`, or set HF_HOME to a folder on another disk",
        )


def _present(blobs: Path, file: RemoteFile) -> int:
    """How many bytes of a file are there already."""
    partial = blobs / (file.blob + PARTIAL)
    if (blobs / file.blob).exists():
        return file.size
    return min(file.size, partial.stat().st_size) if partial.exists() else 0


def _point(pointer: Path, blob: Path) -> None:
    """The snapshot's name for a blob; where there are no links, the blob itself: never a second copy."""
    if pointer.is_symlink():
        pointer.unlink()  # of a blob that was deleted
    with contextlib.suppress(FileExistsError):
        try:
            pointer.symlink_to(os.path.relpath(blob, pointer.parent))
        except FileExistsError:
            raise
        except (OSError, NotImplementedError):
            blob.replace(pointer)


def _write_reference(path: Path, commit: str) -> None:
    if path.is_file() and path.read_text(encoding="utf-8") == commit:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f"{path.name}.{uuid.uuid4().hex}.tmp")
    scratch.write_text(commit, encoding="utf-8")
    scratch.replace(path)


@contextlib.contextmanager
def _disk_in_words(cache: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RunError(
            f"the cache in `{cache}` cannot be written: {error.strerror or error}",
            hint="make room, or set HF_HOME to a folder of yours; the same command goes on where it was",
        ) from error
