"""Writes the reference of all commands, a page of the documentation, from their `--help-all`:

    python -m localsmc_cli.reference docs/reference/cli.md

A test checks that the file is up to date.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

import click

from localsmc_cli.options.base_command import PlainCommand
from localsmc_cli.root import localsmc

TITLE = """\
<!-- Written by `python -m localsmc_cli.reference docs/reference/cli.md`; edit the commands' help instead. -->

# Command line

Every command with all its options, as `localsmc COMMAND --help-all` prints them. `localsmc COMMAND --help`
leaves the rare ones out."""

SHARED = """\
## Shared options

These groups of options are the same for several commands."""

MIN_SHARED = 2
"""Minimum number of options in a shared group; shorter groups are repeated with each command."""


def leaves(group: click.Group | None = None, path: str = "localsmc") -> Iterator[tuple[str, click.Command]]:
    """Yield every command that is not a group, with its path, e.g. `localsmc models pull`."""
    group = localsmc if group is None else group
    context = click.Context(group, info_name=path)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from leaves(command, f"{path} {name}")
        elif command is not None:
            yield f"{path} {name}", command


def page() -> str:
    """The whole page: one section per command, then the option groups that several commands share."""
    entries = [_Entry(path, command) for path, command in leaves()]
    counts = Counter(section for entry in entries for section in entry.sections)
    shared = [section for section, n in counts.items() if n > 1 and len(section.records) >= MIN_SHARED]
    blocks = [TITLE, *(block for entry in entries for block in entry.blocks(shared)), SHARED]
    for section in shared:
        users = [f"`{entry.path}`" for entry in entries if section in entry.sections]
        blocks += [_label(section, shared), f"### {section.name}", f"Options of {', '.join(users)}."]
        blocks.append(_listed(section))
    return "\n\n".join(blocks) + "\n"


class _Section(NamedTuple):
    name: str
    records: tuple[tuple[str, str], ...]


class _Entry:
    """A command in the reference."""

    def __init__(self, path: str, command: click.Command) -> None:
        context = click.Context(command, info_name=path)
        self.path = path
        self._usage = " ".join([path, *command.collect_usage_pieces(context)])
        self._help = _paragraphs(command.help)
        self._examples = examples_of(command)
        self._notes = _paragraphs((command.epilog or "").partition("\n\n")[2])
        found = command.sections(context, with_rare=True) if isinstance(command, PlainCommand) else {}
        self.sections = [_Section(name, tuple(each)) for name, each in found.items() if name != "Help"]

    def blocks(self, shared: Collection[_Section]) -> Iterator[str]:
        """The command's paragraphs, to be joined by empty lines."""
        yield f"## {self.path}"
        yield from self._help
        yield f"```text\n{self._usage}\n```"
        yield "Examples:"
        yield "\n".join(["```sh", *self._examples, "```"])
        yield from self._notes
        for section in self.sections:
            if section not in shared:
                yield f"**{section.name}**"
                yield _listed(section)
        links = [
            f"[{section.name}]({_target(section, shared)})" for section in self.sections if section in shared
        ]
        if links:
            yield f"Shared options: {', '.join(links)}."


def _paragraphs(text: str | None) -> list[str]:
    return [_escaped(block) for block in (text or "").replace("\b", "").split("\n\n") if block.strip()]


def _listed(section: _Section) -> str:
    return "\n".join(f"- `{option}`: {_escaped(text)}" for option, text in section.records)


def _name(section: _Section, shared: Collection[_Section]) -> str:
    """The link target of a group, numbered if several groups have the same heading."""
    same_name = [one for one in shared if one.name == section.name]
    n = f"-{same_name.index(section) + 1}" if len(same_name) > 1 else ""
    return f"shared-{section.name.lower().replace(' ', '-')}{n}"


def _label(section: _Section, shared: Collection[_Section]) -> str:
    return f"({_name(section, shared)})="


def _target(section: _Section, shared: Collection[_Section]) -> str:
    return f"#{_name(section, shared)}"


def examples_of(command: click.Command) -> list[str]:
    """The example commands in a command's help."""
    shown, _, _ = (command.epilog or "").partition("\n\n")
    return [line.strip() for line in shown.splitlines() if line.startswith("  ")]


def _escaped(text: str) -> str:
    """The text on one line with Markdown escaped; code in backticks is unchanged."""
    parts = re.split(r"(`[^`]*`)", " ".join(text.split()))
    parts[::2] = [re.sub(r"([<>|*\\$_\[\]{}])", r"\\\1", part) for part in parts[::2]]
    return "".join(parts)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
