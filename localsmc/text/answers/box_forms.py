r"""The last box of a text in any form that models write: `\boxed{5}`, `\boxed 5`, `\framebox[2cm]{5}`."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable

from localsmc.text.answers.box_scan import last_boxes
from localsmc.text.answers.statements import touches_end

_BARE = re.compile(
    r"\\(?:boxed|fbox|framebox)(?![a-zA-Z{\[])[ \t]{0,3}(?!\{)"
    r"(?P<value>[-+−]?\\[dt]?frac[ ]?(?:\{[^{}\n]{1,100}\}){2}|[-+−]?(?!\\(?:boxed"
    r"|f))\\?\(?[^\s\\{}$()]{1,100}\)?(?: ?= ?[^\s\\{}$()]{1,100})?)"
)
"""A box without braces: TeX takes one token, but models mean a word, a number or an equation."""
MOST = 60
"""Maximum number of boxes that are looked at, from the end of a text."""
_TRAILING = ".,;:!?*_`。，"


_BETWEEN = re.compile(
    r"|(?=.*(?:[,;&]|and|or))(?!.*\n\s*\n)[\s$,;]*"
    r"(?:(?:\\(?:quad|qquad|[,;:! ()\[\]]|text\s?\{\s*(?:and|or)\s*\}|,)|and|or|&"
    r"|(?:[a-zA-Z]|\\[a-z]{1,10})(?:_\{?\w{1,5}\}?)? ?=)[\s$,;]*){0,8}",
    re.DOTALL,
)
"""What stands between the boxes of one answer: `\\boxed{1}, \\boxed{2}`, "$x = \\boxed{1}$ or \\boxed{2}"."""
_OPENED = re.compile(rb"\\(?:boxed|fbox) ?\{$")
_LONGEST_BETWEEN = 60


def last_boxes_joined(text: str, accepts: Callable[[str], bool], *, is_cut: bool = False) -> str | None:
    """As `last_box`; boxes that only "and" or a comma parts from the last one are one answer with it."""
    last = last_box(text, accepts, is_cut=is_cut)
    if last is None or text.count("box") < 2:
        return last
    data = text.encode(errors="surrogatepass")
    found = [(content.decode(errors="surrogatepass"), end, end - len(content) - 1)
             for content, end in last_boxes(data, MOST)]  # fmt: skip
    if not found or found[-1][0] != last:
        return last
    parts = [last]
    for (content, end, _), (_, _, start) in zip(found[-2::-1], found[:0:-1], strict=True):
        opened = _OPENED.search(data[:start])
        between = data[end : opened.start()] if opened else b"?"
        is_apart = len(between) > _LONGEST_BETWEEN or not _BETWEEN.fullmatch(between.decode(errors="replace"))
        if is_apart or not accepts(content):
            break
        parts.insert(0, content)
    return last if len(set(parts)) == 1 else ", ".join(parts)


def last_box(text: str, accepts: Callable[[str], bool], *, is_cut: bool = False) -> str | None:
    """The content of the last box that `accepts` lets pass; None if there is none."""
    if "box" not in text:
        return None
    closed, closed_at = None, 0
    data = text.encode(errors="surrogatepass")
    for content, end in reversed(last_boxes(data, MOST)):
        if accepts(shown := content.decode(errors="surrogatepass")):
            closed, closed_at = shown, len(data[:end].decode(errors="surrogatepass"))
            break
    for bare in reversed(deque(_BARE.finditer(text, closed_at), MOST)):
        value = bare["value"].rstrip(_TRAILING)
        is_whole = not is_cut or not touches_end(text, bare.start("value") + len(value), is_closed=False)
        if value and is_whole and accepts(value):
            return value
    return closed
