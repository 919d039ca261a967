r"""The structure of an answer: a number or formula, a list or set, a tuple or interval, a union, a matrix.

Takes text that `latex.spelled` has normalised; does not evaluate it. Lists and sets are
unordered; brackets distinguish (3,4] from (3,4).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_OPEN, _CLOSE = frozenset("([{"), frozenset(")]}")
_MATRIX = re.compile(
    r"[\[(]?\s*\\begin\{([pbB]?matrix|array)\}(?:\{[clr| ]*\})?(.*)\\end\{\1\}\s*[\])]?",
    re.DOTALL,
)
_ELEMENT = re.compile(r"^[a-zA-Z]\s*\\in(?![a-zA-Z])\s*(?=[\[(\\])")


@dataclass(frozen=True, slots=True)
class Structure:
    """A kind ("one", "list", "union", a matrix's size, or the two brackets of a tuple) and its parts."""

    kind: str
    parts: tuple[str, ...]

    @property
    def is_ordered(self) -> bool:
        """Whether the parts' order matters."""
        return self.kind not in ("list", "union")


def shape(text: str) -> Structure:
    """The outermost structure of an answer."""
    text = _bare(_ELEMENT.sub("", text.strip()))
    if (found := _MATRIX.fullmatch(text)) and (matrix := _matrix(found[2])) is not None:
        return matrix
    if len(union := split(text, r"\cup")) > 1:
        return Structure("union", tuple(union))
    for mark in (";", ","):  # a list of lists: p=5, q=2; p=7, q=2
        if len(parts := split(text, mark)) > 1:
            return Structure("list", _signed(parts))
    if _is_grouped(text) and len(parts := split(text[1:-1], ",", ";")) > 1:
        return Structure("list", _signed(parts))
    if text.startswith(r"\{") and text.endswith(r"\}") and not re.search(r"\\mid|\||:", text):
        return Structure("list", _signed(split(text[2:-2], ",", ";")))
    if _is_wrapped(text) and len(parts := split(text[1:-1], ",", ";")) > 1:
        return Structure(text[0] + text[-1], tuple(parts))
    if len(parts := list(_signed([text]))) > 1:
        return Structure("list", tuple(parts))
    return Structure("one", (text,))


def split(text: str, *marks: str) -> list[str]:
    """Split at marks that are outside of brackets."""
    pieces, start, depth, i = [], 0, 0, 0
    while i < len(text):
        depth += (text[i] in _OPEN) - (text[i] in _CLOSE)
        mark = next((mark for mark in marks if text.startswith(mark, i)), "") if depth == 0 else ""
        if mark:
            pieces.append(text[start:i].strip())
            start = i + len(mark)
        i += len(mark) or 1
    return [*pieces, text[start:].strip()]


def _bare(text: str) -> str:
    """Strip round brackets around the whole text if it has a single part."""
    while _is_wrapped(text) and text[0] + text[-1] == "()" and len(split(text[1:-1], ",", ";")) == 1:
        text = text[1:-1].strip()
    return text


def _is_wrapped(text: str) -> bool:
    """Whether the first bracket is closed by the last character; (3,4] counts, (1)(2) does not."""
    if len(text) < 3 or text[0] not in "([" or text[-1] not in ")]":
        return False
    return _closes_last(text)


def _is_grouped(text: str) -> bool:
    """Whether one pair of braces, which TeX does not print, is around the whole text."""
    return text.startswith("{") and text.endswith("}") and _closes_last(text)


def _closes_last(text: str) -> bool:
    depth = 0
    for i, char in enumerate(text):
        depth += (char in _OPEN) - (char in _CLOSE)
        if depth == 0:
            return i == len(text) - 1
    return False


def _signed(parts: list[str]) -> tuple[str, ...]:
    r"""Split each part with one `\pm` into two parts."""
    found: list[str] = []
    for part in parts:
        signs = "+-" if part.count(r"\pm") == 1 else ""
        found += [part.replace(r"\pm", sign).strip(" +") for sign in signs] or [part]
    return tuple(found)


def _matrix(body: str) -> Structure | None:
    if r"\begin" in body:  # several matrices
        return None
    rows = [split(row, "&") for row in re.split(r"\\\\|\\cr(?![a-zA-Z])", body.strip().removesuffix("\\\\"))]
    widths = "+".join(str(len(row)) for row in rows)
    return Structure(f"matrix {widths}", tuple(cell for row in rows for cell in row))
