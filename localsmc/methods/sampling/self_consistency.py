"""Self-consistency: independent samples vote, and the answer with the most votes wins.

Target    the most frequent answer of N independent draws from q; refusals count as one more answer,
          completions without an answer have no vote, and ties go to the answer with the most probable
          completion.
Proposal  q(v|h) ∝ p(v|h)^(1/temperature) on the tokens that top-k, top-p and min-p keep.
Weight    equal; the selector is `majority`.
Stops     with `early`, when the leading answer is ahead of the second by more than the votes still to come:
          the winner cannot change, and unfinished samples are dropped. A finished sample without an answer
          that is to be concluded is a vote to come. Otherwise, and with other selectors, as `sample`.
Cost      one decoded token per distinct live history and step; in batches if the KV cache is too small.
Source    Self-Consistency, arXiv 2203.11171.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import ClassVar

from localsmc.methods.request import Request
from localsmc.methods.run import StepOutcome
from localsmc.methods.sampling.sample import Sample
from localsmc.methods.smc.particle_run import ParticleRun
from localsmc.methods.smc.particles import Particles


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfConsistency(Sample):
    """Parameters of `Sample`, 16 samples by default; `early` stops when the vote is decided."""

    name: ClassVar[str] = "self-consistency"
    select: ClassVar[str] = "majority"

    particles: int = 16
    early: bool = True

    @property
    def weight_exponent(self) -> float | None:
        """As for `sample`; None with `early`: the votes counted so far are those of short completions."""
        return None if self.early else super(SelfConsistency, self).weight_exponent

    def start(self, request: Request) -> ParticleRun:
        """See `Method.start`."""
        return self.run(request, _Vote(self, request).advance if self.early else self.advance)


class _Vote:
    """The votes counted so far, over all batches, and the number still to come."""

    def __init__(self, method: SelfConsistency, request: Request) -> None:
        self._method, self._request = method, request
        self._to_come = method.particles
        self._votes: Counter[str] = Counter()

    def advance(self, particles: Particles) -> StepOutcome:
        outcome = self._method.advance(particles)
        ended = particles.histories.take(particles.ended)
        for node, n in zip(ended.node.tolist(), ended.count.tolist(), strict=True):
            answer = self._request.answer(particles.genealogy.tokens(node))
            if answer is not None:
                self._votes[answer] += n
            if answer is not None or not self._request.n_concluding:
                self._to_come -= n
        if not self._is_decided():
            return outcome
        particles.prune(particles.histories.live)
        return outcome._replace(is_decided=True)

    def _is_decided(self) -> bool:
        (_, first), (_, second) = [*self._votes.most_common(2), ("", 0), ("", 0)][:2]
        return first - second > self._to_come
