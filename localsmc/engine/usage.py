"""What a run cost, from its counters to the result's usage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING

from localsmc.methods import SamplingRun
from localsmc.results import Completion, ConclusionUsage, DraftUsage, Seconds, Usage

if TYPE_CHECKING:
    from localsmc.engine.conclusion import Conclusions
    from localsmc.engine.load import Model

COUNTS = tuple(
    field.name
    for field in fields(Usage)
    if field.name not in ("prompt_tokens", "draft", "concluded", "seconds")
)


def usage_of(
    run: SamplingRun | None,
    models: Sequence[Model],
    completions: Sequence[Completion],
    n_prompt: int,
    elapsed: float,
    conclusions: Conclusions,
) -> Usage:
    """The usage of a run, of the model and its draft model; None is a run that was stopped in the prompt."""
    load_seconds = sum(model.llama.load_seconds for model in models)
    if run is None:
        nothing_yet = dict.fromkeys(("decode", "sample", "conclude"), 0.0)
        seconds = Seconds(load=load_seconds, prompt=elapsed, **nothing_yet, total=load_seconds + elapsed)
        nothing = dict.fromkeys(COUNTS, 0)
        return Usage(prompt_tokens=n_prompt, **nothing, draft=None, concluded=None, seconds=seconds)
    # The context's clock runs on while completions are concluded.
    decode, concluded = run.decode_seconds - conclusions.decode_seconds, conclusions.usage
    return Usage(
        prompt_tokens=n_prompt,
        cached_tokens=run.sequences.n_cached,
        completion_tokens=sum(completion.n_tokens for completion in completions),
        steps=run.steps,
        rows=run.sequences.rows,
        decode_calls=run.sequences.decode_calls,
        resamples=run.resamples,
        reductions=run.reductions,
        proposals=run.proposals,
        accepted=run.accepted,
        swap_proposals=run.swap_proposals,
        swaps=run.swaps,
        forks=run.sequences.forks,
        peak_rows=run.sequences.peak_rows,
        peak_cells=run.sequences.peak_cells,
        flops=_flops(run, models, concluded),
        draft=draft_usage(run),
        concluded=concluded if concluded.texts else None,
        seconds=Seconds(
            load=load_seconds,
            prompt=run.prompt_seconds,
            decode=decode,
            sample=run.seconds - decode,
            conclude=conclusions.seconds,
            total=load_seconds + elapsed,
        ),
    )


def _flops(run: SamplingRun, models: Sequence[Model], concluded: ConclusionUsage) -> float:
    """The usual estimate: two operations per parameter and decoded token."""
    slots = [run.sequences, *([] if run.drafts is None else [run.drafts])]
    n_decoded = [one.prompt_rows + one.rows for one in slots]
    n_decoded[0] += concluded.prompt_tokens + concluded.rows
    return float(sum(2 * model.llama.n_params * n for model, n in zip(models, n_decoded, strict=False)))


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
