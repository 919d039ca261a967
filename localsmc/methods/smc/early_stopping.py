"""Early stopping: decide the answer before all completions have ended.

Bound     Let b(h) = w(h)·p(h)^(α − α_t), with w(h) the weight of all particles on the history h and α_t the
          exponent reached. A finished history weighs b(h) at the end. For a live one, each particle's part of
          b(h) is multiplied by Σ_u p(u|h)^α_{t+1}·p(v|h)^(α − α_{t+1}) when it draws the next token v, and
          both factors are at most 1 for α ≥ α_{t+1} ≥ 1: all descendants together weigh at most b(h). So an
          answer's share of the final weight, completions without an answer included, is at least F / B, with
          F the sum of b over the finished histories with this answer, and B the sum over all histories. F
          never falls and B never rises, so the bound never falls. Completions that are concluded after the
          run are in B only: whatever they answer, the share is no lower. Refusals count as one more answer,
          as in the vote, so they can lead.
Not       With later resampling or thinning the final weights are random, and these totals hold in expectation
          only; the bound is then that of a run without resampling. It is certain with `ess_threshold` 0, and
          for `fearnhead-clifford` if nothing is thinned later.
Estimate  A live history that already gives an answer counts with its whole b(h) for that answer. This is
          not a bound: it may still change its answer, or weigh less at the end. The leader is the leading
          answer of the finished completions, which `majority` prints; if it is tied, the bound is used.

When the answer is decided, live histories stay unfinished and weigh b(h), and there is no evidence estimate
(it is only bounded). So the leading answer is shown with the share that decided it, or more if unfinished
completions already give it. Without those, and without resampling, its share in the whole run would be at
least as high, so the confidence computed from it is not too high because of stopping.

This is about the answer with the most weight, as selected by `majority`. `draw` among the finished
completions gives that answer with at least the bound's probability, but it is not a draw from p^α, since
completions that end early are preferred. Other selectors choose among the finished completions.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from localsmc.errors import ConfigError
from localsmc.lm.interface import TokenIds
from localsmc.methods.finish_state import LIVE
from localsmc.methods.smc.histories import Histories
from localsmc.methods.smc.particles import Particles
from localsmc.numerics.log_math import Doubles, Ints, normalised
from localsmc.selection import ROUND_OFF

BOUND, ESTIMATE = "bound", "estimate"

CHECK_EVERY = 8
"""Tokens between two looks at unfinished completions (`estimate`). Looking after each token took a fifth to a
quarter of a step's time without decoding (embedded model, N = 16 and 256), and answers come at the end."""

NO_ANSWER = 0


def check_parameters(share: float, by: str, islands: int) -> None:
    """Raise ConfigError unless the share is 0 or a majority, `by` is known, and there is one island."""
    if share != 0.0 and not 0.5 < share <= 1.0:
        raise ConfigError(
            f"`stop_when_decided` is {share:g}, but must be above 0.5, up to 1, or 0 for off",
            hint="with half of the weight or less another answer may win; try 0.9",
        )
    if by not in (BOUND, ESTIMATE):
        raise ConfigError(f"`decided_by` is `{by}`", hint=f"choose from: {BOUND}, {ESTIMATE}")
    if share and islands > 1:
        raise ConfigError(
            f"`stop_when_decided` works with one island, not {islands}: later ones can have any weight",
            hint="remove `stop_when_decided` or `islands`",
        )


def final_totals(histories: Histories, rest: float) -> Doubles:
    """(H,) log b: the final log-weight of finished histories, and an upper bound for live ones' descendants.

    `rest` is α − α_t, how far the exponent still has to rise.
    """
    return histories.log_totals + rest * histories.logp


class EarlyStopping:
    """Decides when one answer is sure, or likely, to keep a share of the final weight at exponent `alpha`."""

    def __init__(
        self, answer: Callable[[TokenIds], str | None], *, alpha: float, share: float, by: str
    ) -> None:
        self._answer = answer
        self._alpha, self._share, self._by = alpha, share, by
        self._numbers: dict[str, int] = {}
        """Answer to number, from 1, in order of appearance."""
        self._read: dict[int, int] = {}
        """Node of a finished history to the number of its answer."""

    def is_reached(self, particles: Particles) -> bool:
        """Whether the answer is decided while some histories are still live."""
        return 0 < particles.n_live < len(particles.histories) and self.lead(particles) >= self._share

    def lead(self, particles: Particles) -> float:
        """The leading answer's share of the final weight: the bound, or at every CHECK_EVERY-th token the
        estimate, if `by` is "estimate". 0 if it cannot be enough.
        """
        weights = normalised(final_totals(particles.histories, self._alpha - particles.alpha))
        is_live = particles.histories.finish == LIVE
        looks = self._by == ESTIMATE and particles.length % CHECK_EVERY == 0
        if not looks and weights[~is_live].sum() < self._share:
            return 0.0  # All finished completions together have less.
        answers = self._answers(particles, is_live.tolist(), looks)
        finished = self._shares(answers[~is_live], weights[~is_live])
        leader = int(finished.argmax())
        share = finished[leader]
        # If answers are tied, a different one may be printed: no estimate for this one.
        if looks and np.count_nonzero(finished > share - 10.0**-ROUND_OFF) == 1:
            share += self._shares(answers[is_live], weights[is_live])[leader]
        return float(share)

    def _shares(self, answers: Ints, weights: Doubles) -> Doubles:
        """The weight on each answer, by its number; 0 for NO_ANSWER, which cannot lead."""
        shares = np.bincount(answers, weights, len(self._numbers) + 1).astype(np.float64)
        shares[NO_ANSWER] = 0.0
        return shares

    def _answers(self, particles: Particles, is_live: list[bool], looks: bool) -> Ints:
        """(H,) the number of each history's answer; live ones are read only if `looks`."""
        found = []
        for node, live in zip(particles.histories.node.tolist(), is_live, strict=True):
            if live:
                found.append(self._number(particles, node) if looks else NO_ANSWER)
            else:
                if node not in self._read:
                    self._read[node] = self._number(particles, node)
                found.append(self._read[node])
        return np.array(found)

    def _number(self, particles: Particles, node: int) -> int:
        answer = self._answer(particles.genealogy.tokens(node))
        return NO_ANSWER if answer is None else self._numbers.setdefault(answer, len(self._numbers) + 1)
