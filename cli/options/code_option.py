"""The option that allows running the code that a model wrote."""

from __future__ import annotations

from typing import Any

from localsmc.errors import ConfigError
from localsmc_cli.options.base_command import Decorator, Heading

NEVER_BY_DEFAULT = "running code that a model wrote is allowed for one command at a time"
"""Why it cannot be set in the environment or the configuration."""


def run_code_option(heading: Heading, *, is_rare: bool = False) -> Decorator[Any]:
    """Whether code in completions may run."""
    return heading(
        "--run-code",
        is_flag=True,
        default=False,
        rare=is_rare,
        each_time=NEVER_BY_DEFAULT,
        help="Allow running the code in completions on this machine, to test it: it can do harm. The grader"
        " code and the tasks humaneval and mbpp need it.",
    )


def check_run_code(is_allowed: bool, who: str | None) -> None:
    """Refuse to run code without permission, and a permission that nothing uses.

    `who` is what would run code, None if nothing does. Raises ConfigError.
    """
    if who is not None and not is_allowed:
        raise ConfigError(
            f"{who} runs the code in completions on this machine",
            hint="add `--run-code` if you allow it; its limits keep accidents away, but are no sandbox",
        )
    if who is None and is_allowed:
        raise ConfigError("`--run-code` has no effect: no code is run here", hint="remove it")
