"""Texts of others, such as a file's metadata, without what a terminal would take as a command."""

from __future__ import annotations


def printable(text: str, *, keep: str = "") -> str:
    """The text with U+FFFD for control characters, bidirectional marks and halves of surrogate pairs."""
    return "".join(char if char.isprintable() or char in keep else "\ufffd" for char in text)
