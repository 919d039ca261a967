"""The lines of all runs, grouped by task, model and method, and scored under every selector."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from localsmc.evals.result_records import RIGHT, UNGRADED, ResultRecord
from localsmc.evals.run_folder import RunRecord
from localsmc.numerics.statistics import Estimate, mean_share
from localsmc.selection import BY_LOGP, SELECTORS


@dataclass(frozen=True, kw_only=True)
class ResultGroup:
    """All lines of one method on one model and task.

    `run` names the run if several must be distinguished, otherwise it is empty. `machine` is the machine
    that the seconds were measured on, `sources` the run folders that the lines come from.
    """

    run: str
    task: str
    model: str
    method: str
    lines: tuple[ResultRecord, ...]
    machine: str = ""
    sources: tuple[str, ...] = ()

    @property
    def place(self) -> tuple[str, str]:
        """Task and model; only groups with the same place are compared."""
        return self.task, self.model

    @cached_property
    def particles(self) -> int:
        """N, the maximum over the lines; 1 if every line failed."""
        return max((line.drawn.particles for line in self.lines if line.drawn is not None), default=1)

    @cached_property
    def main(self) -> str:
        """The selector that the run used."""
        return next((line.drawn.select for line in self.lines if line.drawn is not None), "draw")

    @cached_property
    def is_single(self) -> bool:
        """Whether each problem has at most one completion, so that there is nothing to select from."""
        drawn = [line.drawn for line in self.lines if line.drawn is not None]
        return all(sum(one.count for one in each.completions) <= 1 for each in drawn)

    @cached_property
    def is_partial(self) -> bool:
        """Whether completions that could not win were dropped, so that the rest is not a sample."""
        return any(line.drawn is not None and line.drawn.is_partial for line in self.lines)

    @cached_property
    def has_logp(self) -> bool:
        """Whether every completion has a log-probability; a cascade's target does not score all of them."""
        drawn = [line.drawn for line in self.lines if line.drawn is not None]
        return all(one.logp is not None for each in drawn for one in each.completions)

    @cached_property
    def selectors(self) -> tuple[str, ...]:
        """The applicable selectors, the one that the run used first."""
        if self.is_single or self.is_partial:
            return (self.main,)
        others = (name for name in SELECTORS if self.has_logp or name not in BY_LOGP)
        return (self.main, *(name for name in others if name != self.main))

    @cached_property
    def graded(self) -> tuple[ResultRecord, ...]:
        """The lines of problems with known answers."""
        return tuple(line for line in self.lines if line.verdict != UNGRADED and line.gold is not None)

    @cached_property
    def n_seeds(self) -> int:
        """The number of seeds."""
        return len({line.seed for line in self.lines})

    def of(self, lines: Iterable[ResultRecord]) -> ResultGroup:
        """The group restricted to these lines."""
        return replace(self, lines=tuple(lines))

    def scored(self, selector: str) -> ScoredGroup:
        """The group under one selector."""
        outcomes = {(line.problem, line.seed): line.outcome(selector) for line in self.graded}
        is_numeric = any(line.drawn is not None and line.drawn.kind == "numeric" for line in self.graded)
        fallback = float(np.mean([line.fallback(selector) for line in self.graded])) if is_numeric else None
        can_refuse = any(one.is_refused for line in self.graded if line.drawn for one in line.drawn.shares)
        refused = float(np.mean([line.refused(selector) for line in self.graded])) if can_refuse else None
        return ScoredGroup(
            group=self, selector=selector, outcomes=outcomes, fallback=fallback, refused=refused
        )

    def by_selector(self) -> Iterator[ScoredGroup]:
        """The group under each of its selectors."""
        return map(self.scored, self.selectors)


@dataclass(frozen=True, kw_only=True)
class ScoredGroup:
    """A group under a selector: the probability of each verdict, by problem and seed.

    `fallback` is the share of answers that are fallbacks; None if the task has none. `refused` is the share
    of refusals, which are among those without an answer; None if no completion is one.
    """

    group: ResultGroup
    selector: str
    outcomes: dict[tuple[str, int], dict[str, float]]
    fallback: float | None = None
    refused: float | None = None

    @property
    def label(self) -> str:
        """The selector as tables show it; empty with one completion, "draw, expected" for expected draws."""
        if self.group.is_single:
            return ""
        is_expected = self.selector == "draw" != self.group.main
        return "draw, expected" if is_expected else self.selector

    @cached_property
    def rights(self) -> dict[tuple[str, int], float]:
        """By problem and seed: 1 if right, else 0; a probability for expected draws."""
        return {key: outcome.get(RIGHT, 0.0) for key, outcome in self.outcomes.items()}

    @cached_property
    def means(self) -> dict[str, float]:
        """The mean of `rights` over the seeds, by problem."""
        return means(self.rights)

    @property
    def accuracy(self) -> Estimate | None:
        """The share of right answers with its interval; None if nothing is graded."""
        if not self.means:
            return None
        return mean_share(list(self.means.values()), len({seed for _, seed in self.rights}))

    def share(self, verdict: str) -> float | None:
        """The share of this verdict; None if nothing is graded."""
        if not self.outcomes:
            return None
        return float(np.mean([outcome.get(verdict, 0.0) for outcome in self.outcomes.values()]))


def means(values: dict[tuple[str, int], float]) -> dict[str, float]:
    """Average values by problem and seed within each problem."""
    by_problem: dict[str, list[float]] = {}
    for (problem, _), value in values.items():
        by_problem.setdefault(problem, []).append(value)
    return {problem: sum(some) / len(some) for problem, some in by_problem.items()}


def grouped(runs: Sequence[RunRecord], *, are_kept_apart: bool = False) -> list[ResultGroup]:
    """The groups of all runs in manifest order; runs are kept separate if they overlap, or if asked for."""
    has_overlap = are_kept_apart or _have_overlap(runs)
    names = _distinct_names(runs)
    versions = _task_versions(runs)
    found: list[ResultGroup] = []
    for run, name in zip(runs, names, strict=True):
        by_key: dict[tuple[str, str, str], list[ResultRecord]] = {}
        for line in run.lines:
            by_key.setdefault((line.task, line.model, line.method), []).append(line)
        for task in run.manifest.tasks:
            label = f"{task.name} v{task.version}" if len(versions[task.name]) > 1 else task.name
            found += [
                ResultGroup(
                    run=name if has_overlap else "",
                    task=label,
                    model=model,
                    method=method,
                    lines=tuple(by_key[task.name, model, method]),
                    machine=repr(run.manifest.raw.get("machine")),
                    sources=(name,),
                )
                for model in run.manifest.models
                for method in run.manifest.methods
                if (task.name, model, method) in by_key
            ]
    return _in_order(found)


def _in_order(groups: list[ResultGroup]) -> list[ResultGroup]:
    """Sort by task, model and method, each in the order of first appearance."""
    tasks, models, methods = (
        {name: i for i, name in enumerate(dict.fromkeys(getattr(group, part) for group in groups))}
        for part in ("task", "model", "method")
    )
    return sorted(groups, key=lambda one: (tasks[one.task], models[one.model], methods[one.method]))


def _have_overlap(runs: Sequence[RunRecord]) -> bool:
    """Whether runs share work, or use one name for different configurations or models."""
    work = Counter(key for run in runs for key in {(one.task, one.model, one.method) for one in run.lines})
    configs: dict[str, set[str]] = {}
    hashes: dict[str, set[str | None]] = {}
    for run in runs:
        for label, config in run.manifest.methods.items():
            configs.setdefault(label, set()).add(repr(sorted(config.items())))
        for model, sha256 in run.manifest.models.items():
            hashes.setdefault(model, set()).add(sha256)
    return any(n > 1 for n in (*work.values(), *map(len, configs.values()), *map(len, hashes.values())))


def _distinct_names(runs: Sequence[RunRecord]) -> list[str]:
    """The folders' names, or their paths if several have the same name."""
    counts = Counter(run.name for run in runs)
    return [run.name if counts[run.name] == 1 else str(run.path) for run in runs]


def _task_versions(runs: Sequence[RunRecord]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for run in runs:
        for task in run.manifest.tasks:
            found.setdefault(task.name, set()).add(task.version)
    return found
