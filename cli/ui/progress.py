"""The progress of an evaluation: a live line on a terminal, else a plain line now and then."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from localsmc_cli.ui.output import Output

PERIOD = 15.0
"""Seconds between two plain lines."""

Line = dict[str, Any]


class Tally:
    """Counts right answers per method, for the current task and model."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self.n = 0
        self._graded: dict[tuple[str, str], dict[str, list[int]]] = {}
        self._at = ("", "")
        for line in lines:
            self.add(line)

    def add(self, line: Line) -> None:
        """Count a result line."""
        self.n += 1
        self._at = line["task"], line["model"]
        if line["correct"] is not None:
            counts = self._graded.setdefault(self._at, {}).setdefault(line["method"], [0, 0])
            counts[0] += line["correct"]
            counts[1] += 1

    def __str__(self) -> str:
        shares = self._graded.get(self._at, {}).items()
        return " · ".join(
            [", ".join(self._at), *(f"{method} {right / n:.0%}" for method, (right, n) in shares)]
        )


@contextlib.contextmanager
def status(output: Output) -> Iterator[Callable[[str], None]]:
    """A callback for status lines: live on a terminal, else the first line and one per `PERIOD`."""
    with output.panel() as panel:
        shown = -math.inf

        def show(text: str) -> None:
            nonlocal shown
            if panel is not None:
                panel.status(text)
            elif time.monotonic() - shown >= PERIOD:
                shown = time.monotonic()
                output.note(text)

        yield show


@contextlib.contextmanager
def progress(output: Output, n: int, lines: Sequence[Line]) -> Iterator[Callable[[Line], None]]:
    """A callback for every new result line; `lines` are those of earlier runs."""
    tally, n_before = Tally(lines), len(lines)
    began = time.monotonic()

    def left() -> str:
        done = tally.n - n_before
        return duration((time.monotonic() - began) / done * (n - tally.n)) if done else "?"

    def text() -> str:
        return f"{tally.n}/{n} · {left()} left · {tally}"

    with output.panel() as panel:
        shown = began

        def show(line: Line) -> None:
            nonlocal shown
            tally.add(line)
            if line["error"]:
                output.warn(f"{line['problem_id']}, {line['method']}: {line['error']}")
            if panel is not None:
                panel.status(text())
            elif time.monotonic() - shown >= PERIOD or tally.n == n:
                shown = time.monotonic()
                output.note(text())

        yield show
    if panel is not None and tally.n > n_before:
        output.note(f"{tally.n}/{n} · {tally}")


def bar(share: float, width: int = 30) -> str:
    """A progress bar for a share from 0 to 1."""
    filled = int(width * share)
    return "━" * filled + "╌" * (width - filled)


def duration(seconds: float) -> str:
    """A duration as text."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
