"""The context that a run will need, planned before the model is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from localsmc.engine.settings import AS_MANY_AS_FIT, Settings
from localsmc.llama import MAX_SEQUENCES, ContextOptions
from localsmc.lm.cache_layout import CacheLayout
from localsmc.memory import estimate
from localsmc.methods import KVDemand, Method

if TYPE_CHECKING:
    from localsmc.gguf.header import Header


PROMPT_GUESS = 1024
"""Assumed length of a prompt that is not known yet, in tokens."""

CONCLUSION_GUESS = 48
"""Tokens to conclude a completion, before the tokenizer is known; see `conclusion.n_reserved`."""


def plan_context(
    header: Header, n_predict: int, methods: Sequence[Method], settings: Settings
) -> ContextOptions:
    """Estimate the context from the header, before the model is loaded.

    If its size is not given, the KV cache takes no more than the weights do: beyond that, layers on a GPU
    are worth more.
    """
    asked, trained = settings.n_predict or n_predict, estimate.number(header, "context_length")
    n_tokens = trained if asked == AS_MANY_AS_FIT else min(asked, trained)
    n_tokens += 0 if settings.conclude == "off" or settings.is_restricted else CONCLUSION_GUESS
    demands = [method.kv_demand for method in methods]
    sizes = [cells_for(demand, demand.texts, PROMPT_GUESS, n_tokens) for demand in demands]
    least = min(cells_for(demand, demand.least, PROMPT_GUESS, n_tokens) for demand in demands)
    per_cell = estimate.bytes_per_cell(header, settings.type_k, settings.type_v)
    n_cells = min(max(sizes), max(least, int(header.size / max(1.0, per_cell))))
    n_sequences = max(demand.sequences for demand in demands)
    return context_options(n_sequences, settings.n_ctx or estimate.padded(n_cells), settings)


def cells_for(room: KVDemand, n_texts: int, n_prompt: int, n_tokens: int) -> int:
    """KV cells for `n_texts` completions that share nothing but the prompt."""
    return n_prompt + (n_tokens + room.beside) * min(n_texts, MAX_SEQUENCES)


def context_options(
    n_sequences: int,
    n_cells: int,
    settings: Settings,
    *,
    is_draft: bool = False,
    layout: CacheLayout = CacheLayout.UNIFIED,
) -> ContextOptions:
    """Options of a context of this size, with those of the settings."""
    if layout is CacheLayout.SINGLE:
        n_sequences = 1
    return ContextOptions(
        n_ctx=n_cells,
        n_seq_max=min(MAX_SEQUENCES, n_sequences, settings.n_batch, n_cells),
        n_batch=settings.n_batch,
        n_ubatch=settings.n_ubatch,
        n_threads=settings.n_threads_draft if is_draft else settings.n_threads,
        flash_attention=settings.flash_attention,
        type_k=settings.type_k,
        type_v=settings.type_v,
        layout=layout,
    )
