"""`localsmc methods`: describes the methods, from their docstrings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from localsmc_cli.options import common_options
from localsmc_cli.ui.columns import columns
from localsmc_cli.ui.command_session import CommandSession

if TYPE_CHECKING:
    from localsmc.methods import Method

_EXAMPLES = """\b
Examples:
  localsmc methods
  localsmc methods power-smc
"""

_EXAMPLE_OPTIONS = 2
"""Number of options in the example of a method."""

_output = common_options.section("Output")


@click.command(cls=common_options.ConfigurableCommand, epilog=_EXAMPLES)
@click.argument("name", required=False, shell_complete=common_options.completed_as("METHOD"))
@_output("--json", "as_json", is_flag=True, default=False, help="Print JSON, a list of objects.")
@click.pass_obj
def methods(session: CommandSession, /, name: str | None, *, as_json: bool) -> None:
    """Describe the methods: target distribution, cost and selection; with NAME, one method in full.

    Loads no model.
    """
    from localsmc.methods import METHODS
    from localsmc.methods.spec import find_method

    chosen = list(METHODS.values()) if name is None else [find_method(name)]
    if as_json:
        session.output.json([_record(method) for method in chosen])
    elif name is None:
        session.output.text(_table(chosen))
    else:
        session.output.text(_page(chosen[0]))


def _record(method: type[Method]) -> dict[str, Any]:
    from localsmc.methods.spec import defaults_of, describe

    description = describe(method)
    return {
        "name": method.name,
        "target": description.target,
        "cost": description.cost,
        "select": method().select,
        "options": defaults_of(method),
    }


def _table(chosen: list[type[Method]]) -> str:
    from localsmc.methods.spec import first_clause

    records = map(_record, chosen)
    rows = [
        (one["name"], first_clause(one["target"]), first_clause(one["cost"]), one["select"])
        for one in records
    ]
    return columns(("method", "target", "cost", "select"), rows)


def _page(method: type[Method]) -> str:
    """A method's documentation, its parameters with defaults, and an example."""
    from localsmc.methods.spec import defaults_of, format_value, sections, title

    parameters = {**defaults_of(method), "select": method().select}
    lines = [f"{name} = {format_value(default)}" for name, default in parameters.items()]
    parts = [
        title(method),
        columns((), list(sections(method).items())),
        "\n".join(lines),
        *_recommended(method),
        f"for solve and eval: --method {_example(method)}",
    ]
    return "\n\n".join(parts)


def _example(method: type[Method]) -> str:
    from localsmc.methods.spec import defaults_of, format_value

    some = [f"{name}={format_value(value)}" for name, value in defaults_of(method).items()][:_EXAMPLE_OPTIONS]
    return f"{method.name}:{','.join(some)}" if some else method.name


def _recommended(method: type[Method]) -> list[str]:
    """The embedded model's own defaults, if it has any."""
    from localsmc.methods.spec import format_value
    from localsmc.store import model_source

    found = model_source.resolve(None).defaults.of_method(method.name)
    values = ", ".join(f"{option} = {format_value(value)}" for option, value in found.items())
    return [f"for the embedded model: {values}"] if values else []
