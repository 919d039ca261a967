"""The run folder: manifest.json, and results.jsonl with one line per completed run of a problem.

`RunFolder` appends; `read_run` reads and validates. Each line is written by one call. When a run resumes, a
line that a kill truncated is removed, and damaged lines move to damaged.jsonl: their problems are missing
then, and run again. Only one process writes at a time.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from io import FileIO
from pathlib import Path
from typing import Any, Literal, NamedTuple

from localsmc.errors import RunError
from localsmc.evals.json_fields import read_json
from localsmc.evals.manifest_differences import differences
from localsmc.evals.result_records import FAILED, GRADER_FAILED, ResultRecord, result_record
from localsmc.system.atomic_write import replace_whole, write_whole

try:
    import fcntl
except ImportError:
    HAS_LOCKS = False  # Windows: a second writer is not detected
else:
    HAS_LOCKS = True

FORMAT = 1
REDO = "run the same `localsmc eval` command again: it sets the line aside, and redoes its problem"
RESUME = "free disk space, then run the same command to resume"
LOCK, DAMAGED = ".lock", "damaged.jsonl"
MAKE = "create a run folder with `localsmc eval`; see `localsmc eval --help`"
CONFIGURATION = ("format", "tasks", "models", "draft", "methods", "seeds", "settings")
"""Manifest entries that must be the same when a run resumes; the others describe version and machine."""


# --- writing ---------------------------------------------------------------------------------


class Key(NamedTuple):
    """Identifies a line; each key occurs once in a run."""

    task: str
    problem_id: str
    model: str
    method: str
    seed: int


class RunFolder:
    """A run folder open for writing; `lines` are the existing lines. Close it, or use it in a `with`.

    `keys` are those of the run: a line with another one counts as damaged. None if they are not known.
    Raises RunError if it cannot be written, if another process writes to it, or if it was created with
    another configuration.
    """

    def __init__(self, path: Path, manifest: dict[str, Any], keys: Iterable[Key] | None = None) -> None:
        self.path, self._keys = path, None if keys is None else set(keys)
        self.lines: list[dict[str, Any]] = []
        self.n_cut = 0
        """Bytes removed from the end: an incomplete line, left by a kill."""
        self.damaged: list[str] = []
        """What is wrong with each line that was set aside, with its number."""
        self.notices: list[str] = []
        self._lock = self._locked()
        try:
            self._check_manifest(manifest)
            self._read()
            self._file = self._opened(self._results, "ab")
        except BaseException:
            self._lock.close()
            raise

    @property
    def _results(self) -> Path:
        return self.path / "results.jsonl"

    def _opened(self, file: Path, mode: Literal["ab", "rb"]) -> FileIO:
        try:
            return file.open(mode, buffering=0)
        except OSError as error:
            raise self._failed(error, "choose another folder with `-o`") from error

    def _failed(self, error: OSError, hint: str) -> RunError:
        return RunError(f"`{self.path}` cannot be written: {error.strerror}", hint=hint)

    def _locked(self) -> FileIO:
        """A lock of its own file: results.jsonl may be replaced while it is held."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._failed(error, "choose another folder with `-o`") from error
        lock = self._opened(self.path / LOCK, "ab")
        try:
            if HAS_LOCKS:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.close()
            raise RunError(
                f"another process is writing to `{self.path}`", hint="wait for it, or choose another folder"
            ) from error
        except OSError as error:  # a network drive without locks
            lock.close()
            raise RunError(
                f"`{self.path}` cannot be locked: {error.strerror}", hint="choose a folder on a local disk"
            ) from error
        return lock

    def _check_manifest(self, manifest: dict[str, Any]) -> None:
        file = self.path / "manifest.json"
        if not file.exists():
            if self._results.exists() and self._results.stat().st_size:
                raise RunError(
                    f"`{self.path}` has results but no manifest", hint="choose another folder with `-o`"
                )
            started = f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"
            content = {"format": FORMAT, "started": started, **manifest}
            write_whole(file, json.dumps(content, indent=1) + "\n", hint=RESUME)
            return
        found, wanted = read_manifest(self.path), json.loads(json.dumps({"format": FORMAT, **manifest}))
        for part in CONFIGURATION:
            if lines := differences(part, comparable(found.get(part)), comparable(wanted[part])):
                raise RunError(
                    f"`{self.path}` was created with different {part}: {'; '.join(lines)}",
                    hint=f"choose another folder with `-o`, or use the {part} in its manifest.json",
                )
        self.notices = [
            f"the existing lines are from another {part}: {json.dumps(found.get(part))}"
            for part in sorted(wanted.keys() - set(CONFIGURATION))
            if found.get(part) != wanted[part]
        ]

    def _read(self) -> None:
        """Read the lines. An incomplete last line is cut, damaged ones are set aside."""
        data = _content(self._results)
        end = data.rfind(b"\n") + 1
        self.n_cut = len(data) - end
        manifest, whole, damaged = _checked_manifest(self.path), [], []
        for number, text in enumerate(data[:end].split(b"\n")[:-1], start=1):
            if not text.strip():
                continue
            try:
                self.lines.append(self._parsed(text, f"line {number} of `{self._results}`", manifest))
                whole.append(text)
            except RunError as error:
                self.damaged.append(str(error))
                damaged.append(text)
        if damaged:
            self._set_aside(damaged)
            self._replace(whole)
        elif self.n_cut:
            os.truncate(self._results, end)  # needs no space

    def _parsed(self, text: bytes, place: str, manifest: Manifest) -> dict[str, Any]:
        """A line of the run; raises RunError if it is damaged, or of nothing that the run has."""
        fields = read_json(text, place, REDO)
        _check_names(result_record(fields), manifest, place)
        if "cells" not in fields.values:
            raise RunError(f"{place}: `cells` is missing", hint=REDO)
        if self._keys is not None and key_of(fields.values) not in self._keys:
            raise RunError(f"{place}: the run has no problem `{fields.text('problem_id')}`", hint=REDO)
        return fields.values

    @property
    def started(self) -> datetime | None:
        """When the run was started first, in UTC; None if its manifest does not say so."""
        try:
            return datetime.strptime(str(read_manifest(self.path).get("started")), "%Y-%m-%dT%H:%M:%SZ")
        except ValueError:
            return None

    def _set_aside(self, damaged: list[bytes]) -> None:
        file = self._opened(self.path / DAMAGED, "ab")
        with file:
            self._write(file, b"".join(text + b"\n" for text in damaged))
            os.fsync(file.fileno())

    def _replace(self, lines: list[bytes]) -> None:
        replace_whole(self._results, b"".join(text + b"\n" for text in lines), hint=RESUME)

    def take_failed(self) -> int:
        """Remove the lines of failed runs, which are missing then and run again; returns how many."""
        kept = [line for line in self.lines if line["verdict"] not in (FAILED, GRADER_FAILED)]
        n = len(self.lines) - len(kept)
        if n:
            self._file.close()  # Windows replaces no open file
            try:
                self._replace([_encoded(line) for line in kept])
            finally:
                self._file = self._opened(self._results, "ab")
            self.lines = kept
        return n

    def append(self, line: dict[str, Any]) -> None:
        """Append a line. Raises RunError if it cannot be written, and leaves no partial line."""
        self._write(self._file, _encoded(line) + b"\n")

    def _write(self, file: FileIO, data: bytes) -> None:
        size = os.fstat(file.fileno()).st_size
        try:
            while data:
                data = data[file.write(data) :]
        except OSError as error:
            os.ftruncate(file.fileno(), size)
            raise self._failed(error, RESUME) from error

    def close(self) -> None:
        """Flush to disk and release the lock; raises RunError if that fails."""
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._failed(error, RESUME) from error
        finally:
            self._file.close()
            self._lock.close()

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _encoded(line: dict[str, Any]) -> bytes:
    # ASCII, so that names that are not valid Unicode survive a round trip.
    return json.dumps(line, allow_nan=False).encode()


def key_of(line: dict[str, Any]) -> Key:
    """The key of a line."""
    return Key(*(line[name] for name in Key._fields))


def read_manifest(path: Path) -> dict[str, Any]:
    """Read a run's manifest; raises RunError."""
    try:
        found = json.loads((path / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"`{path}` has no readable manifest", hint="pass a run folder") from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise RunError(
            f"`{path}` has an unsupported format", hint="use the version of localsmc that wrote it"
        )
    return found


def comparable(part: Any) -> Any:
    """A manifest entry without file locations; the hashes identify the files."""
    if not isinstance(part, list):
        return part
    rows = [row if isinstance(row, dict) else {"": row} for row in part]
    return [{name: value for name, value in row.items() if name not in ("path", "source")} for row in rows]


# --- reading ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskInfo:
    """A task of the run; `n_problems` is the number of its problems that the run covers."""

    name: str
    version: str
    n_problems: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The plan of a run: every task with every model, method and seed.

    `models` maps names to SHA-256 hashes, `methods` labels to configurations, `names` labels to method
    names. `raw` is the whole manifest.
    """

    tasks: tuple[TaskInfo, ...]
    models: dict[str, str | None]
    methods: dict[str, dict[str, Any]]
    names: dict[str, str]
    seeds: tuple[int, ...]
    raw: dict[str, Any]

    @property
    def n_lines(self) -> int:
        """The number of lines of a finished run."""
        n_problems = sum(task.n_problems for task in self.tasks)
        return n_problems * len(self.models) * len(self.methods) * len(self.seeds)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """A run folder that has been read; `notes` describe lines that were skipped."""

    path: Path
    manifest: Manifest
    lines: tuple[ResultRecord, ...]
    notes: tuple[str, ...]

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.resolve().name or str(self.path)


def read_run(path: Path) -> RunRecord:
    """Read a run folder. Raises RunError if it is not one, has no completed problem or is malformed."""
    manifest = _checked_manifest(path)
    lines, notes = _records(path / "results.jsonl", manifest)
    if not lines:
        raise RunError(
            f"the run `{path}` has no completed problem yet",
            hint="run the same `localsmc eval` command to resume",
        )
    return RunRecord(path=path, manifest=manifest, lines=tuple(lines), notes=tuple(notes))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise RunError(f"`{path}` cannot be read: {error.strerror}", hint=MAKE) from error


def _checked_manifest(path: Path) -> Manifest:
    file = path / "manifest.json"
    if not file.exists():
        raise RunError(f"`{path}` is not a run folder: it has no manifest.json", hint=MAKE)
    fields = read_json(_content(file), f"`{file}`", "repeat the run in another folder")
    if fields.integer("format") != FORMAT:
        raise RunError(
            f"the run `{path}` has format {fields.integer('format')}, which this localsmc cannot read",
            hint="pip install --upgrade localsmc",
        )
    tasks, methods = fields.objects("tasks"), fields.objects("methods")
    return Manifest(
        tasks=tuple(
            TaskInfo(
                name=task.text("name"),
                version=str(task.values.get("version", "")),
                n_problems=task.integer("n_problems"),
            )
            for task in tasks
        ),
        models={model.text("name"): model.text_or_none("sha256") for model in fields.objects("models")},
        methods={method.text("label"): method.inner("config").values for method in methods},
        names={method.text("label"): method.text("name") for method in methods},
        seeds=tuple(fields.integers("seeds")),
        raw=fields.values,
    )


def _records(path: Path, manifest: Manifest) -> tuple[list[ResultRecord], list[str]]:
    """The lines, and notes on skipped ones. Of several lines with the same key, the last one counts."""
    found: dict[tuple[str, str, str, str, int], ResultRecord] = {}
    notes, n_read = [], 0
    for number, text, is_whole in _numbered(path):
        place = f"line {number} of `{path}`"
        try:
            fields = read_json(text, place, REDO)
        except RunError:
            if is_whole:
                raise
            notes.append(f"{place} is incomplete and skipped: the run was killed while writing it")
            continue
        line = result_record(fields)
        _check_names(line, manifest, place)
        found[line.key] = line
        n_read += 1
    if n_read > len(found):
        notes.append(f"{n_read - len(found)} lines of `{path}` are duplicates; the last of each counts")
    return list(found.values()), notes


def _numbered(path: Path) -> Iterator[tuple[int, bytes, bool]]:
    """Each non-empty line: its number from 1, its text, and whether it ends with a newline."""
    try:
        with path.open("rb") as file:
            for number, text in enumerate(file, 1):
                if text.strip():
                    yield number, text, text.endswith(b"\n")
    except FileNotFoundError:
        return
    except OSError as error:
        raise RunError(f"`{path}` cannot be read: {error.strerror}", hint=MAKE) from error


def _check_names(line: ResultRecord, manifest: Manifest, place: str) -> None:
    known: dict[str, tuple[object, list[Any]]] = {
        "task": (line.task, [task.name for task in manifest.tasks]),
        "model": (line.model, list(manifest.models)),
        "method": (line.method, list(manifest.methods)),
        "seed": (line.seed, list(manifest.seeds)),
    }
    for kind, (name, names) in known.items():
        if name not in names:
            raise RunError(f"{place}: the {kind} `{name}` is not in the run's manifest", hint=REDO)
