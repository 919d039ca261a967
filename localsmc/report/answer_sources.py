"""How answers were found: in a box, in a statement, by a closing request, or as the last number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from localsmc.report import table
from localsmc.report.accuracy import COLUMNS, WHERE, where
from localsmc.report.groups import ResultGroup
from localsmc.report.table import Column, Table
from localsmc.results import AnswerSource

NOTE = (
    "The selected answer of each problem and seed. Boxed and stated answers are in the text; concluded ones"
    " were read after a closing request. A fallback is the value of the last equation, or the last number, of"
    " a text without an answer, in numeric tasks only: it is a guess at what the model means."
)
_NONE = "none"


def answer_sources(groups: Sequence[ResultGroup]) -> Table | None:
    """The share of the answers from each source, and of right ones among them; None if none is recorded."""
    rows = []
    for group in groups:
        lines = [(line.drawn.source, line) for line in group.lines if line.drawn is not None]
        # Versions that did not record the source left it out for every answer.
        if not any(source for source, _ in lines):
            continue
        for name in (*get_args(AnswerSource), _NONE):
            of_source = [line for source, line in lines if (source or _NONE) == name]
            if not of_source:
                continue
            scored = group.of(of_source).scored(group.main)
            estimate = scored.accuracy
            right, interval = (None, None) if estimate is None else (estimate[0], estimate[1:])
            row = (name, len(of_source), len(of_source) / len(lines), right, interval)
            rows.append((*where(group), *row))
    if not rows:
        return None
    columns = (
        *WHERE,
        Column("source", "found"),
        Column("answers", "answers", table.count),
        Column("share", "share", table.percent),
        *COLUMNS[6:8],
    )
    return Table(name="sources", title="How answers were found", columns=columns, rows=tuple(rows), note=NOTE)
