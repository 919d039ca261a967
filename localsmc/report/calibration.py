"""Calibration: how well the weight of an answer matches the probability that it is right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from localsmc.evals.result_records import RIGHT, ResultRecord
from localsmc.numerics.statistics import Bin, brier, calibration_bins, calibration_error, resampled
from localsmc.report import table
from localsmc.report.accuracy import COLUMNS, WHERE, where
from localsmc.report.groups import ResultGroup
from localsmc.report.table import Column, Table

NOTE = (
    "Uses the heaviest answer of each problem; problems without an answer are left out. Brier is the mean"
    " squared difference of weight and outcome. ECE (expected calibration error) is the mean difference of"
    " weight and accuracy over the bins, weighted by size. Both are best at 0."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Calibration of a group's heaviest answers: bins, Brier score with its interval, and ECE (`error`)."""

    group: ResultGroup
    n: int
    n_problems: int
    bins: list[Bin]
    brier: tuple[float, float, float]
    error: float


def calibration(group: ResultGroup) -> Calibration | None:
    """Calibration of a group; None if it is ungraded, has one completion per problem, or is partial."""
    claims = [claim for claim in map(_claim, group.graded) if claim is not None]
    if not claims or group.is_single or group.is_partial:
        return None
    problems = [problem for problem, _, _ in claims]
    weights, rights = (np.array([claim[k] for claim in claims], dtype=np.float64) for k in (1, 2))
    bins = calibration_bins(weights, rights, problems)
    squares: dict[str, list[float]] = {}
    for problem, square in zip(problems, (weights - rights) ** 2, strict=True):
        squares.setdefault(problem, []).append(float(square))
    by_problem = np.array([np.mean(some) for some in squares.values()])
    _, low, high = resampled(len(by_problem), lambda some: float(by_problem[some].mean()))
    return Calibration(
        group=group,
        n=len(claims),
        n_problems=len(squares),
        bins=bins,
        brier=(brier(weights, rights), low, high),
        error=calibration_error(bins),
    )


def _claim(line: ResultRecord) -> tuple[str, float, float] | None:
    """The problem, the weight of its heaviest answer, and whether that answer is right (1 or 0)."""
    all_shares = line.drawn.shares if line.drawn is not None else ()
    shares = [share for share in all_shares if share.answer is not None]
    if not shares:
        return None
    heaviest = max(shares, key=lambda share: share.weight)
    return line.problem, min(1.0, heaviest.weight), float(line.verdict_of(heaviest.answer) == RIGHT)


def scores(found: Sequence[Calibration]) -> Table | None:
    """The scores of every method with weights; None if there is none."""
    rows = [(*where(one.group), one.n_problems, one.brier[0], one.brier[1:], one.error) for one in found]
    columns = (
        *WHERE,
        Column("problems", "problems", table.count),
        Column("brier", "Brier", table.figure),
        Column("interval", "95 % interval", lambda ends: f"{ends[0]:.3f} to {ends[1]:.3f}"),
        Column("ece", "ECE", table.figure),
    )
    if not rows:
        return None
    return Table(
        name="calibration",
        title="Calibration of answer weights",
        columns=columns,
        rows=tuple(rows),
        note=NOTE,
    )


def bins(found: Sequence[Calibration]) -> Table | None:
    """The bins of every method with weights; None if there is none."""
    rows = [
        (
            *where(one.group),
            f"{each.low:.0%} to {each.high:.0%}",
            each.n,
            each.n_problems,
            each.weight,
            each.right,
            each.interval,
        )
        for one in found
        for each in one.bins
    ]
    columns = (
        *WHERE,
        Column("bin", "weight"),
        Column("answers", "answers", table.count),
        Column("problems", "problems", table.count),
        Column("weight", "mean weight", table.percent),
        Column("accuracy", "right", table.percent),
        Column("interval", "95 % interval", table.interval),
    )
    if not rows:
        return None
    note = "If the weights are calibrated, the share of right answers is close to the mean weight."
    return Table(name="bins", title="Calibration by bin", columns=columns, rows=tuple(rows), note=note)


WORDS = ("high", "medium", "low")


def in_words(groups: Sequence[ResultGroup]) -> Table | None:
    """Accuracy by confidence (high, medium, low); None if the runs report no confidence."""
    rows = []
    for group in groups:
        for word in WORDS:
            lines = [line for line in group.graded if line.drawn and line.drawn.confidence == word]
            scored = group.of(lines).scored(group.main)
            if (estimate := scored.accuracy) is not None:
                row = (word, len(lines), len(scored.means), estimate[0], estimate[1:])
                rows.append((*where(group), *row))
    columns = (
        *WHERE,
        Column("confidence", "confidence"),
        Column("answers", "answers", table.count),
        *COLUMNS[5:8],
    )
    if not rows:
        return None
    note = "The confidence that the run reported for its answers, and how often these were right."
    return Table(
        name="confidence", title="Accuracy by confidence", columns=columns, rows=tuple(rows), note=note
    )
