"""What both ways of Power-SMC share: the exponent's ramp, and how they resample, by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from localsmc.errors import ConfigError
from localsmc.methods.base import reject_unused
from localsmc.numerics.resampling import SCHEMES

FEARNHEAD_CLIFFORD = "fearnhead-clifford"
"""The scheme that takes the place of drawing, weighing and resampling."""


def alpha_at(alpha: float, ramp: int, step: int) -> float:
    """α_t for the token at 0-based position t: from 1 in even steps to alpha over `ramp` tokens."""
    return 1.0 + (alpha - 1.0) * min(1.0, (step + 1) / max(1, ramp))


def require_scheme(method: Any, idle: Sequence[str]) -> None:
    """Raise ConfigError for an unknown `resampling`, and for what is `idle` where it is the optimal one."""
    if method.resampling not in (*SCHEMES, FEARNHEAD_CLIFFORD):
        raise ConfigError(
            f"`resampling` is `{method.resampling}`, which is no scheme",
            hint=f"there is: {', '.join((*SCHEMES, FEARNHEAD_CLIFFORD))}",
        )
    if method.resampling == FEARNHEAD_CLIFFORD:
        hint = "add `--resampling systematic`, or another scheme"
        reject_unused(method, idle, "`resampling` is `fearnhead-clifford`", hint)
