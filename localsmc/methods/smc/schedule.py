"""What power-smc and draft-smc share: the ramp of the exponent, and the resampling schemes by name."""

from __future__ import annotations

from collections.abc import Sequence

from localsmc.errors import ConfigError
from localsmc.methods.base import Unused
from localsmc.numerics.resampling import SCHEMES

FEARNHEAD_CLIFFORD = "fearnhead-clifford"
"""The scheme that weighs all children of all histories, instead of drawing, weighting and resampling."""


def alpha_at(alpha: float, ramp: int, step: int) -> float:
    """α_t for the token at 0-based position `step`: rises from 1 to alpha in `ramp` equal steps."""
    return 1.0 + (alpha - 1.0) * min(1.0, (step + 1) / max(1, ramp))


def require_scheme(resampling: str) -> None:
    """Raise ConfigError for an unknown resampling scheme."""
    if resampling not in (*SCHEMES, FEARNHEAD_CLIFFORD):
        raise ConfigError(
            f"`resampling` is `{resampling}`, which is not a resampling scheme",
            hint=f"choose from: {', '.join((*SCHEMES, FEARNHEAD_CLIFFORD))}",
        )


def unused_with_scheme(resampling: str, names: Sequence[str]) -> list[Unused]:
    """These parameters with the scheme `fearnhead-clifford`; none with any other scheme."""
    if resampling != FEARNHEAD_CLIFFORD:
        return []
    remedy = "choose another scheme, e.g. `resampling=systematic`"
    return [Unused(tuple(names), f"with `resampling={FEARNHEAD_CLIFFORD}`", remedy)]
