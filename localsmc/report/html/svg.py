"""Charts as data: shapes, scales and axes. The template chart.html draws them, and escapes every text.

Charts are wide enough for labels; on a phone they scroll. Colours come from page.css: a shape has a class
`c0` … `c7`, and its mark also identifies the method.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

WIDTH = 340.0
LEFT, RIGHT, TOP, BOTTOM = 48.0, 10.0, 10.0, 38.0
N_COLOURS = 8


@dataclass(frozen=True, slots=True)
class Line:
    """A straight line; `style` is its class."""

    kind: ClassVar[str] = "line"
    x1: float
    y1: float
    x2: float
    y2: float
    style: str = ""


@dataclass(frozen=True, slots=True)
class Path:
    """A path; `d` has only commands and numbers."""

    kind: ClassVar[str] = "path"
    d: str
    style: str = ""


@dataclass(frozen=True, slots=True)
class Text:
    """A text at (x, y); `turned` are degrees."""

    kind: ClassVar[str] = "text"
    x: float
    y: float
    content: str
    anchor: str = "start"
    style: str = ""
    turned: int = 0


@dataclass(frozen=True, slots=True)
class Mark:
    """The mark of a method, by its index."""

    kind: ClassVar[str] = "mark"
    x: float
    y: float
    index: int

    @property
    def shape(self) -> str:
        """The outline, around (0, 0)."""
        return SHAPES[self.index % len(SHAPES)]


@dataclass(frozen=True, slots=True)
class Group:
    """Shapes in the colour of a method, with a tooltip, which screen readers also read."""

    kind: ClassVar[str] = "group"
    items: tuple[Shape, ...]
    index: int
    title: str = ""
    style: str = ""

    @property
    def colour(self) -> str:
        """The class of the colour."""
        return f"c{self.index % N_COLOURS}"


Shape = Line | Path | Text | Mark | Group


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart: its shapes, its size, and `label` for screen readers."""

    items: tuple[Shape, ...]
    height: float
    label: str
    width: float = WIDTH


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps values from `low` to `high` to pixels from `start` to `end`; `log` needs positive values."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """The pixel of a value."""
        low, high, at = self.low, self.high, min(max(value, self.low), self.high)
        if self.log:
            low, high, at = math.log(low), math.log(high), math.log(at)
        return self.start + (self.end - self.start) * (at - low) / (high - low)


def log_range(values: Sequence[float]) -> tuple[float, float, list[float]]:
    """A range around positive values, and ticks at 1, 2 and 5 times powers of ten."""
    low, high = min(values) / 1.15, max(values) * 1.15
    decades = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
    steps = [digit * 10.0**power for power in decades for digit in (1, 2, 5)]
    below = max(step for step in steps if step <= min(values) * 1.0001)
    above = next(step for step in [*steps, 10.0 ** (decades[-1] + 1)] if step >= max(values) * 0.9999)
    ticks = [step for step in steps if below <= step <= above]
    while len(ticks) > 6:
        ticks = ticks[::3] if len(ticks) > 9 else ticks[::2]
    return min(low, below), max(high, above, below * 1.5), ticks


def nice_top(value: float) -> float:
    """The smallest number >= value that is 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value)) if value > 0 else 1.0
    return next(digit * power for digit in (1, 2, 5, 10) if digit * power >= value * 0.9999)


SHAPES = (
    "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0z",
    "M-4-4h8v8h-8z",
    "M0-5.2L5 3.8H-5z",
    "M0-5.5L5.5 0L0 5.5L-5.5 0z",
    "M0 5.2L5-3.8H-5z",
    "M-1.7-5h3.4v3.3h3.3v3.4h-3.3v3.3h-3.4v-3.3h-3.3v-3.4h3.3z",
    "M0-5.4L5.1-1.7L3.2 4.4H-3.2L-5.1-1.7z",
    "M-5-2.2h10v4.4h-10z",
)


def polyline(points: Iterable[tuple[float, float]]) -> str:
    """The commands of a path through the points."""
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def y_axis(scale: Scale, ticks: Sequence[tuple[float, str]], label: str, width: float = WIDTH) -> list[Shape]:
    """Horizontal grid lines, tick labels on the left, and the rotated axis label."""
    shapes: list[Shape] = []
    for value, tick in ticks:
        y = scale(value)
        shapes.append(Line(LEFT, y, width - RIGHT, y, "grid"))
        shapes.append(Text(LEFT - 5, y + 4, tick, "end"))
    return [*shapes, Text(10.0, (scale.start + scale.end) / 2, label, "middle", "name", turned=-90)]


def x_axis(
    scale: Scale, ticks: Sequence[tuple[float, str]], label: str, bottom: float, top: float
) -> list[Shape]:
    """Vertical grid lines, tick labels below, and the axis label below them."""
    shapes: list[Shape] = []
    for value, tick in ticks:
        x = scale(value)
        shapes.append(Line(x, top, x, bottom, "grid"))
        shapes.append(Text(x, bottom + 14, tick, "middle"))
    return [*shapes, Text((scale.start + scale.end) / 2, bottom + 31, label, "middle", "name")]


def percents(low: float = 0.0, high: float = 1.0) -> list[tuple[float, str]]:
    """Ticks for shares in a range: every 20 %, 10 % or 5 %, depending on the range."""
    span = high - low
    step = 20 if span > 0.6 else 10 if span > 0.3 else 5
    return [(k / 100, f"{k}%") for k in range(0, 101, step) if low - 1e-9 <= k / 100 <= high + 1e-9]
