"""The objects that every command gets: its output, and its interrupts by Ctrl-C."""

from __future__ import annotations

from dataclasses import dataclass

from localsmc_cli.ui.interrupt import Interrupts
from localsmc_cli.ui.output import Output


@dataclass(frozen=True, slots=True)
class CommandSession:
    """The context object of all commands."""

    output: Output
    interrupts: Interrupts
