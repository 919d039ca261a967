"""What a generated problem is, and the lines of work that every family writes in.

A family is a function `(rng, level) -> Problem`. Lines are plain statements of the form
`expression = value = value`, which `tests/test_corpus.py` evaluates independently.
This module knows no family, no tokenizer and no model.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Split = Literal["train", "held-out"]

HELD_OUT_SHARE = 16
"""One question in 16 belongs to the held-out split, by a hash of its text."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One generated problem: what is asked, the answer, and the work that leads to it."""

    family: str
    level: int
    question: str
    answer: str
    work: tuple[str, ...]

    @property
    def split(self) -> Split:
        """The split this question belongs to; the same text always belongs to the same one."""
        digest = hashlib.blake2b(self.question.encode(), digest_size=4).digest()
        return "held-out" if int.from_bytes(digest, "big") % HELD_OUT_SHARE == 0 else "train"


Family = Callable[[random.Random, int], Problem]


def place_values(number: int) -> list[int]:
    """The non-zero decimal parts of a number, largest first: 407 is [400, 7]."""
    digits = str(number)
    parts = [int(digit) * 10 ** (len(digits) - 1 - i) for i, digit in enumerate(digits)]
    return [part for part in parts if part]


def times(left: int, right: int) -> list[str]:
    """Lines for a product: one line by place values, or one line a partial product and their sum."""
    if min(left, right) < 10 or right % 10 == 0 and right < 100:
        return [_times_by_one_part(left, right)]
    parts = place_values(right)
    lines = [_times_by_one_part(left, part) for part in parts]
    sums = [left * part for part in parts]
    return [*lines, f"{left} * {right} = {' + '.join(map(str, sums))} = {left * right}"]


def _times_by_one_part(left: int, right: int) -> str:
    many, few = (left, right) if left >= 10 and len(place_values(left)) > 1 else (right, left)
    parts = place_values(many)
    if len(parts) < 2:
        return f"{left} * {right} = {left * right}"
    return f"{left} * {right} = {' + '.join(str(part * few) for part in parts)} = {left * right}"


def plus(left: int, right: int) -> str:
    """The line of a sum."""
    return f"{left} + {right} = {left + right}"


def minus(left: int, right: int) -> str:
    """The line of a difference."""
    return f"{left} - {right} = {left - right}"


def divided(whole: int, by: int) -> str:
    """The line of a division without remainder."""
    return f"{whole} / {by} = {whole // by}"
