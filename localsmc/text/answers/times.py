r"""Times of day: `11:59 \text{ p.m.}`, "11:59 PM", "3 o'clock", "noon", "23:59"."""

from __future__ import annotations

import re
from dataclasses import dataclass

_HALF = r"a\.?\s?m\.?|p\.?\s?m\.?|noon|midnight|in the (?:morning|afternoon|evening)|at night"
_TIME = re.compile(
    rf"(?P<hour>\d{{1,2}})(?:[:.](?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d))?)?(?: ?o'clock)?"
    rf"\s?(?P<half>{_HALF})?"
)
_NAMED = {"noon": 12 * 3600, "midnight": 0, "12 noon": 12 * 3600, "12 midnight": 0}
_DAY = 24 * 3600


@dataclass(frozen=True, slots=True)
class Time:
    """Seconds since midnight; with `is_half_known` false it may be twelve hours later as well."""

    seconds: int
    is_half_known: bool

    def __str__(self) -> str:
        hours, rest = divmod(self.seconds, 3600)
        return f"{hours}:{rest // 60:02}:{rest % 60:02}"

    def allows(self, other: Time) -> bool:
        """Whether another time says the same; where this one leaves a.m. and p.m. open, it may say which."""
        if self.is_half_known or not other.is_half_known:
            return self == other
        return self.seconds % (_DAY // 2) == other.seconds % (_DAY // 2)


def time_of(text: str) -> Time | None:
    """The time of day that a text gives, and nothing else; None for any other text, such as 5 or 3.15."""
    bare = re.sub(r"\\(?:text|mathrm|mbox|textrm)\s?\{([^{}]*)\}", r" \1", text)
    bare = " ".join(re.sub(r"\\[,;:! ]|~", " ", bare).lower().replace("’", "'").split()).strip(" $")
    if bare in _NAMED:
        return Time(_NAMED[bare], is_half_known=True)
    found = _TIME.fullmatch(bare)
    if not found or not _is_marked(found[0], found["half"]):
        return None
    hour, minute, second = (int(found[name] or 0) for name in ("hour", "minute", "second"))
    if hour > 24 or (found["half"] and not 1 <= hour <= 12 and hour != 0):
        return None
    at = (hour * 3600 + minute * 60 + second) % _DAY
    if not found["half"]:
        return Time(at, is_half_known=hour > 12 or hour == 0)
    return Time(at % (_DAY // 2) + (_DAY // 2 if _is_late(found["half"], hour) else 0), is_half_known=True)


def _is_marked(text: str, half: str | None) -> bool:
    """Whether a number is a time: it has a colon, "o'clock" or the half of the day."""
    return ":" in text or "o'clock" in text or half is not None


def _is_late(half: str, hour: int) -> bool:
    is_night = half == "at night" and 5 <= hour < 12
    return half.startswith("p") or half.endswith(("noon", "evening")) or is_night
