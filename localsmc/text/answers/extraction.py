r"""The final answer of a completion, and how it was found.

Sources are asked in order: a box, a statement, a text that is nothing but its answer, and for numeric answers
the number that the text ends with.
Reasoning before the reply is no answer. All this takes time linear in the text.
"""

from __future__ import annotations

import re

from localsmc.results import AnswerKind
from localsmc.text import reasoning
from localsmc.text.answers.alone import alone, are_options
from localsmc.text.answers.answer import LONGEST, Answer
from localsmc.text.answers.box_forms import last_box, last_boxes_joined
from localsmc.text.answers.fallback import last_number
from localsmc.text.answers.latex import lettered
from localsmc.text.answers.letters import chosen
from localsmc.text.answers.normalise import normalise
from localsmc.text.answers.numeric import number
from localsmc.text.answers.statements import stated


def find(
    text: str,
    kind: AnswerKind = "any",
    *,
    is_cut: bool = False,
    with_fallback: bool = True,
    is_reply: bool = False,
) -> Answer | None:
    """The final answer of a text: its last box, its last statement, all of it if it is nothing but an answer,
    or the fallback of its kind.

    None if it has none. An answer of the kind `reply` is all of the reply. A text that `is_cut` off states
    only what it finished: an answer that touches its end is not one. A text that `is_reply` has no reasoning
    to leave out.
    """
    said = text if is_reply else reasoning.reply(text)
    if kind == "reply":
        return Answer(said.strip("\n"), "stated") if said.strip() else None
    accepts = _ACCEPTS[kind]
    box = last_boxes_joined if kind in _SEVERAL else last_box
    if (boxed := box(said, accepts, is_cut=is_cut)) is not None:
        return Answer(_shown(boxed, kind), "boxed")
    if (value := stated(said, accepts, is_cut=is_cut)) is not None:
        return Answer(_shown(value, kind), "stated")
    if kind == "letter" and (option := chosen(said, is_cut=is_cut)) is not None:
        return Answer(option, "stated")
    if not is_cut and (line := alone(said, kind)) is not None and accepts(line):
        return Answer(_shown(line, kind), "stated")
    return fallback(said, kind, is_cut=is_cut) if with_fallback else None


def fallback(said: str, kind: AnswerKind, *, is_cut: bool = False) -> Answer | None:
    """The answer of a reply that states none: of a numeric one the value of its last equation, else its last
    number. None for other kinds.
    """  # noqa: D205
    found = last_number(said, is_cut=is_cut) if kind == "numeric" else None
    return None if found is None else Answer(_shown(found, kind), "fallback")


def extract(text: str, kind: AnswerKind = "any", *, is_cut: bool = False) -> str | None:
    """The text of the answer that `find` finds; None if there is none."""
    found = find(text, kind, is_cut=is_cut)
    return None if found is None else found.text


def _is_text(value: str) -> bool:
    return len(value) <= LONGEST and bool(normalise(value))


def _has_number(value: str) -> bool:
    return _is_text(value) and (any(char.isdigit() for char in value) or number(value) is not None)


def _has_letter(value: str) -> bool:
    return _is_text(value) and lettered(normalise(value)) is not None and not are_options(value)


_SEVERAL = ("any", "math")
"""Kinds whose answers may be lists."""
_ACCEPTS = {
    "any": _is_text,
    "text": _is_text,
    "math": _is_text,
    "numeric": _has_number,
    "letter": _has_letter,
}


_SENTENCE = re.compile(
    r"[Tt]he (?!.*[,;:?!]).{1,150}? (?:is|are|equals) (?P<value>[^a-z]{0,60}\d[^a-z]{0,60}(?: [a-z]{1,20})?)"
)
"""A sentence that an answer repeats the question in: "Final Answer: The largest n is 34"."""


def _shown(value: str, kind: AnswerKind) -> str:
    text = normalise(value)
    if kind in _SEVERAL and (found := _SENTENCE.fullmatch(text)):
        return found["value"]
    return (lettered(text) or text) if kind == "letter" else text
