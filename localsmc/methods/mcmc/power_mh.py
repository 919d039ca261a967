"""Metropolis-Hastings power sampling: Markov chains whose stationary law is p(y|x)^α.

Target    π(y|x) ∝ p(y|x)^α as steps grow; every step of the last stage leaves it invariant, and after
          finitely many a text is drawn from it approximately only. y ends as in Power-SMC.
Proposal  the current text cut at a uniform position and drawn anew from there with
          q(v|h) ∝ p(v|h)^α; the cut is uniform over the text (kernel `length`, the ratio of lengths
          goes into the acceptance) or over the horizon (kernel `horizon`). See chains.py.
Weight    equal for each of N independent chains; a chain gives its last text, or with `collect`
          those of that share of the last stage's steps.
Stages    texts grow by `block` tokens, with `steps` steps on each stage's horizon; a text that has
          ended goes to the last stage, whose horizon is n_tokens, at once.
Grammar   the target is p^α on the allowed tree, Σ_v p^α goes over allowed tokens, and a proposal that comes
          to where none is allowed is refused; a first text that does is begun anew.
Stops     after the last stage's steps.
Cost      one row a token from where a proposal parts from its text; about steps·T²/(4·block) tokens
          a chain in the paper's reckoning, which decodes all of each proposal. Chains share batches.
          A model that cannot forget decodes the kept part of every proposal again, too.
Source    Reasoning with Sampling, arXiv 2510.14901; its code truncates one way and is not invariant.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from localsmc.methods.base import require_between
from localsmc.methods.finish_state import STOPPED
from localsmc.methods.mcmc.metropolis import (
    Chain,
    ChainProgram,
    ChainRun,
    n_collected,
    require_kernel,
    run_together,
)
from localsmc.methods.request import KVDemand, Request, WeightedText
from localsmc.methods.run import SamplingRun, merged


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerMH:
    """Parameters: chains, exponent 1 to 64, steps a stage, tokens a block, kernel, share collected."""

    name: ClassVar[str] = "power-mh"
    select: ClassVar[str] = "draw"

    particles: int = 1
    alpha: float = 4.0
    steps: int = 10
    block: int = 192
    kernel: str = "length"
    collect: float = 0.0
    retrace: bool = True

    def __post_init__(self) -> None:
        require_between("particles", self.particles, 1, 1_000_000)
        require_between("alpha", self.alpha, 1.0, 64.0)
        require_between("steps", self.steps, 0, 1_000_000)
        require_between("block", self.block, 1, 10_000_000)
        require_between("collect", self.collect, 0.0, 1.0)
        require_kernel(self.kernel)

    @property
    def weight_exponent(self) -> float | None:
        """None for one chain: that it stays where it is says little."""
        return self.alpha if self.particles > 1 else None

    @property
    def room(self) -> KVDemand:
        """A text and a proposal for each chain, and the prompt."""
        return KVDemand(2 * self.particles + 1, 2 * self.particles, 2)

    def start(self, request: Request) -> SamplingRun:
        """See `Method.start`."""
        return _MHRun(self, request)

    def horizons(self, n_tokens: int) -> list[int]:
        """The last token of each stage."""
        return [min(end, n_tokens) for end in range(self.block, n_tokens + self.block, self.block)]


class _MHRun(ChainRun):
    def __init__(self, method: PowerMH, request: Request) -> None:
        super().__init__(request, [method.alpha])
        self._method = method
        self.start(run_together(self._programs(), self.chains_that_fit(method.particles)))

    def _programs(self) -> Iterator[ChainProgram]:
        method = self._method
        kept = n_collected(method.collect, method.steps)
        for _ in range(method.particles):
            chain = Chain(self, 0, kernel=method.kernel, retrace=method.retrace, n_kept=kept)
            self.chains.append(chain)
            yield self._program_of(chain)

    def _program_of(self, chain: Chain) -> ChainProgram:
        horizons = self._method.horizons(self._request.n_tokens)
        yield from chain.begin(horizons[0])
        for horizon in horizons:
            yield from chain.finish(horizon)
            if chain.text.finish == STOPPED and horizon < horizons[-1]:
                continue
            for _ in range(self._method.steps):
                yield from chain.step(horizon)
                chain.adopt()
        chain.release()

    @property
    def ess(self) -> float:
        """One for each chain: they are independent, the texts of one are not."""
        return float(len(self.chains))

    def endings(self) -> list[WeightedText]:
        """See `Run.endings`."""
        return merged(
            self.ending(text, self.weight_of(chain) / len(texts))
            for chain, texts in ((chain, chain.collected()) for chain in self.chains)
            for text in texts
        )
