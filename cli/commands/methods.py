"""`localsmc methods`: describe the methods and their parameters, from their docstrings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from localsmc_cli.options import common_options
from localsmc_cli.ui.columns import columns
from localsmc_cli.ui.command_session import CommandSession

if TYPE_CHECKING:
    from localsmc.methods.spec import MethodSpec

_EXAMPLES = """\b
Examples:
  localsmc methods
  localsmc methods power-smc:resampling=systematic
"""

_EXAMPLE_OPTIONS = 2
"""Options in the example of a method on a command line."""

_output = common_options.section("Output")


@click.command(cls=common_options.ConfigurableCommand, epilog=_EXAMPLES)
@click.argument("name", required=False, shell_complete=common_options.completed_as("METHOD"))
@_output("--json", "as_json", is_flag=True, default=False, help="Print a JSON list of objects.")
@click.pass_obj
def methods(session: CommandSession, /, name: str | None, *, as_json: bool) -> None:
    """Describe the methods: what each samples from, what it costs, and its selector.

    With NAME, e.g. power-smc or power-smc:resampling=systematic, show everything about one method, and the
    parameters that have an effect with the options written. Loads no model.
    """
    from localsmc.methods import METHODS
    from localsmc.methods.spec import parse_method

    specs = [parse_method(one) for one in (METHODS if name is None else [name])]
    if as_json:
        session.output.json([_record(spec) for spec in specs])
    elif name is None:
        session.output.text(_table(specs))
    else:
        session.output.text(_page(specs[0]))


def _record(spec: MethodSpec) -> dict[str, Any]:
    from localsmc.methods.base import options_of
    from localsmc.methods.spec import describe

    method = spec.method
    description = describe(type(method))
    return {
        "name": spec.name,
        "target": description.target,
        "cost": description.cost,
        "select": spec.selector,
        "options": {name: getattr(method, name) for name in options_of(type(method))},
    }


def _table(specs: list[MethodSpec]) -> str:
    from localsmc.methods.spec import first_clause

    records = map(_record, specs)
    rows = [
        (one["name"], first_clause(one["target"]), first_clause(one["cost"]), one["select"])
        for one in records
    ]
    return columns(("method", "target", "cost", "select"), rows)


def _page(spec: MethodSpec) -> str:
    """A method's docstring, the parameters that have an effect, those that have none, and how to use it."""
    from localsmc.methods.base import unused_of
    from localsmc.methods.spec import format_value, sections, title, used_parameters

    method = type(spec.method)
    unused = [
        f"no effect {group.when}: {', '.join(group.names)} ({group.remedy})"
        for group in unused_of(spec.method)
    ]
    parts = [
        title(method),
        columns((), list(sections(method).items())),
        "\n".join(f"{name} = {format_value(value)}" for name, value in used_parameters(spec).items()),
        "\n".join(unused),
        _recommended(spec),
        f"for solve and eval: --method {_example(spec)}",
    ]
    return "\n\n".join(filter(None, parts))


def _example(spec: MethodSpec) -> str:
    from localsmc.methods.spec import defaults_of, format_value

    if spec.label != spec.name:
        return spec.label
    defaults = defaults_of(type(spec.method))
    some = [f"{name}={format_value(value)}" for name, value in defaults.items()][:_EXAMPLE_OPTIONS]
    return f"{spec.name}:{','.join(some)}" if some else spec.name


def _recommended(spec: MethodSpec) -> str:
    """The values that the embedded model uses instead of defaults; empty if there are none."""
    from localsmc.methods.spec import format_value, used_parameters
    from localsmc.store import model_source

    found = model_source.resolve(None).defaults.of_method(spec.name)
    used = [name for name in found if name in used_parameters(spec) and name not in spec.options]
    values = ", ".join(f"{name} = {format_value(found[name])}" for name in used)
    return f"for the embedded model: {values}" if values else ""
