r"""A number with its unit: `\$32,348`, `15 \text{ cm}^2`, `5.4 cents`, `90^\circ`, `137 \frac{1}{2}`.

Takes text that `latex.spelled` has normalised. Values are exact fractions; a unit is one word.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_ALIASES = {
    "centimeter": "cm", "centimetre": "cm", "millimeter": "mm", "millimetre": "mm", "kilometer": "km",
    "kilometre": "km", "meter": "m", "metre": "m", "inche": "in", "inch": "in", "feet": "ft", "foot": "ft",
    "yard": "yd", "mile": "mi", "gram": "g", "kilogram": "kg", "pound": "lb", "second": "s", "sec": "s",
    "minute": "min", "hour": "h", "hr": "h", "day": "day", "week": "week", "month": "month", "year": "year",
    "cent": "cent", "¢": "cent", "dollar": "dollar", "degree": "degree", "deg": "degree",
    "radian": "radian", "rad": "radian", "percent": "percent", "pct": "percent", "percentage": "percent",
}  # fmt: skip
_KNOWN = frozenset(_ALIASES.values())
_SHORT = "cm|mm|km|in|ft|yd|mi|kg|lbs?|sec|min|hrs?|deg|rad|mph|kph|pct"
_LETTERS = "m|g|s|h|l"
_NO_UNIT = (
    "sqrt|frac|alpha|beta|gamma|delta|theta|infty|cdot|times|circ"
    "|hundred|thousand|million|billion|trillion|dozen"
)
_POWER = r"(?:\s*\^\s*\{?\s*([23])\s*\}?)?"

_FRONT = re.compile(r"^([+-]?)\s*(?:(?:\\?\$)+|\\text\{\s*\$\s*\}|£|€|¥)\s*")
_MARKED = re.compile(rf"\s*\\text\s*\{{\s*([^{{}}]*?)\s*\}}{_POWER}$")
_SIGN = re.compile(r"\s*(\^\\circ|\\?%|¢)$")
ANGLED = re.compile(r"\\(?:sin|cos|tan|cot|sec|csc)(?![a-zA-Z])")
"""The angle of a function is in degrees, not the whole: \\sin 30^\\circ."""
_WORDS = re.compile(
    rf"(?<![\\a-zA-Z])\s*(?<=[\d}}) ])((?:(?:square|sq|cubic|cu)\.? )?"
    rf"(?:(?!{_NO_UNIT})[a-zA-Z]{{4,}}|{_SHORT})(?: [a-zA-Z]+)*"
    rf"|(?:square|sq|cubic|cu)\.? (?:{_LETTERS}))\.?{_POWER}$"
)
_LETTER = re.compile(rf"(?<=[\d}}) ])\s*({_LETTERS}){_POWER}$")


@dataclass(frozen=True, slots=True)
class Quantity:
    """An answer without its unit, and the unit; None if it has no known unit."""

    core: str
    unit: str | None = None

    def clashes(self, other: Quantity) -> bool:
        """Whether both have known units that differ: cents and dollars, cm and cm^2."""
        return self.unit is not None and other.unit is not None and self.unit != other.unit


def quantity(text: str, *, letters: bool = False) -> Quantity:
    """Separate the units; with `letters` also m, g, s, h and l, which may otherwise be variables."""
    unit, bare = None, _FRONT.sub(r"\1", text).strip()
    if bare != text.strip():
        unit = "dollar" if "$" in text else None
    for _ in range(3):  # 30^\circ\text{C}
        shorter, name = _peeled(bare, letters)
        if not shorter:
            break
        bare, unit = shorter, _known(name) or unit
    return Quantity(bare, unit)


def _peeled(text: str, letters: bool) -> tuple[str, str]:
    """The text without its last unit, and that unit; empty strings if it has none."""
    if (found := _SIGN.search(text)) and not (found[1] == "^\\circ" and ANGLED.search(text)):
        name = {"^\\circ": "degree", "¢": "cent"}.get(found[1], "percent")
        return text[: found.start()].strip(), name
    patterns = [_MARKED, _WORDS, *([_LETTER] if letters else [])]
    for found in filter(None, (pattern.search(text) for pattern in patterns)):
        return text[: found.start()].strip(), f"{found[1]}^{found[2]}" if found[2] else found[1]
    return "", ""


def _known(name: str) -> str | None:
    """The canonical name of a unit with its power, `cm^2` for "square centimeters"; None if unknown."""
    name, power = name.lower().strip(" ."), ""
    if found := re.fullmatch(r"(.*)\^([23])", name):
        name, power = found[1], found[2]
    if found := re.fullmatch(r"(square|sq|cubic|cu)\.? (.*)", name):
        name, power = found[2], "2" if found[1].startswith("sq") else "3"
    single = name.strip(" .")
    single = single[:-1] if single.endswith("s") and len(single) > 1 else single
    base = _ALIASES.get(single, single)
    if base not in _KNOWN:
        return None
    return f"{base}^{power}" if power else base
