"""Texts of others, such as a file's metadata, without what a terminal would take as a command.

Blanks, joiners and letters of every script stay as they are, also those that a font need not have.
"""

from __future__ import annotations

import re

_CONTROLS = re.compile("[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, bidirectional marks, separators of lines, and halves of surrogate pairs."""

_BLANKS = re.compile("  +")


def printable(text: str, *, keep: str = "", instead: str = "\ufffd") -> str:
    """The text with U+FFFD, or another character, for each control character that is not kept."""
    return _CONTROLS.sub(lambda found: found[0] if found[0] in keep else instead, text)


def one_line(text: str) -> str:
    """The text on one line: blanks for control characters, and one blank for several."""
    return _BLANKS.sub(" ", printable(text, instead=" ")).strip()


def escaped(text: str) -> str:
    """The text with `\\uXXXX` for each control character, as in JSON."""
    return _CONTROLS.sub(lambda found: escape(found[0]), text)


def escape(char: str) -> str:
    """A character of the Basic Multilingual Plane as JSON and Python spell it."""
    return f"\\u{ord(char):04x}"
