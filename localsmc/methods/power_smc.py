"""Power-SMC: sequential Monte Carlo for the power distribution p(y|x)^α.

Target    π(y|x) ∝ p(y|x)^α; y ends with an end token, by the stop rule or after n_tokens tokens,
          and p is the model at temperature 1 over the full vocabulary.
Proposal  q_t(v|h) ∝ p(v|h)^α_t, with α_t rising linearly from 1 to α over `ramp` tokens.
Weight    Δ log w = (α_t − α_{t−1})·log p(h) + log Σ_v p(v|h)^α_t for a live history h, its first
          term alone for a finished one, so that after t tokens a history is properly weighted
          for p^α_t. Where all end within the ramp, (α − α_t)·log p makes up the rest.
Resample  when the effective sample size falls below `ess_threshold`·N, looked at after every
          token while any history lives. E[Ẑ] = Z for every scheme, ramp, threshold and N.
          `optimal` draws no tokens first: every child of every history is weighed, those that have
          an N-th of the weight stay, the others are thinned without bias (branching.py); then no
          text is held twice, there is no ESS to fall, and threshold and sharing have no say.
Islands   one after the other, independent, each with N particles; a text weighs its weight on its
          island times the island's Ẑ, and the mean of these is the evidence: unbiased as one is.
Stops     when every particle has ended: end token, stop rule or n_tokens; with `settle`, when an answer
          will have that share of the weight, by the bound or the guess of settling.py. The bound is
          certain where nothing is resampled later; what is live is left unfinished, without evidence.
Cost      one row a distinct live history and step; with `share` off one a live particle.
Source    Power-SMC, arXiv 2602.10273. Evidence carried, proposal at 1/α_t throughout the ramp:
          both differ from the authors' code. `optimal`: Fearnhead and Clifford (2003).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from localsmc.errors import ConfigError
from localsmc.methods.base import Move, ParticleRun, Request, Room, require
from localsmc.methods.settling import BOUND, Settling, require_settling
from localsmc.particles import Particles, Proposal
from localsmc.resampling import SCHEMES

OPTIMAL = "optimal"
"""The scheme that takes the place of drawing, weighing and resampling."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerSMC:
    """Parameters: exponent 1 to 64, ramp in tokens, threshold 0 (never) to 1, scheme, sharing.

    N particles on each island; with the scheme `optimal` N texts at most. `settle` is 0 (off) or the
    share, above 0.5, that settles the answer, by the "bound" or the "guess".
    """

    name: ClassVar[str] = "power-smc"
    select: ClassVar[str] = "draw"

    particles: int = 16
    alpha: float = 2.0
    ramp: int = 100
    ess_threshold: float = 0.5
    resampling: str = "systematic"
    share: bool = True
    islands: int = 1
    settle: float = 0.0
    settle_by: str = BOUND

    def __post_init__(self) -> None:
        require("particles", self.particles, 1, 1_000_000)
        require("alpha", self.alpha, 1.0, 64.0)
        require("ramp", self.ramp, 0, 1_000_000)
        require("ess_threshold", self.ess_threshold, 0.0, 1.0)
        require("islands", self.islands, 1, 10_000)
        require_settling(self.settle, self.settle_by, self.islands)
        if self.resampling not in (*SCHEMES, OPTIMAL):
            raise ConfigError(
                f"`resampling` is `{self.resampling}`, which is no scheme",
                hint=f"there is: {', '.join((*SCHEMES, OPTIMAL))}",
            )

    @property
    def sharpness(self) -> float | None:
        """None for one particle, which has nothing beside it."""
        return self.alpha if self.particles * self.islands > 1 else None

    @property
    def room(self) -> Room:
        """Histories share their beginnings: half as many cells as separate texts take are rarely used up."""
        # Where islands follow, one sequence stays with the prompt.
        n_sequences = self.particles + (self.islands > 1)
        return Room(n_sequences, max(min(self.particles, 4), math.ceil(self.particles / 2)))

    def start(self, request: Request) -> ParticleRun:
        """See `Method.start`."""
        waves = [self.particles] * self.islands
        advance = self._settling(request).advance if self.settle else self.advance
        return ParticleRun(request, waves, advance, share=self.share, has_evidence=True)

    def _settling(self, request: Request) -> Settling:
        return Settling(self.advance, request.answer, alpha=self.alpha, share=self.settle, by=self.settle_by)

    def exponent(self, step: int) -> float:
        """α_t for the token at 0-based position t."""
        return 1.0 + (self.alpha - 1.0) * min(1.0, (step + 1) / max(1, self.ramp))

    def advance(self, particles: Particles) -> Move:
        """One token for every live particle, its weight, and resampling where it is due."""
        before, alpha = self.exponent(particles.length - 1), self.exponent(particles.length)
        if alpha != before:
            particles.reweight((alpha - before) * particles.histories.logp)
        if self.resampling == OPTIMAL:
            particles.branch(alpha, self.particles)
        else:
            particles.reweight(particles.extend(Proposal(alpha)))
        ess = particles.ess
        is_due = (
            self.resampling != OPTIMAL and particles.n_live > 0 and ess < self.ess_threshold * self.particles
        )
        if is_due:
            particles.resample(SCHEMES[self.resampling])
        # Asked after resampling, which may leave finished histories only.
        if particles.n_live == 0 and alpha != self.alpha:
            particles.reweight((self.alpha - alpha) * particles.histories.logp)
        return Move(alpha, ess, is_due)
