"""Accounts as Markdown, CSV or JSON, after llama-bench."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import fields

from localsmc.bench.case_summary import CaseSummary

HEADS = (
    "model", "test", "tokens", "t/s", "× plain", "rows", "ms/step", "in llama.cpp", "logits", "numerics",
    "rest", "cells", "reused", "MiB",
)  # fmt: skip


def markdown(accounts: Sequence[CaseSummary]) -> str:
    """A table in Markdown, as wide as its cells, easily read as it is."""
    lines = [HEADS, *map(_cells, accounts)]
    # A rule of Markdown has three characters at least.
    widths = [max(3, *map(len, column)) for column in zip(*lines, strict=True)]
    rules = ["-" * width if k < 2 else "-" * (width - 1) + ":" for k, width in enumerate(widths)]
    set_ = [_set(line, widths) for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in (set_[0], rules, *set_[1:]))


def _set(cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [
        cell.ljust(width) if k < 2 else cell.rjust(width)
        for k, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]


def _cells(account: CaseSummary) -> tuple[str, ...]:
    ratio, deviation = account.ratio, account.ratio_sd or 0.0
    return (
        account.model,
        account.test,
        f"{account.steps:.0f}",
        f"{account.tokens_per_second:.1f} ± {account.tokens_per_second_sd:.1f}",
        "" if ratio is None else f"{ratio:.2f} ± {deviation:.2f}",
        f"{account.rows_per_step:.1f}",
        f"{account.step_ms:.2f}",
        _percent(account.decode_share),
        _number(account.logits_ms),
        _number(account.numerics_ms),
        _number(account.bookkeeping_ms),
        str(account.cells) if account.cells else "",
        _percent(account.reused_share),
        f"{account.memory_mib:.0f}",
    )


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def as_csv(accounts: Sequence[CaseSummary]) -> str:
    """A line of names and one for each."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(CaseSummary)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(account.to_json() for account in accounts)
    return text.getvalue().rstrip("\n")


def as_json(accounts: Sequence[CaseSummary]) -> str:
    """A list of objects."""
    return json.dumps([account.to_json() for account in accounts], ensure_ascii=False, indent=2)


def as_json_lines(accounts: Sequence[CaseSummary]) -> str:
    """An object a line."""
    return "\n".join(json.dumps(account.to_json(), ensure_ascii=False) for account in accounts)


FORMATS: dict[str, Callable[[Sequence[CaseSummary]], str]] = {
    "md": markdown,
    "csv": as_csv,
    "json": as_json,
    "jsonl": as_json_lines,
}
"""Format to what writes it."""
