"""A run's folder: its manifest, and an append-only file of one line a result.

A line is written by one call and is there or not: a line that a kill cut short is taken off when
the run goes on. One process writes at a time.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from localsmc.errors import RunError
from localsmc.system.atomic_write import write_whole

try:
    import fcntl
except ImportError:
    HAS_LOCKS = False  # Windows: two writers are not told apart there
else:
    HAS_LOCKS = True

FORMAT = 1
CONFIGURATION = ("format", "tasks", "models", "draft", "methods", "seeds", "settings")
"""What a run cannot change when it goes on; the rest of a manifest says where it was made."""


class Key(NamedTuple):
    """What a line is about; a run has each once."""

    task: str
    problem_id: str
    model: str
    method: str
    seed: int


class RunFolder:
    """Opened for writing; `lines` are those there already. Close it, or use it in a `with`."""

    def __init__(self, path: Path, manifest: dict[str, Any]) -> None:
        self.path = path
        self.lines: list[dict[str, Any]] = []
        self.n_cut = 0
        """Bytes of a line cut short by a kill, which were taken off."""
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._file = (path / "results.jsonl").open("ab", buffering=0)
        except OSError as error:
            raise RunError(
                f"`{path}` cannot be written: {error.strerror}", hint="give another folder with `-o`"
            ) from error
        try:
            self._lock()
            self._manifest(manifest)
            self._read()
        except BaseException:
            self._file.close()
            raise

    def _lock(self) -> None:
        if not HAS_LOCKS:
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise RunError(
                f"another process is writing to `{self.path}`", hint="wait for it, or give another folder"
            ) from error

    def _manifest(self, manifest: dict[str, Any]) -> None:
        file = self.path / "manifest.json"
        if not file.exists():
            if os.fstat(self._file.fileno()).st_size:
                raise RunError(
                    f"`{self.path}` has results but no manifest", hint="give another folder with `-o`"
                )
            self.notices: list[str] = []
            write_whole(file, json.dumps({"format": FORMAT, **manifest}, indent=1) + "\n")
            return
        found, wanted = read_manifest(self.path), json.loads(json.dumps({"format": FORMAT, **manifest}))
        for part in CONFIGURATION:
            if _comparable(found.get(part)) != _comparable(wanted[part]):
                raise RunError(
                    f"`{self.path}` was made with other {part}",
                    hint="give another folder with `-o`, or what its manifest.json says",
                )
        self.notices = [
            f"the lines so far are from another {part}: {json.dumps(found.get(part))}"
            for part in sorted(wanted.keys() - set(CONFIGURATION))
            if found.get(part) != wanted[part]
        ]

    def _read(self) -> None:
        file = self.path / "results.jsonl"
        data = file.read_bytes()
        end = data.rfind(b"\n") + 1
        self.n_cut = len(data) - end
        if self.n_cut:
            os.truncate(file, end)
        self.lines = list(parse_lines(file, data[:end]))

    def append(self, line: dict[str, Any]) -> None:
        """Write a line; raises RunError where the disk does not take it, and leaves no half of it."""
        # In ASCII, so that names that are no valid Unicode come back as they were.
        data = (json.dumps(line, allow_nan=False) + "\n").encode()
        size = os.fstat(self._file.fileno()).st_size
        try:
            while data:
                data = data[self._file.write(data) :]
        except OSError as error:
            os.ftruncate(self._file.fileno(), size)
            raise RunError(
                f"`{self.path}` cannot be written: {error.strerror}",
                hint="make room; the same command goes on where it was",
            ) from error

    def close(self) -> None:
        """Write everything to the disk and let others write."""
        os.fsync(self._file.fileno())
        self._file.close()

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def key_of(line: dict[str, Any]) -> Key:
    """What a line is about."""
    return Key(*(line[name] for name in Key._fields))


def read_manifest(path: Path) -> dict[str, Any]:
    """A run's manifest; raises RunError."""
    try:
        found = json.loads((path / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(
            f"`{path}` has no manifest that can be read", hint="give the folder of a run"
        ) from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise RunError(f"`{path}` is of another format", hint="use the version of localsmc that wrote it")
    return found


def parse_lines(file: Path, data: bytes) -> Iterator[dict[str, Any]]:
    """Whole lines; raises RunError with the number of a broken one."""
    for number, text in enumerate(data.splitlines(), start=1):
        try:
            line = json.loads(text)
            key_of(line)
        except (ValueError, KeyError, TypeError) as error:
            raise RunError(
                f"line {number} of `{file}` is broken", hint="remove the line: its problem is run again"
            ) from error
        yield line


def _comparable(part: Any) -> Any:
    """A part of a manifest without the places of files, which hashes stand for."""
    if not isinstance(part, list):
        return part
    rows = [row if isinstance(row, dict) else {"": row} for row in part]
    return [{name: value for name, value in row.items() if name not in ("path", "source")} for row in rows]
