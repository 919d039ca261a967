"""The sweep of Power-SMC: its particles from the prompt to their ends, option by option.

What each option does to the law is stated in power_smc.py.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from localsmc.methods.base import Request
from localsmc.methods.run import Move, ParticleRun, require_texts
from localsmc.methods.smc.early_stopping import Settling
from localsmc.methods.smc.histories import Histories
from localsmc.methods.smc.particles import Particles, Proposal
from localsmc.methods.smc.rejuvenation import rejuvenate
from localsmc.methods.smc.rollouts import future_values
from localsmc.methods.smc.schedule import OPTIMAL
from localsmc.numerics.log_math import effective_sample_size
from localsmc.numerics.resampling import SCHEMES

if TYPE_CHECKING:
    from localsmc.methods.smc.power_smc import PowerSMC

BISECTIONS = 12
"""Halvings of a token's rise, which is found to a 4,096th."""


class Sweep(ParticleRun):
    """A run of Power-SMC, on all its islands."""

    def __init__(self, method: PowerSMC, request: Request) -> None:
        self._method = method
        self._settling = Settling(
            request.answer, alpha=method.alpha, share=method.settle, by=method.settle_by
        )
        is_moved = bool(method.moves_after(request.n_tokens))
        if is_moved:
            require_texts(method.room.least, request, "`rejuvenate` takes")
        waves = [method.particles] * method.islands
        super().__init__(
            request, waves, self._program, share=method.share, has_evidence=True,
            keeps_prompt=is_moved,
        )  # fmt: skip

    def _program(self, particles: Particles) -> Iterator[Move]:
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
            if method.settle and self._settling.is_reached(particles):
                # Weights for the whole exponent, so that the share shown is the one that settled it.
                particles.raise_to(method.alpha)
                yield move._replace(is_settled=True)
                return
            particles.evaluate()
            # Asked now: resampling may leave finished histories only, and so may a grammar.
            if not particles.n_live and not moves_after:
                particles.raise_to(method.alpha)
            yield move._replace(goes_on=bool(moves_after))

    def _advance(self, particles: Particles) -> Generator[Move, None, Move]:
        """One token for every live particle, its weight, and resampling where it is due."""
        method = self._method
        particles.raise_to(self._next_exponent(particles))
        if method.resampling == OPTIMAL:
            particles.branch(method.particles)
            return Move(particles.alpha, particles.ess)
        particles.weigh()
        if not method.lookahead:
            particles.extend(Proposal(particles.alpha))
        move = yield from self._resample(particles)
        if method.lookahead and particles.n_live:
            particles.extend(Proposal(particles.alpha))
        return move

    def _next_exponent(self, particles: Particles) -> float:
        method = self._method
        if not method.ramp_ess:
            return method.exponent(particles.length)
        if not particles.length:
            return 1.0
        highest = method.exponent(particles.length)
        return raised(particles.histories, particles.alpha, highest, method.ramp_ess)

    def _resample(self, particles: Particles) -> Generator[Move, None, Move]:
        method, histories = self._method, particles.histories
        move, log_value = Move(particles.alpha, particles.ess), np.zeros(len(histories))
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
        """As far as it is known now."""
        return (lambda _: particles.alpha) if self._method.ramp_ess else self._method.exponent

    def _wait(self, particles: Particles, n_tokens: int) -> Move:
        """All have ended, and are moved when texts may have so many tokens."""
        particles.length = n_tokens
        particles.raise_to(self._method.exponent(n_tokens - 1))
        return Move(particles.alpha, particles.ess)

    def _rejuvenate(self, particles: Particles, move: Move) -> Generator[Move, None, None]:
        moves = yield from _meanwhile(
            rejuvenate(particles, self._method.exponent), move._replace(resampled=False, goes_on=True)
        )
        self.proposals += moves.proposals
        self.accepted += moves.accepted


OutcomeT = TypeVar("OutcomeT")


def _meanwhile(batches: Generator[None, None, OutcomeT], move: Move) -> Generator[Move, None, OutcomeT]:
    """A step of the run for each batch that something else decodes."""
    while True:
        try:
            next(batches)
        except StopIteration as end:
            outcome: OutcomeT = end.value
            return outcome
        yield move


def raised(histories: Histories, alpha: float, highest: float, share: float) -> float:
    """The highest exponent that leaves this share of the ESS to histories that are weighed for p^alpha."""
    if alpha == highest:
        return highest
    wanted = share * histories.ess

    def is_reached(higher: float) -> bool:
        logw = histories.logw + (higher - alpha) * histories.logp
        return effective_sample_size(logw, histories.count) >= wanted

    if is_reached(highest):
        return highest
    low, high = alpha, highest
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if is_reached(middle) else (low, middle)
    return low
