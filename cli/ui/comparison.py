"""Several methods on one problem, as a table and as JSON. Pure functions of records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from localsmc.errors import LocalSMCError
from localsmc.results import Result
from localsmc.text.refusal import candidate
from localsmc_cli.ui.columns import columns
from localsmc_cli.ui.summary import REFUSAL_HINT, answer_name, is_partial, percent

if TYPE_CHECKING:
    from localsmc.engine.transcript import Exchange

NOTHING = "–"

_HEADS = ("method", "answer", "share", "ESS", "decoded tokens", "seconds", "relative", "note")
_NUMBERS = range(2, 7)
_NOTES = {
    "done": "",
    "decided": "decided early",
    "budget": "stopped by the budget",
    "interrupted": "interrupted",
    "failed": "failed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A method's attempt at the problem.

    `outcome` is "done", "decided" (stopped early), "budget", "interrupted" or "failed". A failed attempt
    has an `error`, any other one a `result` and its `exchange`; `expects_answer` says whether the model
    was asked for an answer, `is_sampled` whether all of its steps were done, and `remarks` are for standard
    error.
    """

    label: str
    outcome: str
    result: Result | None = None
    exchange: Exchange | None = None
    expects_answer: bool = True
    is_sampled: bool = False
    remarks: Sequence[str] = ()
    error: LocalSMCError | None = None


def comparison_table(attempts: Sequence[Attempt]) -> str:
    """One row per method; relative times are those of the first method with a result."""
    first = next((_seconds(attempt.result) for attempt in attempts if attempt.result is not None), 0.0)
    rows = [_row(attempt, first) for attempt in attempts]
    n_columns = len(_HEADS) if any(row[-1] for row in rows) else len(_HEADS) - 1
    return columns(_HEADS[:n_columns], [row[:n_columns] for row in rows], _NUMBERS)


def concluded_note(attempts: Sequence[Attempt]) -> str | None:
    """A line if answers of the table are not in the texts, but were asked for after them."""
    labels = [
        attempt.label
        for attempt in attempts
        if attempt.result is not None and attempt.result.source == "concluded"
    ]
    if not labels:
        return None
    return f"concluded for {', '.join(labels)}: the text states no answer, so the model was asked for one"


def refusal_note(attempts: Sequence[Attempt]) -> str | None:
    """A hint if a method selected a refusal."""
    is_any = any(attempt.result is not None and attempt.result.is_refused for attempt in attempts)
    return REFUSAL_HINT if is_any else None


def comparison_json(problem: str, attempts: Sequence[Attempt]) -> dict[str, Any]:
    """The problem, and for each method its result or error message."""
    return {"problem": problem, "results": [_entry(attempt) for attempt in attempts]}


def _entry(attempt: Attempt) -> dict[str, Any]:
    record = {"error": str(attempt.error)} if attempt.result is None else attempt.result.to_json()
    return {"label": attempt.label, "outcome": attempt.outcome, **record}


def _row(attempt: Attempt, first: float) -> tuple[str, ...]:
    note, result = _NOTES[attempt.outcome], attempt.result
    if result is None:
        return (attempt.label, *[NOTHING] * (len(_HEADS) - 2), note)
    seconds = _seconds(result)
    return (
        attempt.label,
        answer_name(result),
        NOTHING if is_partial(result) else percent(_share(result)),
        f"{result.ess:.1f}",
        f"{result.usage.rows:,}",
        f"{seconds:.2f}",
        f"{seconds / first:.2f}×" if first else NOTHING,
        note,
    )


def _share(result: Result) -> float:
    """The weight of the answer, over all its spellings."""
    kind = result.answer_kind
    chosen = candidate(result, kind)
    return sum(share.weight for share in result.answers if candidate(share, kind) == chosen)


def _seconds(result: Result) -> float:
    """Seconds from prompt to result; loading is shared by all methods and not counted."""
    return result.usage.seconds.total - result.usage.seconds.load
