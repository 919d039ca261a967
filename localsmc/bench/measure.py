"""Time the cases of one model: all of them in turn, repetition by repetition.

The speed of a machine drifts. So each repetition runs all cases in a newly shuffled order, on one problem
and one seed, and ratios are computed within the repetition.
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
from localsmc.methods.run import SamplingRun
from localsmc.numerics.timing import numerics_time

WARM_TOKENS = 4
"""Tokens decoded before timing starts, so that weights are read from disk and buffers are touched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """One timed run, prompt excluded. Times in seconds; `memory` is resident memory in bytes at its end.

    `steps` is the number of tokens of the longest text written, `rows` of decoded tokens. `logits_seconds` is
    spent on reading llama.cpp's logits, `numerics_seconds` on computations on them. The parts of a peer's
    time are unknown and set to 0.
    """

    case: Case
    repetition: int
    steps: int
    seconds: float
    passed: tuple[float, ...] = ()
    """Elapsed seconds after each step, for plain decoding only."""
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
    """Times the cases of one model; iterate for their timings.

    `donor` is the real model whose histories a synthetic model replays. `problems` are used in turn, one
    per repetition. `should_stop` is checked at every step; an unfinished run is left out.

    Raises ContextFull if a case decodes more tokens at once than a batch holds.
    """

    def __init__(
        self,
        model: Model,
        cases: Sequence[Case],
        settings: Settings,
        *,
        problems: Sequence[str],
        repetitions: int,
        donor: Model | None = None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        if donor is not None:
            require_vocabulary(model.llama.n_vocab, donor.llama.n_vocab)
        for case in cases:
            if case.kind in ("raw", "rows") and case.rows > settings.n_batch:
                raise ContextFull(
                    f"{case.rows} tokens per step do not fit in a batch of {settings.n_batch}",
                    hint="raise `-b`, or lower `-N`",
                )
        self.cases = list(cases)
        self._model, self._settings = model, settings
        self._problems, self._repetitions, self._donor = problems, repetitions, donor
        self._should_stop = should_stop
        self.notices: dict[str, None] = {}
        """Distinct notices about settings that could not be applied."""
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
        """One timing; None if stopped."""
        if case.kind == "raw":
            return self._batches(case, repetition)
        return self._peer(case, repetition) if case.kind == "peer" else self._run(case, repetition)

    def _problem(self, repetition: int) -> str:
        return self._problems[repetition % len(self._problems)]

    def _donor_of(self, case: Case) -> Model:
        """The model that provides prompt and histories: the donor for methods, otherwise the model."""
        return self._donor if self._donor is not None and case.kind == "method" else self._model

    def _prompt(self, model: Model, repetition: int) -> TokenIds:
        return prompting.build_prompt(model, self._problem(repetition), self._settings).tokens

    # --- a method ---

    def _run(self, case: Case, repetition: int) -> Timing | None:
        with contextlib.ExitStack() as stack:
            context, replay = self._contexts(stack, case, repetition)
            wrapped = replay or (context if case.kind == "method" else Endless(context))
            settings = replace(self._settings, n_predict=case.n_tokens, seed=repetition)
            generation = stack.enter_context(
                Generation(
                    self._donor_of(case), self._problem(repetition), case.method, settings,
                    context=cast(LlamaContext, wrapped),
                )
            )  # fmt: skip
            self.notices.update(dict.fromkeys(generation.notices))
            before, run, passed = _Clocks.read(context, replay), generation.run, []
            assert run is not None  # noqa: S101 - without a budget, the prompt is always processed
            for _ in generation:
                passed.append(run.seconds)
                if self._should_stop():
                    return None
            spent = _Clocks.read(context, replay).since(before)
            return Timing(
                case=case,
                repetition=repetition,
                steps=_n_written(run, case.n_tokens),
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
        """The model's context, and the replay that wraps it, if any."""
        assert case.method is not None  # noqa: S101 - plain decoding also has a method
        donor, room = self._donor_of(case), case.method.kv_demand
        n_prompt = len(self._prompt(donor, repetition))
        n_cells = context_size.n_ctx(self._model, case.method, n_prompt, case.n_tokens, self._settings)
        if case.kind == "rows":
            n_cells = self._cells(n_prompt, case.rows, case.n_tokens)
        context = context_size.open_run_context(self._model, room.sequences, n_cells, self._settings)
        stack.callback(context.close)
        if donor is self._model:
            return context, None
        donor_context = context_size.open_run_context(
            donor, room.sequences, n_cells, replace(self._settings, n_threads=0)
        )
        stack.callback(donor_context.close)
        return context, Replay(context, donor_context)

    # --- batches only ----------

    def _batches(self, case: Case, repetition: int) -> Timing | None:
        """Decode `case.rows` tokens per step, one for each sequence; the sequences share one prompt."""
        n, rows, prompt = case.n_tokens, case.rows, self._prompt(self._model, repetition)
        n_cells = self._cells(len(prompt), rows, n)
        context = context_size.open_run_context(self._model, rows, n_cells, self._settings)
        with contextlib.closing(context):
            sequences = KVSlots(context, n)
            root, _ = sequences.prefill(prompt)
            slots = np.array([root, *(sequences.fork(root) for _ in range(rows - 1))])
            # The first token of each sequence comes from the prompt's logits.
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

    def _cells(self, n_prompt: int, rows: int, n_tokens: int) -> int:
        """Cells for sequences that share a prompt, or each have it in a stream of their own."""
        shared = estimate.padded(n_prompt + rows * n_tokens)
        apart = rows * estimate.padded(n_prompt + n_tokens)
        return self._settings.n_ctx or (shared if self._model.layout.is_unified else apart)

    # --- peers ------------

    def _peer(self, case: Case, repetition: int) -> Timing | None:
        llama, prompt = self._llama(case.is_best), self._prompt(self._model, repetition)
        next(llama.tokens(prompt, seed=0))  # process the prompt, which `Llama` caches
        began = time.perf_counter()
        for seed in range(case.rows):
            for _ in itertools.islice(llama.tokens(prompt, seed=seed), case.n_tokens):
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


def _n_written(run: SamplingRun, n_tokens: int) -> int:
    """The tokens of the longest text written, whether it survived or not.

    The last token of a text is drawn, but not decoded.
    """
    longest = max(len(ending.tokens) for ending in run.endings())
    return min(max(longest, run.sequences.n_longest + 1), n_tokens)


def _memory() -> int:
    return int(psutil.Process().memory_info().rss)


@dataclass(frozen=True, slots=True)
class _Clocks:
    """Counters that grow during a run."""

    reused: int
    logits: float
    numerics: float
    replay: float

    @staticmethod
    def read(context: LlamaContext, replay: Replay | None) -> _Clocks:
        replayed = 0.0 if replay is None else replay.seconds
        return _Clocks(context.n_reused, context.logits_seconds, numerics_time.seconds, replayed)

    def since(self, before: _Clocks) -> _Clocks:
        return _Clocks(
            self.reused - before.reused,
            self.logits - before.logits,
            self.numerics - before.numerics,
            self.replay - before.replay,
        )
