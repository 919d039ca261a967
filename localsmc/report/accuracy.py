"""Accuracy tables: overall, by family, level and seed, and pass@k."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from localsmc.evals.result_records import FAILED, GRADER_FAILED, NO_ANSWER, TRUNCATED, ResultRecord
from localsmc.numerics.statistics import pass_at_k, resampled_mean
from localsmc.report import table
from localsmc.report.cost import Costs
from localsmc.report.groups import ResultGroup, ScoredGroup
from localsmc.report.table import Column, Table

WHERE = (Column("run", "run"), Column("task", "task"), Column("model", "model"), Column("method", "method"))
SELECT = Column("select", "select")

COLUMNS = (
    *WHERE,
    SELECT,
    Column("problems", "problems", table.count, shared=table.problems),
    Column("accuracy", "right", table.percent),
    Column("interval", "95 % interval", table.interval),
    Column("no_answer", "no answer", table.percent_or_none, hides_zero=True),
    Column("refused", "refused", table.percent_or_none, hides_zero=True),
    Column("truncated", "truncated", table.percent_or_none, hides_zero=True),
    Column("grader_failed", "grader failed", table.percent_or_none, hides_zero=True),
    Column("failed", "failed", table.percent_or_none, hides_zero=True),
    Column("fallback", "fallback", table.percent_or_none, hides_zero=True),
    Column("times_seconds", "seconds ×", table.figure),
)

NOTE = (
    "The unit is the problem. Everything that is not right counts as wrong; the columns between the interval"
    " and the seconds give the reasons."
)
DETAILS = (
    "Intervals are Wilson's for one seed; for several seeds and for expected draws, they come from 2,000"
    " bootstrap resamples of the problem means. Refused ones are among those without an answer: the text says"
    " that the model cannot answer. A fallback is the last number of a text that states no answer, which"
    " numeric tasks take for one."
)
SELECTOR_NOTE = (
    "Each method's completions under every selector; the accuracy table has the one that the run used. An"
    " expected draw is the total weight of the right answers; it is shown if the run used another selector."
)


def where(group: ResultGroup) -> tuple[str, str, str, str]:
    """The cells of the WHERE columns."""
    return group.run, group.task, group.model, group.method


def accuracy(groups: Sequence[ResultGroup], costs: Costs) -> Table | None:
    """Every method with the selector that the run used; None if nothing is graded."""
    rows = [_row(group.scored(group.main), costs) for group in groups if group.graded]
    if not rows:
        return None
    return Table(
        name="accuracy", title="Accuracy", columns=COLUMNS, rows=tuple(rows), note=NOTE, details=DETAILS
    )


def selectors(groups: Sequence[ResultGroup], costs: Costs) -> Table | None:
    """Every method with each of its selectors; None if no method has several."""
    several = [group for group in groups if group.graded and len(group.selectors) > 1]
    rows = [_row(scored, costs) for group in several for scored in group.by_selector()]
    if not rows:
        return None
    return Table(name="selectors", title="By selector", columns=COLUMNS, rows=tuple(rows), note=SELECTOR_NOTE)


def _row(scored: ScoredGroup, costs: Costs) -> tuple[Any, ...]:
    estimate, group = scored.accuracy, scored.group
    verdicts = [scored.share(verdict) for verdict in (TRUNCATED, GRADER_FAILED, FAILED)]
    return (
        *where(group),
        scored.label,
        len(scored.means),
        None if estimate is None else estimate[0],
        None if estimate is None else estimate[1:],
        scored.share(NO_ANSWER),
        scored.refused,
        *verdicts,
        scored.fallback,
        costs.ratio(group, "seconds"),
    )


Part = Callable[[ResultRecord], Any]
PARTS: dict[str, Part] = {"family": lambda line: line.family, "level": lambda line: line.level}


def parts_of(groups: Iterable[ResultGroup], part: Part) -> list[Any]:
    """The families or levels in the groups, sorted."""
    return sorted({part(line) for group in groups for line in group.lines} - {None})


def by_part(groups: Sequence[ResultGroup], name: str) -> Table | None:
    """Accuracy with the run's selector, by family or level; None if there is only one."""
    part = PARTS[name]
    values = parts_of(groups, part)
    rows = []
    for value in values if len(values) > 1 else ():
        for group in groups:
            scored = group.of(line for line in group.lines if part(line) == value).scored(group.main)
            if (estimate := scored.accuracy) is not None:
                head = (*where(group), main_label(group), value)
                rows.append((*head, len(scored.means), estimate[0], estimate[1:]))
    if not rows:
        return None
    columns = (*WHERE, SELECT, Column("value", name), *COLUMNS[5:8])
    return Table(name=name, title=f"By {name}", columns=columns, rows=tuple(rows))


def main_label(group: ResultGroup) -> str:
    """The selector that the run used, as tables show it."""
    return "" if group.is_single else group.main


def by_seed(groups: Sequence[ResultGroup]) -> Table | None:
    """Accuracy with the run's selector, by seed; None if there is only one seed."""
    rows = []
    for group in groups:
        for seed in sorted({line.seed for line in group.graded}) if group.n_seeds > 1 else ():
            scored = group.of(line for line in group.lines if line.seed == seed).scored(group.main)
            estimate = scored.accuracy
            if estimate is not None:
                head = (*where(group), main_label(group), seed)
                rows.append((*head, len(scored.means), estimate[0], estimate[1:]))
    if not rows:
        return None
    columns = (*WHERE, SELECT, Column("value", "seed"), *COLUMNS[5:8])
    return Table(
        name="seed", title="By seed", columns=columns, rows=tuple(rows), note="Intervals are Wilson's."
    )


# --- pass@k --------------------------------------------------------------------------------------


def pass_table(groups: Sequence[ResultGroup], names: dict[str, str]) -> tuple[Table | None, str]:
    """pass@k of independent samples, or the reason for its absence. `names` are method names by label."""
    fitting = [one for one in groups if names[one.method] == "sample" and one.particles > 1 and one.graded]
    if not fitting:
        return (
            None,
            "pass@k is left out: it needs independent samples, which sample gives with N of 2 or more",
        )
    drawn = [line.drawn for group in fitting for line in group.lines if line.drawn is not None]
    if any(one.spent.reductions for one in drawn):
        return None, "pass@k is left out: the samples are not independent, because memory was short"
    columns = (
        *WHERE,
        Column("k", "k", table.count),
        COLUMNS[5],
        Column("pass", "pass@k", table.percent),
        COLUMNS[7],
    )
    note = "1 − C(n − c, k) / C(n, k), with c right answers among n samples per problem, all seeds together."
    rows = tuple(row for group in fitting for row in _pass_rows(group))
    title = "pass@k: at least one of k samples is right"
    return Table(name="pass", title=title, columns=columns, rows=rows, note=note), ""


def _pass_rows(group: ResultGroup) -> list[tuple[Any, ...]]:
    counts: dict[str, tuple[int, int]] = {}
    for line in group.graded:
        n, n_right = counts.get(line.problem, (0, 0))
        n_drawn = sum(one.count for one in line.drawn.completions) if line.drawn is not None else 0
        # A failed run counts as `particles` samples, none of them right.
        counts[line.problem] = n + (n_drawn or group.particles), n_right + line.n_right
    most = min(n for n, _ in counts.values())
    rows = []
    for k in sorted({*(2**i for i in range(most.bit_length())), most}):
        mean, low, high = resampled_mean([pass_at_k(n, c, k) for n, c in counts.values()])
        rows.append((*where(group), k, len(counts), mean, (low, high)))
    return rows
