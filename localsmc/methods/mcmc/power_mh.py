"""Metropolis-Hastings power sampling: Markov chains with stationary distribution ∝ p(y|x)^α.

Target    π(y|x) ∝ p(y|x)^α as the number of steps grows; every step of the last stage leaves it invariant,
          and after finitely many steps a completion is drawn from it only approximately. y ends as in
          Power-SMC.
Proposal  the current completion, cut at a uniform position and drawn again from there with
          q(v|h) ∝ p(v|h)^α; the cut is uniform over the completion (kernel `length`; the ratio of lengths
          enters the acceptance probability) or over the horizon (kernel `horizon`).
Weight    equal for each of N independent chains; a chain gives its last completion, or with `collect`
          those after that share of the last stage's steps, with equal weights.
Stages    the horizon grows by `block` tokens per stage, with `steps` steps in each; a completion that has
          ended skips to the last stage, whose horizon is n_tokens.
Grammar   the target is p^α on the allowed tree, Σ_v p^α is over allowed tokens, and a proposal that reaches
          a point where no token is allowed is rejected; a first completion that does is started again.
Stops     after the last stage's steps.
Cost      one decoded token per proposed token after the point where the proposal diverges; by the paper's
          count, which decodes every proposal whole, about steps·T²/(4·block) tokens per chain for T tokens.
          Chains share batches. A model that cannot forget tokens also decodes the kept part of every
          proposal again.
Source    Reasoning with Sampling, arXiv 2510.14901. The paper's code bounds a proposal by the current
          length; moves to shorter completions then have no reverse, and p^α is not left invariant.
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
    """Parameters: chains, exponent 1 to 64, steps per stage, tokens per stage (`block`), kernel `length` or
    `horizon`, share of the last stage's steps to collect (0 for the last completion only).
    """

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
        """α; None for one chain, whose completions are not independent."""
        return self.alpha if self.particles > 1 else None

    @property
    def kv_demand(self) -> KVDemand:
        """A completion and a proposal for each chain, and the prompt; at least one chain must fit."""
        return KVDemand(2 * self.particles + 1, 2 * self.particles, 2)

    def start(self, request: Request) -> SamplingRun:
        """See `Method.start`."""
        return _MHRun(self, request)

    def horizons(self, n_tokens: int) -> list[int]:
        """The horizon of each stage, in tokens."""
        return [min(end, n_tokens) for end in range(self.block, n_tokens + self.block, self.block)]


class _MHRun(ChainRun):
    def __init__(self, method: PowerMH, request: Request) -> None:
        super().__init__(request, [method.alpha])
        self._method = method
        self.start(run_together(self._programs(), self.chains_that_fit(method.particles)))

    def _programs(self) -> Iterator[ChainProgram]:
        method = self._method
        n_kept = n_collected(method.collect, method.steps)
        for _ in range(method.particles):
            chain = Chain(self, 0, kernel=method.kernel, retrace=method.retrace, n_kept=n_kept)
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
        """The number of chains: they are independent, the completions of one chain are not."""
        return float(len(self.chains))

    def endings(self) -> list[WeightedText]:
        """See `SamplingRun.endings`."""
        return merged(
            self.ending(text, self.weight_of(chain) / len(texts))
            for chain, texts in ((chain, chain.collected()) for chain in self.chains)
            for text in texts
        )
