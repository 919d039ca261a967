"""A generated problem and the split it belongs to.

A family is a function `(rng, level) -> Problem`. This module does not use families, tokenizers or models.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from localsmc_models.corpus.calculation import WorkStep

Split = Literal["train", "held-out"]

HELD_OUT_SHARE = 16
"""One calculation in 16 belongs to the held-out split, by a hash of its lines."""

BY_HEART = 24
"""A single operation on numbers up to this is learned by heart: it is never held out."""


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
        if self._is_by_heart:
            return "train"
        lines = [line for step in self.steps for line in step.brief]
        text = "\n".join((self.family, *lines, self.answer))
        digest = hashlib.blake2b(text.encode(), digest_size=4).digest()
        return "held-out" if int.from_bytes(digest, "big") % HELD_OUT_SHARE == 0 else "train"

    @property
    def _is_by_heart(self) -> bool:
        """Whether it is a small sum, product, quotient, power or root, which only memory can know."""
        if self.family != "calculation" or len(self.steps) > 2:
            return False
        operation, _, value = self.steps[0].brief[0].partition(" = ")
        if "/" in operation:
            operation = f"{operation.partition('/')[2]} {value}"
        return all(int(number) <= BY_HEART for number in re.findall(r"\d+", operation))


Family = Callable[[random.Random, int], Problem]
