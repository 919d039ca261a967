"""Enumerate every random outcome of a program, so that distributions are tested exactly."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator

import numpy as np

from localsmc.numerics.categorical import CategoricalSampler


def outcomes(program: Callable[[CategoricalSampler], object]) -> Iterator[tuple[float, object]]:
    """(probability, result) for every path of `program(draw)`; paths of probability 0 are skipped."""
    pending: list[list[int]] = [[]]
    while pending:
        script = pending.pop()
        walk = _Walk(script, pending)
        result = program(walk.draw)
        yield math.exp(walk.logp), result


class _Walk:
    def __init__(self, script: list[int], pending: list[list[int]]) -> None:
        self.script, self.pending = script, pending
        self.depth, self.logp = 0, 0.0

    def draw(self, mass, counts):
        rows = [
            self._row(np.asarray(row, dtype=np.float64), int(n)) for row, n in zip(mass, counts, strict=True)
        ]
        return np.concatenate([np.zeros(0), *rows]).astype(np.int64)

    def _row(self, mass: np.ndarray, n: int) -> np.ndarray:
        """n independent draws, enumerated as multisets with their multinomial probabilities."""
        p = mass / mass.sum()
        choices = list(itertools.combinations_with_replacement(np.flatnonzero(p).tolist(), n))
        k = self._choose(len(choices))
        counts = np.bincount(choices[k], minlength=len(p))
        coefficient = math.lgamma(n + 1) - sum(math.lgamma(c + 1) for c in counts)
        self.logp += coefficient + float(np.dot(counts[p > 0], np.log(p[p > 0])))
        return np.array(choices[k])

    def _choose(self, n: int) -> int:
        if self.depth == len(self.script):
            self.pending.extend([*self.script, k] for k in range(1, n))
            self.script.append(0)
        self.depth += 1
        return self.script[self.depth - 1]
