"""Runs: a method that has been started, step by step.

A run is an iterator of steps. Its outcome can be read at any time: the progress display, traces, time limits
and Ctrl-C only read it, and reading does not change it.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from localsmc.errors import ConfigError, ContextFull, NothingAllowed, PromptTooLong, SequenceError
from localsmc.lm.kv_slots import KVSlots
from localsmc.methods.finish_state import LIVE, OUT_OF_LENGTH, PRUNED, STOPPED
from localsmc.methods.request import DraftModel, Request, WeightedText
from localsmc.methods.token_tree import ROOT
from localsmc.results import FinishReason, HistoryInfo, HistoryState, StepInfo


class SamplingRun(ABC):
    """A method that has been started: iterate it, and read its outcome at any time.

    `proposals` and `accepted` count Metropolis steps, `swap_proposals` and `swaps` exchanges between chains;
    they are 0 for other methods.
    """

    is_decided = False
    """Whether the run stopped early, with completions unfinished, because the result was decided."""
    drafts: KVSlots | None = None
    """The KV slots of the draft model, if there is one."""
    n_drafted = n_kept = n_rated = n_rewritten = n_wasted = 0
    """Tokens that the draft wrote, and those of them in completions; tokens that the target read to rate
    steps, that it wrote itself, and that it decoded but are in no completion."""
    resamples = reductions = 0
    proposals = accepted = swap_proposals = swaps = 0

    def __init__(self, request: Request) -> None:
        check_room(request)
        self.steps = 0
        self.seconds = 0.0
        self._began = time.perf_counter()
        self._is_broken = False
        self._request = request
        self.sequences = KVSlots(request.model, request.n_tokens + request.n_concluding, request.grammar)
        self._root, logits = self.sequences.prefill(request.prompt, request.check)
        self._root_logits = logits.copy()
        if self.sequences.no_token_allowed(logits)[0]:
            raise nothing_allowed("to begin with")

    def _finish_prefill(self) -> None:
        """Record the time: the prompt is decoded, and the run is ready for its first step."""
        self.prompt_seconds = time.perf_counter() - self._began
        self._decoded_before = self._seconds_of_both()

    def _seconds_of_both(self) -> tuple[float, float]:
        draft = self._request.draft
        return self._request.model.decode_seconds, 0.0 if draft is None else draft.model.decode_seconds

    @property
    def decode_seconds(self) -> float:
        """Seconds spent evaluating batches since the prompt, by both models."""
        return sum(self._seconds_of_both()) - sum(self._decoded_before)

    @property
    def draft_seconds(self) -> float:
        """The draft model's part of `decode_seconds`."""
        return self._seconds_of_both()[1] - self._decoded_before[1]

    def __iter__(self) -> Iterator[StepInfo]:
        return self

    def __next__(self) -> StepInfo:
        if self.is_done:
            raise StopIteration
        if self._is_broken:
            raise SequenceError("a step of this run failed; its result is that of the step before")
        self._is_broken = True
        before = self.sequences.forks, self.sequences.rows, self.reductions
        began = time.perf_counter()
        outcome = self._step()
        self.seconds += time.perf_counter() - began
        self.steps += 1
        self.resamples += outcome.resampled
        forks, rows, reductions = before
        n_histories, n_finished, log_z = self._progress()
        self._is_broken = False
        return StepInfo(
            step=self.steps,
            alpha=outcome.alpha,
            rows=self.sequences.rows - rows,
            histories=n_histories,
            finished=n_finished,
            ess=outcome.ess,
            log_z=log_z,
            resampled=outcome.resampled,
            forks=self.sequences.forks - forks,
            reductions=self.reductions - reductions,
            cells=self.sequences.cells_used,
        )

    @abstractmethod
    def _step(self) -> StepOutcome:
        """Do one step: decode one batch (and refill slots if needed), and process its logits."""

    @abstractmethod
    def _progress(self) -> tuple[int, int, float | None]:
        """The number of distinct histories, how many of them are finished, and the log evidence so far."""

    @property
    @abstractmethod
    def is_done(self) -> bool:
        """Whether the run is over."""

    @property
    def log_z(self) -> float | None:
        """The estimate of the log evidence; None if the method has none, or the run was cut short."""
        return None

    @property
    @abstractmethod
    def ess(self) -> float:
        """The number of independent completions that the weighted ones are worth. Asked at every step."""

    def ess_of(self, endings: Sequence[WeightedText]) -> float:
        """The same, for a caller that has the current `endings`: some runs compute it from them."""
        return self.ess

    @abstractmethod
    def endings(self) -> list[WeightedText]:
        """Every distinct history now, highest weight first; unfinished ones are "cancelled"."""

    @abstractmethod
    def population(self) -> list[HistoryInfo]:
        """The current histories, for a trace."""

    def _history(
        self, wave: int, node: int, parent: int, token: int, *, count: int, weight: float, logp: float | None,
        finish: int,
    ) -> HistoryInfo:  # fmt: skip
        piece = self._request.model.pieces[token].decode(errors="replace")
        return HistoryInfo(
            wave=wave, node=node, parent=parent, token=token, piece=piece, count=count, weight=weight,
            logp=logp, state=STATES[finish],
        )  # fmt: skip

    def _trace_rows(
        self,
        nodes: Sequence[int],
        tokens: Sequence[int],
        first: int,
        *,
        weight: float,
        logp: float | None,
        finish: int,
    ) -> list[HistoryInfo]:
        """A history's tokens from `first` on, for a trace; always with the last one, which has its state."""
        first = max(0, min(first, len(nodes) - 1))
        return [
            self._history(
                0, node, nodes[n - 1] if n else ROOT, tokens[n], count=1, weight=weight, logp=logp,
                finish=finish if n == len(nodes) - 1 else LIVE,
            )
            for n, node in enumerate(nodes[first:], first)
        ]  # fmt: skip


STATES: dict[int, HistoryState] = {LIVE: "live", STOPPED: "stop", OUT_OF_LENGTH: "length", PRUNED: "cut"}
REASONS: dict[int, FinishReason] = {LIVE: "cancelled", STOPPED: "stop", OUT_OF_LENGTH: "length"}


def merged(endings: Iterable[WeightedText]) -> list[WeightedText]:
    """Merge equal completions, adding their weights and counts; highest weight first."""
    by_text: dict[bytes, WeightedText] = {}
    for ending in endings:
        key = ending.tokens.tobytes()
        same = by_text.get(key)
        if same is not None:
            ending = replace(same, count=same.count + ending.count, weight=same.weight + ending.weight)
        by_text[key] = ending
    return sorted(by_text.values(), key=lambda ending: -ending.weight)


def effective_completions(endings: Iterable[WeightedText]) -> float:
    """1 / Σ weight² over distinct completions; 0 if there are none."""
    squares = sum(ending.weight**2 for ending in endings)
    return 1 / squares if squares else 0.0


class StepOutcome(NamedTuple):
    """The outcome of a step: the exponent, the ESS, and whether particles were resampled.

    `is_decided` ends the run early: unfinished histories that were not pruned stay as they are. With
    `has_more` the run continues even if every history has ended.
    """

    alpha: float
    ess: float
    resampled: bool = False
    is_decided: bool = False
    has_more: bool = False


def check_room(request: Request) -> None:
    """Raise ConfigError for an empty prompt, PromptTooLong unless prompt and token limit fit one sequence."""
    if not len(request.prompt):
        raise ConfigError("the prompt has no tokens")
    n_prompt, room = len(request.prompt), min(request.model.n_length, request.model.n_cells)
    if n_prompt + request.n_tokens > room:
        raise PromptTooLong(
            f"the prompt has {n_prompt} tokens and the limit is {request.n_tokens} more,"
            f" but the context holds {room}",
            hint="raise `--ctx-size`, lower `--predict`, or shorten the problem",
        )


def nothing_allowed(where: str) -> NothingAllowed:
    """The error for a grammar that allows no token."""
    return NothingAllowed(
        f"the grammar allows no token {where}",
        hint="the model may have no tokens for it; if it has, try more `--particles` or another `--seed`",
    )


def require_capacity(n_texts: int, request: Request, what_needs: str) -> None:
    """Raise ContextFull unless the prompt and n_texts completions of full length fit, one per sequence."""
    model = request.model
    n_cells = len(request.prompt) + n_texts * request.n_tokens
    if model.n_seq_max < n_texts + 1:
        raise ContextFull(
            f"{what_needs} {n_texts + 1} sequences, but there are {model.n_seq_max}",
            hint="raise `--batch-size`, or lower `--particles`",
        )
    if model.n_cells < n_cells:
        raise ContextFull(
            f"{what_needs} {n_cells} KV cells, but there are {model.n_cells}:"
            f" {n_texts} completions may have {request.n_tokens} tokens each",
            hint="raise `--ctx-size`, or lower `--predict` or `--particles`",
        )


def require_draft(request: Request) -> DraftModel:
    """The request's draft; raises ConfigError if there is none, PromptTooLong if its context is too small."""
    if request.draft is None:
        raise ConfigError("the method needs a draft model", hint="add `-md small.gguf`")
    draft = request.draft
    # The draft reads tokens that its vocabulary lacks as its last token.
    draft = replace(draft, prompt=np.minimum(draft.prompt, draft.model.n_vocab - 1))
    check_room(replace(request, model=draft.model, prompt=draft.prompt))
    return draft
