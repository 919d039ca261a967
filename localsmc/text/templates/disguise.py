"""Messages whose control tokens are disguised while a template renders them.

A message is text: the name of a control token in it must not become that token, whatever the template does
with the message. So each character of such a name is replaced by one that occurs nowhere else, one for one:
the template can trim, slice or repeat the message, and what it writes still shows where a name came from a
message. Blanks stay as they are, because templates trim them.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from localsmc.errors import PromptError
from localsmc.system.printable import escape

Part = tuple[str, bool]
"""A text, and whether the names of control tokens in it become these tokens."""

_PRIVATE = (range(0xE000, 0xF900), range(0xF0000, 0xFFFFE), range(0x100000, 0x10FFFE))
"""Unicode's private-use characters: no blanks, no letters, and without meaning to a tokenizer."""

Span = tuple[int, int]
"""Where a piece of a text begins and ends."""

_WORD = re.compile(r"\S+")

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
        self._name = finder(tuple(names))
        self._hidden = _words if hides_all else self._name.spans
        found = {text[start:end] for text in texts for start, end in self._hidden(text)}
        characters = {char for char in set().union(*found) if not char.isspace()}
        masks = _unused(len(characters), "\0".join((*texts, *others)))
        self._masked = dict(zip(sorted(characters), masks, strict=True))
        self._shown = {mask: char for char, mask in self._masked.items()}
        # A template that writes JSON or Python's own form of a text escapes the characters.
        spelled = {escape(mask): char for mask, char in self._shown.items() if ord(mask) <= _ESCAPABLE}
        self._spelled = {**self._shown, **spelled}
        shown = "".join(map(re.escape, self._shown))
        self._mask = re.compile(rf"[{shown}]|\\u[0-9a-f]{{4}}" if shown else "(?!)")

    def put_on(self, text: str, but: frozenset[str] = frozenset()) -> str:
        """The text with what is hidden of it in disguise; names in `but` stay visible."""
        pieces, end = [], 0
        for start, stop in self._hidden(text):
            hidden = text[start:stop]
            masked = hidden if hidden in but else "".join(self._masked.get(char, char) for char in hidden)
            pieces += [text[end:start], masked]
            end = stop
        return "".join((*pieces, text[end:]))

    def take_off(self, text: str) -> str:
        """The text as it would be without the disguise."""
        return self._mask.sub(lambda found: self._spelled.get(found[0], found[0]), text)

    def parts(self, rendered: str) -> list[Part]:
        """What a template wrote, cut at control tokens around each disguised name.

        Each part begins and ends where a control token is: so each is tokenised as in the whole text.
        """
        parts: list[Part] = []
        frame, end = "", 0
        for start, stop in [*self._name.spans(rendered), (len(rendered),) * 2]:
            between, end = rendered[end:start], stop
            if any(found[0] in self._spelled for found in self._mask.finditer(between)):
                parts += [(frame, True), (self.take_off(between), False)]
                frame = rendered[start:stop]
            else:
                frame += rendered[start - len(between) : stop]
        return [part for part in (*parts, (frame, True)) if part[0]]


class Finder:
    """Finds the names of control tokens in a text; of several at one place, the longest.

    A vocabulary can have thousands of names: a regular expression would try them one after the other.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(name for name in names if name.strip())
        lengths: dict[str, set[int]] = {}
        for name in self._names:
            lengths.setdefault(name[:2], set()).add(len(name))
        self._lengths = {start: (*sorted(each - {1}, reverse=True), 1) for start, each in lengths.items()}
        firsts = "".join(map(re.escape, {start[0] for start in lengths}))
        self._first = re.compile(f"[{firsts}]" if firsts else "(?!)")

    def spans(self, text: str) -> Iterator[Span]:
        """Where the names are, from left to right."""
        end = 0
        for found in self._first.finditer(text):
            start = found.start()
            if start < end:
                continue
            for length in self._lengths.get(text[start : start + 2], (1,)):
                name = text[start : start + length]
                if name in self._names:
                    end = start + len(name)
                    yield start, end
                    break

    def count(self, text: str) -> Counter[str]:
        """How often each name is in a text."""
        return Counter(text[start:end] for start, end in self.spans(text))


@functools.lru_cache(maxsize=8)
def finder(names: tuple[str, ...]) -> Finder:
    """The finder of these names."""
    return Finder(names)


def _words(text: str) -> Iterator[Span]:
    return (found.span() for found in _WORD.finditer(text))


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
