"""What a grader says about one answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["right", "wrong", "failed"]
"""Failed is neither of the others: the grader could not tell."""


@dataclass(frozen=True, slots=True)
class Grade:
    """A verdict and, where it needs one, its reason in a few words without a full stop."""

    verdict: Verdict
    reason: str = ""

    @property
    def is_right(self) -> bool:
        """Whether to count the answer."""
        return self.verdict == "right"


RIGHT = Grade("right")
WRONG = Grade("wrong")
NO_ANSWER = Grade("wrong", "there is no answer")
UNREAD_ANSWER = Grade("wrong", "the answer cannot be read")
UNREAD_GOLD = Grade("failed", "the gold answer cannot be read")


def told(is_same: bool) -> Grade:
    """The grade of a plain comparison."""
    return RIGHT if is_same else WRONG
