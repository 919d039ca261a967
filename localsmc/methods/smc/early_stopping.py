"""Stopping when the answer is settled: what an unfinished run tells of its end.

Bound     Let b(h) = w(h)·p(h)^(α − α_t) for the particles on a history h together, α_t the exponent
          reached. That is what a finished history weighs at the end. A live one's token v more leaves
          b(h)·Σ_u p(u|h)^α_{t+1}·p(v|h)^(α − α_{t+1}), and both factors are at most 1 for α ≥ α_{t+1} ≥ 1:
          all that can come of it weighs b(h) at most. So an answer's share of the weight at the end,
          texts without an answer counted, is at least F / B, F the b of the finished histories that
          give it and B that of all. F never falls and B never rises, so the bound never falls.
Not       Resampling or a reduction to come makes the weights at the end random, with these totals in
          expectation only: the bound is then that of a run without any. It holds for certain with
          `ess_threshold` 0, and for `fearnhead-clifford` as long as nothing is thinned.
Guess     A live history that gives an answer already counts as if it kept it, whole b(h). Nothing
          bounds that: it may think better of it, or weigh less. The leader is that of the finished
          texts, which `majority` shows; one that ties is left at the bound.

When settled, what is live is left unfinished and weighs b(h), and there is no evidence: it is only
bounded. So the leader is shown with the share that settled it, or more where unfinished texts already
give it. Without those, and without resampling, the whole run has no less for it: confidence, taken
from that share, is not too high for having stopped.

All this is about the answer with most weight, the selector `majority`. `draw` among the finished texts
gives that answer with at least the bound's probability, but is no draw from p^α, since texts that end
early are preferred; other selectors choose from what has finished.
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
"""Tokens between two looks at unfinished texts. Reading them after each took a fifth to a quarter of what
a step takes beside decoding (embedded model, N = 16 and 256), and answers come at the texts' ends."""

NO_ANSWER = 0


def check_parameters(share: float, by: str, islands: int) -> None:
    """Raise ConfigError unless the share is 0 or a majority, on one island, in a way that there is."""
    if share != 0.0 and not 0.5 < share <= 1.0:
        raise ConfigError(
            f"`stop_when_decided` is {share:g}, but must be above 0.5, up to 1, or 0 for off",
            hint="with half of the weight or less another answer may win; try 0.9",
        )
    if by not in (BOUND, ESTIMATE):
        raise ConfigError(f"`decided_by` is `{by}`", hint=f"there is: {BOUND}, {ESTIMATE}")
    if share and islands > 1:
        raise ConfigError(
            f"`stop_when_decided` works with one island, not {islands}: later ones can have any weight",
            hint="leave `stop_when_decided` or `islands` out",
        )


def final_totals(histories: Histories, rest: float) -> Doubles:
    """(H,) log b: the final log-totals of finished histories, upper bounds of live ones' descendants'.

    `rest` is how far the exponent has still to rise.
    """
    return histories.log_totals + rest * histories.logp


class EarlyStopping:
    """Knows when an answer has a share of what particles weigh at the exponent `alpha`, at their ends."""

    def __init__(
        self, answer: Callable[[TokenIds], str | None], *, alpha: float, share: float, by: str
    ) -> None:
        self._answer = answer
        self._alpha, self._share, self._by = alpha, share, by
        self._numbers: dict[str, int] = {}
        """From 1 on, in the order in which answers came up."""
        self._read: dict[int, int] = {}
        """What the finished texts answer, by their nodes."""

    def is_reached(self, particles: Particles) -> bool:
        """Whether nothing more need be known, though some histories are live."""
        return 0 < particles.n_live < len(particles.histories) and self.lead(particles) >= self._share

    def lead(self, particles: Particles) -> float:
        """The share of the leading answer at the end: the bound, or where it is time to look, the guess.

        0 where it cannot be enough.
        """
        weights = normalised(final_totals(particles.histories, self._alpha - particles.alpha))
        is_live = particles.histories.finish == LIVE
        looks = self._by == ESTIMATE and particles.length % CHECK_EVERY == 0
        if not looks and weights[~is_live].sum() < self._share:
            return 0.0  # All answers together have no more: no text need be read.
        answers = self._answers(particles, is_live.tolist(), looks)
        finished = self._shares(answers[~is_live], weights[~is_live])
        leader = int(finished.argmax())
        share = finished[leader]
        # Of answers that are equally heavy another one may be shown.
        if looks and np.count_nonzero(finished > share - 10.0**-ROUND_OFF) == 1:
            share += self._shares(answers[is_live], weights[is_live])[leader]
        return float(share)

    def _shares(self, answers: Ints, weights: Doubles) -> Doubles:
        """The weight on each answer, by its number; none on having no answer, which cannot lead."""
        shares = np.bincount(answers, weights, len(self._numbers) + 1).astype(np.float64)
        shares[NO_ANSWER] = 0.0
        return shares

    def _answers(self, particles: Particles, is_live: list[bool], looks: bool) -> Ints:
        """(H,) the number of each history's answer; live ones are read where it is time to look."""
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
