"""The charts of a report: accuracy against cost, accuracy by part, calibration, and steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from localsmc.numerics.statistics import Estimate, pareto
from localsmc.report import table
from localsmc.report.calibration import Calibration
from localsmc.report.groups import ResultGroup
from localsmc.report.html import labels, svg
from localsmc.report.html.svg import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Chart,
    Group,
    Line,
    Mark,
    Path,
    Scale,
    Shape,
    Text,
)
from localsmc.report.trace_file import RecordedTrace

HEIGHT = 250.0
WIDE, TALL = 560.0, 330.0
"""Size of the chart of accuracy against cost, in which the marks have labels."""

LONGEST_LABEL, LONGEST_PART = 30, 13
"""Characters of the name of a method beside its mark, and of a family beside its row."""

MIN_ACTIVE_SHARE = 0.1
"""Mean curves end when less than this share of the runs is unfinished."""


@dataclass(frozen=True, slots=True)
class Point:
    """A method: its index, label, relative cost and accuracy."""

    index: int
    label: str
    cost: float
    accuracy: Estimate

    @property
    def description(self) -> str:
        """The label with the figures, for the tooltip."""
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


def trade(points: Sequence[Point], cost: str) -> Chart:
    """Accuracy against cost: marks with labels and intervals, and the Pareto front."""
    low, high, ticks = svg.log_range([point.cost for point in points])
    x = Scale(low, high, LEFT + 16, WIDE - RIGHT - 16, log=True)
    shares = _share_range(points)
    # Marks at the ends of the range, such as 0 %, are inside the frame as a whole.
    bottom = TALL - BOTTOM
    y = Scale(*shares, bottom - 10, TOP + 10)
    tick_labels = [(tick, table.figure(tick).rstrip("0").rstrip(".")) for tick in ticks]
    shapes = svg.y_axis(y, svg.percents(*shares), "right", WIDE)
    shapes += svg.x_axis(x, tick_labels, f"{cost}, × baseline", bottom, TOP)
    front = [points[i] for i in pareto([one.cost for one in points], [one.accuracy[0] for one in points])]
    shapes.append(_front(front, x, y))
    frame = labels.Box(LEFT + 1, TOP, WIDE - RIGHT, bottom)
    inner = labels.Box(frame.left + 7, frame.top, frame.right - 7, frame.bottom)
    spots = labels.apart([(x(point.cost), y(point.accuracy[0])) for point in points], inner)
    shapes += [_whisker(point, spot, y) for point, spot in zip(points, spots, strict=True)]
    shapes += _labelled(points, spots, y, frame)
    return Chart(tuple(shapes), TALL, f"Accuracy against {cost}; the tables below have the numbers", WIDE)


def _front(points: Sequence[Point], x: Scale, y: Scale) -> Path:
    """The Pareto front as a step function."""
    path = f"M{x(points[0].cost):.1f} {y(points[0].accuracy[0]):.1f}"
    path += "".join(f"H{x(point.cost):.1f}V{y(point.accuracy[0]):.1f}" for point in points[1:])
    return Path(f"{path}H{WIDE - RIGHT:.1f}", "front")


def _whisker(point: Point, spot: labels.Spot, y: Scale) -> Group:
    at, _ = spot
    mean, low, high = point.accuracy
    line = Line(at, y(low), at, y(high), "whisker")
    return Group((line, Mark(at, y(mean), point.index)), point.index, point.description)


def _labelled(
    points: Sequence[Point], spots: Sequence[labels.Spot], y: Scale, frame: labels.Box
) -> list[Shape]:
    """The methods' names near their marks, with a line to the mark where there is no room beside it."""
    names = [_cut(point.label, LONGEST_LABEL) for point in points]
    lines = [
        labels.Box(at - 1, y(point.accuracy[2]), at + 1, y(point.accuracy[1]))
        for point, (at, _) in zip(points, spots, strict=True)
    ]
    boxes = labels.placed(spots, names, lines, frame)
    shapes: list[Shape] = []
    for name, point, spot, box in zip(names, points, spots, boxes, strict=True):
        if box is None:
            continue
        items: list[Shape] = []
        if (ends := labels.leader(spot, box)) is not None:
            items.append(Line(*ends[0], *ends[1], "leader"))
        items.append(_label(name, spot, box))
        shapes.append(Group(tuple(items), point.index))
    return shapes


def _label(name: str, spot: labels.Spot, box: labels.Box) -> Text:
    """A name in its box, at the side of the mark: fonts narrower than expected leave room on the other."""
    y = box.bottom - 4
    if box.left >= spot[0]:
        return Text(box.left, y, name, "start", "label")
    if box.right <= spot[0]:
        return Text(box.right, y, name, "end", "label")
    return Text((box.left + box.right) / 2, y, name, "middle", "label")


def _cut(name: str, most: int) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"


def by_part(rows: Sequence[tuple[str, Sequence[tuple[int, str, Estimate]]]], name: str) -> Chart:
    """Accuracy with intervals for each family or level: one row each, one mark per method."""
    left, gap = 24 + labels.CHARACTER * LONGEST_PART, 11.0
    heights = [gap * len(marks) + 12 for _, marks in rows]
    height = TOP + sum(heights) + BOTTOM
    x = Scale(0.0, 1.0, left, WIDTH - 16)
    shapes = svg.x_axis(x, svg.percents(), "right", height - BOTTOM, TOP)
    top = TOP
    for (part, marks), tall in zip(rows, heights, strict=True):
        shapes.append(Text(left - 10, top + tall / 2 + 4, _cut(part, LONGEST_PART), "end"))
        for k, (index, method, (mean, low, high)) in enumerate(marks):
            y = top + 12 + gap * k
            words = f"{part}, {method}: {table.percent(mean)} ({table.interval((low, high))})"
            line = Line(x(low), y, x(high), y, "whisker")
            shapes.append(Group((line, Mark(x(mean), y, index)), index, words))
        top += tall
        shapes.append(Line(8.0, top, WIDTH - 16, top, "grid"))
    return Chart(tuple(shapes), height, f"Accuracy by {name}; the table below has the numbers")


def calibrated(found: Sequence[tuple[int, Calibration]]) -> Chart:
    """The share of right answers against the weight, by bin, with the diagonal of perfect calibration."""
    x, y = Scale(0.0, 1.0, LEFT, WIDTH - RIGHT - 8), _y_scale()
    shapes = svg.y_axis(y, svg.percents(), "right")
    shapes += svg.x_axis(x, svg.percents(), "weight of the answer", HEIGHT - BOTTOM, TOP)
    shapes.append(Line(x(0), y(0), x(1), y(1), "ideal"))
    for index, one in found:
        path = svg.polyline((x(each.weight), y(each.right)) for each in one.bins)
        drawn: list[Shape] = [Path(path, "thin")]
        for each in one.bins:
            at, (low, high) = x(each.weight), each.interval
            words = (
                f"{one.group.method}: weight {table.percent(each.weight)}, {each.n} answers,"
                f" right {table.percent(each.right)} ({table.interval(each.interval)})"
            )
            whisker = Line(at, y(low), at, y(high), "whisker")
            drawn.append(Group((whisker, Mark(at, y(each.right), index)), index, words))
        shapes.append(Group(tuple(drawn), index))
    return Chart(tuple(shapes), HEIGHT, "Calibration; the table below has the numbers")


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


def steps(curves: Sequence[tuple[int, str, Sequence[float]]], label: str, top: float = 1.0) -> Chart:
    """Curves over the steps; `top` is the maximum value."""
    longest = max(len(values) for _, _, values in curves)
    end = max(2.0, float(longest))
    x, y = Scale(1.0, end, LEFT, WIDTH - RIGHT), _y_scale(0.0, top)
    y_ticks = svg.percents() if top == 1.0 else [(top * k / 4, f"{top * k / 4:g}") for k in range(5)]
    x_ticks = [(float(k), str(k)) for k in sorted({1, *(round(1 + (end - 1) * q / 4) for q in range(1, 5))})]
    shapes = svg.y_axis(y, y_ticks, label)
    shapes += svg.x_axis(x, x_ticks, "step", HEIGHT - BOTTOM, TOP)
    for index, name, values in curves:
        path = svg.polyline((x(k + 1), y(value)) for k, value in enumerate(values))
        shapes.append(Group((Path(path, f"curve dash{index % 4}"),), index, name))
    return Chart(tuple(shapes), HEIGHT, f"{label} over the steps")


def traced(trace: RecordedTrace) -> Chart:
    """Effective sample size and distinct histories of a trace, in particles, with resampling steps."""
    top = svg.nice_top(float(max(trace.particles, *(step.histories for step in trace.steps))))
    ess, histories = [step.ess for step in trace.steps], [float(step.histories) for step in trace.steps]
    drawn = steps([(0, "effective sample size", ess), (1, "distinct histories", histories)], "particles", top)
    end = max(2.0, float(len(trace.steps)))
    x = Scale(1.0, end, LEFT, WIDTH - RIGHT)
    marks: list[Shape] = [
        Group((Line(x(k), TOP, x(k), TOP + 9, "resampled"),), 0, f"resampled at step {step.step}")
        for k, step in enumerate(trace.steps, 1)
        if step.resampled
    ]
    return Chart((*drawn.items, *marks), drawn.height, drawn.label)


@dataclass(frozen=True, slots=True)
class Sample:
    """An entry of a legend: a mark, or a sample of a line, with a name."""

    index: int
    name: str
    is_line: bool = False

    @property
    def shape(self) -> Group:
        """What is drawn, 16 pixels high; a mark is 16 wide, a line 30."""
        drawn: Shape = (
            Path("M0 8H30", f"curve dash{self.index % 4}") if self.is_line else Mark(8, 8, self.index)
        )
        return Group((drawn,), self.index)
