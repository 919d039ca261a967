"""Where the labels of a chart go: beside their marks, over no other label or mark, and inside the frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

HEIGHT = 15.0
CHARACTER = 7.4
"""Mean width of a character in 12 pixel text, in the wide fonts of Linux; others are narrower."""

GAP = 9.0
"""Pixels between a mark and its label."""

MARK = 6.0
"""Half the size of a mark."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: Box) -> bool:
        """Whether the two have a point in common."""
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )

    def holds(self, other: Box) -> bool:
        """Whether the other is inside."""
        return (
            self.left <= other.left
            and other.right <= self.right
            and self.top <= other.top
            and other.bottom <= self.bottom
        )


Spot = tuple[float, float]


def apart(spots: Sequence[Spot], frame: Box) -> list[Spot]:
    """Marks moved sideways by a mark's width or more, so that none covers another.

    A mark that has no room in the frame stays where it is.
    """
    placed: list[Spot] = []
    for x, y in spots:
        steps = (sign * step * 2 * MARK for step in range(len(spots) + 1) for sign in (1, -1))
        free = (
            x + step
            for step in steps
            if frame.left <= x + step <= frame.right
            and not any(abs(x + step - a) < 2 * MARK and abs(y - b) < 2 * MARK for a, b in placed)
        )
        placed.append((next(free, x), y))
    return placed


def placed(spots: Sequence[Spot], texts: Sequence[str], lines: Sequence[Box], frame: Box) -> list[Box | None]:
    """A box for the label of each mark, as near to it as there is room; None without any room.

    `lines` may lie under a label where there is no better place.
    """
    marks = [Box(x - MARK, y - MARK, x + MARK, y + MARK) for x, y in spots]
    taken, boxes = list(marks), [None] * len(spots)  # type: list[Box], list[Box | None]
    for i in sorted(range(len(spots)), key=lambda i: (spots[i][1], spots[i][0])):
        free = [
            (distance + 30 * sum(box.overlaps(line) for line in lines), k, box)
            for k, (distance, box) in enumerate(_candidates(spots[i], CHARACTER * len(texts[i]), frame))
            if frame.holds(box) and not any(box.overlaps(other) for other in taken)
        ]
        if free:
            boxes[i] = min(free, key=lambda one: one[:2])[2]
            taken.append(min(free, key=lambda one: one[:2])[2])
    return boxes


def _candidates(spot: Spot, width: float, frame: Box) -> Iterator[tuple[float, Box]]:
    """Boxes for a label with their distances from the mark: on its right, on its left, in the middle."""
    x, y = spot
    n_rows = int((frame.bottom - frame.top) / 5)
    for left in (x + GAP, x - GAP - width, x - width / 2, frame.left, frame.right - width):
        for row in range(-n_rows, n_rows + 1):
            top = y - HEIGHT / 2 + 5 * row
            aside = max(0.0, left - x - GAP, x - GAP - left - width)
            yield 5 * abs(row) + aside, Box(left, top, left + width, top + HEIGHT)


def leader(spot: Spot, box: Box) -> tuple[Spot, Spot] | None:
    """A line from a mark to its label; None if they are next to each other."""
    x, y = spot
    end = min(max(x, box.left), box.right), min(max(y, box.top + 3), box.bottom - 3)
    distance = ((end[0] - x) ** 2 + (end[1] - y) ** 2) ** 0.5
    if distance <= GAP + 4:
        return None
    share = MARK / distance
    return (x + share * (end[0] - x), y + share * (end[1] - y)), end
