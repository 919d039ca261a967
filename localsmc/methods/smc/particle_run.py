"""A run of particles: in each step, one decode for all live histories."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from localsmc.lm.interface import TokenIds
from localsmc.methods.finish_state import PRUNED
from localsmc.methods.request import Request, WeightedText
from localsmc.methods.run import (
    REASONS,
    SamplingRun,
    StepOutcome,
    effective_completions,
    merged,
    nothing_allowed,
)
from localsmc.methods.smc.particles import Particles
from localsmc.numerics.log_math import log_sum_exp, normalised
from localsmc.results import HistoryInfo

Advance = Callable[[Particles], StepOutcome]
"""Extends particles by one token, which is not decoded yet."""


StepProgram = Callable[[Particles], Iterator[StepOutcome]]
"""Moves particles from the prompt to their ends; yields after each batch."""


def token_by_token(advance: Advance) -> StepProgram:
    """The program that advances particles until all have ended."""

    def program(particles: Particles) -> Iterator[StepOutcome]:
        while particles.n_live:
            outcome = advance(particles)
            if not outcome.is_decided:
                particles.decode()
            yield outcome

    return program


class ParticleRun(SamplingRun):
    """A run of one or several waves (batches) of particles, each from the end of the same prompt.

    Several waves are used for independent particles that do not fit into the KV cache together, and for
    islands. Each island has an evidence estimate, by which it is weighted; the evidence of all is the mean.
    """

    def __init__(
        self,
        request: Request,
        waves: Sequence[int],
        program: StepProgram,
        *,
        share: bool,
        has_evidence: bool,
        keeps_prompt: bool = False,
    ) -> None:
        super().__init__(request)
        self._keeps_prompt = keeps_prompt
        self._begin, self._share, self._has_evidence = program, share, has_evidence
        self._waves = list(waves)
        self.finished: list[Particles] = []
        self._start_wave()
        self._finish_prefill()

    def _start_wave(self) -> None:
        n = self._waves.pop(0)
        # If waves follow, the prompt's slot is kept; the last wave uses it for its first history.
        keeps_prompt = self._keeps_prompt or bool(self._waves)
        self.sequences.n_pinned = int(keeps_prompt)
        request = self._request
        self.particles = Particles(
            self.sequences,
            self._root,
            self._root_logits,
            n,
            n_tokens=request.n_tokens,
            stop=request.stop,
            draw=request.draw,
            share=self._share,
            keeps_prompt=keeps_prompt,
            sets_aside=self._is_open if request.n_concluding else None,
        )
        self._moves, self._has_more = self._begin(self.particles), False

    def _is_open(self, tokens: TokenIds) -> bool:
        """Whether a finished completion has no answer, or is cut, where an answer may not count."""
        is_cut = len(tokens) == self._request.n_tokens
        return is_cut or self._request.answer(tokens) is None

    def _step(self) -> StepOutcome:
        if self.particles.n_live == 0 and not self._has_more:
            self.finished.append(self.particles)
            self._start_wave()
        outcome = next(self._moves)
        self._has_more = outcome.has_more
        if outcome.is_decided:
            self._waves.clear()
            self.is_decided = self.particles.n_live > 0
        if self.is_done and not any(len(wave.histories) for wave in self._all):
            raise nothing_allowed(f"after any of the completions, at token {self.particles.length}")
        return outcome

    @property
    def _all(self) -> tuple[Particles, ...]:
        """The waves that have been started."""
        return (*self.finished, self.particles)

    def _progress(self) -> tuple[int, int, float | None]:
        n_histories = len(self.particles.histories)
        log_z = self.particles.log_z if self._has_evidence else None
        return n_histories, n_histories - self.particles.n_live, log_z

    @property
    def is_done(self) -> bool:
        """Whether every particle of every wave has ended, or the result is decided."""
        is_over = self.particles.n_live == 0 and not self._has_more and not self._waves
        return self.is_decided or is_over

    @property
    def reductions(self) -> int:  # type: ignore[override]
        """How often histories were thinned to fit the KV cache."""
        return sum(wave.reductions for wave in self._all)

    @property
    def log_z(self) -> float | None:
        """See `SamplingRun.log_z`."""
        if not self._has_evidence or not self.is_done or self.is_decided:
            return None
        return log_sum_exp(np.array([wave.log_z for wave in self._all])) - float(np.log(len(self._all)))

    @property
    def ess(self) -> float:
        """See `SamplingRun.ess`."""
        return self.ess_of(self.endings())

    def ess_of(self, endings: Sequence[WeightedText]) -> float:
        """The number of particles if they are independent; else 1 / Σ weight² over distinct completions."""
        if self._has_evidence:
            return effective_completions(endings)
        return float(sum(ending.count for ending in endings))

    def endings(self) -> list[WeightedText]:
        """See `SamplingRun.endings`; histories that the method has pruned are left out."""
        waves = [(wave, wave.weights * share) for wave, share in self._shares()]
        kept = [(wave, i) for wave, _ in waves for i in np.flatnonzero(wave.histories.finish != PRUNED)]
        weights = np.concatenate([weights[wave.histories.finish != PRUNED] for wave, weights in waves])
        return merged(
            self._ending(wave, int(i), float(weight))
            for (wave, i), weight in zip(kept, weights / weights.sum(), strict=True)
        )

    def _shares(self) -> list[tuple[Particles, float]]:
        """The waves, and the share of each in the total weight."""
        totals = [wave.log_z if self._has_evidence else wave.log_count for wave in self._all]
        return list(zip(self._all, normalised(np.array(totals)).tolist(), strict=True))

    def _ending(self, wave: Particles, i: int, weight: float) -> WeightedText:
        return WeightedText(
            tokens=wave.genealogy.tokens(int(wave.histories.node[i])),
            count=int(wave.histories.count[i]),
            weight=weight,
            logp=float(wave.histories.logp[i]),
            finish_reason=REASONS[int(wave.histories.finish[i])],
        )

    def population(self) -> list[HistoryInfo]:
        """The histories of the current wave."""
        histories, tree = self.particles.histories, self.particles.genealogy
        columns = (
            histories.node,
            tree.parents(histories.node),
            tree.last_tokens(histories.node),
            histories.count,
            self.particles.weights,
            histories.logp,
            histories.finish,
        )
        return [
            self._history(
                len(self.finished), node, parent, token, count=count, weight=weight, logp=logp, finish=finish
            )
            for node, parent, token, count, weight, logp, finish in zip(
                *(column.tolist() for column in columns), strict=True
            )
        ]
