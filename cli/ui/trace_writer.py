"""The trace: every step of a run as JSON lines, written during the run.

    {"event": "start", "version", "seed", "method", "model", "draft", "prompt", "prompt_tokens"}
    {"event": "step", ...the fields of StepInfo..., "population": [...HistoryInfo...]}
    {"event": "end", "outcome", "answer", "is_refused", "text", "answers", "log_z"}

The outcome is "done", "decided", "budget" or "interrupted".

Reads the run between two steps and does not change it. If a line cannot be written, e.g. on a full disk,
the trace ends but not the run; `check` reports it at the end.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from localsmc.errors import ConfigError, RunError

if TYPE_CHECKING:
    from localsmc.engine.solve import Generation
    from localsmc.results import Result, StepInfo


class TraceWriter:
    """Writes a trace file, or nothing if the path is None."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: IO[str] | None = None
        self._error: OSError | None = None

    def __enter__(self) -> TraceWriter:
        if self._path is None:
            return self
        try:
            # An older trace is kept until the first line of the new one.
            self._file = self._path.open("a", encoding="utf-8")
        except OSError as error:
            raise ConfigError(
                f"the trace file `{self._path}` cannot be written: {error.strerror}",
                hint="choose a file in a folder that you may write to",
            ) from error
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()

    def start(self, solving: Generation) -> None:
        """Write the first line."""
        if self._file is None:
            return
        with contextlib.suppress(OSError):  # a pipe cannot be truncated
            self._file.truncate(0)
        result = solving.result()
        self._write(
            event="start",
            version=result.version,
            seed=result.seed,
            method=asdict(result.method),
            model=asdict(result.model),
            draft=None if result.draft is None else asdict(result.draft),
            prompt=solving.prompt_text,
            prompt_tokens=solving.prompt.tolist(),
        )

    def step(self, step: StepInfo, solving: Generation) -> None:
        """Write the line of a step."""
        if self._file is not None:
            self._write(
                event="step",
                **asdict(step),
                population=[asdict(history) for history in solving.population()],
            )

    def end(self, result: Result, outcome: str) -> None:
        """Write the last line."""
        if self._file is not None:
            self._write(
                event="end",
                outcome=outcome,
                answer=result.answer,
                is_refused=result.is_refused,
                text=result.text,
                answers=[asdict(share) for share in result.answers],
                log_z=result.log_z,
            )

    def _write(self, **record: Any) -> None:
        if self._file is None or self._error is not None:
            return
        try:
            self._file.write(json.dumps(record, ensure_ascii=False) + "\n")
            self._file.flush()
        except OSError as error:
            self._error = error

    def check(self) -> None:
        """Raise RunError if a line could not be written."""
        if self._error is not None:
            raise RunError(
                f"the trace file `{self._path}` is not complete: {self._error.strerror}",
                hint="the answer above is complete; free some space for the trace, or remove `--trace`",
            )
