"""Refusals: completions in which a model says that it cannot answer. Pure functions.

The embedded model is trained to refuse what is not arithmetic, in a few wordings whose openings its card
lists. Other models have no openings, so nothing they write is a refusal. A refusal has no answer, whatever
it contains. In a vote all refusals are one candidate, whatever their wording.
"""

from __future__ import annotations

from collections.abc import Sequence

from localsmc.results import AnswerKind, AnswerShare, Completion, Result
from localsmc.text import answers

NAME = "refusal"
"""What is shown in place of an answer."""

KEY = f"\n{NAME}"
"""The key of all refusals among the keys of answers (`answers.key`), none of which begins with a blank."""


def is_refused(reply: str, openings: Sequence[str]) -> bool:
    """Whether a reply, without its thought, begins with one of the openings; never if there are none."""
    return reply.lstrip().startswith(tuple(openings))


def candidate(one: Completion | AnswerShare | Result, kind: AnswerKind = "any") -> str | None:
    """What a completion votes for: the key of its answer, or that of refusals; None if it has neither."""
    if one.is_refused:
        return KEY
    return None if one.answer is None else answers.key(one.answer, kind)
