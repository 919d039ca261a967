r"""Gold answers that allow rounding: `\approx 3.14`, and for numbers also `9.8 \pm 0.1`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from localsmc.text.answers.numeric import number

_ROUNDED = re.compile(r"\s*\$?\s*(?:≈|\\approx(?![a-zA-Z]))\s*(?P<shown>[^$]+?)\s*\$?\s*")
_MARGIN = re.compile(r"\s*\$?(?P<middle>[^$]+?)\s*(?:±|\\pm(?![a-zA-Z])|\+/-)\s*(?P<margin>[^$]+?)\$?\s*")
_DECIMALS = re.compile(r"[-−+]?\d[\d,]*(?:\.(\d+))?(?![\d.]|\s*[eE^\\×/])")


@dataclass(frozen=True, slots=True)
class Tolerance:
    """The exact values that a gold answer accepts, both ends included."""

    lowest: Fraction
    highest: Fraction

    def allows(self, found: Fraction) -> bool:
        """Whether a value is right."""
        return self.lowest <= found <= self.highest


def rounded(gold: str) -> Tolerance | None:
    r"""What rounds to the gold answer `\approx 3.14`: half a unit of its last place; None for others."""
    found = _ROUNDED.fullmatch(gold)
    if not found or (middle := number(found["shown"])) is None:
        return None
    if not (digits := _DECIMALS.match(found["shown"])):
        return None
    half = Fraction(1, 2 * 10 ** len(digits[1] or ""))
    return Tolerance(middle - half, middle + half)


def tolerance(gold: str) -> Tolerance | None:
    r"""What a gold number with a tolerance accepts: as `rounded`, or `9.8 \pm 0.1`; None for others."""
    if (found := _MARGIN.fullmatch(gold)) is None:
        return rounded(gold)
    middle, margin = number(found["middle"]), number(found["margin"])
    if middle is None or margin is None or margin < 0:
        return None
    return Tolerance(middle - margin, middle + margin)
