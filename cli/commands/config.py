"""`localsmc config`: shows the configured values and their sources, and edits the file."""

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

Top-level values in the file apply to all commands with this option, those in the table [solve] to one
command, and those in [profiles.mine] to `--profile mine`. Precedence, highest first: the command line, the
environment (LOCALSMC_THREADS, then LLAMA_ARG_THREADS), the profile, the rest of the file. A variable holds a
single value; for a flag, 1 is on and 0 is off: LOCALSMC_JSON=0.
"""

_output = functools.partial(common_options.section("Output"), each_time="it belongs to `localsmc config`")
_json_option = _output("--json", "as_json", is_flag=True, default=False, help="Print JSON.")


@click.group(
    cls=CommandGroup,
    invoke_without_command=True,
    epilog=_EXAMPLES,
)
@click.pass_context
def config(ctx: click.Context) -> None:
    """Show and change the default values of options: from the file, profiles and the environment."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(show)


_command = functools.partial(config.command, cls=PlainCommand)

# --- looking --------------------------------------------------------------------------------------


@_command(
    "show",
    epilog=examples("localsmc config show", "localsmc config show solve --all"),
    short_help="Show each value and its source.",
)
@click.argument("command", required=False, shell_complete=completed_as("COMMAND"))
@_output("--all", "has_defaults", is_flag=True, default=False, help="Also show options that are not set.")
@_json_option
@click.pass_context
def show(ctx: click.Context, command: str | None, *, has_defaults: bool, as_json: bool) -> None:
    """Show each value that is set and its source, for one COMMAND or for all."""
    from localsmc_cli.config.environment import unknown_variables
    from localsmc_cli.config.keys import Known
    from localsmc_cli.config.layers import check
    from localsmc_cli.config.value_table import shown

    output, known = ctx.obj.output, Known(ctx)
    if command is not None and command not in known.tables():
        raise ConfigError(f"unknown command `{command}`", hint=did_you_mean(command, known.tables()))
    check(read(), known)
    for line in unknown_variables(ctx):
        output.warn(line)
    rows = shown(ctx.find_root(), known, known.tables() if command is None else [command])
    rows = [row for row in rows if has_defaults or row.is_set]
    if as_json:
        output.json([row.to_json() for row in rows])
    elif rows:
        heads = ("option", "value", "from", "commands")[: 4 if command is None else 3]
        cells = [(row.option, row.text, row.origin, row.commands_text)[: len(heads)] for row in rows]
        output.text(columns(heads, cells))
    else:
        output.note(f"nothing is set in `{config_path()}`; for example: localsmc config set particles 32")


@_command(
    "path",
    epilog=examples("localsmc config path", 'dirname "$(localsmc config path)"'),
    short_help="Print the path of the file.",
)
@click.pass_obj
def path(session: CommandSession) -> None:
    """Print the path of the configuration file, whether or not it exists."""
    session.output.text(str(config_path()))


@_command(
    "profiles",
    epilog=examples("localsmc config profiles", "localsmc config profiles --json"),
    short_help="List the profiles.",
)
@_json_option
@click.pass_context
def profiles(ctx: click.Context, *, as_json: bool) -> None:
    """List the built-in profiles and your own, with their values."""
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
    """Values as lines of the file."""
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
    """Set an option, e.g. particles, solve.particles or profiles.mine.alpha; keeps the file's comments.

    Give several values for options that can be repeated, such as method.
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
    # Check the new value only, so that a mistake elsewhere in the file does not block this change.
    check(alone(file, place, value), known)
    document = Document(file)
    document.set(place, value, () if option is None else option.keys)
    document.write(config_path())


@_command(
    "unset",
    epilog=examples("localsmc config unset particles", "localsmc config unset profiles.mine"),
    short_help="Remove a value from the file.",
)
@click.argument("key", required=False, shell_complete=completed_as("KEY"))
@click.pass_context
def unset(ctx: click.Context, key: str | None) -> None:
    """Remove an option, or a whole table such as profiles.mine, from the file; keeps its comments."""
    from localsmc_cli.config.edit import Document, keys_of

    if key is None:
        raise ConfigError("no option is given", hint="for example: localsmc config unset particles")
    document = Document(read())
    document.unset(keys_of(key))
    document.write(config_path())


_TEMPLATE = """\
# Default values of localsmc's options: their long names without dashes.
# `localsmc config show` lists the values that are set; `localsmc config --help` explains their precedence.

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
    """Open the file in $VISUAL or $EDITOR, then check it."""
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
