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
