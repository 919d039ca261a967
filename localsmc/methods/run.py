"""A run, and what it does with particles: what a method has started, step by step.

A run is an iterator of steps. It can be asked for its outcome at any moment; progress display,
traces, deadlines and Ctrl-C are consumers of it, and looking never changes it.
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
    """What a method has started; iterate it, and ask for its outcome at any moment.

    `proposals` and `accepted` count Metropolis steps, `swap_proposals` and `swaps` exchanges of
    texts between chains; other methods have none.
    """

    is_decided = False
    """Whether it ended with texts unfinished, since its method had seen enough."""
    drafts: KVSlots | None = None
    """The draft's, where there is one."""
    n_drafted = n_kept = n_rated = n_rewritten = n_wasted = 0
    """Tokens that a draft wrote, those of them that are in the texts; tokens that the target read to rate
    steps, tokens of its own, and its rows for what is in no text."""
    resamples = reductions = 0
    proposals = accepted = swap_proposals = swaps = 0

    def __init__(self, request: Request) -> None:
        check_room(request)
        self.steps = 0
        self.seconds = 0.0
        self._began = time.perf_counter()
        self._is_broken = False
        self._request = request
        self.sequences = KVSlots(request.model, request.n_tokens, request.grammar)
        self._root, logits = self.sequences.prefill(request.prompt, request.check)
        self._root_logits = logits.copy()
        if self.sequences.no_token_allowed(logits)[0]:
            raise nothing_allowed("to begin with")

    def _finish_prefill(self) -> None:
        """Say that the prompt is done and everything is in place for the first step."""
        self.prompt_seconds = time.perf_counter() - self._began
        self._decoded_before = self._seconds_of_both()

    def _seconds_of_both(self) -> tuple[float, float]:
        draft = self._request.draft
        return self._request.model.decode_seconds, 0.0 if draft is None else draft.model.decode_seconds

    @property
    def decode_seconds(self) -> float:
        """Spent evaluating batches since the prompt, by both models."""
        return sum(self._seconds_of_both()) - sum(self._decoded_before)

    @property
    def draft_seconds(self) -> float:
        """The draft's part of them."""
        return self._seconds_of_both()[1] - self._decoded_before[1]

    def __iter__(self) -> Iterator[StepInfo]:
        return self

    def __next__(self) -> StepInfo:
        if self.is_done:
            raise StopIteration
        if self._is_broken:
            raise SequenceError("a step of this run failed; its result is what it was before")
        self._is_broken = True
        before = self.sequences.forks, self.sequences.rows, self.reductions
        began = time.perf_counter()
        move = self._step()
        self.seconds += time.perf_counter() - began
        self.steps += 1
        self.resamples += move.resampled
        forks, rows, reductions = before
        n_histories, n_finished, log_z = self._progress()
        self._is_broken = False
        return StepInfo(
            step=self.steps,
            alpha=move.alpha,
            rows=self.sequences.rows - rows,
            histories=n_histories,
            finished=n_finished,
            ess=move.ess,
            log_z=log_z,
            resampled=move.resampled,
            forks=self.sequences.forks - forks,
            reductions=self.reductions - reductions,
            cells=self.sequences.cells_used,
        )

    @abstractmethod
    def _step(self) -> StepOutcome:
        """One batch decoded, after what had to be decoded again for it, and what was done with it."""

    @abstractmethod
    def _progress(self) -> tuple[int, int, float | None]:
        """Histories that are kept apart, how many of them are finished, and the evidence so far."""

    @property
    @abstractmethod
    def is_done(self) -> bool:
        """Whether there is nothing left to do."""

    @property
    def log_z(self) -> float | None:
        """The log evidence estimate; None where the method has none, or the run was cut short."""
        return None

    @property
    @abstractmethod
    def ess(self) -> float:
        """How many independent texts the weighted ones are worth."""

    @abstractmethod
    def endings(self) -> list[WeightedText]:
        """Every distinct history now, the heaviest first; unfinished ones are "cancelled"."""

    @abstractmethod
    def population(self) -> list[HistoryInfo]:
        """The histories at work now, for a trace."""

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
        """A text's tokens from the `first` on, for a trace; always its last one, which says how it stands."""
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
    """Equal texts as one, with their weights and counts together; the heaviest first."""
    by_text: dict[bytes, WeightedText] = {}
    for ending in endings:
        key = ending.tokens.tobytes()
        same = by_text.get(key)
        if same is not None:
            ending = replace(same, count=same.count + ending.count, weight=same.weight + ending.weight)
        by_text[key] = ending
    return sorted(by_text.values(), key=lambda ending: -ending.weight)


def effective_completions(endings: Iterable[WeightedText]) -> float:
    """1 / Σ weight² over distinct texts; 0 where there is none."""
    squares = sum(ending.weight**2 for ending in endings)
    return 1 / squares if squares else 0.0


class StepOutcome(NamedTuple):
    """What a method did in a step: the exponent it drew with, the ESS it saw, whether it resampled.

    `is_decided` ends the run: what is unfinished and was not cut is left as it is. `has_more` says
    that there is more to do even where every history has ended.
    """

    alpha: float
    ess: float
    resampled: bool = False
    is_decided: bool = False
    has_more: bool = False


def check_room(request: Request) -> None:
    """Raise unless there is a prompt, and prompt and horizon fit one sequence."""
    if not len(request.prompt):
        raise ConfigError("the prompt has no tokens")
    n_prompt, room = len(request.prompt), min(request.model.n_length, request.model.n_cells)
    if n_prompt + request.n_tokens > room:
        raise PromptTooLong(
            f"the prompt has {n_prompt} tokens and {request.n_tokens} more are asked for,"
            f" but the context holds {room}",
            hint="raise `--ctx-size`, lower `--predict`, or shorten the problem",
        )


def nothing_allowed(where: str) -> NothingAllowed:
    """A grammar leaves no token of the vocabulary."""
    return NothingAllowed(
        f"the grammar allows no token {where}",
        hint="the model may have no tokens for it; else try more `--particles` or another `--seed`",
    )


def require_capacity(n_texts: int, request: Request, who_takes: str) -> None:
    """Raise ContextFull unless so many texts of full length, each in a sequence, fit beside the prompt."""
    model = request.model
    n_cells = len(request.prompt) + n_texts * request.n_tokens
    if model.n_seq_max < n_texts + 1:
        raise ContextFull(
            f"{who_takes} {n_texts + 1} sequences, but there are {model.n_seq_max}",
            hint="raise `--batch-size`, or lower `--particles`",
        )
    if model.n_cells < n_cells:
        raise ContextFull(
            f"{who_takes} {n_cells} cells, but there are {model.n_cells}:"
            f" {n_texts} texts may have {request.n_tokens} tokens each",
            hint="raise `--ctx-size`, or lower `--predict` or `--particles`",
        )


def require_draft(request: Request) -> DraftModel:
    """The request's draft; ConfigError where there is none, PromptTooLong where it has no room."""
    if request.draft is None:
        raise ConfigError("the method needs a second model that writes drafts", hint="add `-md small.gguf`")
    draft = request.draft
    # What the draft's vocabulary lacks it reads as the last token that it has.
    draft = replace(draft, prompt=np.minimum(draft.prompt, draft.model.n_vocab - 1))
    check_room(replace(request, model=draft.model, prompt=draft.prompt))
    return draft
