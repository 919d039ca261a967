"""Differences of accuracy on the same problems: between methods, and between models."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any

from localsmc.errors import ConfigError
from localsmc.numerics.statistics import mcnemar, mean_difference
from localsmc.report import table
from localsmc.report.accuracy import SELECT, WHERE, told_main, where
from localsmc.report.groups import ResultGroup, ScoredGroup, means
from localsmc.report.table import Column, Table

NOTE = (
    "Percentage points on the problems that both have done. Intervals are Bonett and Price's for one seed,"
    " else those of 2,000 resamplings of the problems; p is McNemar's, exact, seed by seed."
)


def checked_against(groups: Sequence[ResultGroup], against: str | None) -> None:
    """Raise ConfigError where no method has this label."""
    labels = list(dict.fromkeys(group.method for group in groups))
    if against is None or against in labels:
        return
    near = get_close_matches(against, labels, 1)
    told = f"did you mean `--against {near[0]}`?" if near else f"there is: {', '.join(labels)}"
    raise ConfigError(f"no method of these runs is called `{against}`", hint=told)


def between_methods(groups: Sequence[ResultGroup], against: str | None) -> Table | None:
    """Every method against the first, or the one named; None where there is no pair."""
    pairs = []
    for group in groups:
        rivals = [one for one in groups if one.place == group.place]
        named = [one for one in rivals if one.method == against] if against else rivals
        # With two runs of the same method: the one of the same run, if it has it.
        here = [one for one in named if one.run == group.run] or named
        if here and here[0] is not group:
            pairs.append((group, here[0]))
    rows = [row for ours, theirs in pairs for row in _rows(ours, theirs, _told(theirs, theirs.method))]
    return _table("differences", "Differences between methods, paired by problem", rows)


def between_models(groups: Sequence[ResultGroup]) -> Table | None:
    """Every model against the first, by the same method on the same task; None where there is one."""
    pairs = []
    for group in groups:
        first = next(one for one in groups if (one.task, one.method) == (group.task, group.method))
        if first.model != group.model:
            pairs.append((group, first))
    rows = [row for ours, theirs in pairs for row in _rows(ours, theirs, _told(theirs, theirs.model))]
    return _table("models", "Differences between models, paired by problem", rows)


def _told(group: ResultGroup, name: str) -> str:
    return f"{name} ({group.run})" if group.run else name


def _table(name: str, title: str, rows: list[tuple[Any, ...]]) -> Table | None:
    if not rows:
        return None
    columns = (
        *WHERE,
        SELECT,
        Column("against", "against"),
        Column("against_select", "its select"),
        Column("problems", "problems", table.count),
        Column("difference", "points", table.points),
        Column("interval", "95 % interval", table.points_interval),
        Column("won", "won", table.figure),
        Column("lost", "lost", table.figure),
        Column("p", "p", table.p_values),
    )
    return Table(name=name, title=title, columns=columns, rows=tuple(rows), note=NOTE)


def _rows(ours: ResultGroup, theirs: ResultGroup, told: str) -> Iterator[tuple[Any, ...]]:
    for scored in ours.by_selector():
        # A vote is compared with the vote; with one answer, whatever it was selected by.
        is_alike = scored.selector in theirs.selectors and not theirs.is_single and not ours.is_single
        other = theirs.scored(scored.selector if is_alike else theirs.main)
        values = difference(scored, other)
        if values is not None:
            yield (*where(ours), scored.told, told, other.told or told_main(theirs), *values)


def difference(ours: ScoredGroup, theirs: ScoredGroup) -> tuple[Any, ...] | None:
    """Problems, difference, interval, problems won and lost, p by seed; None where none is common.

    Won and lost are means over the seeds; p is None where expected draws are neither right nor wrong.
    """
    first, second = _common(ours, theirs)
    ours_by, theirs_by = means(first), means(second)
    if not ours_by:
        return None
    problems = list(ours_by)
    seeds = sorted({seed for _, seed in first})
    values, others = ([by[problem] for problem in problems] for by in (ours_by, theirs_by))
    estimate = mean_difference(values, others, len(seeds))
    won = sum(first[key] * (1 - second[key]) for key in first)
    lost = sum(second[key] * (1 - first[key]) for key in first)
    is_plain = all(value in (0.0, 1.0) for value in (*first.values(), *second.values()))
    p = tuple(_p(first, second, seed) for seed in seeds) if is_plain else None
    return len(problems), estimate[0], estimate[1:], won / len(seeds), lost / len(seeds), p


Rights = dict[tuple[str, int], float]


def _common(ours: ScoredGroup, theirs: ScoredGroup) -> tuple[Rights, Rights]:
    """Both by problem and seed where both have that, else, with no seed in common, by problem alone."""
    first, second = ours.rights, theirs.rights
    keys = [key for key in first if key in second]
    if keys:
        return {key: first[key] for key in keys}, {key: second[key] for key in keys}
    ours_by, theirs_by = ours.means, theirs.means
    problems = [problem for problem in ours_by if problem in theirs_by]
    return ({(one, 0): by[one] for one in problems} for by in (ours_by, theirs_by))  # type: ignore[return-value]


def _p(first: Rights, second: Rights, seed: int) -> float:
    keys = [key for key in first if key[1] == seed]
    wins = sum(first[key] > second[key] for key in keys)
    losses = sum(first[key] < second[key] for key in keys)
    return mcnemar(wins, losses)
