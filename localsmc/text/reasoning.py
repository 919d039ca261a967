"""Separate a reasoning model's reasoning block from its reply. Pure functions on text.

A chat template may open the block at the end of the prompt; the completion then starts inside it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

MARKS = {"<think>": "</think>", "<thinking>": "</thinking>", "<thought>": "</thought>", "[THINK]": "[/THINK]"}
"""Opening tag to closing tag of a reasoning block."""

_CLOSINGS = frozenset(MARKS.values())
_TAG = re.compile("|".join(map(re.escape, (*MARKS, *MARKS.values()))))


class TextPart(NamedTuple):
    """A part of a completion, without the tags."""

    text: str
    is_thought: bool


def open_block(prompt: str) -> str:
    """The closing tag of the reasoning block that a prompt leaves open; empty if there is none."""
    end = prompt.rstrip()
    return next((closing for opening, closing in MARKS.items() if end.endswith(opening)), "")


def parts(text: str, end_tag: str = "") -> list[TextPart]:
    """Split a completion into parts of reasoning and reply.

    Pass `end_tag` if the completion starts inside a block. An unclosed block extends to the end. A closing
    tag without an opening one ends reasoning that began before it, unless it is quoted as code.
    """
    found: list[TextPart] = []
    start, closing = 0, end_tag
    for tag in _TAG.finditer(text):
        is_orphan = not closing and tag[0] in _CLOSINGS
        if (closing and tag[0] != closing) or (is_orphan and text[tag.start() - 1 : tag.start()] == "`"):
            continue
        if start < tag.start():
            found.append(TextPart(text[start : tag.start()], bool(closing) or is_orphan))
        start, closing = tag.end(), "" if closing else MARKS.get(tag[0], "")
    return [*found, TextPart(text[start:], bool(closing))] if start < len(text) else found


def unclosed(text: str, end_tag: str = "") -> str:
    """The closing tag of the block that a completion leaves open; empty if it leaves none open.

    Pass `end_tag` if the completion starts inside a block.
    """
    at = 0
    while True:
        if end_tag:
            end = text.find(end_tag, at)
            if end < 0:
                return end_tag
            at = end + len(end_tag)
        opening = _OPENING.search(text, at)
        if opening is None:
            return ""
        at, end_tag = opening.end(), MARKS[opening[0]]


def reply(text: str, end_tag: str = "") -> str:
    """The completion without its reasoning."""
    whole = parts(text, end_tag)
    answer = "".join(part.text for part in whole if not part.is_thought)
    # The blank lines between the block and the reply belong to neither.
    return answer.lstrip() if whole and whole[0].is_thought else answer


def is_known_to(template: str) -> bool:
    """Whether a chat template handles reasoning itself, i.e. decides whether later turns keep it."""
    return "reasoning_content" in template or any(closing in template for closing in MARKS.values())
