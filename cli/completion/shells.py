"""The completion scripts and protocols of bash, zsh and fish."""

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

from localsmc_cli.completion.candidates import PATH

VARIABLE = "_LOCALSMC_COMPLETE"
"""The environment variable that a completion script sets."""


def complete(request: str) -> int:
    """Answer a completion script's request, the value of its variable; returns the exit code."""
    shell, _, what = request.partition("_")
    if shell not in SHELLS or what != "complete":
        return 2
    try:
        click.echo(of(shell).complete().encode())
    except Exception:  # an error message would appear in the line being typed
        return 1
    return 0


def of(shell: str) -> ShellComplete:
    """The completer for a shell; raises KeyError for an unknown shell."""
    from localsmc_cli.root import localsmc

    return SHELLS[shell](localsmc, {}, "localsmc", VARIABLE)


class _Whole(ShellComplete):
    """For shells that replace the whole word `--method=pow`, and do the quoting."""

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
    """Like click's, but rejoins words that bash splits at `:` and `=`; adds no space after `alpha=`."""

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
        """See `ShellComplete.format_completion`; bash expects a replacement for the last of its own words."""
        return f"{item.type},{item.value[self._cut :]}"


_BREAKS = (":", "=")


def _rejoined(words: Sequence[str]) -> list[str]:
    """Words as they were typed: bash splits `power-smc:alpha` into three."""
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
