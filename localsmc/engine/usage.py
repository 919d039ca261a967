"""What a run cost, from its counters to the result's usage."""

from __future__ import annotations

from dataclasses import fields

from localsmc.methods import SamplingRun
from localsmc.results import DraftUsage, Usage

COUNTS = tuple(
    field.name for field in fields(Usage) if field.name not in ("prompt_tokens", "draft", "seconds")
)


def draft_usage(run: SamplingRun) -> DraftUsage | None:
    """What the draft model did in a run; None where the method has no draft model."""
    drafts = run.drafts
    if drafts is None:
        return None
    return DraftUsage(
        prompt_tokens=drafts.prompt_rows,
        rows=drafts.rows,
        decode_calls=drafts.decode_calls,
        drafted=run.n_drafted,
        kept=run.n_kept,
        rated=run.n_rated,
        rewritten=run.n_rewritten,
        wasted=run.n_wasted,
        seconds=run.draft_seconds,
    )
