"""Commands whose options can be set in the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import click
from click.core import ParameterSource

from localsmc.errors import ModelNotFound
from localsmc_cli.options.base_command import Option, PlainCommand

if TYPE_CHECKING:
    from localsmc_cli.config.config_file import Configuration


class _Profile(Option):
    """`--profile`: read before the other options, whose defaults come from the profile and the file."""

    def consume_value(self, ctx: click.Context, opts: Mapping[str, Any]) -> tuple[Any, ParameterSource]:
        """See `click.Option.consume_value`; the file can also set the profile."""
        if not ctx.resilient_parsing:
            file = cast(ConfigurableCommand, ctx.command).configuration(ctx)
            if file.values:
                from localsmc_cli.config.layers import take_file

                take_file(ctx, file)
        return super().consume_value(ctx, opts)


def _take_profile(ctx: click.Context, _: click.Parameter, name: str | None) -> None:
    if not ctx.resilient_parsing and name is not None:
        from localsmc_cli.config.layers import take_profile

        take_profile(ctx, name)


_ALTERNATIVES = (
    ("quiet", "verbose"),
    ("model", "hf_repo"),
    ("models", "hf_repo"),
    ("model_draft", "hf_repo_draft"),
    ("models", "synthetic"),
    ("hf_repo", "synthetic"),
)
"""Pairs of parameters: if both are set, the one set more explicitly wins, e.g. typed over configured."""


class ConfigurableCommand(PlainCommand):
    """A command that takes option values from the file, from profiles and from the environment."""

    is_configurable = True

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.params.append(
            _Profile(
                ["--profile"],
                section="Configuration",
                metavar="PROFILE",
                is_eager=True,
                expose_value=False,
                callback=_take_profile,
                help="Use a named set of options: fast, careful or your own. See `localsmc config profiles`.",
            )
        )

    def configuration(self, ctx: click.Context) -> Configuration:
        """The user's configuration for this command; raises ConfigError if it cannot be read."""
        from localsmc_cli.config.config_file import read

        return read()

    def invoke(self, ctx: click.Context) -> Any:
        """See `click.Command.invoke`."""
        from localsmc_cli.config.environment import unknown_variables
        from localsmc_cli.config.provenance import add_origin_hint, prefer

        for one, other in _ALTERNATIVES:
            prefer(ctx, one, other)
        if not ctx.params.get("quiet"):
            for line in unknown_variables(ctx):
                ctx.obj.output.warn(line)
        try:
            return super().invoke(ctx)
        except ModelNotFound as error:
            add_origin_hint(ctx, error)
            raise
