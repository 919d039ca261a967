"""How Power-SMC resamples, by name, and what has no say beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from localsmc.errors import ConfigError
from localsmc.methods.base import refuse_idle
from localsmc.resampling import SCHEMES

OPTIMAL = "optimal"
"""The scheme that takes the place of drawing, weighing and resampling."""


def require_scheme(method: Any, idle: Sequence[str]) -> None:
    """Raise ConfigError for an unknown `resampling`, and for what is `idle` where it is the optimal one."""
    if method.resampling not in (*SCHEMES, OPTIMAL):
        raise ConfigError(
            f"`resampling` is `{method.resampling}`, which is no scheme",
            hint=f"there is: {', '.join((*SCHEMES, OPTIMAL))}",
        )
    if method.resampling == OPTIMAL:
        hint = "add `--resampling systematic`, or another scheme"
        refuse_idle(method, idle, "`resampling` is `optimal`", hint)
