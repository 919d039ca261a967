"""Scores of texts as tables."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from localsmc_cli.ui.columns import columns

if TYPE_CHECKING:
    from localsmc.scoring.perplexity import Perplexity
    from localsmc.scoring.score import TextScore

_LONGEST = 48
"""Characters of a text that a table shows."""


def quoted(text: str) -> str:
    """A text in quotes, so that its blanks show, shortened in the middle."""
    if len(text) > _LONGEST:
        half = _LONGEST // 2
        text = f"{text[:half]}…{text[-half + 1 :]}"
    return json.dumps(text, ensure_ascii=False)


def score_table(scores: Sequence[tuple[int, TextScore]]) -> str:
    """A line per text: its number, log p in total and per token, and whether greedy decoding writes it."""
    heads = ("", "log p", "tokens", "per token", "greedy", "text")
    rows = [
        (
            str(i + 1),
            f"{score.logp:.4f}",
            str(score.n_tokens),
            f"{score.mean:.4f}",
            "yes" if score.is_greedy else "no",
            quoted(score.text),
        )
        for i, score in scores
    ]
    return columns(heads, rows, numbers=range(4))


def token_table(score: TextScore) -> str:
    """A line per token: its id, text and log p, and the most probable token where that is another."""
    heads = ("id", "token", "log p", "most probable", "log p")
    rows = [
        (
            str(token.token),
            quoted(token.piece),
            f"{token.logp:.4f}",
            "" if token.top == token.token else quoted(token.top_piece),
            "" if token.top == token.token else f"{token.top_logp:.4f}",
        )
        for token in score.tokens
    ]
    return columns(heads, rows, numbers=(0, 2, 4))


def perplexity_line(found: Perplexity) -> str:
    """The perplexity with its standard error."""
    error = "" if found.error is None else f" ± {found.error:.4f}"
    return f"perplexity {found.perplexity:.4f}{error}"


def perplexity_note(found: Perplexity) -> str:
    """What was scored."""
    windows = "1 window" if found.n_windows == 1 else f"{found.n_windows} windows"
    stride = "" if found.stride is None else f", stride {found.stride}"
    return (
        f"{found.n_scored} of {found.n_tokens} tokens are scored, in {windows} of {found.window} tokens"
        f"{stride}; their log p is {found.logp:.2f}"
    )
