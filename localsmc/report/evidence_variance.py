"""Spread of the log evidence estimates over seeds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from localsmc.report import table
from localsmc.report.accuracy import WHERE, where
from localsmc.report.groups import ResultGroup
from localsmc.report.table import Column, Table

NOTE = (
    "Standard deviation of the estimate log Ẑ over the seeds of a problem: its median and 90th percentile"
    " over the problems, and the root mean square, which a few hard problems dominate."
)


def spread(groups: Sequence[ResultGroup]) -> Table | None:
    """The standard deviation of log Ẑ over seeds; None if no method with log Ẑ has several seeds."""
    rows = []
    for group in groups:
        found: dict[str, list[float]] = {}
        for line in group.lines:
            if line.drawn is not None and line.drawn.log_z is not None:
                found.setdefault(line.problem, []).append(line.drawn.log_z)
        deviations = [float(np.std(some, ddof=1)) for some in found.values() if len(some) > 1]
        if deviations:
            root = float(np.sqrt(np.mean(np.square(deviations))))
            median, most = np.percentile(deviations, [50, 90]).tolist()
            rows.append((*where(group), len(deviations), median, most, root))
    columns = (
        *WHERE,
        Column("problems", "problems", table.count),
        Column("median", "median sd", table.figure),
        Column("most", "90th percentile", table.figure),
        Column("root", "root mean square", table.figure),
    )
    if not rows:
        return None
    return Table(name="evidence", title="Log evidence", columns=columns, rows=tuple(rows), note=NOTE)
