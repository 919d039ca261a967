"""Separate a reasoning model's reasoning block from its reply. Pure functions on text.

A chat template may open the block at the end of the prompt; the completion then starts inside it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

MARKS = {"<think>": "</think>", "<thinking>": "</thinking>", "<thought>": "</thought>", "[THINK]": "[/THINK]"}
"""Opening tag to closing tag of a reasoning block."""

_CLOSINGS = frozenset(MARKS.values())
_TAGS = (*MARKS, *MARKS.values())
_TAG = re.compile("|".join(map(re.escape, _TAGS)))


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
    return _split(text, end_tag)[0]


def unclosed(text: str, end_tag: str = "") -> str:
    """The closing tag of the block that a completion leaves open; empty if it leaves none open.

    `end_tag` is as for `parts`.
    """
    return _split(text, end_tag)[1]


def _split(text: str, closing: str) -> tuple[list[TextPart], str]:
    """The parts of a completion, and the closing tag of the block that is open at its end."""
    found: list[TextPart] = []
    start = 0
    if not any(tag in text for tag in _TAGS):
        return [TextPart(text, bool(closing))] if text else [], closing
    for tag in _TAG.finditer(text):
        is_orphan = not closing and tag[0] in _CLOSINGS
        if (closing and tag[0] != closing) or (is_orphan and text[tag.start() - 1 : tag.start()] == "`"):
            continue
        if start < tag.start():
            found.append(TextPart(text[start : tag.start()], bool(closing) or is_orphan))
        start, closing = tag.end(), "" if closing else MARKS.get(tag[0], "")
    if start < len(text):
        found.append(TextPart(text[start:], bool(closing)))
    return found, closing


def reply(text: str, end_tag: str = "") -> str:
    """The completion without its reasoning."""
    whole = parts(text, end_tag)
    answer = "".join(part.text for part in whole if not part.is_thought)
    # The blank lines between the block and the reply belong to neither.
    return answer.lstrip() if whole and whole[0].is_thought else answer


def is_known_to(template: str) -> bool:
    """Whether a chat template handles reasoning itself, i.e. decides whether later turns keep it."""
    return "reasoning_content" in template or any(closing in template for closing in MARKS.values())
