"""The data of the page's script: problems, lines with their answers and trees, traces."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from localsmc.evals.result_records import ResultRecord
from localsmc.report.groups import ResultGroup
from localsmc.report.html.prefix_tree import prefix_tree, trace_tree
from localsmc.report.report import Report
from localsmc.report.trace_file import RecordedTrace
from localsmc.results import AnswerShare
from localsmc.text import refusal

MOST_DETAIL = 16_000_000
"""Maximum total characters of trees and curves; later lines have answers only, to keep the page fast."""

MOST_POINTS = 240
MOST_ANSWERS = 8


def problem_numbers(report: Report) -> dict[tuple[str, str], int]:
    """The number of each problem's page, by task and problem."""
    keys = dict.fromkeys((group.task, line.problem) for group in report.groups for line in group.lines)
    return {key: number for number, key in enumerate(keys)}


def page_data(report: Report) -> dict[str, Any]:
    """The problems, the groups, the lines (which refer to both by number), and the traces."""
    numbers = problem_numbers(report)
    lines = [
        (numbers[group.task, line.problem], i, line)
        for i, group in enumerate(report.groups)
        for line in group.lines
    ]
    problems: dict[int, dict[str, Any]] = {}
    for number, i, line in lines:
        problems.setdefault(number, _problem(report.groups[i].task, line))
    # The first seed of every problem comes first: MOST_DETAIL may not suffice for all.
    in_order = sorted(lines, key=lambda one: (one[2].seed, one[0], one[1]))
    written, n_bare = _lines(in_order)
    return {
        "problems": [problems[number] for number in sorted(problems)],
        "groups": [_group(report, group) for group in report.groups],
        "lines": written,
        "bare": n_bare,
        "traces": [_trace(trace) for trace in report.traces],
    }


def _problem(task: str, line: ResultRecord) -> dict[str, Any]:
    return {
        "id": line.problem,
        "task": task,
        "family": line.family,
        "level": line.level,
        "q": line.question,
        "gold": line.gold,
    }


def _group(report: Report, group: ResultGroup) -> dict[str, Any]:
    several = {
        name: len({getattr(one, name) for one in report.groups}) > 1 for name in ("task", "model", "run")
    }
    parts = [group.method, *(getattr(group, name) for name, has_several in several.items() if has_several)]
    return {"label": " · ".join(part for part in parts if part), "n": group.particles, "task": group.task}


def _lines(lines: Sequence[tuple[int, int, ResultRecord]]) -> tuple[list[dict[str, Any]], int]:
    """The lines as the script expects them, and the number of lines without a tree.

    `v` is the verdict, or `refusal` for one.
    """
    written, n_bare, left = [], 0, MOST_DETAIL
    for problem, group, line in lines:
        entry: dict[str, Any] = {
            "p": problem,
            "g": group,
            "s": line.seed,
            "v": refusal.NAME if line.drawn is not None and line.drawn.is_refused else line.verdict,
            "a": line.answer,
            "e": line.error,
            "w": _shares(line.drawn.shares if line.drawn else (), line),
            "cost": None
            if line.drawn is None
            else [line.drawn.spent.rows, round(line.drawn.spent.seconds, 2)],
            "sel": line.drawn.select if line.drawn else "",
        }
        if left > 0 and line.drawn is not None and line.drawn.histories:
            tree, n_dropped = prefix_tree(line)
            detail = {"tree": tree, "dropped": n_dropped, **_curves(line)}
            left -= len(json.dumps(detail))
            entry |= detail
        elif line.drawn is not None:
            n_bare += 1
        written.append(entry)
    return written, n_bare


def _shares(shares: Sequence[AnswerShare], line: ResultRecord | None) -> list[list[Any]]:
    """Answer, weight and verdict (or `refusal`), heaviest first; the rest is summed under False."""
    found: list[list[Any]] = [
        [share.answer, round(share.weight, 5), _verdict(share, line)] for share in shares[:MOST_ANSWERS]
    ]
    rest = shares[MOST_ANSWERS:]
    return [*found, [False, round(sum(share.weight for share in rest), 5), ""]] if rest else found


def _verdict(share: AnswerShare, line: ResultRecord | None) -> str:
    if share.is_refused:
        return refusal.NAME
    return line.verdict_of(share.answer) if line else ""


def _curves(line: ResultRecord) -> dict[str, Any]:
    every = max(1, -(-len(line.steps.ess) // MOST_POINTS))
    return {
        "every": every,
        "ess": _rounded(line.steps.ess, every),
        "hist": _rounded(line.steps.histories, every),
    }


def _rounded(values: NDArray[np.float64], every: int) -> list[float]:
    return [round(float(value), 2) for value in values[::every]]


def _trace(trace: RecordedTrace) -> dict[str, Any]:
    tree, n_dropped = trace_tree(trace)
    return {"name": trace.name, "tree": tree, "dropped": n_dropped, "w": _shares(trace.shares, None)}
