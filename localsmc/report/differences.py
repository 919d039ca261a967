"""Paired differences in accuracy on the same problems, between methods and between models."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from typing import Any

from localsmc.errors import ConfigError
from localsmc.numerics.statistics import mcnemar, mean_difference
from localsmc.report import table
from localsmc.report.accuracy import SELECT, WHERE, main_label, where
from localsmc.report.groups import ResultGroup, ScoredGroup, means
from localsmc.report.table import Column, Table

NOTE = "Percentage points on the problems that both have completed; p is McNemar's exact test, per seed."
DETAILS = (
    "Intervals are Bonett and Price's for one seed, otherwise from 2,000 bootstrap resamples of the problems."
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
    """Every method against the first, or against the named one, each with its run's selector; None if there
    is no pair.
    """  # noqa: D205
    rows = [_main_row(*pair) for pair in _rivals(groups, against)]
    return difference_table("differences", "Differences between methods, paired by problem", rows)


def between_selectors(groups: Sequence[ResultGroup], against: str | None) -> Table | None:
    """As `between_methods`, with every selector of each method; None if no method has several."""
    several = [pair for pair in _rivals(groups, against) if len(pair[0].selectors) > 1]
    rows = [row for pair in several for row in _rows(*pair)]
    return difference_table("selector_differences", "Differences by selector, paired by problem", rows)


def _rivals(
    groups: Sequence[ResultGroup], against: str | None
) -> Iterator[tuple[ResultGroup, ResultGroup, str]]:
    """Each group with the group that it is compared with, and the name of that one."""
    for group in groups:
        rivals = [one for one in groups if one.place == group.place]
        named = [one for one in rivals if one.method == against] if against else rivals
        # If several runs have the method, prefer the same run.
        here = [one for one in named if one.run == group.run] or named
        if here and here[0] is not group:
            yield group, here[0], _name(here[0], here[0].method)


def between_models(groups: Sequence[ResultGroup]) -> Table | None:
    """Every model against the first, with the same method and task; None if there is only one model."""
    rows = []
    for group in groups:
        first = next(one for one in groups if (one.task, one.method) == (group.task, group.method))
        if first.model != group.model:
            rows.append(_main_row(group, first, _name(first, first.model)))
    return difference_table("models", "Differences between models, paired by problem", rows)


def _name(group: ResultGroup, name: str) -> str:
    return f"{name} ({group.run})" if group.run else name


def difference_table(name: str, title: str, found: Iterable[tuple[Any, ...] | None]) -> Table | None:
    """A table of `difference_row`s; None if there is none."""
    rows = [row for row in found if row is not None]
    if not rows:
        return None
    columns = (
        *WHERE,
        SELECT,
        Column("against", "against", shared="against {}".format),
        Column("against_select", "its selector"),
        Column("problems", "problems", table.count, shared=table.problems),
        Column("difference", "points", table.points),
        Column("interval", "95 % interval", table.points_interval),
        Column("won", "won", table.figure, is_detail=True),
        Column("lost", "lost", table.figure, is_detail=True),
        Column("p", "p", table.p_values),
    )
    return Table(name=name, title=title, columns=columns, rows=tuple(rows), note=NOTE, details=DETAILS)


def _rows(group: ResultGroup, against: ResultGroup, name: str) -> Iterator[tuple[Any, ...]]:
    for scored in group.by_selector():
        # Compare the same selector if both have it, otherwise the selector that the other run used.
        is_alike = scored.selector in against.selectors and not against.is_single and not group.is_single
        other = against.scored(scored.selector if is_alike else against.main)
        row = difference_row(scored, other, name)
        if row is not None:
            yield row


def _main_row(group: ResultGroup, against: ResultGroup, name: str) -> tuple[Any, ...] | None:
    return difference_row(group.scored(group.main), against.scored(against.main), name)


def difference_row(scored: ScoredGroup, other: ScoredGroup, name: str) -> tuple[Any, ...] | None:
    """The cells of a comparison with `other`, called `name`; None without common problems."""
    values = difference(scored, other)
    if values is None:
        return None
    return (*where(scored.group), scored.label, name, other.label or main_label(other.group), *values)


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
