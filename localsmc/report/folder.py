"""A run folder, as `localsmc eval` writes it: manifest.json, and results.jsonl with a line a problem."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localsmc.errors import RunError
from localsmc.evals.json_fields import parsed
from localsmc.evals.result_lines import Line, line_of

FORMAT = 1
REDO = "remove the line: the same `localsmc eval` command runs its problem again"
MAKE = "`localsmc eval --help` says how a run folder is made"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A problem set, as many problems of it as the run is to solve."""

    name: str
    version: str
    n_problems: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a run is to do: every task by every model, method and seed. `raw` is all that is written there.

    `models` are names with their SHA-256, `methods` labels with their configurations.
    """

    tasks: tuple[Task, ...]
    models: dict[str, str | None]
    methods: dict[str, dict[str, Any]]
    names: dict[str, str]
    seeds: tuple[int, ...]
    raw: dict[str, Any]

    @property
    def n_lines(self) -> int:
        """The lines of a finished run."""
        n_problems = sum(task.n_problems for task in self.tasks)
        return n_problems * len(self.models) * len(self.methods) * len(self.seeds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run folder that has been read; `notes` are what was passed over in it."""

    path: Path
    manifest: Manifest
    lines: tuple[Line, ...]
    notes: tuple[str, ...]

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.resolve().name or str(self.path)


def read_run(path: Path) -> Run:
    """Read a run folder. Raises RunError where it is none, has no problem yet or is broken."""
    manifest = _manifest(path)
    lines, notes = _lines(path / "results.jsonl", manifest)
    if not lines:
        raise RunError(
            f"no problem of the run `{path}` is done yet",
            hint="the same `localsmc eval` command goes on where it was",
        )
    return Run(path=path, manifest=manifest, lines=tuple(lines), notes=tuple(notes))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise RunError(f"`{path}` cannot be read: {error.strerror}", hint=MAKE) from error


def _manifest(path: Path) -> Manifest:
    file = path / "manifest.json"
    if not file.exists():
        raise RunError(f"`{path}` is no run folder: it has no manifest.json", hint=MAKE)
    fields = parsed(_content(file), f"`{file}`", "make the run again, in another folder")
    if fields.integer("format") != FORMAT:
        raise RunError(
            f"the run `{path}` has format {fields.integer('format')}, which this localsmc does not read",
            hint="pip install --upgrade localsmc",
        )
    tasks, methods = fields.objects("tasks"), fields.objects("methods")
    return Manifest(
        tasks=tuple(
            Task(
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


def _lines(path: Path, manifest: Manifest) -> tuple[list[Line], list[str]]:
    """The lines, the last of each piece of work where one was done again, and what was passed over."""
    found: dict[tuple[str, str, str, str, int], Line] = {}
    notes, n_read = [], 0
    for number, text, is_whole in _numbered(path):
        place = f"line {number} of `{path}`"
        try:
            fields = parsed(text, place, REDO)
        except RunError:
            if is_whole:
                raise
            notes.append(f"{place} is cut short and left out: the run was ended in the middle of it")
            continue
        line = line_of(fields)
        _check_names(line, manifest, place)
        found[line.key] = line
        n_read += 1
    if n_read > len(found):
        notes.append(f"{n_read - len(found)} lines of `{path}` were written again; the last of each counts")
    return list(found.values()), notes


def _numbered(path: Path) -> Iterator[tuple[int, bytes, bool]]:
    """Each line that is not empty: its number from 1, its text, and whether its newline is there."""
    try:
        with path.open("rb") as file:
            for number, text in enumerate(file, 1):
                if text.strip():
                    yield number, text, text.endswith(b"\n")
    except FileNotFoundError:
        return
    except OSError as error:
        raise RunError(f"`{path}` cannot be read: {error.strerror}", hint=MAKE) from error


def _check_names(line: Line, manifest: Manifest, place: str) -> None:
    known: dict[str, tuple[object, list[Any]]] = {
        "task": (line.task, [task.name for task in manifest.tasks]),
        "model": (line.model, list(manifest.models)),
        "method": (line.method, list(manifest.methods)),
        "seed": (line.seed, list(manifest.seeds)),
    }
    for kind, (name, names) in known.items():
        if name not in names:
            raise RunError(f"{place}: the {kind} `{name}` is not in the run's manifest", hint=REDO)
