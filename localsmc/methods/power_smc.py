"""Power-SMC: sequential Monte Carlo for the power distribution p(y|x)^α.

Target    π(y|x) ∝ p(y|x)^α; y ends with an end token, by the stop rule or after n_tokens tokens,
          and p is the model at temperature 1 over the full vocabulary.
Proposal  q_t(v|h) ∝ p(v|h)^α_t, with α_t rising linearly from 1 to α over `ramp` tokens; with `ramp_ess`
          it is 1 for the first token, and then rises as far as the tokens so far leave that share of
          the effective sample size, in place of the ramp.
Weight    Δ log w = (α_t − α_{t−1})·log p(h) + log Σ_v p(v|h)^α_t for a live history h, its first
          term alone for a finished one, so that after t tokens a history is properly weighted
          for p^α_t. Where all end within the ramp, (α − α_t)·log p makes up the rest.
Resample  when the effective sample size falls below `ess_threshold`·N, looked at after every
          token while any history lives. E[Ẑ] = Z for every scheme, ramp, threshold and N.
          A token's weight is known before it is drawn, so it is drawn after resampling, by each
          copy for itself; with `lookahead` off before, as the paper has it.
          `chopthin` leaves weights as they are within a bounded ratio.
          `optimal` draws no tokens first: every child of every history is weighed, those that have
          an N-th of the weight stay, the others are thinned without bias (branching.py); then no
          text is held twice, there is no ESS to fall, and threshold, look-ahead and sharing have no say.
Rollouts  with `rollouts` K, resampling is every `block` tokens only, and chooses a history as if it
          weighed what K scouts find `block` tokens ahead of it (rollouts.py). Unbiased all the same.
Moves     with `rejuvenate` m, every particle, finished or not, makes a Metropolis step on its text after
          m, 2m, 4m, … tokens, whatever the weights are (rejuvenation.py). Unbiased all the same, but
          not with `ramp_ess`, which is refused.
Islands   one after the other, independent, each with N particles; a text weighs its weight on its
          island times the island's Ẑ, and the mean of these is the evidence: unbiased as one is.
Stops     when every particle has ended: end token, stop rule or n_tokens; with `settle`, when an answer
          will have that share of the weight, by the bound or the guess of settling.py. The bound is
          certain where nothing is resampled later; what is live is left unfinished, without evidence.
Cost      one row a distinct live history and step; with `share` off one a live particle. Rollouts have
          up to K rows a history and step more; a move up to t rows a particle, in at most t steps.
Source    Power-SMC, arXiv 2602.10273. Evidence carried, proposal at 1/α_t throughout the ramp:
          both differ from the authors' code. `optimal`: Fearnhead and Clifford (2003). `chopthin`:
          Gandy and Lau (2016), used so by CCPS. Rollouts: Pitt and Shephard's auxiliary filter (1999),
          used so by APPS, arXiv 2605.02427. Moves: Gilks and Berzuini (2001).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import ClassVar, TypeVar

import numpy as np

from localsmc.errors import ConfigError, ContextFull
from localsmc.methods.base import Request, Room, require
from localsmc.methods.runs import Move, ParticleRun, Run
from localsmc.methods.settling import BOUND, Settling, require_settling
from localsmc.numerics import effective_sample_size
from localsmc.particles import Histories, Particles, Proposal
from localsmc.rejuvenation import rejuvenate
from localsmc.resampling import SCHEMES
from localsmc.rollouts import future_values

OPTIMAL = "optimal"
"""The scheme that takes the place of drawing, weighing and resampling."""

BISECTIONS = 12
"""Halvings of the way to the final exponent."""


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
    ramp_ess: float = 0.0
    ess_threshold: float = 0.5
    resampling: str = "systematic"
    lookahead: bool = True
    share: bool = True
    islands: int = 1
    rejuvenate: int = 0
    rollouts: int = 0
    block: int = 16
    settle: float = 0.0
    settle_by: str = BOUND

    def __post_init__(self) -> None:
        require("particles", self.particles, 1, 1_000_000)
        require("alpha", self.alpha, 1.0, 64.0)
        require("ramp", self.ramp, 0, 1_000_000)
        require("ramp_ess", self.ramp_ess, 0.0, 1.0)
        require("ess_threshold", self.ess_threshold, 0.0, 1.0)
        require("islands", self.islands, 1, 10_000)
        require("rejuvenate", self.rejuvenate, 0, 1_000_000)
        require("rollouts", self.rollouts, 0, 10_000)
        require("block", self.block, 1, 1_000_000)
        require_settling(self.settle, self.settle_by, self.islands)
        if self.resampling not in (*SCHEMES, OPTIMAL):
            raise ConfigError(
                f"`resampling` is `{self.resampling}`, which is no scheme",
                hint=f"there is: {', '.join((*SCHEMES, OPTIMAL))}",
            )
        self._refuse_what_is_not_right()

    def _refuse_what_is_not_right(self) -> None:
        if self.rejuvenate and self.ramp_ess:
            raise ConfigError(
                "`rejuvenate` with `ramp_ess` has a biased evidence: moves need exponents fixed beforehand",
                hint="leave one of them out",
            )
        if self.rejuvenate and self.settle:
            raise ConfigError(
                "`settle` with `rejuvenate` has no bound: finished texts may still be moved",
                hint="leave one of them out",
            )
        if self.resampling == OPTIMAL and (self.rejuvenate or self.rollouts):
            raise ConfigError(
                "`optimal` draws no tokens that could be moved or looked ahead of",
                hint="leave out `rejuvenate` and `rollouts`, or choose another `resampling`",
            )

    @property
    def sharpness(self) -> float | None:
        """None for one particle, which has nothing beside it."""
        return self.alpha if self.particles * self.islands > 1 else None

    @property
    def room(self) -> Room:
        """Histories share their beginnings: half as many cells as separate texts take are rarely used up."""
        if self.rejuvenate:  # Moves cannot wait, and a population reduced for them would be biased.
            return Room(2 * self.particles + 1, 2 * self.particles, 2 * self.particles)
        # Where islands follow, one sequence stays with the prompt.
        n_sequences = self.particles * (1 + self.rollouts) + (self.islands > 1)
        return Room(n_sequences, max(min(self.particles, 4), math.ceil(self.particles / 2)))

    def start(self, request: Request) -> Run:
        """See `Method.start`."""
        return _Sweep(self, request)

    def exponent(self, step: int) -> float:
        """α_t for the token at 0-based position t."""
        return 1.0 + (self.alpha - 1.0) * min(1.0, (step + 1) / max(1, self.ramp))

    def moves_after(self, n_tokens: int) -> list[int]:
        """After how many tokens particles are moved, up to the horizon."""
        times = []
        time = self.rejuvenate
        while 0 < time <= n_tokens:
            times.append(time)
            time *= 2
        return times


class _Sweep(ParticleRun):
    """A run of Power-SMC."""

    def __init__(self, method: PowerSMC, request: Request) -> None:
        self._method = method
        self._settling = Settling(
            request.answer, alpha=method.alpha, share=method.settle, by=method.settle_by
        )
        if method.rejuvenate:
            _require_room(method.room, request)
        waves = [method.particles] * method.islands
        super().__init__(
            request, waves, self._program, share=method.share, has_evidence=True,
            keeps_prompt=method.rejuvenate > 0,
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
            # Asked after resampling, which may leave finished histories only.
            if not particles.n_live and not moves_after:
                particles.raise_to(method.alpha)
            particles.evaluate()
            yield move._replace(goes_on=bool(moves_after))

    def _advance(self, particles: Particles) -> Generator[Move, None, Move]:
        """One token for every live particle, its weight, and resampling where it is due."""
        method = self._method
        particles.raise_to(self._next_exponent(particles))
        if method.resampling == OPTIMAL:
            particles.branch(particles.alpha, method.particles)
            return Move(particles.alpha, particles.ess)
        particles.weigh(particles.alpha)
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
        return raised(particles.histories, particles.alpha, method.alpha, method.ramp_ess)

    def _resample(self, particles: Particles) -> Generator[Move, None, Move]:
        method, histories = self._method, particles.histories
        move, log_value = Move(particles.alpha, particles.ess), np.zeros(len(histories))
        if method.rollouts:
            if not particles.length or particles.length % method.block:
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


def raised(histories: Histories, alpha: float, final: float, share: float) -> float:
    """The highest exponent that leaves this share of the ESS to histories that are weighed for p^alpha."""
    if alpha == final:
        return final
    wanted = share * histories.ess

    def is_reached(higher: float) -> bool:
        logw = histories.logw + (higher - alpha) * histories.logp
        return effective_sample_size(logw, histories.count) >= wanted

    if is_reached(final):
        return final
    low, high = alpha, final
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if is_reached(middle) else (low, middle)
    return low


def _require_room(room: Room, request: Request) -> None:
    """Raise unless every particle has room for a text of its own and a proposal."""
    model = request.model
    n_cells = len(request.prompt) + room.least * request.n_tokens
    if model.n_seq_max < room.sequences:
        raise ContextFull(
            f"`rejuvenate` takes {room.sequences} sequences here, but there are {model.n_seq_max}",
            hint="raise `--batch-size`, or lower `--particles`",
        )
    if model.n_cells < n_cells:
        raise ContextFull(
            f"`rejuvenate` takes {n_cells} cells here, but there are {model.n_cells}",
            hint="raise `--ctx-size`, or lower `--predict`",
        )
