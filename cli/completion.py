"""`localsmc completion`: what makes a shell complete localsmc's words."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    split_arg_string,
)

from localsmc.errors import ConfigError
from localsmc_cli.command import PlainCommand, did_you_mean
from localsmc_cli.completing import PATH
from localsmc_cli.session import Session

PROGRAM, VARIABLE = "localsmc", "_LOCALSMC_COMPLETE"

_EXAMPLES = """\b
Examples:
  localsmc completion bash > ~/.local/share/bash-completion/completions/localsmc
  eval "$(localsmc completion bash)"

bash: the first is for the package bash-completion, which loads it when it is needed; without it the second,
as a line of ~/.bashrc. zsh: eval "$(localsmc completion zsh)" in ~/.zshrc, behind compinit. fish: localsmc
completion fish > ~/.config/fish/completions/localsmc.fish. Then open a new shell.
"""


@click.command(cls=PlainCommand, epilog=_EXAMPLES, short_help="Print what makes your shell complete.")
@click.argument("shell", required=False, metavar="bash|zsh|fish")
@click.pass_obj
def completion(session: Session, shell: str | None) -> None:
    """Print a script that makes a shell complete commands, options, methods, models and profiles."""
    if shell is None:
        used = os.path.basename(os.environ.get("SHELL", ""))
        raise ConfigError(
            "no shell is given", hint=f"localsmc completion {used if used in SHELLS else 'bash'}"
        )
    if shell not in SHELLS:
        raise ConfigError(f"there is no completion for `{shell}`", hint=did_you_mean(shell, list(SHELLS)))
    session.output.text(_for(shell).source().rstrip())


def complete(request: str) -> int:
    """Answer a shell that asks, by the variable that its script sets; returns the exit code."""
    shell, _, what = request.partition("_")
    if shell not in SHELLS or what != "complete":
        return 2
    try:
        click.echo(_for(shell).complete().encode())
    except Exception:  # an error's words would stand in the middle of a line being typed
        return 1
    return 0


def _for(shell: str) -> ShellComplete:
    from localsmc_cli.commands import localsmc

    return SHELLS[shell](localsmc, {}, PROGRAM, VARIABLE)


class _Whole(ShellComplete):
    """For shells that put what is offered in the place of all of `--method=pow`, and quote by themselves."""

    def get_completion_args(self) -> tuple[list[str], str]:
        """See `ShellComplete.get_completion_args`."""
        args, incomplete = super().get_completion_args()
        name, equals, _ = incomplete.partition("=")
        self._before = name + equals if equals and name.startswith("--") else ""
        return args, incomplete

    def format_completion(self, item: CompletionItem[Any]) -> str:
        """See `ShellComplete.format_completion`."""
        if item.type in ("plain", PATH):
            item = CompletionItem(self._before + item.value, help=item.help)
        return super().format_completion(item)


class _Zsh(_Whole, ZshComplete):
    pass


class _Fish(_Whole, FishComplete):
    pass


class _Bash(BashComplete):
    """As click's, where bash has parted words at `:` and `=`, and without a space behind `alpha=`."""

    source_template = """\
%(complete_func)s() {
    local IFS=$'\\n' response line type value
    response=$(env COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD %(complete_var)s=bash_complete $1)
    COMPREPLY=()
    while read -r line; do
        type=${line%%%%,*} value=${line#*,}
        case $type in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            path) compopt -o filenames; COMPREPLY+=("$value") ;;
            plain) COMPREPLY+=("$value") ;;
        esac
        [[ $value == *[=:/] ]] && compopt -o nospace
    done <<< "$response"
}

complete -o nosort -F %(complete_func)s %(prog_name)s
"""

    def get_completion_args(self) -> tuple[list[str], str]:
        """See `ShellComplete.get_completion_args`."""
        words = split_arg_string(os.environ["COMP_WORDS"])
        last = int(os.environ["COMP_CWORD"])
        current = words[last] if last < len(words) else ""
        *args, incomplete = _rejoined([*words[1:last], current])
        shown = incomplete.partition("=")[2] if incomplete.startswith("--") else incomplete
        self._cut = max(0, len(shown) - (0 if current in _BREAKS else len(current)))
        return args, incomplete

    def format_completion(self, item: CompletionItem[Any]) -> str:
        """See `ShellComplete.format_completion`; bash takes what goes in the place of its own last word."""
        return f"{item.type},{item.value[self._cut :]}"


_BREAKS = (":", "=")


def _rejoined(words: Sequence[str]) -> list[str]:
    """Words as they were typed: bash makes three of `power-smc:alpha`."""
    joined: list[str] = []
    is_open = False
    for word in words:
        if joined and (is_open or word in _BREAKS):
            joined[-1] += word
        else:
            joined.append(word)
        is_open = word in _BREAKS
    return joined


SHELLS: dict[str, type[ShellComplete]] = {"bash": _Bash, "zsh": _Zsh, "fish": _Fish}
