"""The charts of a report as SVG: accuracy against cost, accuracy by part, calibration, and steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from localsmc.numerics.statistics import Estimate, pareto
from localsmc.report import table
from localsmc.report.calibration import Calibration
from localsmc.report.groups import ResultGroup
from localsmc.report.html import svg
from localsmc.report.html.svg import BOTTOM, LEFT, RIGHT, TOP, WIDTH, Scale, element
from localsmc.report.trace_file import RecordedTrace

HEIGHT = 250.0
MIN_ACTIVE_SHARE = 0.1
"""Mean curves end when less than this share of the runs is unfinished."""


@dataclass(frozen=True, slots=True)
class Point:
    """A method with a selector: its index, label, relative cost and accuracy."""

    index: int
    label: str
    cost: float
    accuracy: Estimate

    @property
    def description(self) -> str:
        """The label with the figures, for the list and the tooltip."""
        mean, low, high = self.accuracy
        ends = table.interval((low, high))
        return f"{self.label}: {table.percent(mean)} ({ends}) at {table.figure(self.cost)} ×"


def _y_scale(low: float = 0.0, high: float = 1.0, height: float = HEIGHT) -> Scale:
    return Scale(low, high, height - BOTTOM, TOP)


def _share_range(points: Sequence[Point]) -> tuple[float, float]:
    """A range of round shares that contains all intervals."""
    low = math.floor(10 * min(point.accuracy[1] for point in points)) / 10
    high = math.ceil(10 * max(point.accuracy[2] for point in points)) / 10
    return max(0.0, low), min(1.0, max(high, low + 0.2))


def trade(points: Sequence[Point], cost: str) -> str:
    """Accuracy against cost: numbered points with intervals, and the Pareto front."""
    low, high, ticks = svg.log_range([point.cost for point in points])
    x = Scale(low, high, LEFT + 8, WIDTH - RIGHT - 14, log=True)
    shares = _share_range(points)
    y = _y_scale(*shares)
    parts = [svg.y_axis(y, svg.percents(*shares), "right")]
    labels = [(tick, table.figure(tick).rstrip("0").rstrip(".")) for tick in ticks]
    parts.append(svg.x_axis(x, labels, f"{cost}, × baseline", HEIGHT - BOTTOM, TOP))
    front = [points[i] for i in pareto([one.cost for one in points], [one.accuracy[0] for one in points])]
    parts.append(_front(front, x, y))
    parts += [_whisker(point, x(point.cost), y) for point in points]
    parts += _numbered(points, x, y)
    return svg.frame("".join(parts), HEIGHT, f"Accuracy against {cost}; the list below has the numbers")


def _front(points: Sequence[Point], x: Scale, y: Scale) -> str:
    """The Pareto front as a step function."""
    path = f"M{x(points[0].cost):.1f} {y(points[0].accuracy[0]):.1f}"
    path += "".join(f"H{x(point.cost):.1f}V{y(point.accuracy[0]):.1f}" for point in points[1:])
    return element("path", d=f"{path}H{WIDTH - RIGHT:.1f}", cls="front")


def _whisker(point: Point, x: float, y: Scale) -> str:
    mean, low, high = point.accuracy
    drawn = element("line", x1=x, x2=x, y1=y(low), y2=y(high), cls="whisker")
    drawn += svg.mark(x, y(mean), point.index)
    return element("g", svg.title(point.description) + drawn, cls=svg.colour(point.index))


def _numbered(points: Sequence[Point], x: Scale, y: Scale) -> list[str]:
    """The points' numbers, to their right, moved down where they would overlap."""
    placed: list[tuple[float, float]] = []
    drawn = []
    for i in sorted(range(len(points)), key=lambda i: -points[i].accuracy[0]):
        left, top = x(points[i].cost) + 8, y(points[i].accuracy[0]) + 4
        while any(abs(left - a) < 14 and abs(top - b) < 11 for a, b in placed):
            top += 2
        placed.append((left, top))
        drawn.append(svg.text(left, top, str(i + 1), cls="number"))
    return drawn


def by_part(rows: Sequence[tuple[str, Sequence[tuple[int, str, Estimate]]]], name: str) -> str:
    """Accuracy with intervals for each family or level: one row each, one mark per method."""
    left, gap = 92.0, 11.0
    heights = [gap * len(marks) + 12 for _, marks in rows]
    height = TOP + sum(heights) + BOTTOM
    x = Scale(0.0, 1.0, left, WIDTH - 16)
    parts = [svg.x_axis(x, svg.percents(), "right", height - BOTTOM, TOP)]
    top = TOP
    for (part, marks), tall in zip(rows, heights, strict=True):
        label = part if len(part) <= 13 else f"{part[:12]}…"
        parts.append(svg.text(left - 10, top + tall / 2 + 4, label, text_anchor="end"))
        for k, (index, method, (mean, low, high)) in enumerate(marks):
            y = top + 12 + gap * k
            line = element("line", x1=x(low), x2=x(high), y1=y, y2=y, cls="whisker")
            words = f"{part}, {method}: {table.percent(mean)} ({table.interval((low, high))})"
            drawn = svg.title(words) + line + svg.mark(x(mean), y, index)
            parts.append(element("g", drawn, cls=svg.colour(index)))
        top += tall
        parts.append(element("line", x1=8.0, x2=WIDTH - 16, y1=top, y2=top, cls="grid"))
    return svg.frame("".join(parts), height, f"Accuracy by {name}; the table below has the numbers")


def calibrated(found: Sequence[tuple[int, Calibration]]) -> str:
    """The share of right answers against the weight, by bin, with the diagonal of perfect calibration."""
    x, y = Scale(0.0, 1.0, LEFT, WIDTH - RIGHT - 8), _y_scale()
    parts = [svg.y_axis(y, svg.percents(), "right")]
    parts.append(svg.x_axis(x, svg.percents(), "weight of the answer", HEIGHT - BOTTOM, TOP))
    parts.append(element("line", x1=x(0), y1=y(0), x2=x(1), y2=y(1), cls="ideal"))
    for index, one in found:
        path = "L".join(f"{x(each.weight):.1f} {y(each.right):.1f}" for each in one.bins)
        drawn = [element("path", d=f"M{path}", cls="thin")]
        for each in one.bins:
            at, (low, high) = x(each.weight), each.interval
            words = (
                f"{one.group.method}: weight {table.percent(each.weight)}, {each.n} answers,"
                f" right {table.percent(each.right)} ({table.interval(each.interval)})"
            )
            whisker = element("line", x1=at, x2=at, y1=y(low), y2=y(high), cls="whisker")
            drawn.append(element("g", svg.title(words) + whisker + svg.mark(at, y(each.right), index)))
        parts.append(element("g", "".join(drawn), cls=svg.colour(index)))
    return svg.frame("".join(parts), HEIGHT, "Calibration; the table below has the numbers")


def mean_steps(group: ResultGroup, name: str) -> list[float]:
    """The mean of `name` (ess or histories) over N by step, over the unfinished runs."""
    curves = [getattr(line.steps, name) for line in group.lines]
    curves = [curve for curve in curves if curve.size]
    means = []
    for step in range(max((curve.size for curve in curves), default=0)):
        active = [curve[step] for curve in curves if curve.size > step]
        if len(active) < MIN_ACTIVE_SHARE * len(curves):
            break
        means.append(float(np.mean(active)) / group.particles)
    return means


def steps(curves: Sequence[tuple[int, str, Sequence[float]]], label: str, top: float = 1.0) -> str:
    """Curves over the steps; `top` is the maximum value."""
    longest = max(len(values) for _, _, values in curves)
    end = max(2.0, float(longest))
    x, y = Scale(1.0, end, LEFT, WIDTH - RIGHT), _y_scale(0.0, top)
    y_ticks = svg.percents() if top == 1.0 else [(top * k / 4, f"{top * k / 4:g}") for k in range(5)]
    x_ticks = [(float(k), str(k)) for k in sorted({1, *(round(1 + (end - 1) * q / 4) for q in range(1, 5))})]
    parts = [svg.y_axis(y, y_ticks, label)]
    parts.append(svg.x_axis(x, x_ticks, "step", HEIGHT - BOTTOM, TOP))
    for index, name, values in curves:
        path = "L".join(f"{x(k + 1):.1f} {y(value):.1f}" for k, value in enumerate(values))
        line = element("path", d=f"M{path}", cls=f"curve dash{index % 4}")
        parts.append(element("g", svg.title(name) + line, cls=svg.colour(index)))
    return svg.frame("".join(parts), HEIGHT, f"{label} over the steps")


def traced(trace: RecordedTrace) -> str:
    """Effective sample size and distinct histories of a trace, in particles, with resampling steps."""
    top = svg.nice_top(float(max(trace.particles, *(step.histories for step in trace.steps))))
    ess, histories = [step.ess for step in trace.steps], [float(step.histories) for step in trace.steps]
    drawn = steps([(0, "effective sample size", ess), (1, "distinct histories", histories)], "particles", top)
    end = max(2.0, float(len(trace.steps)))
    x = Scale(1.0, end, LEFT, WIDTH - RIGHT)
    marks = []
    for k, step in enumerate(trace.steps, 1):
        if step.resampled:
            line = element(
                "line", svg.title(f"resampled at step {step.step}"), x1=x(k), x2=x(k), y1=TOP, y2=TOP + 9
            )
            marks.append(line)
    return drawn.replace("</svg>", element("g", "".join(marks), cls="resampled") + "</svg>")


def legend(names: Sequence[tuple[int, str]], *, is_lines: bool = False) -> str:
    """A legend of marks, or of line samples, with names."""
    sample = svg.line_sample if is_lines else svg.sample
    items = "".join(f"<li>{sample(index)}<span>{escape(name)}</span></li>" for index, name in names)
    return f'<ul class="legend">{items}</ul>'
