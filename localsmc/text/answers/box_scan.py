r"""Complete boxes, ``\boxed{...}``, in a text that may arrive in pieces.

``\fbox`` and ``\framebox`` are boxes too. Of nested boxes the innermost counts, so a box that is never closed
does not hide the next one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

LONGEST = 2000
"""Maximum number of bytes in a box; a longer one is not an answer, and is forgotten while it is scanned."""

PLACEHOLDERS = frozenset(
    b"|answer|final answer|number|...|..|\xe2\x80\xa6|_|__|___|____|\\ldots|\\dots|\\cdots|\\cdot"
    b"|\\cdot\\cdot\\cdot|\\_|\\_\\_|\\quad|\\phantom|[answer]|<answer>|the answer|your answer|answer here"
    b"|your answer here|your final answer|the final answer|insert answer here".split(b"|")
)
"""What a box holds in a request for an answer, in lower case: such a box is as good as empty."""

_NAME = rb"\\(?:boxed|fbox|framebox(?:\[[^\[\]{}\\]{0,20}\]){0,2}) ?\{"
_OPENER = re.compile(_NAME)


def _content(depth: int) -> bytes:
    """A pattern of what a box holds, with braces nested up to a depth, but without the opening of a box."""
    nested = rb"|\{" + _content(depth - 1) + rb"\}" if depth else b""
    run = rb"[^{}\\]{0,%d}" % LONGEST
    return run + rb"(?:(?:\\(?!(?:boxed|fbox|framebox)(?:\[| ?\{))." + nested + rb")" + run + rb"){0,400}"


# Where it fails it has read up to the opening of the next box at most, so that a search takes linear time.
_BOX = re.compile(_NAME + rb"(" + _content(6) + rb")\}", re.DOTALL)
_OPENERS = tuple(
    b"\\" + name + space + b"{" for name in (b"boxed", b"fbox", b"framebox") for space in (b"", b" ")
)
_LONGEST_OPENER = 60
_WRAPPED = re.compile(rb"\\(?:text|mathrm|textbf|mathbf)\s?\{(.*)\}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class BoxScan:
    r"""The state of a left-to-right scan for a complete, non-empty box.

    The result does not depend on how the bytes are split between calls. Escaped braces (``\{``) do not count.
    """

    held: bytes = b""
    """The bytes from the opening of a box, or of what may become one; empty outside."""
    complete: bool = False

    def feed(self, text: bytes) -> BoxScan:
        """The state after more bytes; a complete scan stays complete."""
        if self.complete or (not self.held and b"\\" not in text):
            return self
        data = self.held + text
        if any(_is_full(found[1]) for found in _BOX.finditer(data)):
            return BoxScan(complete=True)
        return BoxScan(held=data[_open_from(data) :])


def boxes(text: str) -> list[str]:
    r"""The contents of all complete, non-empty boxes in a text, in order of appearance."""
    # A model's text may hold half of a surrogate pair.
    found = _BOX.findall(text.encode(errors="surrogatepass"))
    return [content.decode(errors="surrogatepass") for content in found if _is_full(content)]


def last_boxes(data: bytes, most: int) -> list[tuple[bytes, int]]:
    """Contents and ends of the last complete, non-empty boxes of a text in UTF-8; at most so many."""
    found = _BOX.finditer(data, _nth_from_end(data, most))
    return [(one[1], one.end()) for one in found if _is_full(one[1])]


def _nth_from_end(data: bytes, n: int) -> int:
    """Where one of the last n openings of a box begins, or the first."""
    at = len(data)
    for _ in range(n):
        start = max(data.rfind(name, 0, at) for name in (b"\\boxed", b"\\fbox", b"\\framebox"))
        if start < 0:
            break
        at = start
    return 0 if at == len(data) else at


@lru_cache(maxsize=256)
def _is_full(content: bytes) -> bool:
    """Whether a box holds an answer: not nothing, not a placeholder, not half of the text."""
    if len(content) > LONGEST:
        return False
    content = content.strip(b" \t\n$")
    while wrapped := _WRAPPED.fullmatch(content):
        content = wrapped[1].strip()
    return content.lower() not in PLACEHOLDERS


def _open_from(data: bytes) -> int:
    """The first byte to hold: of an open box, or of an end that may become the beginning of one."""
    openers = list(_OPENER.finditer(data, max(0, len(data) - LONGEST - _LONGEST_OPENER)))
    last = openers[-1] if openers else None
    if last is not None and len(data) - last.end() <= LONGEST and not _BOX.match(data, last.start()):
        return last.start()
    start = data.rfind(b"\\", max(0, len(data) - _LONGEST_OPENER))
    tail = data[start:] if start >= 0 else b""
    is_opener = any(opener.startswith(tail) for opener in _OPENERS)
    is_framebox = tail.startswith(b"\\framebox[") and b"{" not in tail
    return start if tail and (is_opener or is_framebox) else len(data)
