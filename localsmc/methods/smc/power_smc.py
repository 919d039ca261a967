"""Power-SMC: sequential Monte Carlo for the power distribution p(y|x)^α.

Target    π(y|x) ∝ p(y|x)^α; y ends with an end token, by the stop rule or after n_tokens tokens,
          and p is the model at temperature 1 over the full vocabulary.
Proposal  q_t(v|h) ∝ p(v|h)^α_t, with α_t rising linearly from 1 to α over `ramp` tokens. With `ramp_ess`,
          α_t is 1 for the first token, and then rises as far as keeps that share of the effective sample
          size when the tokens so far are reweighted, but never above this ramp.
Weight    Δ log w = (α_t − α_{t−1})·log p(h) + log Σ_v p(v|h)^α_t for a live history h, with α_0 = 1; the
          first term only for a finished one. So after t tokens a history is properly weighted for p^α_t.
          If all end within the ramp, (α − α_t)·log p(h) is added at the end.
Resample  when the effective sample size falls below `ess_threshold`·N, checked at every token while any
          history is live. E[Ẑ] = Z for every scheme, ramp, threshold and N. The weight of a token is known
          before it is drawn, so tokens are drawn after resampling, independently for each copy; with
          `lookahead` off they are drawn before, as in the paper. `chopthin` keeps weights unequal within a
          bounded ratio. `fearnhead-clifford` draws no tokens first: all children of all histories are
          weighted, those with at least 1/N of the total weight are kept, and the others are thinned without
          bias. Then no two histories are equal; `ess_threshold`, `lookahead` and `share` have no effect, and
          `rollouts` and `rejuvenate` are not available.
Rollouts  with `rollouts` K, resampling takes place every `block` tokens only, and chooses each history by its
          weight times the mean weight of K look-ahead copies over the next `block` tokens. E[Ẑ] = Z holds.
Moves     with `rejuvenate` m, every particle, finished or not, makes a Metropolis step on its completion
          after m, 2m, 4m, … tokens, whatever the weights. E[Ẑ] = Z holds; `ramp_ess` would break it, so the
          two are not accepted together.
Islands   independent populations of N particles, one after the other. A completion's weight is its weight on
          its island times the island's Ẑ. The evidence is the mean of the islands' Ẑ, which is unbiased.
Grammar   y is in the allowed tree A: π(y|x) ∝ p(y|x)^α·1{y ∈ A}, with p over the full vocabulary. Tokens are
          drawn among the allowed ones, and Σ_v p^α is over these: E[Ẑ] = Σ_{y ∈ A} p(y|x)^α with every
          option. A history after which no token is allowed has weight 0; if none remains, Ẑ = 0 is an error.
Stops     when every particle has ended: end token, stop rule or n_tokens; with `stop_when_decided`, when
          one answer is sure to have that share of the weight, by a bound, or likely to, by an estimate
          (`decided_by`). The bound is certain if nothing is resampled later. Live particles then stay
          unfinished, and there is no evidence estimate.
Cost      one decoded token per distinct live history and step; with `share` off, per live particle. Rollouts
          add up to K tokens per history and step; a move after t tokens adds up to t tokens per particle, in
          at most t steps.
Source    Power-SMC, arXiv 2602.10273. Unlike the authors' code, this one keeps the evidence through
          resampling, and proposes at temperature 1/α_t throughout the ramp. `fearnhead-clifford`: Fearnhead
          and Clifford (2003). `chopthin`: Gandy and Lau (2016), used in this way by CCPS. Rollouts: Pitt and
          Shephard's auxiliary particle filter (1999), used in this way by APPS, arXiv 2605.02427. Moves:
          Gilks and Berzuini (2001).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import ClassVar, TypeVar

import numpy as np

from localsmc.errors import ConfigError
from localsmc.methods.base import Unused, reject_unused, require_between
from localsmc.methods.request import KVDemand, Request
from localsmc.methods.run import SamplingRun, StepOutcome, require_capacity
from localsmc.methods.smc.early_stopping import BOUND, EarlyStopping, check_parameters
from localsmc.methods.smc.histories import Histories
from localsmc.methods.smc.particle_run import ParticleRun
from localsmc.methods.smc.particles import Particles, Proposal
from localsmc.methods.smc.rejuvenation import rejuvenate
from localsmc.methods.smc.rollouts import future_values
from localsmc.methods.smc.schedule import FEARNHEAD_CLIFFORD, alpha_at, require_scheme, unused_with_scheme
from localsmc.numerics.log_math import effective_sample_size
from localsmc.numerics.resampling import SCHEMES

BISECTIONS = 12
"""Bisection steps for the rise of the exponent with `ramp_ess`: precise to 1/4,096 of the largest rise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerSMC:
    """Parameters. Raises ConfigError, with a hint, for invalid values and combinations.

    `particles` is N, per island; `fearnhead-clifford` keeps at most N histories. `alpha` is 1 to 64, reached
    after `ramp` tokens. `ramp_ess` is 0 (off) or the share of the ESS, up to 1, that each rise of the
    exponent must keep; the ramp may then take longer. `ess_threshold` is 0 (never resample) to 1.
    `rejuvenate` is the number of tokens before the first move, `rollouts` the number of look-ahead copies per
    history, and `block` the tokens between resamplings with rollouts; 0 turns moves or rollouts off.
    `stop_when_decided` is 0 (off) or the share of the weight, above 0.5 and up to 1, that decides the answer,
    by the "bound" or the "estimate" (`decided_by`).
    """

    name: ClassVar[str] = "power-smc"
    select: ClassVar[str] = "draw"

    particles: int = 16
    alpha: float = 2.0
    ramp: int = 50
    ramp_ess: float = 0.0
    ess_threshold: float = 0.5
    resampling: str = FEARNHEAD_CLIFFORD
    lookahead: bool = True
    share: bool = True
    islands: int = 1
    rejuvenate: int = 0
    rollouts: int = 0
    block: int = 16
    stop_when_decided: float = 0.0
    decided_by: str = BOUND

    def __post_init__(self) -> None:
        require_between("particles", self.particles, 1, 1_000_000)
        require_between("alpha", self.alpha, 1.0, 64.0)
        require_between("ramp", self.ramp, 0, 1_000_000)
        require_between("ramp_ess", self.ramp_ess, 0.0, 1.0)
        require_between("ess_threshold", self.ess_threshold, 0.0, 1.0)
        require_between("islands", self.islands, 1, 10_000)
        require_between("rejuvenate", self.rejuvenate, 0, 1_000_000)
        require_between("rollouts", self.rollouts, 0, 10_000)
        require_between("block", self.block, 1, 1_000_000)
        check_parameters(self.stop_when_decided, self.decided_by, self.islands)
        require_scheme(self.resampling)
        reject_unused(self)
        self._check_combinations()

    @property
    def unused(self) -> list[Unused]:
        """The parameters that have no effect with the others as they are."""
        names = ("ess_threshold", "lookahead", "share", "rejuvenate", "rollouts")
        found = unused_with_scheme(self.resampling, names)
        if not self.rollouts:
            found.append(Unused(("block",), "without `rollouts`", "set `rollouts`"))
        if not self.stop_when_decided:
            found.append(Unused(("decided_by",), "without `stop_when_decided`", "set `stop_when_decided`"))
        return found

    def _check_combinations(self) -> None:
        if self.rejuvenate and self.ramp_ess:
            raise ConfigError(
                "`rejuvenate` with `ramp_ess` has a biased evidence: moves need exponents fixed beforehand",
                hint="remove one of them",
            )
        if self.rejuvenate and self.stop_when_decided:
            raise ConfigError(
                "`stop_when_decided` with `rejuvenate` has no bound: finished completions may still be moved",
                hint="remove one of them",
            )
        if self.rollouts and not self.lookahead:
            raise ConfigError(
                "`rollouts` cannot be used with `lookahead=off`: they need tokens that are not drawn yet",
                hint="remove one of them",
            )
        if self.rollouts and not self.ess_threshold:
            raise ConfigError(
                "`rollouts` have no effect with `ess_threshold=0`, which never resamples",
                hint="remove one of them",
            )

    @property
    def weight_exponent(self) -> float | None:
        """α; None for one particle, whose weight says nothing."""
        return self.alpha if self.particles * self.islands > 1 else None

    @property
    def kv_demand(self) -> KVDemand:
        """Histories share prefixes: half of the cells that separate completions need is rarely exceeded."""
        # With several islands, or with moves, one sequence is reserved for the prompt.
        n_sequences = self.particles * (1 + self.rollouts) + (self.islands > 1)
        n_texts = math.ceil(self.particles * (1 + self.rollouts) / 2)
        if self.rejuvenate:  # Moves cannot wait, and thinning for them would be biased.
            return KVDemand(
                n_sequences + self.particles + 1, n_texts + 2 * self.particles, 2 * self.particles
            )
        return KVDemand(n_sequences, max(min(self.particles, 4), n_texts))

    def start(self, request: Request) -> SamplingRun:
        """See `Method.start`."""
        return PowerSMCRun(self, request)

    def exponent(self, step: int) -> float:
        """α_t for the token at 0-based position t."""
        return alpha_at(self.alpha, self.ramp, step)

    def moves_after(self, n_tokens: int) -> list[int]:
        """The numbers of tokens after which particles are moved, up to n_tokens."""
        times = []
        time = self.rejuvenate
        while 0 < time <= n_tokens:
            times.append(time)
            time *= 2
        return times


class PowerSMCRun(ParticleRun):
    """A run of Power-SMC, on all its islands."""

    def __init__(self, method: PowerSMC, request: Request) -> None:
        self._method = method
        self._early_stopping = EarlyStopping(
            request.answer, alpha=method.alpha, share=method.stop_when_decided, by=method.decided_by
        )
        is_moved = bool(method.moves_after(request.n_tokens))
        if is_moved:
            require_capacity(method.kv_demand.least, request, "`rejuvenate` needs")
        waves = [method.particles] * method.islands
        super().__init__(
            request, waves, self._program, share=method.share, has_evidence=True,
            keeps_prompt=is_moved,
        )  # fmt: skip

    def _program(self, particles: Particles) -> Iterator[StepOutcome]:
        method = self._method
        moves_after = deque(method.moves_after(particles.n_tokens))
        while particles.n_live or moves_after:
            if particles.n_live:
                move = yield from self._advance(particles)
            else:
                move = self._wait(particles, moves_after[0])
            if moves_after and particles.length == moves_after[0]:
                moves_after.popleft()
                yield from self._rejuvenate(particles, move)
            if method.stop_when_decided and self._early_stopping.is_reached(particles):
                # Weights for the full exponent, so that the share shown is the one that decided.
                particles.set_exponent(method.alpha)
                yield move._replace(is_decided=True)
                return
            particles.decode()
            # Checked here: resampling or a grammar may have left finished histories only.
            if not particles.n_live and not moves_after:
                particles.set_exponent(method.alpha)
            yield move._replace(has_more=bool(moves_after))

    def _advance(self, particles: Particles) -> Generator[StepOutcome, None, StepOutcome]:
        """Draw one token for every live particle, with its weight, and resample if due."""
        method = self._method
        particles.set_exponent(self._next_exponent(particles))
        if method.resampling == FEARNHEAD_CLIFFORD:
            particles.resample_children(method.particles)
            return StepOutcome(particles.alpha, particles.ess)
        particles.add_token_weight()
        if not method.lookahead:
            particles.propose(Proposal(particles.alpha))
        move = yield from self._resample(particles)
        if method.lookahead and particles.n_live:
            particles.propose(Proposal(particles.alpha))
        return move

    def _next_exponent(self, particles: Particles) -> float:
        method = self._method
        if not method.ramp_ess:
            return method.exponent(particles.length)
        if not particles.length:
            return 1.0
        highest = method.exponent(particles.length)
        return next_exponent(particles.histories, particles.alpha, highest, method.ramp_ess)

    def _resample(self, particles: Particles) -> Generator[StepOutcome, None, StepOutcome]:
        method, histories = self._method, particles.histories
        move, log_value = StepOutcome(particles.alpha, particles.ess), np.zeros(len(histories))
        if method.rollouts:
            if particles.length % method.block or len(histories) == 1:
                return move
            exponent = self._exponent_ahead(particles)
            rollouts = future_values(particles, method.rollouts, method.block, exponent)
            log_value = yield from _meanwhile(rollouts, move)
        ess = effective_sample_size(histories.logw + log_value, histories.count)
        if not particles.n_live or ess >= method.ess_threshold * method.particles:
            return move
        particles.resample(SCHEMES[method.resampling], log_value)
        return move._replace(resampled=True)

    def _exponent_ahead(self, particles: Particles) -> Callable[[int], float]:
        """The exponent at later positions; with `ramp_ess` it is not known, and the present one is used."""
        return (lambda _: particles.alpha) if self._method.ramp_ess else self._method.exponent

    def _wait(self, particles: Particles, n_tokens: int) -> StepOutcome:
        """All particles have ended: go to the length of the next move."""
        particles.length = n_tokens
        particles.set_exponent(self._method.exponent(n_tokens - 1))
        return StepOutcome(particles.alpha, particles.ess)

    def _rejuvenate(self, particles: Particles, move: StepOutcome) -> Generator[StepOutcome, None, None]:
        moves = yield from _meanwhile(
            rejuvenate(particles, self._method.exponent), move._replace(resampled=False, has_more=True)
        )
        self.proposals += moves.proposals
        self.accepted += moves.accepted


OutcomeT = TypeVar("OutcomeT")


def _meanwhile(
    batches: Generator[None, None, OutcomeT], move: StepOutcome
) -> Generator[StepOutcome, None, OutcomeT]:
    """Yield a step of the run for each batch of a generator; returns the generator's result."""
    while True:
        try:
            next(batches)
        except StopIteration as end:
            outcome: OutcomeT = end.value
            return outcome
        yield move


def next_exponent(histories: Histories, alpha: float, highest: float, share: float) -> float:
    """The highest exponent, up to `highest`, that keeps this share of the ESS, by bisection.

    The histories are weighted for p^alpha.
    """
    if alpha == highest:
        return highest
    min_ess = share * histories.ess

    def is_reached(higher: float) -> bool:
        logw = histories.logw + (higher - alpha) * histories.logp
        return effective_sample_size(logw, histories.count) >= min_ess

    if is_reached(highest):
        return highest
    low, high = alpha, highest
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if is_reached(middle) else (low, middle)
    return low
