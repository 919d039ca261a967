"""`localsmc doctor`: checks the installation, and suggests how to fix problems."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from localsmc.errors import ConfigError
from localsmc_cli.options import common_options
from localsmc_cli.ui.columns import columns
from localsmc_cli.ui.command_session import CommandSession

if TYPE_CHECKING:
    from localsmc.doctor import Finding, Verdict
    from localsmc_cli.config.config_file import Configuration

_EXAMPLES = """\b
Examples:
  localsmc doctor
  localsmc doctor -m tiny --json

The exit code is 1 if something is broken. A warning is something that works but could be better.
"""

_checking = common_options.section("Checks")
_output = common_options.section("Output")


class _Command(common_options.ConfigurableCommand):
    """Runs even if the configuration is wrong, and reports that as a finding."""

    def configuration(self, ctx: click.Context) -> Configuration:
        """See `ConfigurableCommand.configuration`; empty if the file has a mistake."""
        from localsmc_cli.config.config_file import Configuration
        from localsmc_cli.config.keys import Known
        from localsmc_cli.config.layers import check

        try:
            file = super().configuration(ctx)
            check(file, Known(ctx))
        except ConfigError as error:
            ctx.meta[_MISTAKE] = error
            return Configuration("")
        return file


_MISTAKE = "localsmc.configuration_mistake"


@click.command(cls=_Command, epilog=_EXAMPLES)
@_checking("-m", "--model", metavar="MODEL", help="Also check this model; nothing is downloaded.")
@_output("--json", "as_json", is_flag=True, default=False, help="Print the findings as one JSON object.")
@click.pass_obj
def doctor(session: CommandSession, /, *, model: str | None, as_json: bool) -> None:
    """Check llama.cpp, GPU, memory, folders, the hub and the embedded model, and suggest fixes."""
    from localsmc.doctor import checkup

    findings: list[Finding] = []
    with session.output.panel() as panel:
        for finding in checkup(model, configuration=_configuration):
            findings.append(finding)
            if panel is not None:
                panel.status(f"{finding.name}: {finding.status}")
    counts = {status: sum(one.status == status for one in findings) for status in ("broken", "warning")}
    if as_json:
        session.output.json({"findings": [one.to_json() for one in findings], **counts})
    else:
        session.output.text(_report(findings))
        session.output.note(_summary(**counts))
    if counts["broken"]:
        raise click.exceptions.Exit(1)


def _configuration() -> Verdict:
    """The check of the configuration; raises ConfigError for a mistake in the file."""
    from localsmc.doctor import system_checks

    mistake: ConfigError | None = click.get_current_context().meta.get(_MISTAKE)
    if mistake is not None:
        raise mistake
    return system_checks.config()


def _report(findings: list[Finding]) -> str:
    """One row per finding, then the hints; commands are never wrapped."""
    rows = columns((), [(one.status, one.name, one.line) for one in findings])
    hints = [f"{one.name}:\n{one.hint}" for one in findings if one.hint]
    return "\n\n".join([rows, *hints])


def _summary(broken: int, warning: int) -> str:
    if not broken and not warning:
        return "\neverything works"
    parts = [f"{broken} broken"] if broken else ["nothing is broken"]
    return f"\n{', '.join([*parts, *([f'{warning} to look at'] if warning else [])])}"
