"""A diff of two runs: what they were made of, their accuracy, and the problems whose outcome changed.

Groups are paired by task, model and method. Where each run has one model, or one method, it may differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from localsmc.errors import ConfigError
from localsmc.evals.manifest_differences import differences
from localsmc.evals.result_records import UNGRADED, ResultRecord
from localsmc.evals.run_folder import CONFIGURATION, RunRecord, comparable
from localsmc.report import table
from localsmc.report.differences import difference_row, difference_table
from localsmc.report.groups import ResultGroup
from localsmc.report.table import Column, Table
from localsmc.report.trace_file import RecordedTrace
from localsmc.text import answers

Pair = tuple[ResultGroup, ResultGroup]


def check(runs: Sequence[RunRecord], traces: Sequence[RecordedTrace]) -> None:
    """Raise ConfigError unless there are two runs that have a problem in common."""
    if traces or len(runs) != 2:
        n = len(runs) + len(traces)
        given = "a trace is given" if traces else f"{n} {'is' if n == 1 else 'are'} given"
        raise ConfigError(
            f"`--diff` compares two run folders, but {given}", hint="localsmc report OLD-RUN NEW-RUN --diff"
        )
    problems = [{(line.task, line.problem, line.question) for line in run.lines} for run in runs]
    if not problems[0] & problems[1]:
        raise ConfigError(
            f"`{runs[0].path}` and `{runs[1].path}` have no problem in common",
            hint="remove `--diff` to see both in one report",
        )


def tables(runs: Sequence[RunRecord], groups: Sequence[ResultGroup]) -> list[Table | None]:
    """The tables of the diff of two runs, from the older to the newer."""
    pairs = list(_pairs(groups, [group.run for group in groups]))
    rows = [difference_row(new.scored(new.main), old.scored(old.main), _name(old, new)) for old, new in pairs]
    names = list(dict.fromkeys(group.run for group in groups))
    return [
        _settings(runs),
        difference_table("diff", f"Accuracy of {names[-1]} less {names[0]}, paired by problem", rows),
        _changed(pairs, names[0], names[-1]),
    ]


def _name(old: ResultGroup, new: ResultGroup) -> str:
    """The older group, by what it does not share with the newer one."""
    parts = [getattr(old, part) for part in ("model", "method") if getattr(old, part) != getattr(new, part)]
    return " · ".join([*parts, old.run])


def _pairs(groups: Sequence[ResultGroup], runs: Sequence[str]) -> Iterator[Pair]:
    first = runs[0] if len(set(runs)) == 2 else None
    names = list(dict.fromkeys(runs))
    older = [group for group in groups if group.run == names[0]]
    newer = [group for group in groups if group.run == names[-1]] if first is not None else []
    may_differ = [
        part
        for part in ("model", "method")
        if all(len({getattr(group, part) for group in some}) == 1 for some in (older, newer))
    ]
    parts = [part for part in ("task", "model", "method") if part not in may_differ]
    for old in older:
        for new in newer:
            if all(getattr(old, part) == getattr(new, part) for part in parts):
                yield old, new


# --- settings -------------------------------------------------------------------------------------


def _settings(runs: Sequence[RunRecord]) -> Table | None:
    """What differs between the manifests; None if nothing does."""
    old, new = (run.manifest.raw for run in runs)
    rows = [
        (part, line)
        for part in (*CONFIGURATION, "version", "machine")
        for line in differences(part, comparable(old.get(part)), comparable(new.get(part)))
    ]
    if not rows:
        return None
    columns = (Column("part", "part"), Column("change", "change"))
    return Table(name="settings", title="What the runs were made of", columns=columns, rows=tuple(rows))


# --- problems -------------------------------------------------------------------------------------


def _changed(pairs: Sequence[Pair], old_name: str, new_name: str) -> Table | None:
    """The problems whose verdict or, without one, whose answer changed; None if there is none."""
    found = [(old, new, *both) for old, new in pairs for both in _common(old, new)]
    rows = [
        (new.task, new.model, new.method, was.problem, now.seed, now.gold, _outcome(was), _outcome(now))
        for _, new, was, now in found
        if _has_changed(was, now)
    ]
    if not rows:
        return None
    n_other = sum(
        was.question == now.question and not _has_changed(was, now) and was.answer != now.answer
        for _, _, was, now in found
    )
    n_asked_otherwise = sum(was.question != now.question for _, _, was, now in found)
    columns = (
        Column("task", "task"),
        Column("model", "model"),
        Column("method", "method", shared="{}"),
        Column("problem", "problem"),
        Column("seed", "seed", shared="seed {}"),
        Column("gold", "right answer"),
        Column("before", old_name, _told),
        Column("after", new_name, _told),
    )
    note = f"{len(rows)} of {len(found)} outcomes changed."
    note += f" {n_other} more have another answer and the same verdict." if n_other else ""
    note += f" {n_asked_otherwise} were asked otherwise, and are not compared." if n_asked_otherwise else ""
    return Table(
        name="changed", title="Problems whose outcome changed", columns=columns, rows=tuple(rows), note=note
    )


def _common(old: ResultGroup, new: ResultGroup) -> Iterator[tuple[ResultRecord, ResultRecord]]:
    before = {(line.problem, line.seed): line for line in old.lines}
    for line in new.lines:
        if (line.problem, line.seed) in before:
            yield before[line.problem, line.seed], line


def _has_changed(was: ResultRecord, now: ResultRecord) -> bool:
    if was.question != now.question:
        return False
    if was.verdict != now.verdict:
        return True
    if was.verdict != UNGRADED or was.answer is None or now.answer is None:
        return was.verdict == UNGRADED and was.answer != now.answer
    return not answers.same(was.answer, now.answer, "any" if was.drawn is None else was.drawn.kind)


Outcome = tuple[str | None, str]


def _outcome(line: ResultRecord) -> Outcome:
    return line.answer, line.verdict


def _told(outcome: Outcome) -> str:
    """An answer with its verdict: "391, right"; the verdict alone without an answer."""
    answer, verdict = outcome
    words = verdict.replace("-", " ")
    if answer is None:
        return words
    return table.text(answer if verdict == UNGRADED else f"{answer}, {words}")
