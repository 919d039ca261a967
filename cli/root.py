"""The main command group; each command is imported on demand."""

from __future__ import annotations

import importlib

import click

from localsmc.errors import ConfigError
from localsmc.version import __version__
from localsmc_cli.completion.candidates import CANDIDATES
from localsmc_cli.options.base_command import OFFERS, did_you_mean

OFFERS.update(CANDIDATES)

SECTIONS = {
    "Solve and chat": {
        "solve": "Solve a problem and show the distribution of answers.",
        "chat": "Chat with a model.",
    },
    "Evaluate": {
        "eval": "Run methods on a set of problems.",
        "grade": "Grade completions or answers that exist.",
        "score": "Log-probabilities of texts, multiple choice, perplexity.",
        "report": "Summarise evaluation runs as tables or HTML.",
        "bench": "Measure speed and where the time goes.",
        "methods": "Describe the methods and their parameters.",
    },
    "Models": {
        "models": "List, download and name models.",
        "quantize": "Quantize a model.",
    },
    "Set up": {
        "doctor": "Check the installation.",
        "config": "Show and change default options.",
        "completion": "Print a shell completion script.",
    },
}
"""Short help of each command, so that `--help` does not import them. Each is in the module of its name."""

COMMANDS = {name: words for section in SECTIONS.values() for name, words in section.items()}

_ELSEWHERE = {
    "run": "chat -m MODEL",
    "pull": "models pull MODEL",
    "list": "models",
    "ls": "models",
    "show": "models show MODEL",
    "rm": "models rm MODEL",
    "help": "--help",
    "version": "--version",
}
"""Commands of ollama, `llm` or llama.cpp, and their equivalents."""


class Commands(click.Group):
    """A group whose commands are imported on demand."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """See `click.Group.list_commands`."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """See `click.Group.get_command`."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(
            importlib.import_module(f"localsmc_cli.commands.{cmd_name}"), cmd_name
        )
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """See `click.Group.format_commands`; groups the commands under headings."""
        for heading, commands in SECTIONS.items():
            with formatter.section(heading):
                formatter.write_dl(list(commands.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """See `click.Group.resolve_command`; suggests a command for an unknown name."""
        if args[0] in COMMANDS or args[0].startswith("-") or ctx.resilient_parsing:
            return super().resolve_command(ctx, args)
        hint = did_you_mean(args[0], list(COMMANDS))
        if args[0] in _ELSEWHERE:
            hint = f"type: localsmc {_ELSEWHERE[args[0]]}"
        if " " in args[0]:
            hint = f'did you mean: localsmc solve "{args[0]}"'
        raise ConfigError(f"unknown command `{args[0]}`", hint=hint)


def _print_version(ctx: click.Context, _: click.Parameter, is_wanted: bool) -> None:
    if not is_wanted or ctx.resilient_parsing:
        return
    from localsmc.llama import build_info, devices

    lines = [f"localsmc {__version__}", build_info()]
    for device in devices():
        lines.append(f"{device.name}: {device.description}, {device.total / 2**30:.1f} GiB")
    ctx.obj.output.text("\n".join(lines))
    ctx.exit()


@click.group(
    cls=Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version, llama.cpp's build and its devices, and exit.",
)
@click.pass_context
def localsmc(ctx: click.Context) -> None:
    """Get better answers from a GGUF model that you already have, on your own machine.

    \b
    Examples:
      localsmc solve "What is 17 * 23?"
      localsmc solve -m model.gguf "How many primes are there below 100?"
      localsmc chat -m model.gguf
      localsmc COMMAND --help
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
