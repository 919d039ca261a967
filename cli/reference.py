"""README's reference of all commands, from what `--help-all` says of them.

    python -m localsmc_cli.reference README.md

writes it between the two marks in that file; a test fails where it is not what is written there.
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

BEGIN, END = "<!-- The reference of commands, by cli/reference.py -->", "<!-- The end of the reference -->"


def leaves(group: click.Group | None = None, path: str = "localsmc") -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, by its path: `localsmc models pull`."""
    group = localsmc if group is None else group
    context = click.Context(group, info_name=path)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from leaves(command, f"{path} {name}")
        elif command is not None:
            yield f"{path} {name}", command


def reference() -> str:
    """All commands as Markdown, each folded away; what several have alike is said once, at the end."""
    entries = [_Entry(path, command) for path, command in leaves()]
    counts = Counter(section for entry in entries for section in entry.sections)
    shared = [section for section, n in counts.items() if n > 1]
    lines = [line for entry in entries for line in entry.lines(shared)]
    common = [line for section in shared for line in _listed(section)]
    title = "<details><summary>Options that several commands have</summary>"
    return "\n".join([*lines, title, "", *common, "</details>"])


class _Section(NamedTuple):
    name: str
    records: tuple[tuple[str, str], ...]


class _Entry:
    """A command in the reference."""

    def __init__(self, path: str, command: click.Command) -> None:
        context = click.Context(command, info_name=path)
        self._usage = " ".join([path, *command.collect_usage_pieces(context)])
        self._said = " ".join((command.help or "").partition("\n\n")[0].split())
        self._examples = examples_of(command)
        found = command.sections(context, with_rare=True) if isinstance(command, PlainCommand) else {}
        self.sections = [_Section(name, tuple(each)) for name, each in found.items() if name != "Help"]

    def lines(self, shared: Collection[_Section]) -> Iterator[str]:
        yield f"<details><summary><code>{_escaped(self._usage)}</code></summary>"
        yield from ("", _escaped(self._said), "")
        for section in self.sections:
            if section not in shared:
                yield from _listed(section)
        others = [section.name for section in self.sections if section in shared]
        if others:
            yield from (f"Options of several commands: {', '.join(others)}.", "")
        yield from ("```sh", *self._examples, "```", "", "</details>")


def _listed(section: _Section) -> Iterator[str]:
    yield from (f"**{section.name}**", "")
    yield from (f"- `{option}`: {_escaped(text)}" for option, text in section.records)
    yield ""


def examples_of(command: click.Command) -> list[str]:
    """The commands in its help that can be typed as they are."""
    shown, _, _ = (command.epilog or "").partition("\n\n")
    return [line.strip() for line in shown.splitlines() if line.startswith("  ")]


def _escaped(text: str) -> str:
    """Without what Markdown would take for its own, on one line."""
    return re.sub(r"([<>|*\\])", lambda mark: f"\\{mark[1]}", " ".join(text.split()))


def put_into(readme: str) -> str:
    """A README with the reference of now between its marks."""
    before, _, rest = readme.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{reference()}\n\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.write_text(put_into(target.read_text(encoding="utf-8")), encoding="utf-8")
