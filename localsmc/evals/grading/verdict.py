"""The result of grading one answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["right", "wrong", "failed"]
"""`failed`: the grader could not decide."""


@dataclass(frozen=True, slots=True)
class Grade:
    """A verdict and, if needed, a short reason without a full stop."""

    verdict: Verdict
    reason: str = ""

    @property
    def is_right(self) -> bool:
        """Whether the answer is right."""
        return self.verdict == "right"


RIGHT = Grade("right")
WRONG = Grade("wrong")
NO_ANSWER = Grade("wrong", "there is no answer")
UNREAD_ANSWER = Grade("wrong", "the answer cannot be read")
UNREAD_GOLD = Grade("failed", "the gold answer cannot be read")


def grade_of(is_same: bool) -> Grade:
    """The grade of a comparison: RIGHT or WRONG."""
    return RIGHT if is_same else WRONG
