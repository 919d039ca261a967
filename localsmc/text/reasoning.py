"""Thought in a text: what a reasoning model writes between marks before it replies. Pure functions on text.

A template may open the block at the prompt's end; the text then begins inside of it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

MARKS = {"<think>": "</think>", "<thinking>": "</thinking>", "<thought>": "</thought>", "[THINK]": "[/THINK]"}
"""How a block opens, and how it closes."""

_OPENING = re.compile("|".join(map(re.escape, MARKS)))


class TextPart(NamedTuple):
    """A stretch of a text, marks left out."""

    text: str
    is_thought: bool


def open_block(prompt: str) -> str:
    """The mark that closes the block which a prompt leaves open; empty where it leaves none."""
    end = prompt.rstrip()
    return next((closing for opening, closing in MARKS.items() if end.endswith(opening)), "")


def parts(text: str, end_tag: str = "") -> list[TextPart]:
    """A text in stretches of thought and reply; `closing` where it begins within a block.

    A block that is not closed goes on to the end.
    """
    found: list[TextPart] = []
    while text:
        if end_tag:
            thought, _, text = text.partition(end_tag)
            found.append(TextPart(thought, True))
            end_tag = ""
            continue
        opening = _OPENING.search(text)
        found.append(TextPart(text[: opening.start()] if opening else text, False))
        text, end_tag = (text[opening.end() :], MARKS[opening[0]]) if opening else ("", "")
    return [part for part in found if part.text]


def reply(text: str, end_tag: str = "") -> str:
    """What a text says beside its thought."""
    whole = parts(text, end_tag)
    said = "".join(part.text for part in whole if not part.is_thought)
    # The blank lines that part a block from the reply belong to neither.
    return said.lstrip() if whole and whole[0].is_thought else said


def is_known_to(template: str) -> bool:
    """Whether a chat template has a place for thought, and so decides what becomes of it later."""
    return "reasoning_content" in template or any(closing in template for closing in MARKS.values())
