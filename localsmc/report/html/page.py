"""The page: a single, self-contained HTML file that loads nothing from the network.

Charts and tables are rendered here and need no script; page.js draws the list of problems and the trees
of particles from the JSON data at the end of the page.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files

from localsmc.report.accuracy import PARTS, parts_of
from localsmc.report.cost import has_draft
from localsmc.report.groups import ResultGroup, ScoredGroup
from localsmc.report.html import charts
from localsmc.report.html.charts import Point
from localsmc.report.html.page_data import page_data
from localsmc.report.report import Report
from localsmc.report.table import Table
from localsmc.version import __version__

POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"
"""Nothing may be fetched, whatever a completion contains."""


def page(report: Report) -> str:
    """The HTML of a report."""
    sections = [
        _trade(report),
        _parts(report),
        _calibration(report),
        _steps(report),
        _comparisons(report),
        _problems(report),
        _traces(report),
    ]
    body = "\n".join(section for section in sections if section)
    notes = "".join(f"<li>{escape(line)}</li>" for line in report.heading)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>{escape(_title(report))}</title>
<style>
{_file("page.css")}</style>
</head>
<body>
<header>
<h1>{escape(_title(report))}</h1>
<ul class="notes">{notes}</ul>
</header>
<main>
{body}
</main>
<footer>localsmc {escape(__version__)}</footer>
<script type="application/json" id="data">{_data(report)}</script>
<script>
{_file("page.js")}</script>
</body>
</html>
"""


def _title(report: Report) -> str:
    names = [*(run.name for run in report.runs), *(trace.name for trace in report.traces)]
    return f"localsmc report: {', '.join(names)}"


def _file(name: str) -> str:
    return (files("localsmc.report.html") / name).read_text(encoding="utf-8")


def _data(report: Report) -> str:
    """JSON in which no string can end the script element: <, > and & are escaped."""
    data = json.dumps(page_data(report), ensure_ascii=True, separators=(",", ":"))
    return data.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


# --- elements -------------------------------------------------------------------------------------


def _section(name: str, heading: str, *parts: str) -> str:
    return f'<section id="{name}">\n<h2>{escape(heading)}</h2>\n{"".join(parts)}\n</section>'


def _figure(caption: str, chart: str, below: str = "") -> str:
    return f"<figure><figcaption>{escape(caption)}</figcaption>{chart}{below}</figure>"


def _figures(figures: Iterable[str]) -> str:
    return f'<div class="figures">{"".join(figures)}</div>'


def _table(table: Table | None, *, is_open: bool = False) -> str:
    """A collapsible table; wide tables scroll horizontally."""
    if table is None:
        return ""
    columns, rows = table.cells()
    kinds = ['class="n"' if column.is_number else "" for column in columns]
    head = "".join(
        f'<th scope="col" {kind}>{escape(column.head)}</th>'
        for kind, column in zip(kinds, columns, strict=True)
    )
    cells = [
        [f"<td {kind}>{escape(cell)}</td>" for kind, cell in zip(kinds, row, strict=True)] for row in rows
    ]
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in cells)
    note = f'<p class="note">{escape(table.note)}</p>' if table.note else ""
    return (
        f"<details{' open' if is_open else ''}><summary>{escape(table.title)}</summary>"
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(table.title)}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{note}</details>"
    )


class _Methods:
    """Numbers the methods, which determines their colours and shapes, and names them."""

    def __init__(self, groups: Sequence[ResultGroup]) -> None:
        self._keys = list(dict.fromkeys((group.run, group.method) for group in groups))

    def index(self, group: ResultGroup) -> int:
        return self._keys.index((group.run, group.method))

    def name(self, group: ResultGroup) -> str:
        return f"{group.method} ({group.run})" if group.run else group.method

    def legend(self, groups: Iterable[ResultGroup], *, is_lines: bool = False) -> str:
        named = dict.fromkeys((self.index(group), self.name(group)) for group in groups)
        return charts.legend(list(named), is_lines=is_lines)


def _places(groups: Iterable[ResultGroup]) -> list[tuple[str, list[ResultGroup]]]:
    """The groups that share a chart: one task and model."""
    found: dict[tuple[str, str], list[ResultGroup]] = {}
    for group in groups:
        found.setdefault(group.place, []).append(group)
    return [(" · ".join(place), some) for place, some in found.items()]


# --- sections -------------------------------------------------------------------------------------


def _trade(report: Report) -> str:
    methods = _Methods(report.groups)
    figures = []
    for place, groups in _places(report.groups):
        scored = [one for group in groups if group.graded for one in group.by_selector()]
        for cost, axis in _axes(groups).items():
            points = [point for one in scored if (point := _point(report, methods, one, cost)) is not None]
            if points:
                items = "".join(f"<li>{escape(point.description)}</li>" for point in points)
                below = f'<ol class="points">{items}</ol>'
                figures.append(_figure(f"{place}: {axis}", charts.trade(points, axis), below))
    tables = _table(report.table("accuracy"), is_open=True) + _table(
        report.table("cost"), is_open=not figures
    )
    if not figures:
        return _section("cost", "Cost", tables) if tables else ""
    legend = methods.legend(report.groups)
    note = (
        '<p class="note">The dashed line is the Pareto front: the highest accuracy at or below each cost.'
        f" {escape(report.costs.note(report.groups))}</p>"
    )
    return _section("accuracy", "Accuracy against cost", legend, _figures(figures), note, tables)


def _axes(groups: Iterable[ResultGroup]) -> dict[str, str]:
    """Costs to draw, and their names. Without a draft model, FLOPs are proportional to decoded tokens."""
    if any(map(has_draft, groups)):
        return {"seconds": "seconds", "rows": "decoded tokens of the target", "flops": "FLOPs"}
    return {"seconds": "seconds", "rows": "decoded tokens"}


def _point(report: Report, methods: _Methods, scored: ScoredGroup, cost: str) -> Point | None:
    ratio, estimate = report.costs.ratio(scored.group, cost), scored.accuracy
    if not ratio or estimate is None:
        return None
    selector = f", {scored.label}" if scored.label else ""
    return Point(methods.index(scored.group), methods.name(scored.group) + selector, ratio, estimate)


def _parts(report: Report) -> str:
    methods, blocks = _Methods(report.groups), []
    for name, part in PARTS.items():
        if report.table(name) is None:
            continue
        figures = []
        for place, groups in _places(report.groups):
            rows = []
            for value in parts_of(groups, part):
                some = [group.of(line for line in group.lines if part(line) == value) for group in groups]
                marks = [
                    (methods.index(group), methods.name(group), estimate)
                    for group in some
                    if (estimate := group.scored(group.main).accuracy) is not None
                ]
                rows.append((f"level {value}" if name == "level" else str(value), marks))
            if any(marks for _, marks in rows):
                figures.append(_figure(f"{place}: by {name}", charts.by_part(rows, name)))
        blocks.append(_figures(figures) + _table(report.table(name)))
    if not blocks:
        return ""
    return _section("parts", "By family and level", methods.legend(report.groups), *blocks)


def _calibration(report: Report) -> str:
    methods, figures = _Methods(report.groups), []
    for place, groups in _places(report.groups):
        found = [(methods.index(one.group), one) for one in report.calibrations if one.group in groups]
        if found:
            figures.append(_figure(place, charts.calibrated(found)))
    if not figures:
        return ""
    return _section(
        "calibration",
        "Calibration of answer weights",
        methods.legend([one.group for one in report.calibrations]),
        _figures(figures),
        _table(report.table("calibration"), is_open=True),
        _table(report.table("bins")),
    )


def _steps(report: Report) -> str:
    methods, figures, drawn = _Methods(report.groups), [], []
    for place, groups in _places(report.groups):
        several = [group for group in groups if not group.is_single]
        for name, label in (("ess", "ESS / N"), ("histories", "histories / N")):
            curves = [
                (methods.index(group), methods.name(group), values)
                for group in several
                if (values := charts.mean_steps(group, name))
            ]
            if curves:
                drawn += several
                figures.append(_figure(f"{place}: {label}", charts.steps(curves, label)))
    if not figures:
        return ""
    note = (
        '<p class="note">Means over the unfinished runs, up to the step where fewer than a tenth remain.'
        " ESS is the effective sample size; histories counts distinct histories.</p>"
    )
    return _section(
        "steps", "Particles over the steps", methods.legend(drawn, is_lines=True), _figures(figures), note
    )


def _comparisons(report: Report) -> str:
    names = ("differences", "models", "agreement", "seed", "pass", "spread", "missing")
    tables = [_table(report.table(name), is_open=name == "differences") for name in names]
    return _section("comparisons", "Comparisons", *tables) if any(tables) else ""


def _problems(report: Report) -> str:
    if not report.groups:
        return ""
    fallback = "<noscript><p>The list of problems and the trees need JavaScript.</p></noscript>"
    return _section("problems", "Problems", fallback, '<div id="list"></div>')


def _traces(report: Report) -> str:
    parts = []
    for i, trace in enumerate(report.traces):
        parts.append(f"<h3>{escape(trace.name)}</h3>")
        parts.append(
            f'<details><summary>Prompt</summary><pre class="text">{escape(trace.prompt)}</pre></details>'
        )
        if trace.steps:
            legend = charts.legend([(0, "effective sample size"), (1, "distinct histories")], is_lines=True)
            note = '<p class="note">Ticks at the top mark resampling steps.</p>'
            parts.append(
                legend + _figures([_figure("particles over the steps", charts.traced(trace))]) + note
            )
        parts.append(f'<div class="trace" data-trace="{i}"></div>')
    tables = [_table(report.table(name), is_open=name == "shares") for name in ("traces", "shares", "steps")]
    return _section("traces", "Traces", *parts, *tables) if parts else ""
