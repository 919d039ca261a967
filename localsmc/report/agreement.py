"""Completeness of runs, agreement between methods, and the spread of answers."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from localsmc.evals.result_records import RIGHT, ResultRecord
from localsmc.evals.run_folder import RunRecord
from localsmc.report import table
from localsmc.report.accuracy import WHERE, where
from localsmc.report.groups import ResultGroup
from localsmc.report.table import Column, Table
from localsmc.results import AnswerShare
from localsmc.text import answers, refusal


def completeness(run: RunRecord) -> str:
    """How much of a run is done, e.g. "300 of 300 problems are done", per model, method and seed."""
    done, total = len(run.lines), run.manifest.n_lines
    progress = f"{done:,} of {total:,} problems are done (counted per model, method and seed)"
    n_failed = sum(line.drawn is None for line in run.lines)
    failed = f"; {n_failed:,} of them failed" if n_failed else ""
    return progress + failed + ("" if done >= total else "; the run is unfinished")


def missing(runs: Sequence[RunRecord]) -> Table | None:
    """The models and methods of unfinished runs with missing problems; None if all runs are complete."""
    rows = []
    for run in runs:
        seeds = len(run.manifest.seeds)
        for task, model, method in itertools.product(
            run.manifest.tasks, run.manifest.models, run.manifest.methods
        ):
            key = task.name, model, method
            done = sum((line.task, line.model, line.method) == key for line in run.lines)
            expected = task.n_problems * seeds
            if done < expected:
                rows.append((run.name, *key, done, expected))
    if not rows:
        return None
    columns = (*WHERE, Column("done", "done", table.count), Column("wanted", "of", table.count))
    note = "Comparisons use the problems that both sides have completed; all other figures use every line."
    return Table(name="missing", title="Not done yet", columns=columns, rows=tuple(rows), note=note)


def agreement(groups: Sequence[ResultGroup]) -> Table | None:
    """How often two methods on the same model give the same answer; None if there is no pair."""
    rows = []
    for first, second in itertools.combinations(groups, 2):
        if first.place == second.place:
            others = {(line.problem, line.seed): line for line in second.lines}
            pairs = [
                (line, others[line.problem, line.seed])
                for line in first.lines
                if (line.problem, line.seed) in others
            ]
            if pairs:
                name = f"{second.method} ({second.run})" if second.run else second.method
                rows.append((*where(first), name, *_agreed(pairs)))
    if not rows:
        return None
    columns = (
        *WHERE,
        Column("other", "with"),
        Column("problems", "problems", table.count),
        Column("same", "same answer", table.percent),
        Column("both", "both right", table.percent),
        Column("first", "only the first", table.percent),
        Column("second", "only the second", table.percent),
        Column("neither", "neither", table.percent),
    )
    note = "Selected answers, compared per problem and seed. A missing answer agrees with no other."
    return Table(name="agreement", title="Agreement", columns=columns, rows=tuple(rows), note=note)


def _agreed(pairs: Sequence[tuple[ResultRecord, ResultRecord]]) -> tuple[Any, ...]:
    n_problems = len({line.problem for line, _ in pairs})
    same = [b.answer is not None and _are_same(a, b.answer) for a, b in pairs]
    graded: list[tuple[bool, ...]] = [
        (a.verdict == RIGHT, b.verdict == RIGHT) for a, b in pairs if a.gold is not None
    ]
    if not graded:
        return n_problems, float(np.mean(same)), None, None, None, None
    shares = [graded.count(case) / len(graded) for case in itertools.product((True, False), repeat=2)]
    return n_problems, float(np.mean(same)), *shares


def _are_same(line: ResultRecord, answer: str) -> bool:
    return answers.same(line.answer, answer, "any" if line.drawn is None else line.drawn.kind)


def spread(groups: Sequence[ResultGroup]) -> Table | None:
    """How many answers each method finds, and how their weight is spread; None with one particle."""
    rows = []
    for group in groups:
        drawn = [line.drawn for line in group.lines if line.drawn is not None and line.drawn.shares]
        if not group.is_single and not group.is_partial and drawn:
            heaviest = [max(share.weight for share in one.shares) for one in drawn]
            unanswered = [sum(share.weight for share in one.shares if share.answer is None) for one in drawn]
            ess = [line.steps.ess.mean() / group.particles for line in group.lines if line.steps.ess.size]
            n_answers = [sum(share.answer is not None for share in one.shares) for one in drawn]
            cells = (n_answers, heaviest, unanswered, ess)
            rows.append(
                (*where(group), len(drawn), *(float(np.mean(some)) if some else None for some in cells))
            )
    if not rows:
        return None
    columns = (
        *WHERE,
        Column("runs", "runs", table.count),
        Column("answers", "different answers", table.figure),
        Column("heaviest", "heaviest weight", table.percent),
        Column("unanswered", "weight without answer", table.percent_or_none),
        Column("ess", "ESS/N", table.figure),
    )
    note = "Means over problems and seeds; ESS is also averaged over the steps of each run."
    return Table(name="spread", title="Spread of answers", columns=columns, rows=tuple(rows), note=note)


N_SHOWN = 5


def distributions(groups: Sequence[ResultGroup]) -> Table | None:
    """The answers with their weights per problem, for ungraded runs; None if all runs are graded."""
    lines = [(group, line) for group in groups if not group.graded for line in group.lines]
    rows = sorted(
        [(*where(group), line.problem, line.seed, _shown(line)) for group, line in lines],
        key=lambda row: (row[1], row[4]),
    )
    if not rows:
        return None
    columns = (
        *WHERE,
        Column("problem", "problem"),
        Column("seed", "seed"),
        Column("answers", "answers by weight"),
    )
    note = "The correct answers of these problems are not known, so nothing is graded."
    return Table(name="answers", title="Answers", columns=columns, rows=tuple(rows), note=note)


def _shown(line: ResultRecord) -> str:
    if line.drawn is None:
        return f"failed: {line.error or 'no reason given'}"
    shown = [f"{_named(share)} {share.weight:.0%}" for share in line.drawn.shares]
    more = [f"{len(shown) - N_SHOWN} others"] if len(shown) > N_SHOWN else []
    return " · ".join([*shown[:N_SHOWN], *more])


def _named(share: AnswerShare) -> str:
    return refusal.NAME if share.is_refused else share.answer or "no answer"
