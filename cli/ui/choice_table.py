"""Chosen options and ranks of answers as tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from localsmc_cli.ui.columns import columns
from localsmc_cli.ui.score_table import quoted

if TYPE_CHECKING:
    from localsmc.evals.answer_ranks import AnswerRank
    from localsmc.scoring.choices import ChoiceScore


def choice_table(scores: Sequence[tuple[int, ChoiceScore]]) -> str:
    """A line per question: the options that log p, and log p per character, choose."""
    heads = ("", "by log p", "log p", "per character")
    rows = [
        (
            str(i + 1),
            quoted(one.choices[one.choice]),
            f"{one.logps[one.choice]:.4f}",
            quoted(one.choices[one.choice_norm]),
        )
        for i, one in scores
    ]
    return columns(heads, rows, numbers=(0, 2))


def accuracy_lines(scores: Sequence[ChoiceScore]) -> str:
    """Both accuracies with their standard errors, over the questions whose right option is known."""
    from localsmc.scoring.choices import share

    found = []
    for name in ("acc", "acc_norm"):
        one = share([getattr(score, name) for score in scores])
        if one is not None:
            error = "" if one.error is None else f" ± {one.error:.4f}"
            found.append(f"{name:8} {one.mean:.4f}{error}")
    return "\n".join(found)


def rank_table(ranks: Sequence[AnswerRank]) -> str:
    """A line per problem and method: the answer's rank and weight, and the heaviest answer."""
    n_models = len({rank.model for rank in ranks})
    heads = (
        "problem",
        *(["model"] if n_models > 1 else []),
        "method",
        "answer",
        "rank",
        "weight",
        "heaviest",
    )
    rows = [
        (
            rank.problem,
            *([rank.model] if n_models > 1 else []),
            rank.method,
            rank.answer,
            "none" if rank.rank is None else f"{rank.rank} of {rank.n_answers}",
            f"{rank.weight:.1%}",
            "" if rank.top is None else rank.top,
        )
        for rank in ranks
    ]
    return columns(heads, rows, numbers=(len(heads) - 3, len(heads) - 2))


def rank_line(ranks: Sequence[AnswerRank]) -> str:
    """How often the answer was first, among the first three, and not sampled; the mean of 1 / rank."""
    known = [rank.rank for rank in ranks if rank.rank is not None]
    mean = sum(1 / rank for rank in known) / len(ranks)
    return (
        f"{len(ranks)} answers: {known.count(1)} are first, {sum(rank <= 3 for rank in known)} among the"
        f" first three, {len(ranks) - len(known)} were not sampled; mean of 1/rank {mean:.3f}"
    )
