"""Record a real run of `localsmc solve` as an animated SVG: docs/images/solve.svg.

    python docs/images/record.py

The command runs in a pseudo-terminal; pyte, a terminal emulator, turns what it writes into screens,
and every screen becomes a frame. The seed is fixed, so the text is the same on the same machine;
the times are those of this run. Viewers that do not animate show the last frame.
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import shlex
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from html import escape
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import pyte

PROBLEM = "What is 15% of 360?"
ARGUMENTS = ["solve", PROBLEM, "-s", "1"]
COLUMNS, ROWS = 98, 20
SLOWER = 4
"""From its first output on, the run is shown so many times slower, or nobody could follow."""
TYPING, HOLD = 0.09, 6.0
"""Seconds per typed word, and of the last frame."""

FONT, CELL_WIDTH, CELL_HEIGHT, MARGIN, BAR = 14, 8.43, 18, 16, 36
FAMILY = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
FOREGROUND, BACKGROUND = "#d7dce2", "#161b22"
COLOURS = {
    "default": FOREGROUND,
    "brightblack": "#8b949e",
    "red": "#ff7b72",
    "green": "#7ee787",
    "brown": "#e3b341",
    "blue": "#79c0ff",
    "magenta": "#d2a8ff",
    "cyan": "#76e3ea",
}

Line = tuple[tuple[str, str, bool], ...]
"""Runs of characters of one look: text, colour, bold."""


class Frame(NamedTuple):
    """A screen, and when it appears, in seconds."""

    time: float
    lines: tuple[Line, ...]


def record() -> list[Frame]:
    """Type the command, run it, and keep every screen that differs from the one before."""
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.ByteStream(screen)
    stream.feed(b"\x1b[32m$\x1b[0m ")
    frames = [Frame(0.0, shot(screen))]
    now = 0.4
    for word in shlex.join(["localsmc", *ARGUMENTS]).replace("'", '"').split(" "):
        stream.feed(f"{word} ".encode())
        frames.append(Frame(now, shot(screen)))
        now += TYPING
    stream.feed(b"\r\n")
    began = time.perf_counter()
    for n, data in enumerate(output()):
        if n == 0:
            now += time.perf_counter() - began
            began = time.perf_counter()
        # pyte does not know dim text.
        stream.feed(data.replace(b"\x1b[2m", b"\x1b[90m").replace(b"\x1b[2;", b"\x1b[90;"))
        lines = shot(screen)
        if lines != frames[-1].lines:
            frames.append(Frame(now + SLOWER * (time.perf_counter() - began), lines))
    return frames


def output() -> Iterator[bytes]:
    """What the command writes to a terminal, as it comes."""
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    with tempfile.TemporaryDirectory() as home:
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith("LOCALSMC_")
        }
        environment = kept | {"HOME": home, "TERM": "xterm-256color"}
        command = [sys.executable, "-m", "localsmc_cli.main", *ARGUMENTS]
        child = subprocess.Popen(
            command, stdin=terminal, stdout=terminal, stderr=terminal, env=environment, cwd=home
        )
        os.close(terminal)
        while True:
            select.select([controller], [], [])
            try:
                data = os.read(controller, 65536)
            except OSError:  # the other end is closed
                break
            if not data:
                break
            yield data
        if child.wait():
            sys.exit(f"the command ended with exit code {child.returncode}")


def shot(screen: pyte.Screen) -> tuple[Line, ...]:
    """The screen as lines of runs."""
    lines = []
    for y in range(ROWS):
        cells = [screen.buffer[y][x] for x in range(COLUMNS)]
        runs = groupby(cells, key=lambda cell: (cell.fg, cell.bold))
        line = [("".join(cell.data for cell in run), fg, bold) for (fg, bold), run in runs]
        while line and not line[-1][0].strip():
            line.pop()
        lines.append(tuple(line))
    return tuple(lines)


def svg(frames: list[Frame]) -> str:
    """All frames on top of each other; style sheets show one at a time."""
    n_lines = max(n for frame in frames for n, line in enumerate(frame.lines, 1) if line)
    width = 2 * MARGIN + COLUMNS * CELL_WIDTH
    height = BAR + n_lines * CELL_HEIGHT + MARGIN
    length = frames[-1].time + HOLD
    starts = [100 * frame.time / length for frame in frames]
    rules, groups = [], []
    for n, (frame, start, end) in enumerate(zip(frames, starts, [*starts[1:], 100.0], strict=True)):
        off = "" if n == len(frames) - 1 else f"{end:.3f}%{{visibility:hidden}}"
        hidden = "" if n == 0 else "0%{visibility:hidden}"
        rules.append(f"@keyframes f{n}{{{hidden}{start:.3f}%{{visibility:visible}}{off}}}")
        last = " last" if n == len(frames) - 1 else ""
        texts = "".join(drawn(y, line) for y, line in enumerate(frame.lines) if line)
        groups.append(f'<g class="frame{last}" style="animation-name:f{n}">{texts}</g>')
    body = "\n".join(groups)
    title = f"localsmc, shown {SLOWER} times slower than it runs"
    size = f'viewBox="0 0 {width:.0f} {height}" width="{width:.0f}" height="{height}"'
    grey = COLOURS["brightblack"]
    dots = "".join(
        f'<circle cx="{MARGIN + 6 + 20 * n}" cy="{BAR / 2}" r="6" fill="{colour}"/>'
        for n, colour in enumerate(("#ff5f57", "#febc2e", "#28c840"))
    )
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" {size}>
<title>A recorded run of localsmc solve</title>
<style>
text{{font:{FONT}px {FAMILY};white-space:pre;fill:{FOREGROUND}}}
.bold{{font-weight:bold}}
.frame{{visibility:hidden;animation-duration:{length:.2f}s;animation-iteration-count:infinite;\
animation-timing-function:step-end}}
.last{{visibility:visible}}
@media (prefers-reduced-motion){{.frame{{animation:none}}}}
{"".join(rules)}
</style>
<rect width="100%" height="100%" rx="8" fill="{BACKGROUND}"/>
{dots}
<text x="50%" y="{BAR / 2 + 5}" text-anchor="middle" style="fill:{grey}">{title}</text>
{body}
</svg>
"""


def drawn(y: int, line: Line) -> str:
    """One line of a screen; each run has its width in cells, whatever the font."""
    parts, x = [], 0
    for text, colour, bold in line:
        if text.strip():
            left, shown = len(text) - len(text.lstrip()), text.strip()
            at = f'x="{MARGIN + (x + left) * CELL_WIDTH:.1f}" y="{BAR + y * CELL_HEIGHT + FONT}"'
            size = f'textLength="{len(shown) * CELL_WIDTH:.1f}"'
            fill = (
                "" if colour == "default" else f' style="fill:{COLOURS.get(colour, f"#{colour}")}"'
            )
            weight = ' class="bold"' if bold else ""
            parts.append(f"<text {at} {size}{weight}{fill}>{escape(shown, quote=False)}</text>")
        x += len(text)
    return "".join(parts)


if __name__ == "__main__":
    target = Path(__file__).parent / "solve.svg"
    target.write_text(svg(record()), encoding="utf-8")
    print(target)
