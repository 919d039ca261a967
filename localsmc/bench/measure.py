"""Measuring cases on one model: all of them in turn, repetition by repetition.

A machine's speed drifts. So the cases of a repetition follow one another in an order shuffled anew,
on one problem and one seed, and ratios are taken within the repetition.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import psutil

from localsmc.bench.cases import Case
from localsmc.bench.replay import Endless, Replay, require_vocabulary
from localsmc.engine import context_plan, context_size, prompting
from localsmc.engine.load import Model
from localsmc.engine.settings import Settings
from localsmc.engine.solve import Generation
from localsmc.errors import ContextFull
from localsmc.llama import LlamaContext, PlainLlama
from localsmc.lm.interface import TokenIds
from localsmc.lm.kv_slots import KVSlots
from localsmc.memory import estimate
from localsmc.numerics.timing import numerics_time

WARM_TOKENS = 4
"""Decoded before anything is timed: weights are read from the disk, buffers touched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """One measured run, from after its prompt on; seconds, and bytes of resident memory at its end.

    `steps` are tokens of the longest text. `logits_seconds` are spent on getting at llama.cpp's logits,
    `numerics_seconds` on work on rows of them. A peer's parts are not known, and 0.
    """

    case: Case
    repetition: int
    steps: int
    seconds: float
    passed: tuple[float, ...] = ()
    """Seconds after each of the steps, where they are plain decoding's."""
    decode_seconds: float = 0.0
    logits_seconds: float = 0.0
    numerics_seconds: float = 0.0
    rows: int = 0
    calls: int = 0
    reused: int = 0
    peak_rows: int = 0
    cells: int = 0
    memory: int = 0


class Bench:
    """The cases of one model; iterate for their samples. `teller` is the real model behind a synthetic one.

    `problems` are put in turn, one a repetition. `should_stop` is asked at every step, and what is not
    finished then is left out.
    """

    def __init__(
        self,
        model: Model,
        cases: Sequence[Case],
        settings: Settings,
        *,
        problems: Sequence[str],
        repetitions: int,
        teller: Model | None = None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        if teller is not None:
            require_vocabulary(model.llama.n_vocab, teller.llama.n_vocab)
        for case in cases:
            if case.kind in ("raw", "rows") and case.rows > settings.n_batch:
                raise ContextFull(
                    f"{case.rows} rows do not fit a batch of {settings.n_batch}",
                    hint="raise `-b`, or lower `-N`",
                )
        self.cases = list(cases)
        self._model, self._settings = model, settings
        self._problems, self._repetitions, self._teller = problems, repetitions, teller
        self._should_stop = should_stop
        self.notices: dict[str, None] = {}
        """What was not as asked for, once each."""
        self._peers: dict[bool, PlainLlama] = {}

    def __len__(self) -> int:
        return len(self.cases) * self._repetitions

    def __iter__(self) -> Iterator[Timing]:
        self._batches(Case(kind="raw", label="", n_tokens=WARM_TOKENS), 0)
        try:
            for repetition in range(self._repetitions):
                for case in random.Random(repetition).sample(self.cases, len(self.cases)):
                    sample = self._measure(case, repetition)
                    if sample is None:
                        return
                    yield sample
        finally:
            for peer in self._peers.values():
                peer.close()

    def _measure(self, case: Case, repetition: int) -> Timing | None:
        """None where it was stopped."""
        if case.kind == "raw":
            return self._batches(case, repetition)
        return self._peer(case, repetition) if case.kind == "peer" else self._run(case, repetition)

    def _problem(self, repetition: int) -> str:
        return self._problems[repetition % len(self._problems)]

    def _donor_of(self, case: Case) -> Model:
        """Whose prompt and histories there are; only a method's runs need any, as nothing else ends."""
        return self._teller if self._teller is not None and case.kind == "method" else self._model

    def _prompt(self, model: Model, repetition: int) -> TokenIds:
        return prompting.build_prompt(model, self._problem(repetition), self._settings).tokens

    # --- a method ---

    def _run(self, case: Case, repetition: int) -> Timing | None:
        with contextlib.ExitStack() as stack:
            context, replay = self._contexts(stack, case, repetition)
            front = replay or (context if case.kind == "method" else Endless(context))
            settings = replace(self._settings, n_predict=case.n_tokens, seed=repetition)
            solving = stack.enter_context(
                Generation(
                    self._donor_of(case), self._problem(repetition), case.method, settings,
                    context=cast(LlamaContext, front),
                )
            )  # fmt: skip
            self.notices.update(dict.fromkeys(solving.notices))
            before, run, passed = _Clocks.read(context, replay), solving.run, []
            assert run is not None  # noqa: S101 - no budget ends within the prompt
            for _ in solving:
                passed.append(run.seconds)
                if self._should_stop():
                    return None
            spent = _Clocks.read(context, replay).since(before)
            return Timing(
                case=case,
                repetition=repetition,
                steps=max(len(ending.tokens) for ending in run.endings()),
                seconds=run.seconds - spent.replay,
                passed=tuple(passed) if case.kind == "plain" else (),
                decode_seconds=run.decode_seconds,
                logits_seconds=spent.logits,
                numerics_seconds=spent.numerics,
                rows=run.sequences.rows,
                calls=run.sequences.decode_calls,
                reused=spent.reused,
                peak_rows=run.sequences.peak_rows,
                cells=run.sequences.peak_cells,
                memory=_memory(),
            )

    def _contexts(
        self, stack: contextlib.ExitStack, case: Case, repetition: int
    ) -> tuple[LlamaContext, Replay | None]:
        """Of the model, and the replay in front of it where there is one."""
        assert case.method is not None  # noqa: S101 - plain decoding has one, too
        told, room = self._donor_of(case), case.method.room
        n_prompt = len(self._prompt(told, repetition))
        n_cells = context_size.n_ctx(self._model, case.method, n_prompt, case.n_tokens, self._settings)
        if case.kind == "rows":
            n_cells = self._cells(n_prompt + case.rows * case.n_tokens)
        context = context_size.open_run_context(self._model, room.sequences, n_cells, self._settings)
        stack.callback(context.close)
        if told is self._model:
            return context, None
        teller = context_size.open_run_context(
            told, room.sequences, n_cells, replace(self._settings, n_threads=0)
        )
        stack.callback(teller.close)
        return context, Replay(context, teller)

    # --- nothing but batches ---

    def _batches(self, case: Case, repetition: int) -> Timing | None:
        """As many rows a step as asked for, each of a sequence of its own behind one prompt."""
        n, rows, prompt = case.n_tokens, case.rows, self._prompt(self._model, repetition)
        n_cells = self._cells(len(prompt) + rows * n)
        context = context_size.open_run_context(self._model, rows, n_cells, self._settings)
        with contextlib.closing(context):
            sequences = KVSlots(context, n)
            root, _ = sequences.prefill(prompt)
            slots = np.array([root, *(sequences.fork(root) for _ in range(rows - 1))])
            # The first token of each comes with the prompt.
            shape = n - 1, rows
            tokens = np.random.default_rng(repetition).integers(0, self._model.llama.n_vocab, shape)
            decoding, reused = context.decode_seconds, context.n_reused
            for row in tokens:
                if self._should_stop():
                    return None
                sequences.decode(slots, row)
            seconds = context.decode_seconds - decoding
            return Timing(
                case=case, repetition=repetition, steps=n, seconds=seconds, decode_seconds=seconds,
                rows=sequences.rows, calls=sequences.decode_calls, reused=context.n_reused - reused,
                peak_rows=sequences.peak_rows, cells=sequences.peak_cells, memory=_memory(),
            )  # fmt: skip

    def _cells(self, n_needed: int) -> int:
        return self._settings.n_ctx or estimate.padded(n_needed)

    # --- what others do ---

    def _peer(self, case: Case, repetition: int) -> Timing | None:
        llama, prompt = self._llama(case.is_best), self._prompt(self._model, repetition)
        next(llama.tokens(prompt, seed=0))  # the prompt, which it keeps
        began = time.perf_counter()
        for text in range(case.rows):
            for _ in itertools.islice(llama.tokens(prompt, seed=text), case.n_tokens):
                if self._should_stop():
                    return None
            if case.is_best:
                llama.log_probability(len(prompt))
        seconds, n_rows = time.perf_counter() - began, case.rows * case.n_tokens
        return Timing(
            case=case, repetition=repetition, steps=case.n_tokens, seconds=seconds, rows=n_rows, calls=n_rows,
            peak_rows=1, memory=_memory(),
        )  # fmt: skip

    def _llama(self, keeps_logits: bool) -> PlainLlama:
        if keeps_logits not in self._peers:
            problems = range(min(self._repetitions, len(self._problems)))
            n_prompt = max(len(self._prompt(self._model, problem)) for problem in problems)
            n_ctx = estimate.padded(n_prompt + max(case.n_tokens for case in self.cases))
            options = context_plan.context_options(1, n_ctx, self._settings)
            self._peers[keeps_logits] = PlainLlama(self._model.llama, options, keeps_logits=keeps_logits)
        return self._peers[keeps_logits]


def _memory() -> int:
    return int(psutil.Process().memory_info().rss)


@dataclass(frozen=True, slots=True)
class _Clocks:
    """What counts on while a run is at work."""

    reused: int
    logits: float
    numerics: float
    replay: float

    @staticmethod
    def read(context: LlamaContext, replay: Replay | None) -> _Clocks:
        beside = 0.0 if replay is None else replay.seconds
        return _Clocks(context.n_reused, context.logits_seconds, numerics_time.seconds, beside)

    def since(self, before: _Clocks) -> _Clocks:
        return _Clocks(
            self.reused - before.reused,
            self.logits - before.logits,
            self.numerics - before.numerics,
            self.replay - before.replay,
        )
