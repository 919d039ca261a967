"""A report: the runs and traces read, and all tables computed from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from localsmc.errors import RunError
from localsmc.evals.run_folder import MAKE, RunRecord, read_run
from localsmc.report import (
    accuracy,
    agreement,
    answer_sources,
    calibration,
    differences,
    evidence_variance,
    run_diff,
    run_facts,
    trace_tables,
)  # fmt: skip
from localsmc.report.agreement import completeness
from localsmc.report.calibration import Calibration
from localsmc.report.cost import Costs
from localsmc.report.groups import ResultGroup, grouped
from localsmc.report.table import Table, csv_text, markdown, markdown_text, text
from localsmc.report.trace_file import RecordedTrace, read_trace
from localsmc.version import __version__


def report(paths: Sequence[Path], against: str | None = None, *, is_diff: bool = False) -> Report:
    """Read run folders and traces into one report.

    `against` is the label of the method to compare the others with; the default is the first method.
    `is_diff` adds what differs between two runs, of which the first is the older. Raises RunError if a path
    cannot be read, and ConfigError if no method has that label, or if two runs cannot be compared.
    """
    runs: list[RunRecord] = []
    traces: list[RecordedTrace] = []
    for path in _each_once(paths):
        if path.is_dir():
            runs.append(read_run(path))
        elif path.name == "results.jsonl" and (path.parent / "manifest.json").exists():
            raise RunError(f"`{path}` is part of a run", hint=f"localsmc report {path.parent}")
        elif path.exists():
            traces.append(read_trace(path))
        else:
            raise RunError(f"no run at `{path}`", hint=MAKE)
    found = Report(runs=tuple(runs), traces=tuple(traces), against=against, is_diff=is_diff)
    if is_diff:
        run_diff.check(found.runs, found.traces, found.groups)
    if runs:
        differences.checked_against(found.groups, against)
    return found


def _each_once(paths: Sequence[Path]) -> list[Path]:
    """Drop repeated paths, also if they are written differently."""
    return list({path.resolve(): path for path in reversed(paths)}.values())[::-1]


@dataclass(frozen=True, kw_only=True)
class Report:
    """The runs and traces read, the groups of their lines, and the tables that have content."""

    runs: tuple[RunRecord, ...]
    traces: tuple[RecordedTrace, ...]
    against: str | None = None
    is_diff: bool = False

    @cached_property
    def groups(self) -> list[ResultGroup]:
        """The lines by task, model and method."""
        return grouped(self.runs, are_kept_apart=self.is_diff)

    @cached_property
    def names(self) -> dict[str, str]:
        """Method names by label."""
        return {label: name for run in self.runs for label, name in run.manifest.names.items()}

    @cached_property
    def costs(self) -> Costs:
        """The costs of the groups."""
        configs = {label: config for run in self.runs for label, config in run.manifest.methods.items()}
        return Costs(self.groups, self.names, configs)

    @cached_property
    def calibrations(self) -> list[Calibration]:
        """Calibration of the groups that have weights and graded problems."""
        found = [calibration.calibration(group) for group in self.groups]
        return [one for one in found if one is not None]

    @cached_property
    def tables(self) -> tuple[Table, ...]:
        """All tables with content, in reading order."""
        groups = self.groups
        candidates = [
            *(run_diff.tables(self.runs, groups) if self.is_diff else ()),
            agreement.missing(self.runs),
            accuracy.accuracy(groups, self.costs),
            answer_sources.answer_sources(groups),
            self.costs.table(groups),
            differences.between_methods(groups, self.against),
            differences.between_models(groups),
            accuracy.selectors(groups, self.costs),
            differences.between_selectors(groups, self.against),
            accuracy.by_part(groups, "family"),
            accuracy.by_part(groups, "level"),
            accuracy.by_seed(groups),
            self._pass[0],
            calibration.scores(self.calibrations),
            calibration.bins(self.calibrations),
            calibration.in_words(self.groups),
            evidence_variance.spread(groups),
            agreement.agreement(groups),
            agreement.spread(groups),
            agreement.distributions(groups),
            *self._traced(),
        ]
        return tuple(table for table in candidates if table is not None)

    def _traced(self) -> list[Table | None]:
        if not self.traces:
            return []
        return [
            trace_tables.summary(self.traces),
            trace_tables.shares(self.traces),
            trace_tables.steps(self.traces),
        ]

    @cached_property
    def _pass(self) -> tuple[Table | None, str]:
        return accuracy.pass_table(self.groups, self.names)

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What is left out, and why; of a diff, how much changed."""
        lines = [note for trace in self.traces for note in trace.notes]
        if self.is_diff:
            lines.append(run_diff.summary(self.groups))
        if self.runs and not any(group.graded for group in self.groups):
            lines.append("no accuracy table: none of these problems has a known answer")
        elif self._pass[1] and self.runs:
            lines.append(self._pass[1])
        return tuple(lines)

    @cached_property
    def heading(self) -> tuple[str, ...]:
        """Some lines per run or trace read, with notes about it."""
        lines = []
        for run in self.runs:
            lines.append(f"{text(run.path)}: {completeness(run)}")
            lines.append(f"date: {run_facts.date(run)}; machine: {run_facts.machine(run)}")
            tasks = "; ".join(map(run_facts.task, run.manifest.raw["tasks"]))
            lines.append(f"{tasks}; seeds {', '.join(map(str, run.manifest.seeds))}")
            lines += run.notes
        for trace in self.traces:
            lines.append(f"{text(trace.path)}: a trace of {text(trace.method)}, {len(trace.steps)} steps")
        return (*lines, *self.notes)

    def table(self, name: str) -> Table | None:
        """The table with this name, or None."""
        return next((table for table in self.tables if table.name == name), None)

    # --- output formats ---

    def to_markdown(self) -> str:
        """All tables in Markdown."""
        head = "\n".join(f"- {markdown_text(line)}" for line in self.heading)
        return "\n\n".join(["# localsmc report", head, *map(markdown, self.tables)]) + "\n"

    def to_json(self) -> dict[str, Any]:
        """All tables by name, unrounded, with the runs and traces read."""
        return {
            "version": __version__,
            "runs": [
                {
                    "path": str(run.path),
                    "done": len(run.lines),
                    "of": run.manifest.n_lines,
                    "manifest": run.manifest.raw,
                }
                for run in self.runs
            ],
            "traces": [str(trace.path) for trace in self.traces],
            "notes": list(self.heading),
            "tables": {table.name: table.to_json() for table in self.tables},
        }

    def to_csv(self) -> str:
        """Accuracy, one row per method, then by selector, family, level and seed, as CSV.

        If nothing is graded, the cost table; for traces only, the table of steps.
        """
        tables = {table.name: table for table in self.tables}
        main = next((tables[name] for name in ("accuracy", "cost", "steps") if name in tables), None)
        if main is None:
            return ""
        if main.name == "accuracy":
            labels = {"selectors": "selector", "family": "family", "level": "level", "seed": "seed"}
            parts = [({"by": label}, tables[name]) for name, label in labels.items() if name in tables]
            return csv_text([({"by": "", "value": ""}, main), *parts])
        return csv_text([({}, main)])
