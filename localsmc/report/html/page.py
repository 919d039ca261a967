"""The page: a single, self-contained HTML file that loads nothing from the network.

The templates escape everything that they insert. Charts and tables need no script; page.js draws the list of
problems, their pages and the trees of particles from the JSON data at the end of the page, and inserts texts
as texts. The page's policy allows this script and this style only, by their hashes.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from localsmc.report.html.page_data import page_data, problem_numbers
from localsmc.report.html.sections import Sections
from localsmc.report.report import Report
from localsmc.version import __version__


def page(report: Report) -> str:
    """The HTML of a report."""
    style, script = _file("page.css"), _file("page.js")
    names = [*(run.name for run in report.runs), *(trace.name for trace in report.traces)]
    sections = Sections(report, problem_numbers(report))
    return (
        _environment()
        .get_template("page.html")
        .render(
            title=f"localsmc report: {', '.join(names)}",
            policy=_policy(style, script),
            style=style,
            script=script,
            runs=sections.runs(),
            notes=report.notes,
            sections=sections.all(),
            has_problems=bool(report.groups),
            data=page_data(report),
            version=__version__,
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("localsmc.report.html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # ASCII, so that halves of surrogate pairs stay what they are.
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": True, "separators": (",", ":")}
    return environment


def _policy(style: Markup, script: Markup) -> str:
    """Nothing may be fetched, sent or run but what localsmc wrote, whatever a completion contains."""
    sources = f"style-src {_digest(style)}; script-src {_digest(script)}; img-src data:"
    return f"default-src 'none'; {sources}; base-uri 'none'; form-action 'none'"


def _digest(text: Markup) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _file(name: str) -> Markup:
    """A file of this package, which is markup as it is."""
    return Markup((files("localsmc.report.html") / name).read_text(encoding="utf-8"))  # noqa: S704
