"""A llama.cpp context for scoring, as large as the sequences need."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from localsmc.engine import context_size
from localsmc.engine.settings import Settings
from localsmc.errors import PromptTooLong
from localsmc.lm.cache_layout import CacheLayout
from localsmc.memory import estimate
from localsmc.scoring.pair_tokens import longest
from localsmc.scoring.rounds import ScoredTokens
from localsmc.scoring.scorer import Scorer, Stopped, TokenLogps

if TYPE_CHECKING:
    from localsmc.engine.load import Model

N_SEQUENCES = 66
"""Sequences of a context: 64 are decoded together, and two hold what rounds begin with."""

N_CELLS = 2048
"""Tokens that are in the cache together by default: more make attention slower, and few batches fuller."""


def n_length(model: Model, settings: Settings) -> int:
    """The most tokens of one sequence: what the model was trained on, or the context's size if it is less."""
    trained = model.llama.n_ctx_train
    return min(trained, settings.n_ctx) if settings.n_ctx else trained


def check_length(model: Model, settings: Settings, sequence: ScoredTokens, name: str) -> None:
    """Raise PromptTooLong, with the `name` of a text, if it does not fit in the context."""
    room = n_length(model, settings)
    if sequence.n_decoded <= room:
        return
    trained = model.llama.n_ctx_train
    more = f"raise `--ctx-size`, up to {trained}, or " if room < trained else ""
    raise PromptTooLong(
        f"{name} has {len(sequence.tokens)} tokens with its prompt, but the context holds {room + 1}",
        hint=f"{more}shorten the text; `--perplexity FILE` reads a long text in windows",
    )


def scored(
    model: Model,
    sequences: Sequence[ScoredTokens],
    settings: Settings,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[tuple[int, TokenLogps]]:
    """Score sequences, each of which fits: their indices and log-probabilities, as they are done.

    It ends early, between two batches, if `should_stop` says so.
    """
    if not sequences:
        return
    need = longest(sequences)
    n_all = sum(sequence.n_decoded for sequence in sequences)
    n_seqs = min(N_SEQUENCES, len(sequences) + 2)
    n_cells = settings.n_ctx or estimate.padded(max(need, min(n_all, N_CELLS)))
    if not model.layout.is_unified:
        n_seqs = min(n_seqs, max(3, N_CELLS // estimate.padded(need)))
        n_cells = settings.n_ctx or n_seqs * estimate.padded(need)
    if model.layout is CacheLayout.SINGLE:
        n_seqs = 1
    context = context_size.open_run_context(model, n_seqs, n_cells, settings)
    with contextlib.closing(context), contextlib.suppress(Stopped):
        yield from Scorer(context, sequences, should_stop)
