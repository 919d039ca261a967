r"""The exact values of numbers as they are written: `0.5`, `\frac{1}{2}`, `6.02e23`, `2^{10}`.

A decimal stands for its exact value: 0.333 is not 1/3.
"""

from __future__ import annotations

import re
from fractions import Fraction

from localsmc.text.answers.recurring import as_fractions

MIXED = re.compile(r"[+-]?\d{1,200} ?(?:\\frac\{\d{1,200}\}\{\d{1,200}\}|(?<= )\d{1,200}/\d{1,200})")
"""A mixed number such as 2 1/2: compared as text, because it is neither a product nor a quotient."""
_PLAIN = re.compile(r"[+-]?\d{1,200}(?:\.\d{0,200}|/0*[1-9]\d{0,200})?|[+-]?\.\d{1,200}")
# At most 200 digits, as in `plain`; longer numbers are compared as text.
_FRACTION = re.compile(r"([+-]?) ?\\frac\{ *([+-]?\d{1,200}) *\}\{ *([+-]?\d{1,200}) *\}")
_EXACT = re.compile(r"-?\d{1,400}(?:/\d{1,400})?")

_DECIMAL = r"(?:\d{1,200}(?:\.\d{0,200})?|\.\d{1,200})"
POWER = (
    rf"(?:(?P<factor>{_DECIMAL}) ?(?:\\times|\\cdot|\*|[xX]) ?)?"
    rf"(?P<base>{_DECIMAL}) ?\^ ?(?:\{{ ?(?P<braced>[+-]?\d{{1,4}}) ?\}}|(?P<bare>\d))"
)
"""A power of numbers: 10^3, 2^{-5}, 3 \\times 10^8."""
SCIENTIFIC = rf"(?P<digits>{_DECIMAL}) ?[eE](?P<exponent>[+-]?\d{{1,4}})"
"""A number as computers write it: 1e6, 6.02E+23."""
_POWER = re.compile(rf"(?P<sign>[+-]?) ?(?:{POWER})")
_SCIENTIFIC = re.compile(rf"(?P<sign>[+-]?) ?(?:{SCIENTIFIC})")
LARGEST_EXPONENT = 1000
_MOST_DIGITS = 4000


def plain(answer: str) -> str:
    r"""The exact value of a number (0.5, 1/2, \frac{1}{2}), else the text without needless spaces."""
    if MIXED.fullmatch(answer):
        return answer
    written = re.sub(r"(?<!\d)\\frac\{(-?\d+)\}\{(\d+)\}", r"\1/\2", answer)
    compact = re.sub(r"(?<!\d) | (?!\d)", "", written)
    return str(Fraction(compact)) if _PLAIN.fullmatch(compact) else compact


def value(core: str) -> Fraction | None:
    r"""The exact value of an integer, fraction, decimal, power or mixed number; None for anything else.

    `2\frac{1}{2}` and `2 1/2` are mixed numbers, not products.
    Takes text that `latex.spelled` has normalised.
    """
    core = re.sub(r"^([+-]) ", r"\1", as_fractions(core.strip()))
    if MIXED.fullmatch(core):
        return _mixed(core)
    if found := _FRACTION.fullmatch(core):
        top, bottom = int(found[2]), int(found[3])
        return Fraction(-top if found[1] == "-" else top, bottom) if bottom else None
    if found := _SCIENTIFIC.fullmatch(core) or _POWER.fullmatch(core):
        size = powered(found)
        return -size if size is not None and found["sign"] == "-" else size
    key = plain(core)
    return Fraction(key) if _EXACT.fullmatch(key) and not key.endswith("/0") else None


def powered(found: re.Match[str]) -> Fraction | None:
    """The value of a match of POWER or SCIENTIFIC without its sign; None if it has too many digits."""
    parts = found.groupdict()
    if parts.get("digits"):
        factor, base, exponent = Fraction(parts["digits"]), Fraction(10), int(parts["exponent"])
    else:
        factor, base = Fraction(parts["factor"] or 1), Fraction(parts["base"])
        exponent = int(parts["braced"] or parts["bare"])
    if abs(exponent) > LARGEST_EXPONENT or abs(exponent) * len(str(base)) > _MOST_DIGITS:
        return None
    if base == 0 and exponent <= 0:
        return None
    return factor * base**exponent


def _mixed(core: str) -> Fraction | None:
    numbers = [int(digits) for digits in re.findall(r"\d{1,200}", core)]
    if len(numbers) != 3 or numbers[2] == 0:
        return None
    size = numbers[0] + Fraction(numbers[1], numbers[2])
    return -size if core.startswith("-") else size
