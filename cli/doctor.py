"""`localsmc doctor`: whether everything works, and what to type where it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from localsmc_cli import options
from localsmc_cli.columns import columns
from localsmc_cli.session import Session

if TYPE_CHECKING:
    from localsmc.doctor import Finding

_EXAMPLES = """\b
Examples:
  localsmc doctor
  localsmc doctor -m tiny --json

The exit code is 1 where something is broken; a warning is something that could be better.
"""

_checking = options.section("Checks")
_output = options.section("Output")


@click.command(cls=options.Command, epilog=_EXAMPLES, short_help="Check that everything works.")
@_checking("-m", "--model", metavar="MODEL", help="A model to check, too; nothing is downloaded.")
@_output("--json", "as_json", is_flag=True, default=False, help="The findings as one JSON object.")
@click.pass_obj
def doctor(session: Session, /, **given: Any) -> None:
    """Check llama.cpp, GPU, memory, folders, the hub and the embedded model, and say what to do."""
    from localsmc.doctor import checkup

    findings: list[Finding] = []
    with session.output.panel() as panel:
        for finding in checkup(given["model"]):
            findings.append(finding)
            if panel is not None:
                panel.status(f"{finding.name}: {finding.status}")
    counts = {status: sum(one.status == status for one in findings) for status in ("broken", "warning")}
    if given["as_json"]:
        session.output.json({"findings": [one.to_json() for one in findings], **counts})
    else:
        session.output.text(_report(findings))
        session.output.note(_summary(**counts))
    if counts["broken"]:
        raise click.exceptions.Exit(1)


def _report(findings: list[Finding]) -> str:
    """A row for each, then what to do; commands are never folded."""
    rows = columns((), [(one.status, one.name, one.line) for one in findings])
    hints = [f"{one.name}:\n{one.hint}" for one in findings if one.hint]
    return "\n\n".join([rows, *hints])


def _summary(broken: int, warning: int) -> str:
    if not broken and not warning:
        return "\neverything works"
    told = [f"{broken} broken"] if broken else ["nothing is broken"]
    return f"\n{', '.join([*told, *([f'{warning} to look at'] if warning else [])])}"
