"""Messages whose control tokens are disguised while a template renders them.

A message is text: the name of a control token in it must not become that token, whatever the template does
with the message. So each character of such a name is replaced by one that occurs nowhere else, one for one:
the template can trim, slice or repeat the message, and what it writes still shows where a name came from a
message. Blanks stay as they are, because templates trim them.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence

from localsmc.errors import PromptError
from localsmc.system.printable import escape

Part = tuple[str, bool]
"""A text, and whether the names of control tokens in it become these tokens."""

_PRIVATE = (range(0xE000, 0xF900), range(0xF0000, 0xFFFFE), range(0x100000, 0x10FFFE))
"""Unicode's private-use characters: no blanks, no letters, and without meaning to a tokenizer."""

_ALL = re.compile(r"\S+")

_ESCAPABLE = 0xFFFF
"""Up to here, the escape of a character in JSON and in Python is the same."""


class Disguise:
    """Puts names of control tokens out of a template's sight, and finds them in what it wrote.

    With `hides_all`, it puts all of the messages out of its sight. `others` are texts whose characters are
    not used for it, such as the template. Raises PromptError if all private-use characters are taken.
    """

    def __init__(
        self,
        texts: Sequence[str],
        names: Sequence[str],
        others: Iterable[str] = (),
        *,
        hides_all: bool = False,
    ) -> None:
        self._name = pattern(tuple(names))
        self._hidden = _ALL if hides_all else self._name
        characters = {char for text in texts for found in self._hidden.findall(text) for char in found}
        characters = {char for char in characters if not char.isspace()}
        masks = _unused(len(characters), "\0".join((*texts, *others)))
        self._masked = dict(zip(sorted(characters), masks, strict=True))
        self._shown = {mask: char for char, mask in self._masked.items()}
        # A template that writes JSON or Python's own form of a text escapes the characters.
        spelled = {escape(mask): char for mask, char in self._shown.items() if ord(mask) <= _ESCAPABLE}
        self._spelled = {**self._shown, **spelled}
        self._mask = re.compile("|".join(map(re.escape, self._spelled)) or "(?!)")

    def put_on(self, text: str, but: frozenset[str] = frozenset()) -> str:
        """The text with what is hidden of it in disguise; names in `but` stay visible."""

        def masked(found: re.Match[str]) -> str:
            return found[0] if found[0] in but else "".join(self._masked.get(c, c) for c in found[0])

        return self._hidden.sub(masked, text)

    def take_off(self, text: str) -> str:
        """The text as it would be without the disguise."""
        return self._mask.sub(lambda found: self._spelled[found[0]], text)

    def parts(self, rendered: str) -> list[Part]:
        """What a template wrote, cut at control tokens around each disguised name.

        Each part begins and ends where a control token is: so each is tokenised as in the whole text.
        """
        parts: list[Part] = []
        frame, end = "", 0
        for start, stop in [*(found.span() for found in self._name.finditer(rendered)), (len(rendered),) * 2]:
            between, end = rendered[end:start], stop
            if self._mask.search(between):
                parts += [(frame, True), (self.take_off(between), False)]
                frame = rendered[start:stop]
            else:
                frame += rendered[start - len(between) : stop]
        return [part for part in (*parts, (frame, True)) if part[0]]


@functools.lru_cache(maxsize=8)
def pattern(names: tuple[str, ...]) -> re.Pattern[str]:
    """Finds the names of control tokens in a text, the longest first."""
    longest = sorted((name for name in names if name.strip()), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest)) or "(?!)")


def can_make_name(names: tuple[str, ...], texts: Sequence[str]) -> bool:
    """Whether a text has all characters of a name: a template that leaves some out could then write it."""
    return any(needed <= characters for characters in map(set, texts) for needed in _characters(names))


@functools.lru_cache(maxsize=8)
def _characters(names: tuple[str, ...]) -> frozenset[frozenset[str]]:
    """The characters of each name; of those that have the same, and more, only the fewest."""
    each = sorted({frozenset(name) for name in names if name.strip()}, key=len)
    fewest: list[frozenset[str]] = []
    for one in each:
        if not any(less <= one for less in fewest):
            fewest.append(one)
    return frozenset(fewest)


def _unused(n: int, text: str) -> list[str]:
    """Private-use characters that do not occur in a text, nor do their escapes."""
    taken = set(text)
    found: list[str] = []
    for code in (code for block in _PRIVATE for code in block):
        if len(found) == n:
            break
        if chr(code) not in taken and not (code <= _ESCAPABLE and escape(chr(code)) in text):
            found.append(chr(code))
    if len(found) < n:
        raise PromptError(
            "the messages name control tokens and contain all private-use characters of Unicode",
            hint="remove the private-use characters",
        )
    return found
