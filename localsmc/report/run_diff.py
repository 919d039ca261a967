"""A diff of two runs: what they were made of, their accuracy, and the problems whose outcome changed.

Groups are paired by task, model and method. Where each run has one model, or one method, it may differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

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

_TOGETHER = "remove `--diff` to see both in one report"

Pair = tuple[ResultGroup, ResultGroup]


def check(runs: Sequence[RunRecord], traces: Sequence[RecordedTrace], groups: Sequence[ResultGroup]) -> None:
    """Raise ConfigError unless there are two runs that have work in common."""
    if traces or len(runs) != 2:
        n = len(runs) + len(traces)
        given = "a trace is given" if traces else f"{n} {'is' if n == 1 else 'are'} given"
        raise ConfigError(
            f"`--diff` compares two run folders, but {given}", hint="localsmc report OLD-RUN NEW-RUN --diff"
        )
    problems = [{(line.task, line.problem, line.question) for line in run.lines} for run in runs]
    if not problems[0] & problems[1]:
        raise ConfigError(f"`{runs[0].path}` and `{runs[1].path}` have no problem in common", hint=_TOGETHER)
    if not any(True for _ in _pairs(groups)):
        raise ConfigError(
            f"`{runs[0].path}` and `{runs[1].path}` have no task, model and method in common", hint=_TOGETHER
        )


def tables(runs: Sequence[RunRecord], groups: Sequence[ResultGroup]) -> list[Table | None]:
    """The tables of the diff of two runs, from the older to the newer."""
    old_name, new_name = _run_names(groups)
    rows = [
        difference_row(new.scored(new.main), old.scored(old.main), _name(old, new))
        for old, new in _pairs(groups)
    ]
    accuracy = difference_table("diff", f"Accuracy: {new_name} less {old_name}", rows)
    return [_made_of(runs), accuracy, _Changes(groups).table()]


def summary(groups: Sequence[ResultGroup]) -> str:
    """How many outcomes changed, in a sentence or several."""
    return _Changes(groups).summary


def _run_names(groups: Sequence[ResultGroup]) -> tuple[str, str]:
    old, new = dict.fromkeys(group.run for group in groups)
    return old, new


def _name(old: ResultGroup, new: ResultGroup) -> str:
    """The older group, by what it does not share with the newer one."""
    parts = ("model", "method")
    return " · ".join(getattr(old, part) for part in parts if getattr(old, part) != getattr(new, part))


def _pairs(groups: Sequence[ResultGroup]) -> Iterator[Pair]:
    old_name, _ = _run_names(groups)
    older = [group for group in groups if group.run == old_name]
    newer = [group for group in groups if group.run != old_name]
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


# --- what the runs were made of -------------------------------------------------------------------


def _made_of(runs: Sequence[RunRecord]) -> Table | None:
    """What differs between the manifests; None if nothing does."""
    old, new = (run.manifest.raw for run in runs)
    rows = [
        (part, line)
        for part in (*CONFIGURATION, "version", "machine")
        for line in _differences(part, comparable(old.get(part)), comparable(new.get(part)))
    ]
    if not rows:
        return None
    columns = (Column("part", "part"), Column("change", "change"))
    return Table(name="made_of", title="What the runs were made of", columns=columns, rows=tuple(rows))


def _differences(part: str, was: Any, now: Any) -> list[str]:
    """Differences in words; tasks, models and methods are compared by name."""
    if part not in ("tasks", "models", "draft", "methods"):
        return differences(part, was, now)
    before, after = ({row.get("label", row.get("name")): row for row in rows or ()} for rows in (was, now))
    lines = [f"{name} is removed" for name in before if name not in after]
    lines += [f"{name} is added" for name in after if name not in before]
    common = [name for name in before if name in after]
    return lines + [
        f"{name}: {line}" for name in common for line in differences(str(name), before[name], after[name])
    ]


# --- problems -------------------------------------------------------------------------------------


class _Changes:
    """The outcomes of two runs, and those that changed: the verdict or, without one, the answer."""

    def __init__(self, groups: Sequence[ResultGroup]) -> None:
        self._names = _run_names(groups)
        both = [(new, *lines) for old, new in _pairs(groups) for lines in _common(old, new)]
        self._found = [one for one in both if one[1].question == one[2].question]
        self._changed = [one for one in self._found if _has_changed(*one[1:])]
        self._n_asked_otherwise = len(both) - len(self._found)

    @property
    def summary(self) -> str:
        """How many outcomes changed."""
        parts = [f"{len(self._changed) or 'None'} of {len(self._found)} outcomes changed."]
        if others := sum(was.answer != now.answer for _, was, now in self._found) - self._n_new_answers:
            parts.append(f"Another answer with the same verdict: {others}.")
        if self._n_asked_otherwise:
            parts.append(f"Asked otherwise, so not compared: {self._n_asked_otherwise}.")
        return " ".join(parts)

    @property
    def _n_new_answers(self) -> int:
        return sum(was.answer != now.answer for _, was, now in self._changed)

    def table(self) -> Table | None:
        """The outcomes that changed; None if there is none."""
        rows = [
            (
                *(new.task, new.model, new.method),
                *(now.problem, now.seed, now.gold, _outcome(was), _outcome(now)),
            )
            for new, was, now in self._changed
        ]
        if not rows:
            return None
        columns = (
            Column("task", "task"),
            Column("model", "model"),
            Column("method", "method", shared=str),
            Column("problem", "problem"),
            Column("seed", "seed", shared="seed {}".format),
            Column("gold", "right answer"),
            *(
                Column(key, name, _told, are_words=True)
                for key, name in zip(("before", "after"), self._names, strict=True)
            ),
        )
        title = "Problems whose outcome changed"
        return Table(name="changed", title=title, columns=columns, rows=tuple(rows))


def _common(old: ResultGroup, new: ResultGroup) -> Iterator[tuple[ResultRecord, ResultRecord]]:
    before = {(line.problem, line.seed): line for line in old.lines}
    for line in new.lines:
        if (line.problem, line.seed) in before:
            yield before[line.problem, line.seed], line


def _has_changed(was: ResultRecord, now: ResultRecord) -> bool:
    if was.verdict != now.verdict:
        return True
    if was.verdict != UNGRADED or was.answer is None or now.answer is None:
        return was.verdict == UNGRADED and was.answer != now.answer
    return not answers.same(was.answer, now.answer, "any" if was.drawn is None else was.drawn.kind)


Outcome = tuple[str | None, str]


def _outcome(line: ResultRecord) -> Outcome:
    is_refused = line.drawn is not None and line.drawn.is_refused
    return line.answer, "refused" if is_refused else line.verdict


def _told(outcome: Outcome) -> str:
    """An answer with its verdict: "391, right"; the verdict alone without an answer."""
    answer, verdict = outcome
    words = verdict.replace("-", " ")
    if answer is None:
        return words
    return table.text(answer if verdict == UNGRADED else f"{answer}, {words}")
