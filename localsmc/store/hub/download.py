"""Download files from the hub into a cache: resume, verify the checksum, then rename.

Two processes that need the same file take turns; the second finds it already downloaded.
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
"""Bytes to hash at a time."""

WAITS = (0.0, 1.0, 2.0, 4.0)
"""Seconds to wait before each retry while no more data arrives."""

_POLL = 0.5  # seconds between checks of a file that another process downloads


def fetch_files(listing: Listing, paths: Sequence[str], cache: Path, access: Access) -> tuple[Path, ...]:
    """Paths of files in a listing's snapshot, downloaded if necessary.

    Raises ModelNotFound, DownloadFailed or RunError.
    """
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
    """The path of a repository's file in the cache."""
    return folder / "snapshots" / listing.commit / path


# --- transfer -------------------------------------------------------------------------------------


def _fetch(listing: Listing, file: RemoteFile, blob: Path, access: Access) -> None:
    """Download the missing bytes, verify the checksum and rename the file."""
    partial = blob.with_name(blob.name + PARTIAL)
    with partial.open("ab") as output:
        if output.tell() > file.size:
            output.truncate(0)
            output.seek(0)
        _receive_all(listing, file, output, access)
    if _digest(partial, file, access) != file.blob:
        partial.unlink()
        raise DownloadFailed(
            f"the download of `{file.path}` is corrupt (wrong checksum) and was deleted",
            hint="try again; if it fails again, try another network",
        )
    partial.replace(blob)


def _receive_all(listing: Listing, file: RemoteFile, output: BinaryIO, access: Access) -> None:
    """Download until the file is complete; give up if several attempts bring no more data."""
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
    """One attempt; returns a failure that may pass on a retry, and raises any other."""
    try:
        with in_words(listing.repository):
            _receive(listing, file, output, access)
    except DownloadFailed as error:
        if not error.is_passing:
            raise
        return error
    return None


def _receive(listing: Listing, file: RemoteFile, output: BinaryIO, access: Access) -> None:
    """Request the missing bytes, from the position of `output` onwards."""
    from huggingface_hub import constants
    from huggingface_hub.utils import get_session, hf_raise_for_status

    start = output.tell()
    headers = {**access.headers(), "accept-encoding": "identity"}
    if start:
        headers["range"] = f"bytes={start}-"
    access.report("downloading", file.path, start, file.size)
    timeout = constants.HF_HUB_DOWNLOAD_TIMEOUT
    with get_session().stream("GET", listing.url(file), headers=headers, timeout=timeout) as response:
        if response.status_code >= 400:
            response.read()
        hf_raise_for_status(response)
        if start and response.status_code != 206:  # the server starts from the beginning
            output.truncate(0)
            output.seek(0)
        for chunk in response.iter_bytes():  # as it arrives: nothing is lost if the connection breaks
            output.write(chunk)
            access.report("downloading", file.path, output.tell(), file.size)
            if output.tell() > file.size:
                return  # its checksum will be wrong


def _digest(path: Path, file: RemoteFile, access: Access) -> str:
    """The file's checksum as the hub computes it: SHA-256, or git's SHA-1 for small files."""
    digest = hashlib.sha256() if file.sha256 else hashlib.sha1(b"blob %d\0" % path.stat().st_size)
    with path.open("rb") as data:
        while chunk := data.read(CHUNK):
            digest.update(chunk)
            access.report("checking", file.path, data.tell(), file.size)
    return digest.hexdigest()


# --- locks, disk space, names ---------------------------------------------------------------------


@contextlib.contextmanager
def _turn(lock: Path, blob: Path, file: RemoteFile, access: Access) -> Iterator[None]:
    """Hold huggingface_hub's lock of a blob; while waiting, report the other process's progress."""
    from huggingface_hub.utils import WeakFileLock

    partial = blob.with_name(blob.name + PARTIAL)
    with contextlib.ExitStack() as stack:
        while True:
            try:
                stack.enter_context(WeakFileLock(lock, timeout=_POLL))
                break
            except TimeoutError:
                done = partial.stat().st_size if partial.exists() else 0
                access.report("waiting", file.path, done, file.size)
        yield


def _check_room(files: Sequence[RemoteFile], blobs: Path) -> None:
    """Raise RunError if the files do not fit on the disk."""
    missing = sum(file.size - _present(blobs, file) for file in files)
    free = shutil.disk_usage(blobs).free
    if missing > free:
        raise RunError(
            f"the download needs {format_bytes(missing)}, but `{blobs}` has {format_bytes(free)} free",
            hint="free some space, e.g. with `localsmc models rm`, or set HF_HOME to another disk",
        )


def _present(blobs: Path, file: RemoteFile) -> int:
    """Number of bytes of a file that are already downloaded."""
    partial = blobs / (file.blob + PARTIAL)
    if (blobs / file.blob).exists():
        return file.size
    return min(file.size, partial.stat().st_size) if partial.exists() else 0


def _point(pointer: Path, blob: Path) -> None:
    """Link the snapshot's file to its blob; without symbolic links, move the blob, so as never to copy it."""
    if pointer.is_symlink():
        pointer.unlink()  # a link to a deleted blob
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
            f"the cache `{cache}` cannot be written: {error.strerror or error}",
            hint="free some space, or set HF_HOME to a writable folder; run the same command to resume",
        ) from error
