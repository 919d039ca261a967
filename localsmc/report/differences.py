"""Paired differences in accuracy on the same problems, between methods and between models."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any

from localsmc.errors import ConfigError
from localsmc.numerics.statistics import mcnemar, mean_difference
from localsmc.report import table
from localsmc.report.accuracy import SELECT, WHERE, main_label, where
from localsmc.report.groups import ResultGroup, ScoredGroup, means
from localsmc.report.table import Column, Table

NOTE = (
    "Percentage points on the problems that both have completed. Intervals are Bonett and Price's for one"
    " seed, otherwise from 2,000 bootstrap resamples of the problems; p is McNemar's exact test, per seed."
)


def checked_against(groups: Sequence[ResultGroup], against: str | None) -> None:
    """Raise ConfigError if no method has this label."""
    labels = list(dict.fromkeys(group.method for group in groups))
    if against is None or against in labels:
        return
    near = get_close_matches(against, labels, 1)
    hint = f"did you mean `--against {near[0]}`?" if near else f"choose from: {', '.join(labels)}"
    raise ConfigError(f"no method of these runs is called `{against}`", hint=hint)


def between_methods(groups: Sequence[ResultGroup], against: str | None) -> Table | None:
    """Every method against the first, or against the named one; None if there is no pair."""
    pairs = []
    for group in groups:
        rivals = [one for one in groups if one.place == group.place]
        named = [one for one in rivals if one.method == against] if against else rivals
        # If several runs have the method, prefer the same run.
        here = [one for one in named if one.run == group.run] or named
        if here and here[0] is not group:
            pairs.append((group, here[0]))
    rows = [row for group, other in pairs for row in _rows(group, other, _name(other, other.method))]
    return _table("differences", "Differences between methods, paired by problem", rows)


def between_models(groups: Sequence[ResultGroup]) -> Table | None:
    """Every model against the first, with the same method and task; None if there is only one model."""
    pairs = []
    for group in groups:
        first = next(one for one in groups if (one.task, one.method) == (group.task, group.method))
        if first.model != group.model:
            pairs.append((group, first))
    rows = [row for group, other in pairs for row in _rows(group, other, _name(other, other.model))]
    return _table("models", "Differences between models, paired by problem", rows)


def _name(group: ResultGroup, name: str) -> str:
    return f"{name} ({group.run})" if group.run else name


def _table(name: str, title: str, rows: list[tuple[Any, ...]]) -> Table | None:
    if not rows:
        return None
    columns = (
        *WHERE,
        SELECT,
        Column("against", "against"),
        Column("against_select", "its selector"),
        Column("problems", "problems", table.count),
        Column("difference", "points", table.points),
        Column("interval", "95 % interval", table.points_interval),
        Column("won", "won", table.figure),
        Column("lost", "lost", table.figure),
        Column("p", "p", table.p_values),
    )
    return Table(name=name, title=title, columns=columns, rows=tuple(rows), note=NOTE)


def _rows(group: ResultGroup, against: ResultGroup, name: str) -> Iterator[tuple[Any, ...]]:
    for scored in group.by_selector():
        # Compare the same selector if both have it, otherwise the selector that the other run used.
        is_alike = scored.selector in against.selectors and not against.is_single and not group.is_single
        other = against.scored(scored.selector if is_alike else against.main)
        values = difference(scored, other)
        if values is not None:
            yield (*where(group), scored.label, name, other.label or main_label(against), *values)


def difference(scored: ScoredGroup, other: ScoredGroup) -> tuple[Any, ...] | None:
    """Problems, difference, interval, problems won and lost, p by seed; None without common problems.

    Won and lost are means over the seeds; p is None if an outcome is a probability (expected draws).
    """
    first, second = _common(scored, other)
    first_means, second_means = means(first), means(second)
    if not first_means:
        return None
    problems = list(first_means)
    seeds = sorted({seed for _, seed in first})
    values, others = ([by[problem] for problem in problems] for by in (first_means, second_means))
    estimate = mean_difference(values, others, len(seeds))
    won = sum(first[key] * (1 - second[key]) for key in first)
    lost = sum(second[key] * (1 - first[key]) for key in first)
    is_plain = all(value in (0.0, 1.0) for value in (*first.values(), *second.values()))
    p = tuple(_p(first, second, seed) for seed in seeds) if is_plain else None
    return len(problems), estimate[0], estimate[1:], won / len(seeds), lost / len(seeds), p


Rights = dict[tuple[str, int], float]


def _common(scored: ScoredGroup, other: ScoredGroup) -> tuple[Rights, Rights]:
    """Common outcomes by problem and seed; if no seed is common, means by problem."""
    first, second = scored.rights, other.rights
    keys = [key for key in first if key in second]
    if keys:
        return {key: first[key] for key in keys}, {key: second[key] for key in keys}
    problems = [problem for problem in scored.means if problem in other.means]
    return ({(one, 0): by[one] for one in problems} for by in (scored.means, other.means))  # type: ignore[return-value]


def _p(first: Rights, second: Rights, seed: int) -> float:
    keys = [key for key in first if key[1] == seed]
    wins = sum(first[key] > second[key] for key in keys)
    losses = sum(first[key] < second[key] for key in keys)
    return mcnemar(wins, losses)
