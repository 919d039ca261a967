"""Select one completion from a weighted set, and compute the distribution over answers.

Used with all methods. Pure functions of completions; `draw` takes a separate generator, so selecting
twice gives the same completion. Ties go to the completion with the best rating, then to the most probable.
In a vote all refusals count as one more answer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from localsmc.results import AnswerKind, AnswerShare, Completion, Confidence
from localsmc.text import answers
from localsmc.text.refusal import candidate

ROUND_OFF = 12
"""Weights are compared after rounding to this many decimals, so that sums of equal shares are equal."""


def choose(
    name: str, completions: Sequence[Completion], rng: np.random.Generator, kind: AnswerKind = "any"
) -> Completion | None:
    """Select one completion with the selector of this name; None if there are no completions.

    Unfinished completions are eligible only if none has finished. `kind` decides which answers are the same.
    """
    eligible = finished(completions) or completions
    return SELECTORS[name](eligible, rng, kind) if eligible else None


def finished(completions: Sequence[Completion]) -> list[Completion]:
    """The completions that were not cut short by a budget, Ctrl-C or the method."""
    return [completion for completion in completions if completion.finish_reason != "cancelled"]


def answer_shares(completions: Sequence[Completion], kind: AnswerKind = "any") -> tuple[AnswerShare, ...]:
    """The distribution over answers, highest weight first; answers that are the same count as one, and so do
    all refusals.
    """  # noqa: D205
    groups = sorted(
        _by_answer(completions, kind), key=lambda group: _rank(group, _weight(group)), reverse=True
    )
    return tuple(
        AnswerShare(
            # The group is shown with the spelling of its heaviest completion.
            answer=max(group, key=lambda completion: completion.weight).answer,
            weight=_weight(group),
            count=sum(completion.count for completion in group),
            is_refused=group[0].is_refused,
        )
        for group in groups
    )


def confidence(
    answer: str | None,
    shares: Sequence[AnswerShare],
    weight_exponent: float | None,
    kind: AnswerKind = "any",
) -> Confidence | None:
    """How sure an answer is, from its weight; None if there is no answer or the weights say nothing.

    The same weight means less the more a method sharpens: with p^α the odds between two answers are raised
    to about the power α. So the log-odds of the weight are compared with α (`weight_exponent`, 1 for plain
    samples): high from α − 1, medium from 0.6·(α − 2), low below. These thresholds were fitted on the
    embedded model with 16 particles, where high was right in 9 of 10 problems, medium in 6 and low in 2;
    with 4 particles and systematic resampling, high was right in 6 of 10. `localsmc report` measures the
    calibration for your model.
    """
    if answer is None or weight_exponent is None:
        return None
    weights = (one.weight for one in shares if answers.same(one.answer, answer, kind))
    weight, weight_exponent = round(sum(weights), ROUND_OFF), max(1.0, weight_exponent)
    log_odds = math.log(weight / (1 - weight)) if 0 < weight < 1 else math.copysign(math.inf, weight - 0.5)
    if log_odds >= weight_exponent - 1:
        return "high"
    return "medium" if log_odds >= 0.6 * (weight_exponent - 2) else "low"


def _by_answer(completions: Sequence[Completion], kind: AnswerKind) -> list[list[Completion]]:
    groups: dict[str | None, list[Completion]] = {}
    for completion in completions:
        groups.setdefault(candidate(completion, kind), []).append(completion)
    return list(groups.values())


def _weight(group: Sequence[Completion]) -> float:
    return sum(completion.weight for completion in group)


def _rank(group: Sequence[Completion], votes: float) -> tuple[float, float, float]:
    """Compare votes first, then the best rating, then the highest log-probability."""
    score, logp = (
        max(-math.inf if value is None else value for value in values)
        for values in zip(*((one.score, one.logp) for one in group), strict=True)
    )
    return round(votes, ROUND_OFF), score, logp


def by_draw(completions: Sequence[Completion], rng: np.random.Generator, _: AnswerKind = "any") -> Completion:
    """Draw one completion by weight: for Power-SMC, the sample from its target."""
    edges = np.cumsum([completion.weight for completion in completions])
    return completions[min(int(np.searchsorted(edges, rng.random() * edges[-1], "right")), len(edges) - 1)]


def by_argmax(
    completions: Sequence[Completion], _: np.random.Generator, __: AnswerKind = "any"
) -> Completion:
    """The completion with the highest weight."""
    return max(completions, key=lambda completion: _rank([completion], completion.weight))


def by_majority(
    completions: Sequence[Completion], rng: np.random.Generator, kind: AnswerKind = "any"
) -> Completion:
    """The heaviest completion of the heaviest answer, or of the refusals together; without both, the heaviest
    of all.
    """  # noqa: D205
    return _elected(completions, _weight, rng, kind)


def by_distinct(
    completions: Sequence[Completion], rng: np.random.Generator, kind: AnswerKind = "any"
) -> Completion:
    """Like `by_majority`, but with one vote per distinct completion, whatever its weight."""
    return _elected(completions, len, rng, kind)


def _elected(
    completions: Sequence[Completion],
    votes: Callable[[Sequence[Completion]], float],
    rng: np.random.Generator,
    kind: AnswerKind,
) -> Completion:
    groups = [group for group in _by_answer(completions, kind) if candidate(group[0], kind) is not None]
    if not groups:
        return by_argmax(completions, rng, kind)
    return by_argmax(max(groups, key=lambda group: _rank(group, votes(group))), rng, kind)


def by_probability(
    completions: Sequence[Completion], _: np.random.Generator, __: AnswerKind = "any"
) -> Completion:
    """The completion with the highest log-probability at temperature 1, whatever its weight."""
    return max(completions, key=_logp)


def by_mean(completions: Sequence[Completion], _: np.random.Generator, __: AnswerKind = "any") -> Completion:
    """The completion with the highest log-probability per token."""
    return max(completions, key=lambda completion: _logp(completion) / max(1, completion.n_tokens))


def _logp(completion: Completion) -> float:
    return -math.inf if completion.logp is None else completion.logp


Selector = Callable[[Sequence[Completion], np.random.Generator, AnswerKind], Completion]

SELECTORS: dict[str, Selector] = {
    "draw": by_draw,
    "argmax": by_argmax,
    "majority": by_majority,
    "distinct": by_distinct,
    "best": by_probability,
    "best-mean": by_mean,
}

BY_VOTE = ("majority", "distinct")
"""Selectors that vote on answers."""

BY_LOGP = ("best", "best-mean")
"""Selectors that use only log-probabilities."""
