"""SVG building blocks: elements, scales, axes, marks. Charts are 340 wide, to be readable on a phone.

Colours come from page.css: a mark has a class `c0` … `c7`; its shape also identifies the method.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH = 340.0
LEFT, RIGHT, TOP, BOTTOM = 48.0, 10.0, 10.0, 38.0
N_COLOURS = 8


def element(name: str, content: str = "", **attributes: object) -> str:
    """An element; `content` is markup, attributes are escaped; `cls` becomes `class`, and `_` becomes `-`."""
    markup = "".join(
        f' {"class" if key == "cls" else key.replace("_", "-")}="{escape(_number(value))}"'
        for key, value in attributes.items()
    )
    return f"<{name}{markup}>{content}</{name}>" if content else f"<{name}{markup}/>"


def _number(value: object) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def text(x: float, y: float, content: str, **attributes: object) -> str:
    """A text element at (x, y); `content` is escaped."""
    return element("text", escape(content), x=x, y=y, **attributes)


def title(content: str) -> str:
    """A tooltip, which screen readers also read."""
    return element("title", escape(content) or " ")


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


def mark(x: float, y: float, index: int) -> str:
    """The mark of a method, by its index."""
    shape = SHAPES[index % len(SHAPES)]
    return element("path", d=shape, transform=f"translate({x:.2f} {y:.2f})", cls="mark")


def colour(index: int) -> str:
    """The colour class of a method, by its index."""
    return f"c{index % N_COLOURS}"


def sample(index: int) -> str:
    """A single mark, for a legend."""
    drawn = element("g", mark(8.0, 8.0, index), cls=colour(index))
    return element("svg", drawn, viewBox="0 0 16 16", cls="sample", aria_hidden="true")


def line_sample(index: int) -> str:
    """A line sample, for a legend."""
    line = element("path", d="M0 8H30", cls=f"curve dash{index % 4}")
    drawn = element("g", line, cls=colour(index))
    return element("svg", drawn, viewBox="0 0 30 16", cls="sample wide", aria_hidden="true")


def frame(content: str, height: float, label: str) -> str:
    """A chart with this content; `label` is for screen readers."""
    return element(
        "svg", content, viewBox=f"0 0 {WIDTH:.0f} {height:.0f}", role="img", aria_label=label, cls="chart"
    )


def y_axis(scale: Scale, ticks: Sequence[tuple[float, str]], label: str) -> str:
    """Horizontal grid lines, tick labels on the left, and the rotated axis label."""
    parts = []
    for value, tick in ticks:
        y = scale(value)
        parts.append(element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, cls="grid"))
        parts.append(text(LEFT - 5, y + 4, tick, text_anchor="end"))
    middle = (scale.start + scale.end) / 2
    rotation = f"rotate(-90 10 {middle:.1f})"
    return "".join(parts) + text(10.0, middle, label, text_anchor="middle", transform=rotation, cls="name")


def x_axis(scale: Scale, ticks: Sequence[tuple[float, str]], label: str, bottom: float, top: float) -> str:
    """Vertical grid lines, tick labels below, and the axis label below them."""
    parts = []
    for value, tick in ticks:
        x = scale(value)
        parts.append(element("line", x1=x, x2=x, y1=top, y2=bottom, cls="grid"))
        parts.append(text(x, bottom + 14, tick, text_anchor="middle"))
    middle = (scale.start + scale.end) / 2
    return "".join(parts) + text(middle, bottom + 31, label, text_anchor="middle", cls="name")


def percents(low: float = 0.0, high: float = 1.0) -> list[tuple[float, str]]:
    """Ticks for shares in a range: every 20 %, 10 % or 5 %, depending on the range."""
    span = high - low
    step = 20 if span > 0.6 else 10 if span > 0.3 else 5
    return [(k / 100, f"{k}%") for k in range(0, 101, step) if low - 1e-9 <= k / 100 <= high + 1e-9]
