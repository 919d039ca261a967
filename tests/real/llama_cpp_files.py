"""Fetch the chat templates and vocabularies of llama.cpp's own tests, out of llama-cpp-python's sources.

pip would run the package's build to download its source distribution, so the archive is fetched by its
address, and checked before anything is read out of it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
import urllib.error
import urllib.request
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

CHUNK = 1 << 20
"""Bytes that are hashed or copied at once."""

TIMEOUT = 60.0
"""Seconds without a byte before a download fails."""

WANTED = {"templates": "*/models/templates/*.jinja", "vocabs": "*/models/ggml-vocab-*.gguf"}
"""Folder -> the archive's files that go there."""

RECORD = "llama.cpp-files.json"
"""Names and SHA-256s of the files in the folder, so that a second call finds them complete."""


class ArchiveError(Exception):
    """The archive cannot be fetched, or is not the expected one; the message is one sentence."""


@dataclass(frozen=True)
class Archive:
    """A source distribution: its address and its SHA-256."""

    url: str
    sha256: str


ARCHIVE = Archive(
    "https://files.pythonhosted.org/packages/ec/e9/e7de2b0463ea3ffbf0ede6cb21b58c1258a8f6521aae45ca773a59fe7cf3/"
    "llama_cpp_python-0.3.36.tar.gz",
    "832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e",
)
"""llama-cpp-python 0.3.36, 76 MB, with llama.cpp's sources (MIT)."""


def fetch_files(folder: Path, archive: Archive = ARCHIVE) -> list[Path]:
    """The templates and vocabularies in a folder, fetched if one is missing or changed."""
    record = folder / RECORD
    if (known := _recorded(record, archive)) and all(_sha256(path) == sha for path, sha in known.items()):
        return list(known)
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{PurePosixPath(archive.url).name}.part"
    try:
        if _sha256(part) != archive.sha256:
            _download(archive.url, part)
        if _sha256(part) != archive.sha256:
            raise ArchiveError(f"`{archive.url}` has another content than expected")
        paths = _extract(part, folder)
    finally:
        part.unlink(missing_ok=True)
    files = {path.relative_to(folder).as_posix(): _sha256(path) for path in paths}
    record.write_text(json.dumps({"archive": archive.sha256, "files": files}, indent=1) + "\n")
    return paths


def _recorded(record: Path, archive: Archive) -> dict[Path, str]:
    """The files of an earlier call for the same archive; empty if there was none."""
    try:
        found = json.loads(record.read_text())
        files = found["files"] if found["archive"] == archive.sha256 else {}
        return {record.parent / name: sha for name, sha in files.items()}
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return {}


def _sha256(path: Path) -> str | None:
    if not path.is_file():
        return None
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _download(url: str, path: Path) -> None:
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as source, path.open("wb") as target:
            shutil.copyfileobj(source, target, CHUNK)
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", None) or error
        raise ArchiveError(f"`{url}` cannot be downloaded: {reason}") from error


def _extract(archive: Path, folder: Path) -> list[Path]:
    """Copy the wanted files; the archive's own paths are not used, so that none leads elsewhere."""
    paths = []
    with tarfile.open(archive) as members:
        for member in members:
            inside = next((where for where, pattern in WANTED.items() if fnmatch(member.name, pattern)), None)
            source = members.extractfile(member) if inside and member.isfile() else None
            if source is None:
                continue
            target = folder / inside / PurePosixPath(member.name).name
            target.parent.mkdir(exist_ok=True)
            part = target.with_name(f"{target.name}.part")
            with source, part.open("wb") as file:
                shutil.copyfileobj(source, file, CHUNK)
            part.replace(target)
            paths.append(target)
    if {path.parent.name for path in paths} != set(WANTED):
        raise ArchiveError("the archive has no templates or no vocabularies")
    return paths
