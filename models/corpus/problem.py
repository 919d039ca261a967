"""A generated problem and the split it belongs to.

A family is a function `(rng, level) -> Problem`. This module does not use families, tokenizers or models.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from localsmc_models.corpus.calculation import WorkStep

Split = Literal["train", "held-out"]

HELD_OUT_SHARE = 16
"""One calculation in 16 belongs to the held-out split, by a hash of its lines."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One generated problem: the question, the answer, and the steps of the calculation."""

    family: str
    level: int
    question: str
    answer: str
    steps: tuple[WorkStep, ...]

    @property
    def split(self) -> Split:
        """The split of this problem, which depends on its calculation and not on its wording."""
        lines = [line for step in self.steps for line in step.brief]
        text = "\n".join((self.family, *lines, self.answer))
        digest = hashlib.blake2b(text.encode(), digest_size=4).digest()
        return "held-out" if int.from_bytes(digest, "big") % HELD_OUT_SHARE == 0 else "train"


Family = Callable[[random.Random, int], Problem]
