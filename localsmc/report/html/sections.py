"""The sections of the page as data: charts, tables and notes, for the templates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from localsmc.report import run_facts
from localsmc.report.accuracy import PARTS, parts_of
from localsmc.report.cost import has_draft
from localsmc.report.groups import ResultGroup
from localsmc.report.html import charts
from localsmc.report.html.charts import Point, Sample
from localsmc.report.html.svg import Chart
from localsmc.report.report import Report
from localsmc.report.table import Column, Table

Problems = Mapping[tuple[str, str], int]
"""The number of each problem's page, by task and problem."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A cell's text; `problem` is the number of the problem that it names."""

    text: str
    is_number: bool
    problem: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TableView:
    """A table as the page shows it: what is not open is behind a click."""

    heading: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    notes: str
    is_open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A chart with its caption."""

    caption: str
    chart: Chart


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A part of a section, in this order; `trace` is the number of a trace whose tree is drawn here."""

    heading: str = ""
    prompt: str | None = None
    samples: Sequence[Sample] = ()
    figures: Sequence[Figure] = ()
    is_large: bool = False
    note: str = ""
    tables: Sequence[TableView] = ()
    trace: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A section; `name` is its address in the page."""

    name: str
    heading: str
    blocks: Sequence[Block]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """A run at the top of the page; the heading is empty if there is only one."""

    heading: str
    facts: Sequence[tuple[str, str]]
    tables: Sequence[TableView]
    notes: Sequence[str]


class Sections:
    """Builds the sections of a report."""

    def __init__(self, report: Report, problems: Problems) -> None:
        self._report, self._problems = report, problems
        self._methods = _Methods(report.groups)

    def all(self) -> list[Section]:
        """The sections with content, in reading order."""
        found = [
            self._diff(),
            self._trade(),
            self._parts(),
            self._calibration(),
            self._steps(),
            self._comparisons(),
            self._traces(),
        ]
        return [section for section in found if section is not None]

    def runs(self) -> list[RunView]:
        """What each run was made of."""
        runs = self._report.runs
        return [
            RunView(
                heading=run.name if len(runs) > 1 else "",
                facts=run_facts.facts(run),
                tables=[
                    *self._table(run_facts.models(run), is_open=True),
                    *self._table(run_facts.methods(run), is_open=True),
                ],
                notes=[note.replace("`", "") for note in run.notes],
            )
            for run in runs
        ]

    # --- tables ---

    def _named(self, *names: str, opened: Iterable[str] = ()) -> list[TableView]:
        views = [self._table(self._report.table(name), is_open=name in set(opened)) for name in names]
        return [view for some in views for view in some]

    def _table(self, table: Table | None, *, is_open: bool = False) -> list[TableView]:
        if table is None:
            return []
        columns, rows = table.cells()
        keys = [column.key for column in columns]
        cells = [
            [
                Cell(text=text, is_number=column.is_number, problem=number if key == "problem" else None)
                for key, column, text in zip(keys, columns, row, strict=True)
            ]
            for row, number in zip(rows, self._numbers(table), strict=True)
        ]
        view = TableView(
            heading=table.heading, columns=columns, rows=cells, notes=table.notes, is_open=is_open
        )
        return [view]

    def _numbers(self, table: Table) -> list[int | None]:
        """The number of the problem that each row is about."""
        keys = [column.key for column in table.columns]
        if "problem" not in keys or "task" not in keys:
            return [None] * len(table.rows)
        task, problem = keys.index("task"), keys.index("problem")
        return [self._problems.get((row[task], row[problem])) for row in table.rows]

    # --- sections ---

    def _diff(self) -> Section | None:
        tables = self._named("made_of", "diff", "changed", opened=("made_of", "diff", "changed"))
        if not tables:
            return None
        return Section(name="diff", heading="Differences between the runs", blocks=[Block(tables=tables)])

    def _trade(self) -> Section | None:
        report, figures = self._report, []
        for place, groups in _places(report.groups):
            for cost, axis in _axes(groups).items():
                points = [point for one in groups if (point := self._point(one, cost)) is not None]
                if points:
                    figures.append(Figure(caption=f"{place}: {axis}", chart=charts.trade(points, axis)))
        opened = ("accuracy",) if figures else ("accuracy", "cost")
        tables = self._named("accuracy", "selectors", "cost", "sources", opened=opened)
        if not figures:
            return Section(name="cost", heading="Cost", blocks=[Block(tables=tables)]) if tables else None
        note = (
            "The dashed line is the Pareto front: the highest accuracy at or below each cost. Marks that"
            f" would cover each other stand side by side. {report.costs.note(report.groups)}"
        )
        block = Block(
            samples=self._methods.samples(report.groups),
            figures=figures,
            is_large=True,
            note=note,
            tables=tables,
        )
        return Section(name="accuracy", heading="Accuracy against cost", blocks=[block])

    def _point(self, group: ResultGroup, cost: str) -> Point | None:
        if not group.graded:
            return None
        ratio, estimate = self._report.costs.ratio(group, cost), group.scored(group.main).accuracy
        if not ratio or estimate is None:
            return None
        return Point(self._methods.index(group), self._methods.name(group), ratio, estimate)

    def _parts(self) -> Section | None:
        report, blocks = self._report, []
        for name in PARTS:
            if report.table(name) is not None:
                figures = [
                    Figure(caption=f"{place}: by {name}", chart=chart)
                    for place, groups in _places(report.groups)
                    if (chart := self._by_part(name, groups)) is not None
                ]
                blocks.append(Block(figures=figures, tables=self._named(name)))
        if not blocks:
            return None
        legend = Block(samples=self._methods.samples(report.groups))
        return Section(name="parts", heading="By family and level", blocks=[legend, *blocks])

    def _by_part(self, name: str, groups: Sequence[ResultGroup]) -> Chart | None:
        part, rows = PARTS[name], []
        for value in parts_of(groups, part):
            some = [group.of(line for line in group.lines if part(line) == value) for group in groups]
            marks = [
                (self._methods.index(group), self._methods.name(group), estimate)
                for group in some
                if (estimate := group.scored(group.main).accuracy) is not None
            ]
            if marks:  # none is graded otherwise
                rows.append((f"level {value}" if name == "level" else str(value), marks))
        return charts.by_part(rows, name) if rows else None

    def _calibration(self) -> Section | None:
        report, figures = self._report, []
        for place, groups in _places(report.groups):
            found = [
                (self._methods.index(one.group), one) for one in report.calibrations if one.group in groups
            ]
            if found:
                figures.append(Figure(caption=place, chart=charts.calibrated(found)))
        if not figures:
            return None
        block = Block(
            samples=self._methods.samples([one.group for one in report.calibrations]),
            figures=figures,
            tables=self._named("calibration", "bins", "confidence", opened=["calibration"]),
        )
        return Section(name="calibration", heading="Calibration of answer weights", blocks=[block])

    def _steps(self) -> Section | None:
        figures: list[Figure] = []
        drawn: list[ResultGroup] = []
        for place, groups in _places(self._report.groups):
            several = [group for group in groups if not group.is_single]
            for name, label in (("ess", "ESS / N"), ("histories", "histories / N")):
                curves = [
                    (self._methods.index(group), self._methods.name(group), values)
                    for group in several
                    if (values := charts.mean_steps(group, name))
                ]
                if curves:
                    drawn += several
                    figures.append(Figure(caption=f"{place}: {label}", chart=charts.steps(curves, label)))
        if not figures:
            return None
        note = (
            "Means over the unfinished runs, up to the step where fewer than a tenth remain. ESS is the"
            " effective sample size; histories counts distinct histories."
        )
        block = Block(samples=self._methods.samples(drawn, is_line=True), figures=figures, note=note)
        return Section(name="steps", heading="Particles over the steps", blocks=[block])

    def _comparisons(self) -> Section | None:
        names = (
            *("differences", "selector_differences", "models", "agreement", "seed", "pass", "spread"),
            *("evidence", "answers", "missing"),
        )
        tables = self._named(*names, opened=["differences"])
        if not tables:
            return None
        return Section(name="comparisons", heading="Comparisons", blocks=[Block(tables=tables)])

    def _traces(self) -> Section | None:
        blocks = []
        for i, trace in enumerate(self._report.traces):
            blocks.append(Block(heading=trace.name, prompt=trace.prompt))
            if trace.steps:
                samples = [Sample(0, "effective sample size", True), Sample(1, "distinct histories", True)]
                figure = Figure(caption="particles over the steps", chart=charts.traced(trace))
                note = "Ticks at the top mark resampling steps."
                blocks.append(Block(samples=samples, figures=[figure], note=note))
            blocks.append(Block(trace=i))
        if not blocks:
            return None
        tables = self._named("traces", "shares", "steps", opened=["shares"])
        return Section(name="traces", heading="Traces", blocks=[*blocks, Block(tables=tables)])


def _axes(groups: Iterable[ResultGroup]) -> dict[str, str]:
    """Costs to draw, and their names. Without a draft model, FLOPs are proportional to decoded tokens."""
    if any(map(has_draft, groups)):
        return {"seconds": "seconds", "rows": "decoded tokens of the target", "flops": "FLOPs"}
    return {"seconds": "seconds", "rows": "decoded tokens"}


def _places(groups: Iterable[ResultGroup]) -> list[tuple[str, list[ResultGroup]]]:
    """The groups that share a chart: one task and model."""
    found: dict[tuple[str, str], list[ResultGroup]] = {}
    for group in groups:
        found.setdefault(group.place, []).append(group)
    return [(" · ".join(place), some) for place, some in found.items()]


class _Methods:
    """Numbers the methods, which determines their colours and shapes, and names them."""

    def __init__(self, groups: Sequence[ResultGroup]) -> None:
        self._keys = list(dict.fromkeys((group.run, group.method) for group in groups))

    def index(self, group: ResultGroup) -> int:
        return self._keys.index((group.run, group.method))

    def name(self, group: ResultGroup) -> str:
        return f"{group.method} ({group.run})" if group.run else group.method

    def samples(self, groups: Iterable[ResultGroup], *, is_line: bool = False) -> list[Sample]:
        named = dict.fromkeys((self.index(group), self.name(group)) for group in groups)
        return [Sample(index, name, is_line) for index, name in named]
