"""Separate a reasoning model's thought from its reply. Pure functions.

A chat template may open the thought at the end of the prompt; the completion then starts inside it. What a
model writes is read as bytes, with the marks of its vocabulary (`thought_marks`). A text that is shown has
marks that are text only: `shown_text` writes `<think>` and `</think>` for marks that are tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from localsmc.text.named_bytes import without_names
from localsmc.text.thought_marks import (
    AT_START,
    REPLY,
    TAGS,
    TEXT_MARKS,
    THOUGHT,
    WORDS,
    WRAPPINGS,
    ThoughtMarks,
    ThoughtState,
)

CLOSINGS = {tag.closing: at for at, tag in enumerate(TAGS)}
"""The closing tags, and their places in the table."""

_SHOWN = [tag for tag in TAGS[:WORDS] if tag.opening.isascii()]


class TextPart(NamedTuple):
    """A part of a completion, without the tags."""

    text: str
    is_thought: bool


# --- what a model writes ---


def split(
    data: bytes, marks: ThoughtMarks, begin: ThoughtState, *, errors: str = "replace"
) -> list[TextPart]:
    """Split a completion, as it is read, into parts of thought and reply; `begin` is the prompt's end.

    An unclosed thought extends to the end. A closing tag without an opening one ends thought that began
    before it, unless it is quoted as code. The headers of messages are in no part.
    """
    found: list[TextPart] = []
    for segment in marks.segments(data, begin):
        if segment.start == segment.end:
            continue
        text, kind = without_names(data[segment.start : segment.end]), segment.state.kind
        if not found and segment.start and kind == REPLY:
            text = text.lstrip()  # behind an empty thought
        if text and not marks.is_header(data, segment):
            is_thought = kind == THOUGHT or marks.ends_earlier(data, segment)
            found.append(TextPart(text.decode(errors=errors), is_thought))
    return found


def spoken(parts: Sequence[TextPart]) -> str:
    """The reply, without the thought, and without tags of its own behind one."""
    said = "".join(part.text for part in parts if not part.is_thought)
    first = next((part for part in parts if part.is_thought or part.text.strip()), None)
    if first is None or not first.is_thought:
        return said
    # The blank lines between the thought and the reply belong to neither.
    said = said.lstrip()
    for before, after in WRAPPINGS:
        is_whole = said.rstrip().endswith(after) and (not before or said.count(before) == 1)
        if said.startswith(before) and (is_whole or (before and after not in said)):
            said = said.removeprefix(before).strip().removesuffix(after).rstrip()
    return said


def shown_text(parts: Sequence[TextPart], *, is_open: bool, closing: str = "") -> str:
    """A completion whose marks are tokens, as text: each thought within tags that are in none of its parts.

    `is_open` says whether the last thought goes on. With `closing`, a tag, the prompt opened the first
    thought with its opening tag.
    """
    texts = [part.text for part in parts]
    pairs = [TAGS[CLOSINGS[closing]]] if closing else [*_SHOWN]
    free = (tag for tag in pairs if not any(tag.opening in text or tag.closing in text for text in texts))
    tag = next(free, pairs[0])
    # A thought that the prompt opened and the completion closed at once has no part.
    written = [f"{closing}\n\n"] if closing and parts and not parts[0].is_thought else []
    for at, part in enumerate(set_apart(parts)):
        if not part.is_thought:
            written.append(part.text)
            continue
        is_last = is_open and at == len(parts) - 1
        opening = "" if closing and at == 0 else f"{tag.opening}\n"
        written.append(opening + part.text + ("" if is_last else f"\n{tag.closing}"))
    return "".join(written)


def set_apart(parts: Sequence[TextPart]) -> list[TextPart]:
    """The parts as they are shown where marks are tokens: a blank line is between a thought and its reply."""
    found: list[TextPart] = []
    for part in parts:
        text = part.text.strip("\n") if part.is_thought else part.text
        if not part.is_thought and found and found[-1].is_thought:
            text = "\n\n" + text.lstrip("\n")
        found.append(TextPart(text, part.is_thought))
    return found


# --- texts that are shown ---


def _state(end_tag: str) -> ThoughtState:
    return ThoughtState(THOUGHT, CLOSINGS[end_tag]) if end_tag in CLOSINGS else AT_START


def parts(text: str, end_tag: str = "") -> list[TextPart]:
    """Split a completion into parts of thought and reply.

    Pass `end_tag` if the completion starts inside a thought.
    """
    data = text.encode(errors="surrogatepass")
    return split(data, TEXT_MARKS, _state(end_tag), errors="surrogatepass")


def reply(text: str, end_tag: str = "") -> str:
    """The completion without its thought."""
    return spoken(parts(text, end_tag))


def is_known_to(template: str) -> bool:
    """Whether a chat template handles thought itself, i.e. decides whether later turns keep it."""
    return "reasoning_content" in template or any(closing in template for closing in CLOSINGS)
