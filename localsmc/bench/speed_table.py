"""Summaries as Markdown, CSV or JSON, in the style of llama-bench."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import fields

from localsmc.bench.case_summary import CaseSummary

HEADS = (
    "model", "test", "tokens", "t/s", "× plain", "decoded tokens", "ms/step", "in llama.cpp", "logits",
    "numerics", "rest", "cells", "reused", "MiB",
)  # fmt: skip


def markdown(summaries: Sequence[CaseSummary]) -> str:
    """A Markdown table with aligned columns."""
    lines = [HEADS, *map(_cells, summaries)]
    # A rule in Markdown has at least three characters.
    widths = [max(3, *map(len, column)) for column in zip(*lines, strict=True)]
    rules = ["-" * width if k < 2 else "-" * (width - 1) + ":" for k, width in enumerate(widths)]
    aligned = [_aligned(line, widths) for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in (aligned[0], rules, *aligned[1:]))


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [
        cell.ljust(width) if k < 2 else cell.rjust(width)
        for k, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]


def _cells(summary: CaseSummary) -> tuple[str, ...]:
    ratio, deviation = summary.ratio, summary.ratio_sd or 0.0
    return (
        summary.model,
        summary.test,
        f"{summary.steps:.0f}",
        f"{summary.tokens_per_second:.1f} ± {summary.tokens_per_second_sd:.1f}",
        "" if ratio is None else f"{ratio:.2f} ± {deviation:.2f}",
        f"{summary.rows_per_step:.1f}",
        f"{summary.step_ms:.2f}",
        _percent(summary.decode_share),
        _number(summary.logits_ms),
        _number(summary.numerics_ms),
        _number(summary.bookkeeping_ms),
        str(summary.cells) if summary.cells else "",
        _percent(summary.reused_share),
        f"{summary.memory_mib:.0f}",
    )


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def as_csv(summaries: Sequence[CaseSummary]) -> str:
    """A header line, and one line per summary."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(CaseSummary)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(summary.to_json() for summary in summaries)
    return text.getvalue().rstrip("\n")


def as_json(summaries: Sequence[CaseSummary]) -> str:
    """A JSON list of objects."""
    return json.dumps([summary.to_json() for summary in summaries], ensure_ascii=False, indent=2)


def as_json_lines(summaries: Sequence[CaseSummary]) -> str:
    """One JSON object per line."""
    return "\n".join(json.dumps(summary.to_json(), ensure_ascii=False) for summary in summaries)


FORMATS: dict[str, Callable[[Sequence[CaseSummary]], str]] = {
    "md": markdown,
    "csv": as_csv,
    "json": as_json,
    "jsonl": as_json_lines,
}
"""Writers by format."""
