"""Tables of traces: a summary of each, its answers, and its steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from localsmc.report import table
from localsmc.report.table import Column, Table
from localsmc.report.trace_file import RecordedTrace, TraceStep

MOST_STEPS = 25

_TRACE = Column("trace", "trace")


def summary(traces: Sequence[RecordedTrace]) -> Table:
    """The summary table, one row per trace."""
    columns = (
        _TRACE,
        Column("model", "model"),
        Column("method", "method"),
        Column("particles", "N", table.count),
        Column("seed", "seed"),
        Column("outcome", "outcome"),
        Column("answer", "answer"),
        Column("steps", "steps", table.count),
        Column("rows", "decoded tokens", table.count),
        Column("rows_share", "decoded tokens/(N·steps)", table.figure),
        Column("ess", "mean ESS/N", table.figure),
        Column("least_ess", "min ESS", table.figure),
        Column("histories", "max histories", table.count),
        Column("resamplings", "resamplings", table.count),
        Column("reductions", "reductions", table.count),
        Column("log_z", "log Z", table.figure),
    )
    return Table(name="traces", title="Traces", columns=columns, rows=tuple(map(_summary_row, traces)))


def _summary_row(trace: RecordedTrace) -> tuple[Any, ...]:
    steps, n = trace.steps, trace.particles
    rows = sum(step.rows for step in steps)
    head = (
        trace.name,
        trace.model,
        trace.method,
        n,
        trace.seed,
        trace.outcome,
        trace.answer,
        len(steps),
        rows,
    )
    if not steps:
        return (*head, None, None, None, None, 0, 0, trace.log_z)
    return (
        *head,
        rows / (n * len(steps)),
        sum(step.ess for step in steps) / (n * len(steps)),
        min(step.ess for step in steps),
        max(step.histories for step in steps),
        sum(step.resampled for step in steps),
        sum(step.reductions for step in steps),
        trace.log_z,
    )


def shares(traces: Sequence[RecordedTrace]) -> Table | None:
    """The answers with their weights; None if no trace is complete."""
    rows = tuple(
        (trace.name, share.answer, share.weight, share.count) for trace in traces for share in trace.shares
    )
    if not rows:
        return None
    columns = (
        _TRACE,
        Column("answer", "answer"),
        Column("weight", "weight", table.percent),
        Column("count", "particles", table.count),
    )
    return Table(name="shares", title="Answers of the traces", columns=columns, rows=rows)


def steps(traces: Sequence[RecordedTrace]) -> Table | None:
    """The steps, thinned out except for those that resampled; None if there are none."""
    rows = tuple(
        (trace.name, one.step, one.alpha, one.rows, one.histories, one.ess, one.forks, one.resampled)
        for trace in traces
        for one in _thinned(trace.steps)
    )
    if not rows:
        return None
    columns = (
        _TRACE,
        Column("step", "step", table.count),
        Column("alpha", "alpha", table.figure),
        Column("rows", "decoded tokens", table.count),
        Column("histories", "histories", table.count),
        Column("ess", "ESS", table.figure),
        Column("forks", "forks", table.count),
        Column("resampled", "resampled", lambda was: "yes" if was else ""),
    )
    is_whole = len(rows) == sum(len(trace.steps) for trace in traces)
    note = "" if is_whole else "Some steps are left out; all steps that resampled are shown. "
    note += "ESS is measured before resampling."
    return Table(name="steps", title="Steps of the traces", columns=columns, rows=rows, note=note)


def _thinned(all_of: Sequence[TraceStep]) -> list[TraceStep]:
    every = max(1, -(-len(all_of) // MOST_STEPS))
    last = len(all_of) - 1
    return [step for i, step in enumerate(all_of) if i % every == 0 or i == last or step.resampled]
