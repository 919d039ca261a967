"""What every method is: a frozen configuration that starts a run, and the run it starts.

A run is an iterator of steps. It can be asked for its outcome at any moment; progress display,
traces, deadlines and Ctrl-C are consumers of it, and looking never changes it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar

from localsmc.draws import Draw
from localsmc.errors import ConfigError, PromptTooLong, SequenceError
from localsmc.model import LanguageModel, TokenIds
from localsmc.particles import LIVE, OUT_OF_LENGTH, Particles
from localsmc.prompts import StopRule
from localsmc.records import FinishReason, StepInfo
from localsmc.sequences import Sequences


def _nothing() -> None:
    """The default check: go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a method works on. `n_tokens` ≥ 1 is the horizon: longer generations are cut there."""

    model: LanguageModel
    prompt: TokenIds
    n_tokens: int
    stop: StopRule
    draw: Draw
    check: Callable[[], None] = _nothing
    """Called between chunks of the prompt; may raise to stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """A distinct history as a run leaves it; the weights of all of them sum to 1."""

    tokens: TokenIds
    count: int
    weight: float
    logp: float
    finish_reason: FinishReason


class Method(Protocol):
    """A frozen dataclass of parameters with a name."""

    name: ClassVar[str]

    def start(self, request: Request) -> ParticleRun:
        """Decode the prompt and stand at its end."""
        ...


MethodT = TypeVar("MethodT")


def from_options(method: type[MethodT], options: Mapping[str, Any]) -> MethodT:
    """A method from a mapping; raises ConfigError for an unknown key, with the nearest known one."""
    known = [field.name for field in fields(method)]  # type: ignore[arg-type]
    for option in options:
        if option not in known:
            near = get_close_matches(option, known, 1)
            raise ConfigError(
                f"{method.name} has no option `{option}`",  # type: ignore[attr-defined]
                hint=f"did you mean `{near[0]}`?" if near else f"it has: {', '.join(known)}",
            )
    return method(**options)


def require(name: str, value: float, low: float, high: float) -> None:
    """Raise ConfigError unless low ≤ value ≤ high."""
    if not low <= value <= high:
        raise ConfigError(f"`{name}` is {value}, but must be from {low:,} to {high:,}")


class Move(NamedTuple):
    """What a method did in a step: the exponent it drew with, the ESS it saw, whether it resampled."""

    alpha: float
    ess: float
    resampled: bool


Advance = Callable[[Particles], Move]
"""Moves particles by one token."""


class ParticleRun:
    """A run over one or several waves of particles, each from the end of the same prompt.

    Several waves are for independent particles that do not fit into the memory together.
    """

    def __init__(
        self, request: Request, waves: Sequence[int], advance: Advance, *, share: bool, has_evidence: bool
    ) -> None:
        check_room(request)
        self.steps = self.resamples = 0
        self.seconds = 0.0
        began = time.perf_counter()
        self.sequences = Sequences(request.model, request.n_tokens)
        self._request, self._advance, self._share = request, advance, share
        self._waves = list(waves)
        self._n = sum(waves)
        self._has_evidence = has_evidence
        self._is_broken = False
        root, logits = self.sequences.prompt(request.prompt, request.check)
        # The prompt's slot is kept for the waves that follow; with one wave it is the first history's.
        self._root = root
        self._root_logits = logits.copy()
        self.finished: list[Particles] = []
        self.particles = self._start_wave()
        self.prompt_seconds = time.perf_counter() - began
        self.prompt_decode_seconds = request.model.decode_seconds

    def _start_wave(self) -> Particles:
        n = self._waves.pop(0)
        slot = self.sequences.fork(self._root) if self._waves else self._root
        request = self._request
        return Particles(
            self.sequences,
            slot,
            self._root_logits,
            n,
            n_tokens=request.n_tokens,
            stop=request.stop,
            draw=request.draw,
            share=self._share,
        )

    def __iter__(self) -> Iterator[StepInfo]:
        return self

    def __next__(self) -> StepInfo:
        if self.is_done:
            raise StopIteration
        if self.particles.n_live == 0:
            self.finished.append(self.particles)
            self.particles = self._start_wave()
        if self._is_broken:
            raise SequenceError("a step of this run failed; its result is what it was before")
        self._is_broken = True
        info = self._step()
        self._is_broken = False
        return info

    def _step(self) -> StepInfo:
        began = time.perf_counter()
        before = self.sequences.forks, self.sequences.rows, self.particles.reductions
        move = self._advance(self.particles)
        self.particles.evaluate()
        self.steps += 1
        self.resamples += move.resampled
        self.seconds += time.perf_counter() - began
        forks, rows, reductions = before
        return StepInfo(
            step=self.steps,
            alpha=move.alpha,
            rows=self.sequences.rows - rows,
            histories=len(self.particles.histories),
            finished=len(self.particles.histories) - self.particles.n_live,
            ess=move.ess,
            log_z=self.particles.log_z if self._has_evidence else None,
            resampled=move.resampled,
            forks=self.sequences.forks - forks,
            reductions=self.particles.reductions - reductions,
            cells=self.sequences.cells_used,
        )

    @property
    def is_done(self) -> bool:
        """Whether every particle of every wave has ended."""
        return self.particles.n_live == 0 and not self._waves

    @property
    def reductions(self) -> int:
        """How often histories were reduced to fit the memory."""
        return sum(wave.reductions for wave in (*self.finished, self.particles))

    @property
    def log_z(self) -> float | None:
        """The log evidence estimate; None where the method has none, or the run was cut short."""
        return self.particles.log_z if self._has_evidence and self.is_done else None

    def endings(self) -> list[Ending]:
        """Every distinct history now, the heaviest first; unfinished ones are "cancelled"."""
        n_begun = self._n - sum(self._waves)
        merged: dict[bytes, Ending] = {}
        for wave in (*self.finished, self.particles):
            share = wave.n / n_begun
            for i, weight in enumerate(wave.weights * share):
                ending = self._ending(wave, i, float(weight))
                same = merged.get(ending.tokens.tobytes())
                merged[ending.tokens.tobytes()] = ending if same is None else _together(same, ending)
        return sorted(merged.values(), key=lambda ending: -ending.weight)

    def _ending(self, wave: Particles, i: int, weight: float) -> Ending:
        reasons: dict[int, FinishReason] = {LIVE: "cancelled", OUT_OF_LENGTH: "length"}
        return Ending(
            tokens=wave.genealogy.tokens(int(wave.histories.node[i])),
            count=int(wave.histories.count[i]),
            weight=weight,
            logp=float(wave.histories.logp[i]),
            finish_reason=reasons.get(int(wave.histories.finish[i]), "stop"),
        )


def _together(one: Ending, other: Ending) -> Ending:
    return Ending(
        tokens=one.tokens,
        count=one.count + other.count,
        weight=one.weight + other.weight,
        logp=one.logp,
        finish_reason=one.finish_reason,
    )


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
