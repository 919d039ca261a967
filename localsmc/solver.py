"""One problem, one model, one method: from the text of a problem to a `Result`.

`start` gives a `Solving`, an iterator of steps that can be asked for its result at any moment;
`solve` runs it to the end. The command line is built on nothing else.
"""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np
import psutil

from localsmc import __version__, answers, prompts
from localsmc.draws import RandomDraw
from localsmc.errors import ConfigError, PromptTooLong
from localsmc.llama import MAX_SEQUENCES, ContextOptions, LlamaContext
from localsmc.loading import Model, load  # noqa: F401
from localsmc.methods import Ending, Method, ParticleRun, Request, Sample
from localsmc.model import TokenIds
from localsmc.particles import LIVE, OUT_OF_LENGTH, STOPPED
from localsmc.prompts import StopRule
from localsmc.records import (
    Completion,
    HistoryInfo,
    HistoryState,
    MethodInfo,
    Result,
    Seconds,
    StepInfo,
    Usage,
)
from localsmc.selection import SELECTORS, answer_shares

AS_MANY_AS_FIT = -1
"""As a token limit, llama.cpp's spelling."""

MEMORY_SHARE = 0.5
"""The default context takes at most this share of the free memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a problem is put and answered. None is the model's own default.

    `n_predict` −1 is as many tokens as fit.
    `n_ctx` are cells shared by all particles, 0 to choose from prompt, particles, token limit
    and free memory. `budget` is in seconds, prompt included.
    """

    n_predict: int | None = None
    seed: int | None = None
    select: str = "draw"
    system: str | None = None
    raw: bool = False
    thinking: bool | None = None
    stop: tuple[str, ...] = ()
    stop_at_box: bool = False
    budget: float | None = None
    n_ctx: int = 0
    n_batch: int = 2048
    n_ubatch: int = 512
    n_threads: int = 0
    flash_attention: str = "auto"
    type_k: str = "f16"
    type_v: str = "f16"

    def __post_init__(self) -> None:
        if self.select not in SELECTORS:
            raise ConfigError(f"`select` is `{self.select}`", hint=f"there is: {', '.join(SELECTORS)}")
        if self.n_predict is not None and self.n_predict != AS_MANY_AS_FIT and self.n_predict < 1:
            raise ConfigError(f"`predict` is {self.n_predict}, but must be at least 1, or -1")
        if self.budget is not None and not self.budget > 0:
            raise ConfigError(f"`budget` is {self.budget:g} seconds, but must be above 0")
        if self.seed is not None and self.seed < 0:
            raise ConfigError(f"`seed` is {self.seed}, but must not be negative")


_STATES: dict[int, HistoryState] = {LIVE: "live", STOPPED: "stop", OUT_OF_LENGTH: "length"}


_COUNTS = tuple(field.name for field in fields(Usage) if field.name not in ("prompt_tokens", "seconds"))


class _BudgetSpent(Exception):
    """The budget ended within the prompt."""


class Solving:
    """A problem being solved: iterate its steps, ask for its result at any moment, close it."""

    def __init__(self, model: Model, problem: str, method: Method | None, settings: Settings) -> None:
        if not problem.strip():
            raise ConfigError("the problem is empty", hint='for example: localsmc solve "What is 17 * 23?"')
        self._began = time.perf_counter()
        self.model, self.settings = model, settings
        self.method = model.method() if method is None else method
        self.seed = secrets.randbits(32) if settings.seed is None else settings.seed
        self.notices: list[str] = []
        parts = self._parts(problem)
        self.prompt_text = "".join(text for text, _ in parts)
        self.prompt = self._tokenize(parts)
        self.n_tokens = self._horizon()
        self.was_cut = False
        self.stop = StopRule(model.llama.pieces, settings.stop, settings.stop_at_box)
        self.context = self._open_context()
        if model.llama.is_hybrid:
            self.notices.append(
                "this model is a hybrid of attention and recurrence: llama.cpp has an open bug with several"
                " sequences of such models in a batch (issue 29002)"
            )
        try:
            self.run = self._start()
        except BaseException:
            self.context.close()
            raise

    # --- the prompt ---

    def _parts(self, problem: str) -> list[tuple[str, bool]]:
        """The prompt's text in parts, (text, whether control tokens may be read in it)."""
        settings, llama = self.settings, self.model.llama
        if settings.raw:
            return [(problem, False)]
        messages = prompts.conversation(problem, settings.system, self.model.source.defaults.instruction)
        if llama.chat_template is None:
            # A base model: the problem as it is, its instruction below it.
            return [("\n\n".join(message["content"] for message in messages) + "\n", False)]
        return llama.chat_template.parts(messages, llama.control_texts, thinking=settings.thinking)

    def _tokenize(self, parts: Sequence[tuple[str, bool]]) -> TokenIds:
        llama = self.model.llama
        tokens = np.concatenate([llama.tokenize(text, special=special) for text, special in parts])
        if not len(tokens):
            raise ConfigError("the problem has no tokens", hint="write a few words")
        return llama.with_bos(tokens)

    def _horizon(self) -> int:
        asked = self.settings.n_predict or self.model.source.defaults.n_predict
        length = self.model.llama.n_ctx_train
        if self.settings.n_ctx:
            length = min(length, self.settings.n_ctx)
        room = length - len(self.prompt)
        if room < 1:
            raise PromptTooLong(
                f"the prompt has {len(self.prompt)} tokens, but the context holds {length}",
                hint="shorten the problem, or raise `--ctx-size` as far as the model was trained",
            )
        if asked == AS_MANY_AS_FIT:
            return room
        if asked > room and self.settings.n_predict is not None:
            self.notices.append(
                f"--predict {asked} is lowered to {room}: prompt and answer share {length} tokens"
            )
        return min(asked, room)

    # --- the run ---

    def _open_context(self) -> LlamaContext:
        n_particles = getattr(self.method, "particles", 1)
        n_seq_max = min(MAX_SEQUENCES, n_particles, self.settings.n_batch)
        return self.model.llama.context(
            ContextOptions(
                n_ctx=self.settings.n_ctx or self._default_cells(n_particles),
                n_seq_max=n_seq_max,
                n_batch=self.settings.n_batch,
                n_ubatch=self.settings.n_ubatch,
                n_threads=self.settings.n_threads,
                flash_attention=self.settings.flash_attention,
                type_k=self.settings.type_k,
                type_v=self.settings.type_v,
            )
        )

    def _default_cells(self, n_particles: int) -> int:
        # Histories share their beginnings, so half as many cells as separate particles would take
        # are rarely used up; when they are, histories are reduced without bias.
        together = max(min(n_particles, 4), math.ceil(min(n_particles, MAX_SEQUENCES) / 2))
        if isinstance(self.method, Sample):
            together = min(n_particles, MAX_SEQUENCES)
        wanted = len(self.prompt) + self.n_tokens * together
        per_cell = self.model.llama.bytes_per_cell(self.settings.type_k, self.settings.type_v)
        gpus = self.model.llama.gpus
        free = sum(gpu.free for gpu in gpus) if gpus else psutil.virtual_memory().available
        affordable = int(MEMORY_SHARE * free / max(1.0, per_cell))
        # llama.cpp pads to a multiple of 256.
        cells = max(len(self.prompt) + self.n_tokens, min(wanted, affordable))
        return -(-cells // 256) * 256

    def _start(self) -> ParticleRun | None:
        streams = np.random.SeedSequence(self.seed).spawn(2)
        self._select_stream = streams[1]
        request = Request(
            model=self.context,
            prompt=self.prompt,
            n_tokens=self.n_tokens,
            stop=self.stop,
            draw=RandomDraw(np.random.default_rng(streams[0])),
            check=self._check_budget,
        )
        try:
            return self.method.start(request)
        except _BudgetSpent:
            self.was_cut = True
            return None

    def _check_budget(self) -> None:
        if self._is_overdue():
            raise _BudgetSpent

    def _is_overdue(self) -> bool:
        return self.settings.budget is not None and self.elapsed >= self.settings.budget

    @property
    def elapsed(self) -> float:
        """Seconds since the start, the loading of the model not counted."""
        return time.perf_counter() - self._began

    def __iter__(self) -> Iterator[StepInfo]:
        return self

    def __next__(self) -> StepInfo:
        if self.run is None or self.run.is_done:
            raise StopIteration
        if self._is_overdue():
            self.was_cut = True
            raise StopIteration
        return next(self.run)

    def close(self) -> None:
        """Free the context."""
        self.context.close()

    def __enter__(self) -> Solving:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- the result ---

    def population(self) -> list[HistoryInfo]:
        """The histories of the wave at work, for a trace; reading them changes nothing."""
        if self.run is None:
            return []
        particles, wave = self.run.particles, len(self.run.finished)
        histories, tree = particles.histories, particles.genealogy
        columns = (
            histories.node,
            tree.parents(histories.node),
            tree.last_tokens(histories.node),
            histories.count,
            particles.weights,
            histories.logp,
            histories.finish,
        )
        return [
            HistoryInfo(
                wave=wave,
                node=node,
                parent=parent,
                token=token,
                piece=self.model.llama.pieces[token].decode(errors="replace"),
                count=count,
                weight=weight,
                logp=logp,
                state=_STATES[finish],
            )
            for node, parent, token, count, weight, logp, finish in zip(
                *(column.tolist() for column in columns), strict=True
            )
        ]

    def completions(self) -> list[Completion]:
        """Every distinct history now, the heaviest first."""
        return [] if self.run is None else [self._completion(ending) for ending in self.run.endings()]

    def _completion(self, ending: Ending) -> Completion:
        # An end token may have a spelling of its own, which nobody wants to read.
        tokens = ending.tokens[~self.context.is_eog[ending.tokens]]
        text = self.stop.shown(self.model.llama.text(tokens)).decode(errors="replace")
        if ending.finish_reason != "stop":
            # A character may have been cut in the middle.
            text = text.rstrip("\ufffd")
        return Completion(
            text=text,
            answer=answers.extract(text),
            logp=ending.logp,
            weight=ending.weight,
            n_tokens=len(ending.tokens),
            finish_reason=ending.finish_reason,
            count=ending.count,
        )

    def result(self) -> Result:
        """The result so far. In a run cut short, finished histories are preferred to unfinished ones."""
        completions = self.completions()
        finished = [c for c in completions if c.finish_reason != "cancelled"]
        chosen = self._choose(finished or completions)
        return Result(
            answer=None if chosen is None else chosen.answer,
            text="" if chosen is None else chosen.text,
            method=MethodInfo(
                name=self.method.name,
                config={**asdict(self.method), "n_predict": self.n_tokens, **self._choices()},  # type: ignore[call-overload]
            ),
            model=self.model.info(self.context.n_cells),
            seed=self.seed,
            version=__version__,
            answers=answer_shares(completions),
            completions=tuple(completions),
            log_z=None if self.run is None else self.run.log_z,
            usage=self._usage(completions),
        )

    def _choose(self, completions: Sequence[Completion]) -> Completion | None:
        if not completions:
            return None
        # A fresh generator of the same stream: asking twice, or early, changes nothing.
        return SELECTORS[self.settings.select](completions, np.random.default_rng(self._select_stream))

    def _choices(self) -> dict[str, object]:
        settings = self.settings
        return {
            "select": settings.select,
            "system": settings.system,
            "raw": settings.raw,
            "thinking": settings.thinking,
            "stop": list(settings.stop),
            "stop_at_box": settings.stop_at_box,
            "budget": settings.budget,
        }

    def _usage(self, completions: Sequence[Completion]) -> Usage:
        run, load_seconds = self.run, self.model.llama.load_seconds
        n_completion = sum(completion.n_tokens for completion in completions)
        if run is None:
            seconds = Seconds(
                load=load_seconds,
                prompt=self.elapsed,
                decode=0.0,
                sample=0.0,
                total=load_seconds + self.elapsed,
            )
            nothing = dict.fromkeys(_COUNTS, 0)
            return Usage(prompt_tokens=len(self.prompt), **nothing, seconds=seconds)
        decode = self.context.decode_seconds - run.prompt_decode_seconds
        return Usage(
            prompt_tokens=len(self.prompt),
            completion_tokens=n_completion,
            steps=run.steps,
            rows=run.sequences.rows,
            decode_calls=run.sequences.decode_calls,
            resamples=run.resamples,
            reductions=run.reductions,
            forks=run.sequences.forks,
            peak_rows=run.sequences.peak_rows,
            peak_cells=run.sequences.peak_cells,
            seconds=Seconds(
                load=load_seconds,
                prompt=run.prompt_seconds,
                decode=decode,
                sample=run.seconds - decode,
                total=load_seconds + self.elapsed,
            ),
        )


def start(
    model: Model, problem: str, *, method: Method | None = None, settings: Settings | None = None
) -> Solving:
    """Put a problem to a model: the prompt is decoded, no token is drawn yet."""
    return Solving(model, problem, method, Settings() if settings is None else settings)


def solve(
    model: Model, problem: str, *, method: Method | None = None, settings: Settings | None = None
) -> Result:
    """Solve a problem to the end, or to the end of the budget."""
    with start(model, problem, method=method, settings=settings) as solving:
        for _ in solving:
            pass
        return solving.result()
