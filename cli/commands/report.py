"""`localsmc report`: summarises run folders and traces as tables, files and an HTML page."""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from localsmc.errors import ConfigError, RunError
from localsmc.system.atomic_write import write_whole
from localsmc.system.user_dirs import cache_folder, expand_user
from localsmc_cli.options import common_options
from localsmc_cli.ui.command_session import CommandSession
from localsmc_cli.ui.output import is_terminal

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as RichTable

    from localsmc.report import Report
    from localsmc.report.table import Column, Table

_EXAMPLES = """\b
Examples:
  localsmc report run --html report.html
  localsmc solve "What is 17 * 23?" --trace run.jsonl && localsmc report run.jsonl --html run.html

A RUN is a folder written by eval, finished or not, or a trace file written by `solve --trace`. Several runs
are combined, or compared with --diff. The tables are printed to standard output, unless `-` sends something
else there.
"""

_tables = common_options.section("Tables")
_files = common_options.section("Files")
_a_file = functools.partial(_files, each_time=common_options.THE_RESULT)


@dataclass(kw_only=True, frozen=True)
class ReportOptions:
    """All options of `localsmc report`."""

    all_tables: bool
    against: str | None
    diff: bool
    html: str | None
    open: bool
    csv: str | None
    json: str | None
    markdown: str | None
    quiet: bool


@click.command(cls=common_options.ConfigurableCommand, epilog=_EXAMPLES)
@click.argument("runs", nargs=-1, metavar="RUN...", shell_complete=common_options.completed_as("FILE"))
@_tables(
    "--all",
    "all_tables",
    is_flag=True,
    default=False,
    help="Also show tables by selector, family, level and seed, pass@k and calibration.",
)
@_tables(
    "--against",
    metavar="METHOD",
    help="Baseline: compare the other methods with this one.  [default: the first]",
)
@_tables(
    "--diff",
    is_flag=True,
    default=False,
    help="Compare two runs, the older one first: settings, accuracy, and problems whose outcome changed.",
)
@_a_file(
    "--html", metavar="FILE", help="Write a self-contained page: charts, every problem and its particles."
)
@_files(
    "--open",
    is_flag=True,
    default=False,
    help="Open the page in a browser; without --html, it is written to the cache folder.",
)
@_a_file(
    "--csv", metavar="FILE|-", help="Write accuracy as CSV: by method, selector, family, level and seed."
)
@_a_file("--json", metavar="FILE|-", help="Write all tables as JSON, unrounded.")
@_a_file("--markdown", metavar="FILE|-", help="Write all tables as Markdown.")
@_files("-q", "--quiet", is_flag=True, default=False, help="Print only errors to stderr.")
@click.pass_obj
def report(session: CommandSession, /, runs: tuple[str, ...], **given: Any) -> None:
    """Summarise runs: accuracy with confidence intervals, cost, paired differences, calibration.

    Reads the output of eval and `solve --trace`; loads no model.
    """
    output, options = session.output, ReportOptions(**given)
    output.is_quiet = options.quiet
    targets = _targets(options)
    if options.diff and options.against is not None:
        raise ConfigError("`--against` has no effect with `--diff`", hint="remove one of them")
    if not runs:
        raise ConfigError(
            "no run is given", hint="localsmc report RUN, with the folder RUN of `localsmc eval -o RUN`"
        )
    from localsmc.report import report as read

    found = read([expand_user(run) for run in runs], options.against, is_diff=options.diff)
    for line in found.heading:
        output.note(line)
    for kind, target in targets.items():
        text = _WRITERS[kind](found)
        if target == "-":
            output.text(text.removesuffix("\n"))
        else:
            write_whole(expand_user(target), text)
            output.note(f"wrote {target}")
    if "-" not in targets.values():
        tables = found.tables if options.all_tables else _brief(found)
        output.text(shown(tables))
        if n_more := len(found.tables) - len(tables):
            output.note(f"`--all` shows {n_more} more table{'s' * (n_more > 1)}, and more columns")
    if options.open:  # last: without a browser, this is an error
        _open(expand_user(targets["html"]))


def _page(found: Report) -> str:
    from localsmc.report import page

    return page(found)


def _json(found: Report) -> str:
    return json.dumps(found.to_json(), ensure_ascii=False, indent=1) + "\n"


_WRITERS: dict[str, Callable[[Report], str]] = {
    "html": _page,
    "csv": lambda found: found.to_csv(),
    "json": _json,
    "markdown": lambda found: found.to_markdown(),
}


# --- files ----------------------------------------------------------------------------------------


def _targets(options: ReportOptions) -> dict[str, str]:
    """Output kind to target; raises ConfigError for mistakes that can be found before reading."""
    targets: dict[str, str] = {
        kind: file for kind in _WRITERS if (file := getattr(options, kind)) is not None
    }
    if options.open:
        targets = _with_page(targets)
    files = list(targets.values())
    if files.count("-") > 1:
        raise ConfigError("standard output is given twice", hint="write one of them to a file instead")
    for kind, target in targets.items():
        if target != "-":
            _check(kind, expand_user(target))
        if target != "-" and files.count(target) > 1:
            raise ConfigError(f"two outputs go to `{target}`", hint="use a different file for each")
    return targets


def _with_page(targets: dict[str, str]) -> dict[str, str]:
    """The targets with a page that a browser can open."""
    if targets.get("html") == "-":
        raise ConfigError("`--open` needs a page in a file", hint="remove `--html -`, or name a file")
    if "html" in targets:
        return targets
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        hint = "name a file for the page with `--html`"
        raise RunError(f"`{folder}` cannot be written: {error.strerror}", hint=hint) from error
    return {"html": str(folder / "report.html"), **targets}


def _open(page: Path) -> None:
    import webbrowser

    if not webbrowser.open(page.resolve().as_uri()):
        raise RunError("no browser could be opened", hint=f"open `{page}` yourself")


def _check(kind: str, path: Path) -> None:
    parent = path.resolve().parent
    reason = None
    if path.is_dir():
        reason = "it is a folder"
    elif not parent.is_dir():
        reason = f"there is no folder `{parent}`"
    elif not os.access(path if path.exists() else parent, os.W_OK):
        reason = "permission denied"
    if reason:
        hint = f"`--{kind}` takes a file in a folder that you may write to"
        raise ConfigError(f"`{path}` cannot be written: {reason}", hint=hint)


# --- standard output ------------------------------------------------------------------------------

_GAP = 2
"""Characters between two columns."""

_NAME = 14
"""Minimum width of a name in a column; in narrower windows, names move to separate lines."""

_MAIN = ("missing", "accuracy", "sources", "cost", "differences", "models", "answers", "traces", "shares")
"""Tables that are shown without `--all`."""

_OF_DIFF = ("missing", "made_of", "diff", "changed")
"""Tables that are shown with `--diff` and without `--all`."""


def _brief(found: Report) -> list[Table]:
    """The tables of a terminal: of a diff, what it adds."""
    names = _OF_DIFF if found.is_diff else _MAIN
    return [table.brief() for table in found.tables if table.name in names]


def shown(tables: Sequence[Table]) -> str:
    """The tables: drawn on a terminal, else as Markdown."""
    if not is_terminal(sys.stdout):
        from localsmc.report.table import markdown

        return "\n\n".join(map(markdown, tables))
    from rich.console import Console

    console = Console(file=sys.stdout, highlight=False)
    with console.capture() as captured:
        for table in tables:
            _print(console, table)
    return captured.get().rstrip("\n")


def _print(console: Console, table: Table) -> None:
    """Print a table to fit the window; numbers are never cut off."""
    from rich.text import Text

    from localsmc.report.table import markdown

    columns, rows = table.cells()
    whole, (names, numbered) = _drawn(columns, rows), _numbered(columns, rows, console.width)
    console.print(Text(table.heading, style="bold"))
    if _fits(console, whole):
        console.print(whole)
    elif all(_fits(console, part) for part in numbered):
        console.print(Text(names), *numbered, sep="\n")
    else:
        console.print(Text(markdown(table).split("\n\n")[1]), soft_wrap=True)
    if table.notes:
        console.print(Text(table.notes, style="dim"))
    console.print()


def _fits(console: Console, drawn: RichTable) -> bool:
    least = [column.width or column.min_width or 0 for column in drawn.columns]
    return sum(least) + _GAP * (len(least) - 1) <= console.width


def _numbered(columns: list[Column], rows: list[list[str]], width: int) -> tuple[str, list[RichTable]]:
    """The text of each row on a numbered line, and its numbers in tables of at most `width` characters.

    In a table of words only, a line above names the columns, and no cell is left out.
    """
    from localsmc.report.table import NOTHING, Column, count

    if not any(column.is_number for column in columns):
        lines = [" · ".join(cell or NOTHING for cell in row) for row in rows]
        heads = f"    {' · '.join(column.head for column in columns)}"
        return "\n".join([heads, *(f"{k:>3} {line}" for k, line in enumerate(lines, 1))]), []
    words = [
        [cell for cell, one in zip(row, columns, strict=True) if not one.is_number and cell] for row in rows
    ]
    names = "\n".join(f"{k:>3} {' · '.join(some)}" for k, some in enumerate(words, 1))
    numeric = [k for k, column in enumerate(columns) if column.is_number]
    least = [_least(columns[k].head, [row[k] for row in rows]) for k in numeric]
    parts = []
    for start, end in _side_by_side(least, width - len(str(len(rows)))):
        some = numeric[start:end]
        cells = [[str(i), *(row[k] for k in some)] for i, row in enumerate(rows, 1)]
        parts.append(_drawn([Column("", "", count), *(columns[k] for k in some)], cells))
    return names, parts


def _side_by_side(widths: Sequence[int], room: int) -> list[tuple[int, int]]:
    """Split columns of these widths into ranges that fit into `room`, with at least one column each."""
    starts, used = [0], 0
    for k, width in enumerate(widths):
        used += _GAP + width
        if used > room and k > starts[-1]:
            starts.append(k)
            used = _GAP + width
    return list(zip(starts, [*starts[1:], len(widths)], strict=True))


def _least(head: str, cells: Sequence[str]) -> int:
    """The width of a column of numbers: headings wrap between words, numbers do not."""
    return max(map(len, [*head.split(), *cells]))


def _drawn(columns: list[Column], rows: list[list[str]]) -> RichTable:
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    drawn = RichTable(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, _GAP - 1, 0, 0))
    for k, column in enumerate(columns):
        # In a narrow window, names of methods are wrapped, but no numbers or words.
        cells = [row[k] for row in rows]
        if column.is_number:
            drawn.add_column(Text(column.head), justify="right", width=_least(column.head, cells))
        else:
            least = min(_NAME, max(map(len, [column.head, *cells])))
            drawn.add_column(Text(column.head), overflow="fold", min_width=least)
    for row in rows:
        drawn.add_row(*map(Text, row))
    return drawn
