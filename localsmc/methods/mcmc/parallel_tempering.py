"""Parallel tempering: chains at rising exponents that exchange their completions.

Target    π(y|x) ∝ p(y|x)^α as the number of sweeps grows; jointly Π_k p(y_k|x)^α_k, which every step and
          every exchange leaves invariant. The outcome is the completion at the last exponent, α; after
          finitely many sweeps it is drawn from p^α only approximately.
Proposal  a Metropolis step for each chain at its exponent, as in `power-mh`; then neighbours k and k + 1,
          even and odd pairs in turn, exchange their completions with probability
          min(1, exp((α_{k+1} − α_k)·(log p(y_k) − log p(y_{k+1})))). These log-probabilities are known.
Grammar   as for `power-mh`, at every exponent.
Ladder    α_k is geometric from `low` to α. With `warmup`, that many sweeps are run first, and the ladder is
          then respaced so that all exchanges are rejected equally often (by interpolation of the cumulative
          mean rejection rates). Everything drawn so far is discarded, and the ladder stays fixed.
Weight    all on the last completion at α; with `collect`, equal on those after that share of the sweeps.
Stops     after `steps` sweeps.
Cost      one decoded token per proposed token after the point where the proposal diverges, all chains in
          one batch; Σ p^α_k at every exponent for every decoded token. A model that cannot forget tokens
          also decodes the kept part of every proposal again.
Source    parallel tempering: Geyer (1991); applied to power distributions of language models: "Explore
          Broadly, Reason Sharply" (parallel power tempering, PPT); ladder from rejection rates: Syed et al.,
          arXiv 1905.02939.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from localsmc.errors import ConfigError
from localsmc.methods.base import Unused, require_between
from localsmc.methods.mcmc.chain_state import ChainState
from localsmc.methods.mcmc.metropolis import Chain, ChainRun, n_collected, require_kernel, run_together
from localsmc.methods.request import KVDemand, Request, WeightedText
from localsmc.methods.run import SamplingRun, merged
from localsmc.numerics.log_math import Doubles


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerTempering:
    """Parameters: chains 1 to 127; exponents, 1 ≤ `low` ≤ `alpha` ≤ 64; `steps` and `warmup` sweeps.

    `warmup` is 0 (off) or at least 2. `kernel`, `collect` and `retrace` are as in PowerMH.
    """

    name: ClassVar[str] = "power-tempering"
    select: ClassVar[str] = "draw"
    weight_exponent: ClassVar[None] = None

    particles: int = 4
    alpha: float = 4.0
    low: float = 1.0
    steps: int = 10
    warmup: int = 0
    kernel: str = "length"
    collect: float = 0.0
    retrace: bool = True

    def __post_init__(self) -> None:
        require_between("particles", self.particles, 1, 127)
        require_between("alpha", self.alpha, 1.0, 64.0)
        require_between("low", self.low, 1.0, self.alpha)
        require_between("steps", self.steps, 0, 1_000_000)
        require_between("warmup", self.warmup, 0, 1_000_000)
        if self.warmup == 1:
            raise ConfigError(
                "`warmup` is 1, but one sweep tries every other pair only", hint="set it to 2 or more"
            )
        require_between("collect", self.collect, 0.0, 1.0)
        require_kernel(self.kernel)

    @property
    def unused(self) -> list[Unused]:
        """The parameters that have no effect with so few chains.

        Not refused: the number of chains may come from the environment, or be varied by `bench`.
        """
        found = []
        if self.particles < 2:
            found.append(Unused(("low",), "with one chain", "set `particles` to 2 or more"))
        if self.particles < 3:
            found.append(Unused(("warmup",), "with fewer than 3 chains", "set `particles` to 3 or more"))
        return found

    @property
    def kv_demand(self) -> KVDemand:
        """A completion and a proposal for each chain, and the prompt."""
        return KVDemand(2 * self.particles + 1, 2 * self.particles, 2 * self.particles)

    def start(self, request: Request) -> SamplingRun:
        """See `Method.start`."""
        return _TemperingRun(self, request)

    @property
    def ladder(self) -> Doubles:
        """(K,) the exponents before any warm-up, in geometric steps; α alone for one chain."""
        return (
            np.geomspace(self.low, self.alpha, self.particles)
            if self.particles > 1
            else np.array([self.alpha])
        )


class _TemperingRun(ChainRun):
    def __init__(self, method: PowerTempering, request: Request) -> None:
        super().__init__(request, method.ladder.tolist())
        self._method = method
        self.chains_that_fit(method.particles, method.particles)
        self._refusals = np.zeros(method.particles - 1)
        self._swap_tries = np.zeros(method.particles - 1)
        self.start(self._program_of_all())

    def _program_of_all(self) -> Iterator[list[ChainState]]:
        if self._method.warmup and self._method.particles > 2:
            yield from self._phase(self._method.warmup)
            for chain in self.chains:
                chain.release()
            rates = self._refusals / self._swap_tries
            self.burn_in_ladder(respaced(np.array(self.alphas), rates).tolist())
            self.proposals = self.accepted = self.swap_proposals = self.swaps = 0
        yield from self._phase(self._method.steps)
        for chain in self.chains:
            chain.release()

    def _phase(self, n_sweeps: int) -> Iterator[list[ChainState]]:
        """Draw first completions for all chains, then do sweeps of steps and exchanges."""
        method, horizon = self._method, self._request.n_tokens
        n_chains, n_kept = method.particles, n_collected(method.collect, n_sweeps)
        self.chains = [
            Chain(self, rung, kernel=method.kernel, retrace=method.retrace, n_kept=n_kept)
            for rung in range(n_chains)
        ]
        yield from run_together([chain.begin(horizon) for chain in self.chains], n_chains)
        for sweep in range(n_sweeps):
            yield from run_together([chain.step(horizon) for chain in self.chains], n_chains)
            for lower in range(sweep % 2, n_chains - 1, 2):
                self._exchange(lower)
            for chain in self.chains:
                chain.adopt()

    def _exchange(self, lower: int) -> None:
        """Exchange the completions of a chain and the next higher one, or reject the exchange."""
        one, other = self.chains[lower], self.chains[lower + 1]
        log_r = (self.alphas[lower + 1] - self.alphas[lower]) * (one.text.logp - other.text.logp)
        self.swap_proposals += 1
        self._swap_tries[lower] += 1
        self._refusals[lower] += 1.0 - math.exp(min(log_r, 0.0))
        if self.accept(log_r):
            self.swaps += 1
            one.current, other.current = other.current, one.current

    @property
    def ess(self) -> float:
        """1: the completions at α come from one chain, and are not independent."""
        return 1.0

    def weight_of(self, chain: Chain) -> float:
        """1 for the chain at α, else 0."""
        return float(chain is self.chains[-1])

    def endings(self) -> list[WeightedText]:
        """See `SamplingRun.endings`."""
        texts = self.chains[-1].collected() if self.chains else []
        return merged(self.ending(text, 1 / len(texts)) for text in texts)


def respaced(alphas: Doubles, refusals: Doubles) -> Doubles:
    """A ladder (K,) with the same ends whose neighbours reject equally often, by linear interpolation.

    `refusals` (K − 1,) are the mean rejection rates between neighbours of `alphas` (K,). If all are 0, the
    ladder does not change.
    """
    if not len(refusals) or refusals.sum() <= 0:
        return alphas
    # Between neighbours that never reject the barrier must still increase.
    barrier = np.concatenate(([0.0], np.cumsum(np.maximum(refusals, 1e-6))))
    spaced: Doubles = np.interp(np.linspace(0.0, barrier[-1], len(alphas)), barrier, alphas)
    spaced[0], spaced[-1] = alphas[0], alphas[-1]
    return spaced
