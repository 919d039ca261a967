"""Best-of-N: the most probable of N independent samples.

Target    the most probable of N independent draws from q, by log p of the completion at temperature 1; with
          `mean`, by log p per token (divided by the length, end token included).
Proposal  q(v|h) ∝ p(v|h)^(1/temperature) on the tokens that top-k, top-p and min-p keep.
Weight    equal; the selector is `best` or `best-mean`.
Stops     with `early`, a sample that cannot become the best any more is dropped: log p only falls, so a
          sample below a finished one has lost; for `mean`, log p divided by n_tokens is an upper bound. The
          distribution of the output does not change. Otherwise, and with other selectors, as `sample`.
Cost      one decoded token per distinct live history and step; in batches if the KV cache is too small.
Source    the usual best-of-n baseline; the bound of `early` is localsmc's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from localsmc.methods.request import Request
from localsmc.methods.run import StepOutcome
from localsmc.methods.sampling.sample import Sample
from localsmc.methods.smc.particle_run import ParticleRun
from localsmc.methods.smc.particles import Particles


@dataclass(frozen=True, slots=True, kw_only=True)
class BestOfN(Sample):
    """Parameters of `Sample`, 16 samples by default; `mean` divides by length, `early` drops losers."""

    name: ClassVar[str] = "best-of-n"

    particles: int = 16
    mean: bool = False
    early: bool = True

    @property
    def select(self) -> str:  # type: ignore[override]
        """`best`, or with `mean` `best-mean`."""
        return "best-mean" if self.mean else "best"

    @property
    def weight_exponent(self) -> float | None:
        """As for `sample`; None with `early`: the completions that remain are not a sample."""
        return None if self.early else super(BestOfN, self).weight_exponent

    def start(self, request: Request) -> ParticleRun:
        """See `Method.start`."""
        return self.run(request, _Contest(self, request.n_tokens).advance if self.early else self.advance)


class _Contest:
    """The best finished score so far, over all batches; prunes histories that cannot beat it."""

    def __init__(self, method: BestOfN, n_tokens: int) -> None:
        self._method, self._n_tokens = method, n_tokens
        self._best = -np.inf

    def advance(self, particles: Particles) -> StepOutcome:
        outcome = self._method.advance(particles)
        histories, mean = particles.histories, self._method.mean
        scores = histories.logp[particles.ended] / (particles.length if mean else 1)
        self._best = max(self._best, scores.max(initial=-np.inf))
        bounds = histories.logp[histories.live] / (self._n_tokens if mean else 1)
        particles.prune(histories.live[bounds < self._best])
        return outcome
