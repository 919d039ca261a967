"""`localsmc config`: what is configured, where each value is from, and changes to the file."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import Any

import click

from localsmc.errors import ConfigError
from localsmc_cli.config.config_file import config_path, read
from localsmc_cli.options import common_options
from localsmc_cli.options.base_command import CommandGroup, PlainCommand, completed_as, did_you_mean, examples
from localsmc_cli.ui.columns import columns
from localsmc_cli.ui.command_session import CommandSession

_EXAMPLES = """\b
Examples:
  localsmc config set particles 32
  localsmc config show solve

The file's plain values are for all commands that have such an option, those below [solve] for one, those
below [profiles.mine] for `--profile mine`. A profile wins over the file's plain values; over both win the
environment (LLAMA_ARG_THREADS, and over it LOCALSMC_THREADS) and what is typed. A variable is one value,
and switches a flag on or off: LOCALSMC_JSON=0.
"""

_output = functools.partial(common_options.section("Output"), each_time="it is for what configures")
_json_option = _output("--json", "as_json", is_flag=True, default=False, help="As JSON.")


@click.group(
    cls=CommandGroup,
    invoke_without_command=True,
    epilog=_EXAMPLES,
)
@click.pass_context
def config(ctx: click.Context) -> None:
    """Show and set what options are where they are not typed: a file, profiles, the environment."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(show)


_command = functools.partial(config.command, cls=PlainCommand)

# --- looking --------------------------------------------------------------------------------------


@_command(
    "show",
    epilog=examples("localsmc config show", "localsmc config show solve --all"),
    short_help="Show each value and where it is from.",
)
@click.argument("command", required=False, shell_complete=completed_as("COMMAND"))
@_output("--all", "has_defaults", is_flag=True, default=False, help="Options that are not set, too.")
@_json_option
@click.pass_context
def show(ctx: click.Context, command: str | None, *, has_defaults: bool, as_json: bool) -> None:
    """Show each value that is set, and where it is from, for one COMMAND or for all."""
    from localsmc_cli.config.environment import unknown_variables
    from localsmc_cli.config.keys import Known
    from localsmc_cli.config.layers import check
    from localsmc_cli.config.value_table import shown

    output, known = ctx.obj.output, Known(ctx)
    if command is not None and command not in known.tables():
        raise ConfigError(f"no command is called `{command}`", hint=did_you_mean(command, known.tables()))
    check(read(), known)
    for line in unknown_variables(ctx):
        output.warn(line)
    rows = shown(ctx.find_root(), known, known.tables() if command is None else [command])
    rows = [row for row in rows if has_defaults or row.is_set]
    if as_json:
        output.json([row.to_json() for row in rows])
    elif rows:
        heads = ("option", "value", "from", "commands")[: 4 if command is None else 3]
        cells = [(row.option, row.text, row.origin, row.told)[: len(heads)] for row in rows]
        output.text(columns(heads, cells))
    else:
        output.note(f"nothing is set; for example: localsmc config set particles 32, in `{config_path()}`")


@_command(
    "path",
    epilog=examples("localsmc config path", 'dirname "$(localsmc config path)"'),
    short_help="Print where the file is.",
)
@click.pass_obj
def path(session: CommandSession) -> None:
    """Print where the configuration file is, or would be."""
    session.output.text(str(config_path()))


@_command(
    "profiles",
    epilog=examples("localsmc config profiles", "localsmc config profiles --json"),
    short_help="List the profiles.",
)
@_json_option
@click.pass_context
def profiles(ctx: click.Context, *, as_json: bool) -> None:
    """List the profiles with their values: those that everybody has, and your own."""
    from localsmc_cli.config.keys import PROFILES, Known, check_names
    from localsmc_cli.config.profiles import BUILT_IN

    file = read()
    check_names(file, Known(ctx))
    own = file.values.get(PROFILES, {})
    found = {**BUILT_IN, **own}
    origins = {name: file.short((PROFILES, name)) if name in own else "built in" for name in found}
    if as_json:
        records = [{"name": name, "from": origins[name], "values": found[name]} for name in found]
        ctx.obj.output.json(records)
        return
    rows = [
        (name, ", ".join(_flat(values)) or "the defaults", origins[name]) for name, values in found.items()
    ]
    ctx.obj.output.text(columns(("profile", "values", "from"), rows))


def _flat(values: Mapping[str, Any], above: str = "") -> list[str]:
    """Values as the file could have them, each as a text."""
    lines = []
    for key, value in values.items():
        if isinstance(value, dict):
            lines += _flat(value, f"{above}{key}.")
        else:
            lines.append(f"{above}{key} = {json.dumps(value, ensure_ascii=False, default=str)}")
    return lines


# --- changing -------------------------------------------------------------------------------------

_SET = "for example: localsmc config set particles 32"


@_command(
    "set",
    epilog=examples("localsmc config set particles 32", "localsmc config set profiles.mine.solve.budget 20"),
    short_help="Set a value in the file.",
    # A value may begin with a dash: -1.
    context_settings={"ignore_unknown_options": True},
)
@click.argument("key", required=False, shell_complete=completed_as("KEY"))
@click.argument("values", nargs=-1, metavar="VALUE...")
@click.pass_context
def set_(ctx: click.Context, key: str | None, values: tuple[str, ...]) -> None:
    """Set an option, such as particles, solve.particles or profiles.mine.alpha; keeps the file's comments.

    Several values are for options that may be given several times, such as method.
    """
    from localsmc_cli.config.edit import Document, alone, keys_of, value_of
    from localsmc_cli.config.keys import Known
    from localsmc_cli.config.layers import check

    if key is None:
        raise ConfigError("no option is given", hint=_SET)
    if not values:
        name, sign, value = key.partition("=")
        raise ConfigError("no value is given", hint=f"localsmc config set {name} {value}" if sign else _SET)
    known, place, file = Known(ctx), keys_of(key), read()
    option = known.find(place)
    value = value_of(option, values)
    # By itself: mistakes elsewhere in the file do not keep anybody from mending it.
    check(alone(file, place, value), known)
    document = Document(file)
    document.set(place, value, () if option is None else option.keys)
    document.write(config_path())


@_command(
    "unset",
    epilog=examples("localsmc config unset particles", "localsmc config unset profiles.mine"),
    short_help="Take a value out of the file.",
)
@click.argument("key", required=False, shell_complete=completed_as("KEY"))
@click.pass_context
def unset(ctx: click.Context, key: str | None) -> None:
    """Take an option, or a whole table such as profiles.mine, out of the file; keeps its comments."""
    from localsmc_cli.config.edit import Document, keys_of

    if key is None:
        raise ConfigError("no option is given", hint="for example: localsmc config unset particles")
    document = Document(read())
    document.unset(keys_of(key))
    document.write(config_path())


_TEMPLATE = """\
# What localsmc uses where nothing is typed: long options without their dashes.
# `localsmc config show` tells what is set, `localsmc config --help` what wins over what.

# model = "/path/to/model.gguf"
# gpu-layers = "auto"
# profile = "careful"

# [solve]
# particles = 32

# [profiles.mine]
# alpha = 3
"""


@_command(
    "edit",
    epilog=examples("localsmc config edit", "EDITOR=nano localsmc config edit"),
    short_help="Open the file in your editor.",
)
@click.pass_context
def edit(ctx: click.Context) -> None:
    """Open the file in $VISUAL or $EDITOR, and check it afterwards."""
    from localsmc.system.atomic_write import write_whole
    from localsmc_cli.config.keys import Known
    from localsmc_cli.config.layers import check

    target = config_path()
    if not target.exists():
        write_whole(target, _TEMPLATE)
    try:
        click.edit(filename=str(target))
    finally:
        if target.exists() and target.read_bytes() == _TEMPLATE.encode():
            target.unlink()
    check(read(), Known(ctx))
