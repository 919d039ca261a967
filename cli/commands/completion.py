"""`localsmc completion`: the shell completion scripts."""

from __future__ import annotations

import os

import click

from localsmc.errors import ConfigError
from localsmc_cli.options.base_command import PlainCommand, did_you_mean
from localsmc_cli.ui.command_session import CommandSession

_EXAMPLES = """\b
Examples:
  localsmc completion bash > ~/.local/share/bash-completion/completions/localsmc
  eval "$(localsmc completion bash)"

bash: the first example needs the package bash-completion, which loads the script on demand. Without it, add
the second to ~/.bashrc. zsh: add eval "$(localsmc completion zsh)" to ~/.zshrc, after compinit. fish:
localsmc completion fish > ~/.config/fish/completions/localsmc.fish. Then open a new shell.
"""


@click.command(cls=PlainCommand, epilog=_EXAMPLES)
@click.argument("shell", required=False, metavar="bash|zsh|fish")
@click.pass_obj
def completion(session: CommandSession, shell: str | None) -> None:
    """Print a shell completion script for commands, options, methods, models and profiles."""
    from localsmc_cli.completion.shells import SHELLS, of

    if shell is None:
        used = os.path.basename(os.environ.get("SHELL", ""))
        raise ConfigError(
            "no shell is given", hint=f"localsmc completion {used if used in SHELLS else 'bash'}"
        )
    if shell not in SHELLS:
        raise ConfigError(f"no completion for the shell `{shell}`", hint=did_you_mean(shell, list(SHELLS)))
    session.output.text(of(shell).source().rstrip())
