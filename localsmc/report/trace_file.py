"""Read a trace written by `localsmc solve --trace FILE`: one run, step by step, with every history."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localsmc.errors import RunError
from localsmc.evals.json_fields import JsonReader, read_json
from localsmc.evals.result_records import share_of
from localsmc.results import AnswerShare

MAKE = 'create a trace with `localsmc solve "..." --trace FILE`'


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A history at a step: its last token, particles and weight; see `results.HistoryInfo`."""

    wave: int
    node: int
    parent: int
    piece: str
    count: int
    weight: float
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceStep:
    """A step; see `results.StepInfo`."""

    step: int
    alpha: float
    rows: int
    histories: int
    ess: float
    resampled: bool
    forks: int
    reductions: int
    population: tuple[Node, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedTrace:
    """A trace that has been read. `outcome` is "cut short" if its last line is missing."""

    path: Path
    method: str
    config: dict[str, Any]
    model: str
    seed: int
    prompt: str
    outcome: str
    answer: str | None
    text: str
    shares: tuple[AnswerShare, ...]
    log_z: float | None
    steps: tuple[TraceStep, ...]
    notes: tuple[str, ...]

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name

    @property
    def particles(self) -> int:
        """The number of particles."""
        return int(self.config.get("particles", 1))


def read_trace(path: Path) -> RecordedTrace:
    """Read a trace. Raises RunError if it is not one, or is malformed before its last line."""
    try:
        texts = path.read_bytes().split(b"\n")
    except OSError as error:
        raise RunError(f"`{path}` cannot be read: {error.strerror}", hint=MAKE) from error
    lines, notes = _lines(path, texts)
    if not lines or lines[0].values.get("event") != "start":
        raise RunError(
            f"`{path}` is neither a run folder nor a trace",
            hint="pass a folder written by `localsmc eval`, or a file written by `localsmc solve --trace`",
        )
    start = lines[0]
    end = lines[-1] if lines[-1].values.get("event") == "end" else None
    method, last = start.inner("method"), end or start.around({})
    return RecordedTrace(
        path=path,
        method=method.text("name"),
        config=method.inner("config").values,
        model=start.inner("model").text("name"),
        seed=start.integer("seed"),
        prompt=start.text("prompt"),
        outcome=last.text_or_none("outcome") or "cut short",
        answer=last.text_or_none("answer"),
        text=last.text_or_none("text") or "",
        shares=() if end is None else tuple(map(share_of, end.objects("answers"))),
        log_z=None if last.values.get("log_z") is None else last.number("log_z"),
        steps=tuple(_step(line) for line in lines[1:] if line.values.get("event") == "step"),
        notes=tuple(notes),
    )


def _lines(path: Path, texts: list[bytes]) -> tuple[list[JsonReader], list[str]]:
    lines, notes = [], []
    for number, text in enumerate(texts, 1):
        place = f"line {number} of `{path}`"
        if not text.strip():
            continue
        try:
            lines.append(read_json(text, place, f"repeat the run: {MAKE}"))
        except RunError:
            # If the first line is malformed, the file is not a trace; the caller reports it.
            if number < len(texts) or number == 1:
                if number == 1:
                    return [], []
                raise
            notes.append(f"{place} is incomplete and skipped: the run was killed while writing it")
    return lines, notes


def _step(fields: JsonReader) -> TraceStep:
    return TraceStep(
        step=fields.integer("step"),
        alpha=fields.number("alpha"),
        rows=fields.integer("rows"),
        histories=fields.integer("histories"),
        ess=fields.number("ess"),
        resampled=bool(fields.flag_or_none("resampled")),
        forks=fields.integer("forks"),
        reductions=fields.integer("reductions"),
        population=tuple(map(_node, fields.objects("population"))),
    )


def _node(fields: JsonReader) -> Node:
    return Node(
        wave=fields.integer("wave"),
        node=fields.integer("node"),
        parent=fields.integer("parent"),
        piece=fields.text("piece"),
        count=fields.integer("count"),
        weight=fields.number("weight"),
        state=fields.text("state"),
    )
