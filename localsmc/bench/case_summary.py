"""Combine the timings of one case: rates, ratios, and the parts of a step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from localsmc.bench.cases import Case
from localsmc.bench.measure import Timing
from localsmc.numerics.log_math import Doubles


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseSummary:
    """One row of the table: means over timings with standard deviations (`_sd`); times in ms per step.

    `steps` is the number of tokens of the longest text written, `n_tokens` the requested number. `ratio` is
    the time relative to the same number of tokens of plain decoding in the same repetition.
    `rows_per_step` is the number of decoded tokens per step. `decode_share` is the part of a step inside
    llama.cpp; the rest is `logits_ms`, `numerics_ms` and `bookkeeping_ms`. Unknown figures are None.
    """

    model: str
    test: str
    kind: str
    n_tokens: int
    steps: float
    samples: int
    tokens_per_second: float
    tokens_per_second_sd: float
    ratio: float | None
    ratio_sd: float | None
    rows_per_step: float
    peak_rows: int
    step_ms: float
    decode_share: float | None
    decode_ms: float | None
    logits_ms: float | None
    numerics_ms: float | None
    bookkeeping_ms: float | None
    cells: int
    reused_share: float | None
    memory_mib: float

    def to_json(self) -> dict[str, Any]:
        """The fields, for JSON and CSV."""
        return asdict(self)


def summaries(model: str, cases: Sequence[Case], samples: Sequence[Timing]) -> list[CaseSummary]:
    """One summary for each case with at least one timing, in the order of the cases."""
    plain = {
        (sample.case.n_tokens, sample.repetition): sample.passed
        for sample in samples
        if sample.case.kind == "plain"
    }
    found = []
    for case in cases:
        own = [sample for sample in samples if sample.case == case]
        if own:
            found.append(_summary(model, case, own, plain))
    return found


def _summary(
    model: str, case: Case, samples: Sequence[Timing], plain: Mapping[tuple[int, int], Sequence[float]]
) -> CaseSummary:
    rates = np.array([sample.steps / sample.seconds for sample in samples])
    ratios = np.array(
        [
            sample.seconds / plain[case.n_tokens, sample.repetition][sample.steps - 1]
            for sample in samples
            if (case.n_tokens, sample.repetition) in plain
        ]
    )
    steps, calls = sum(sample.steps for sample in samples), sum(sample.calls for sample in samples)

    def of_step(name: str) -> float:
        return 1e3 * float(sum(getattr(sample, name) for sample in samples)) / steps

    whole, decode = of_step("seconds"), of_step("decode_seconds")
    logits, numerics = of_step("logits_seconds"), of_step("numerics_seconds")
    has_parts = case.kind != "peer"
    return CaseSummary(
        model=model,
        test=case.label,
        kind=case.kind,
        n_tokens=case.n_tokens,
        steps=steps / len(samples),
        samples=len(samples),
        tokens_per_second=float(rates.mean()),
        tokens_per_second_sd=_deviation(rates),
        ratio=float(ratios.mean()) if len(ratios) else None,
        ratio_sd=_deviation(ratios) if len(ratios) else None,
        rows_per_step=sum(sample.rows for sample in samples) / steps,
        peak_rows=max(sample.peak_rows for sample in samples),
        step_ms=whole,
        decode_share=decode / whole if has_parts else None,
        decode_ms=decode if has_parts else None,
        logits_ms=logits if has_parts else None,
        numerics_ms=numerics if has_parts else None,
        bookkeeping_ms=whole - decode - logits - numerics if has_parts else None,
        cells=max(sample.cells for sample in samples),
        reused_share=sum(sample.reused for sample in samples) / calls if has_parts and calls else None,
        memory_mib=max(sample.memory for sample in samples) / 2**20,
    )


def _deviation(values: Doubles) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else 0.0
