"""The table of completions or answers that were graded as they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from localsmc.evals.result_records import GRADER_FAILED, NO_ANSWER, RIGHT, TRUNCATED, UNGRADED
from localsmc.numerics.statistics import mean_share
from localsmc.report import table
from localsmc.report.table import Column, Table

COLUMNS = (
    Column("rows", "rows", table.count),
    Column("graded", "graded", table.count),
    Column("accuracy", "right", table.percent),
    Column("interval", "95 % interval", table.interval),
    Column("no_answer", "no answer", table.percent_or_none),
    Column("truncated", "truncated", table.percent_or_none),
    Column("grader_failed", "grader failed", table.percent_or_none),
)

NOTE = "The interval is Wilson's. Everything that is not right counts as wrong."


def given_table(lines: Sequence[dict[str, Any]]) -> Table:
    """The shares of the verdicts on lines of `evals.grade_texts`, as a report has them."""
    counts = Counter(line["verdict"] for line in lines)
    n = len(lines) - counts[UNGRADED]
    estimate = mean_share([1.0] * counts[RIGHT] + [0.0] * (n - counts[RIGHT]), 1) if n else None
    row = (
        len(lines),
        n,
        None if estimate is None else estimate[0],
        None if estimate is None else estimate[1:],
        *(counts[verdict] / n if n else None for verdict in (NO_ANSWER, TRUNCATED, GRADER_FAILED)),
    )
    return Table(name="given", title="Grades", columns=COLUMNS, rows=(row,), note=NOTE)
