"""Commands whose options are grouped under headings and set by flags, variables or the configuration."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Any, TypeVar

import click

from localsmc.errors import ConfigError
from localsmc.system.user_dirs import RESERVED

PREFIX = "LOCALSMC_"
"""Prefix of localsmc's environment variables."""

Offer = Callable[[click.Context, str], list[Any]]
"""Returns the shell completions of an unfinished word."""

OFFERS: dict[str, Offer] = {}
"""Completions by the metavar of an option or argument; filled in by `root.py`."""

# --- options --------------------------------------------------------------------------------------


class Option(click.Option):
    """An option with a help heading, environment variables and configuration keys.

    `scope` names a command if the option means this in that command only: `[bench]`,
    `LOCALSMC_BENCH_...`. `each_time` is the reason why the option cannot be set in the environment or
    the configuration. `rare` options are shown by `--help-all` only.
    """

    def __init__(
        self,
        *args: Any,
        section: str,
        scope: str | None = None,
        each_time: str | None = None,
        rare: bool = False,
        envvar: str | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(*args, **settings)
        self.section, self.scope, self.each_time, self.rare = section, scope, each_time, rare
        prefix = PREFIX if scope is None else f"{PREFIX}{scope.upper()}_"
        variables = [prefix + key.upper().replace("-", "_") for key in self.keys]
        self.variables = [] if each_time else [name for name in variables if name not in RESERVED]
        """In order of precedence: localsmc's own variables, then llama.cpp's."""
        self.variables += [envvar] if envvar else []
        self.envvar = self.variables

    @property
    def keys(self) -> tuple[str, ...]:
        """The names of this option in the configuration: its long names without dashes."""
        return tuple(name[2:] for name in self.opts if name.startswith("--"))

    @property
    def is_shared(self) -> bool:
        """Whether it can be configured for all commands at once."""
        return not self.each_time and not self.scope

    def variable(self) -> str | None:
        """The environment variable that sets this option now, if any."""
        return next((name for name in self.variables if os.environ.get(name)), None)

    def value_from_envvar(self, ctx: click.Context) -> Any:
        """See `click.Option.value_from_envvar`; a variable is never split at spaces."""
        value = self.resolve_envvar_value(ctx)
        if value is not None and self.is_flag:  # llama.cpp's spellings of on and off
            return {"enabled": "on", "disabled": "off"}.get(value, value)
        return (value,) if value is not None and self.multiple else value

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        """See `click.Option.shell_complete`; completes by metavar: files for FILE, models for MODEL."""
        offer = OFFERS.get(self.metavar or "")
        return super().shell_complete(ctx, incomplete) if offer is None else offer(ctx, incomplete)


def completed_as(metavar: str) -> Callable[[click.Context, click.Parameter, str], list[Any]]:
    """A `shell_complete` function for arguments: the completions of an option with this metavar."""

    def offer(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[Any]:
        return OFFERS[metavar](ctx, incomplete)

    return offer


CommandT = TypeVar("CommandT", bound=Callable[..., Any])
Decorator = Callable[[CommandT], CommandT]


def section(name: str, *, rare: bool = False) -> Callable[..., Decorator[Any]]:
    """A decorator factory for options under a heading; an option that is not set is None."""
    return functools.partial(click.option, cls=Option, section=name, rare=rare, default=None)


def together(*options: Decorator[Any]) -> Decorator[Any]:
    """Combine several options into one decorator, in the given order."""

    def decorate(command: CommandT) -> CommandT:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


Heading = Callable[..., Decorator[Any]]
"""The return type of `section`."""

# --- commands -------------------------------------------------------------------------------------


class PlainCommand(click.Command):
    """A command that groups its options under headings; `--help` leaves out the rare ones."""

    is_configurable = False
    """Whether its options can be set in the configuration."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """See `click.Command.parse_args`; the parser's own errors get the command that they are about."""
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            error.ctx = error.ctx or ctx
            raise

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """See `click.Command.get_params`; adds `--help-all` if the command has rare options."""
        params = super().get_params(ctx)
        return [*params, _HELP_ALL] if any(getattr(param, "rare", False) for param in params) else params

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, with headings in order of first appearance."""
        for name, records in self.sections(ctx, with_rare=_ALL in ctx.meta).items():
            with formatter.section(name):
                formatter.write_dl(records, col_max=30)

    def sections(self, ctx: click.Context, *, with_rare: bool) -> dict[str, list[tuple[str, str]]]:
        """The options under each heading, as pairs of spelling and help text."""
        found: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            is_shown = with_rare or not getattr(param, "rare", False)
            record = param.get_help_record(ctx) if is_shown and isinstance(param, click.Option) else None
            if record is not None:
                found.setdefault(getattr(param, "section", "Help"), []).append(record)
        return found

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples; `--help-all` also writes the notes after them."""
        examples, _, _ = (self.epilog or "").partition("\n\n")
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(self.epilog or "" if _ALL in ctx.meta else examples)


_ALL = "localsmc.all_options"


def _show_all(ctx: click.Context, _: click.Parameter, is_wanted: bool) -> None:
    if is_wanted and not ctx.resilient_parsing:
        ctx.meta[_ALL] = True
        click.echo(ctx.get_help())
        ctx.exit()


_HELP_ALL = click.Option(
    ["--help-all"],
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_all,
    help="Show all options, including rare ones, and exit.",
)


def examples(*lines: str, more: str = "") -> str:
    """An epilog: commands to copy, then notes that only `--help-all` shows."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)]) + (f"\n\n{more}" if more else "")


class CommandGroup(click.Group):
    """A group of commands that suggests the nearest name for an unknown one."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """See `click.Group.resolve_command`."""
        if args[0] in self.commands or args[0].startswith("-") or ctx.resilient_parsing:
            return super().resolve_command(ctx, args)
        hint = did_you_mean(args[0], list(self.commands), f"{ctx.command_path} ")
        raise ConfigError(f"`{ctx.command_path}` has no command `{args[0]}`", hint=hint)


def did_you_mean(name: str, names: Sequence[str], before: str = "") -> str:
    """The hint for an unknown name: the nearest one, after the prefix `before`, or the list of all names."""
    near = get_close_matches(name, names, 1)
    return f"did you mean `{before}{near[0]}`?" if near else f"choose from: {', '.join(names)}"
