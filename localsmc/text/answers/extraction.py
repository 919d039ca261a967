"""The final answer of a completion, and how it was found."""

from __future__ import annotations

import re
from typing import NamedTuple

from localsmc.results import AnswerKind, AnswerSource
from localsmc.text.answers.box_scan import boxes
from localsmc.text.answers.normalise import normalise
from localsmc.text.answers.statements import stated

_LETTER = re.compile(r"\(?([A-J])(?:[.:,)]+(?:\s.*)?)?", re.DOTALL)


class Answer(NamedTuple):
    """An answer, normalised for showing, and how it was found."""

    text: str
    source: AnswerSource


def find(
    text: str, kind: AnswerKind = "any", *, is_cut: bool = False, with_fallback: bool = True
) -> Answer | None:
    """The final answer of a text: its last box, else its last statement, else the fallback of its kind.

    None if it has none. A text that `is_cut` off states only what it finished: an answer that touches its
    end is not one.
    """
    boxed = boxes(text)
    if boxed:
        return _answer(boxed[-1], "boxed", kind)
    found = stated(text, is_cut=is_cut)
    if found is not None:
        return _answer(found, "stated", kind)
    return fallback(text, kind, is_cut=is_cut) if with_fallback else None


def fallback(text: str, kind: AnswerKind, *, is_cut: bool = False) -> Answer | None:
    """The answer of a text that states none; None for kinds other than `numeric`."""
    return None


def extract(text: str, kind: AnswerKind = "any", *, is_cut: bool = False) -> str | None:
    """The text of the answer that `find` finds; None if there is none."""
    found = find(text, kind, is_cut=is_cut)
    return None if found is None else found.text


def _answer(value: str, source: AnswerSource, kind: AnswerKind) -> Answer | None:
    text = normalise(value)
    if kind == "letter":
        match = _LETTER.fullmatch(text)
        text = match[1] if match else ""
    return Answer(text, source) if text else None
