"""Named tokens, as bytes that no UTF-8 text has: what a model writes is read as text and such names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

BEFORE, _AFTER = b"\xfe", b"\xff"
"""The bytes before and after the digits of a name."""
_NOT_TEXT = re.compile(rb"[\xf8-\xff]")
_NAMED = re.compile(rb"\xfe[\xf8-\xfd]*\xff")


@lru_cache(maxsize=256)
def named(name: str) -> bytes:
    """A named token, as it is read: four digits of base 6 for each byte, as bytes that UTF-8 never has."""
    digits = (byte // power % 6 for byte in name.encode() for power in (216, 36, 6, 1))
    return BEFORE + bytes(0xF8 + digit for digit in digits) + _AFTER


def only_text(piece: bytes) -> bytes:
    """A piece of text without the bytes of names: in UTF-8 each of them is an error, shown as U+FFFD."""
    return _NOT_TEXT.sub("\ufffd".encode(), piece) if _NOT_TEXT.search(piece) else piece


def has_names(data: bytes) -> bool:
    """Whether there are named tokens in what is read."""
    return BEFORE in data


def names_in(data: bytes, start: int = 0, end: int | None = None) -> Iterator[re.Match[bytes]]:
    """The named tokens in what is read."""
    return _NAMED.finditer(data, start, len(data) if end is None else end)


def without_names(data: bytes) -> bytes:
    """What is read, without the names of tokens."""
    return _NAMED.sub(b"", data) if BEFORE in data else data
