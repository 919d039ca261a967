"""Best-of-N: independent samples, and of them the one that the model finds most probable.

Target    the most probable of N independent draws from q; by log p of the whole text at temperature
          1 or, with `mean`, by log p a token (its length, end token counted, divides).
Proposal  q(v|h) ∝ p(v|h)^(1/temperature) on the tokens that top-k, top-p and min-p leave.
Weight    equal; the choice is the selector `best` or `best-mean`.
Stops     a sample that cannot become the best any more is given up (`early`): log p only falls, so
          one below a finished text has lost, and log p over the horizon bounds the mean. The output's
          law is the same. Else as `sample`, and where another selector is asked for.
Cost      one row a distinct live history and step, in waves where memory is short.
Source    the best-of-n baseline of the field; the bound is ours.
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
    """Parameters of `Sample`, 16 samples by default; `mean` divides by length, `early` gives up losers."""

    name: ClassVar[str] = "best-of-n"

    particles: int = 16
    mean: bool = False
    early: bool = True

    @property
    def select(self) -> str:  # type: ignore[override]
        """The most probable text, or the one most probable a token."""
        return "best-mean" if self.mean else "best"

    @property
    def weight_exponent(self) -> float | None:
        """None where losers are given up: what is left of the samples is no sample."""
        return None if self.early else super(BestOfN, self).weight_exponent

    def start(self, request: Request) -> ParticleRun:
        """See `Method.start`."""
        return self.run(request, _Contest(self, request.n_tokens).advance if self.early else self.advance)


class _Contest:
    """The best finished score so far, over all waves, and who can still beat it."""

    def __init__(self, method: BestOfN, n_tokens: int) -> None:
        self._method, self._n_tokens = method, n_tokens
        self._best = -np.inf

    def advance(self, particles: Particles) -> StepOutcome:
        move = self._method.advance(particles)
        histories, mean = particles.histories, self._method.mean
        scores = histories.logp[particles.ended] / (particles.length if mean else 1)
        self._best = max(self._best, scores.max(initial=-np.inf))
        bounds = histories.logp[histories.live] / (self._n_tokens if mean else 1)
        particles.prune(histories.live[bounds < self._best])
        return move
