"""An answer as it is found in a text."""

from __future__ import annotations

from typing import NamedTuple

from localsmc.results import AnswerSource

LONGEST = 1000
"""Maximum number of characters of an answer; this bounds the work for every statement of one."""


class Answer(NamedTuple):
    """An answer, normalised for showing, and how it was found."""

    text: str
    source: AnswerSource
