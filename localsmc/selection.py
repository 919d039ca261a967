"""Choosing one completion of a weighted set, and the distribution over their answers.

Shared by all methods. Pure functions of completions; the draw takes a generator of its own, so
that choosing twice chooses the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from localsmc import answers
from localsmc.records import AnswerShare, Completion


def answer_shares(completions: Sequence[Completion]) -> tuple[AnswerShare, ...]:
    """The distribution over answers, the heaviest first; equal values count as one answer."""
    groups: dict[str | None, list[Completion]] = {}
    for completion in completions:
        groups.setdefault(_key(completion), []).append(completion)
    shares = [
        AnswerShare(
            # The spelling that carries most weight stands for the group.
            answer=max(group, key=lambda completion: completion.weight).answer,
            weight=sum(completion.weight for completion in group),
            count=sum(completion.count for completion in group),
        )
        for group in groups.values()
    ]
    return tuple(sorted(shares, key=lambda share: -share.weight))


def _key(completion: Completion) -> str | None:
    return None if completion.answer is None else answers.key(completion.answer)


def by_draw(completions: Sequence[Completion], rng: np.random.Generator) -> Completion:
    """One completion drawn by weight: for Power-SMC, the sample from its target."""
    edges = np.cumsum([completion.weight for completion in completions])
    return completions[min(int(np.searchsorted(edges, rng.random() * edges[-1], "right")), len(edges) - 1)]


def by_argmax(completions: Sequence[Completion], _: np.random.Generator) -> Completion:
    """The heaviest completion."""
    return max(completions, key=lambda completion: completion.weight)


def by_majority(completions: Sequence[Completion], _: np.random.Generator) -> Completion:
    """The heaviest completion of the heaviest answer; without any answer, the heaviest at all."""
    answered = [share for share in answer_shares(completions) if share.answer is not None]
    if not answered:
        return by_argmax(completions, _)
    winner = answers.key(str(answered[0].answer))
    return by_argmax([completion for completion in completions if _key(completion) == winner], _)


Selector = Callable[[Sequence[Completion], np.random.Generator], Completion]

SELECTORS: dict[str, Selector] = {"draw": by_draw, "argmax": by_argmax, "majority": by_majority}
