"""Metropolis-Hastings on whole completions: the code that the methods with Markov chains share.

A step of a chain with the current completion x (Hastings 1970; cut and proposal from arXiv 2510.14901):

    1. cut: keep the first m tokens, with m uniform on 0 … len(x) − 1 (kernel `length`), or uniform on
       0 … H − 1 for the horizon H, where m ≥ len(x) leaves x unchanged (kernel `horizon`);
    2. propose x' by drawing the tokens after m from q(v|h) ∝ p(v|h)^α, up to an end token, a stop or H;
    3. accept with min(1, r), log r = Σ_{t>m} log Σ_v p(v|x'_<t)^α − Σ_{t>m} log Σ_v p(v|x_<t)^α,
       and for the kernel `length` also + log len(x) − log len(x'); lengths include the end token.

Both kernels leave p^α on completions of at most H tokens invariant, whatever the lengths of x and x'. The
paper's public implementation does not: see `power_mh`.

A proposal has the tokens of x up to the position where it diverges. The log-probability that the token of x
is drawn again at a position, α·log p − log Σ p^α, is known from when it was drawn. So the position of the
divergence is drawn directly, and only the tokens from there on are decoded (`retrace`: the same
distribution, fewer decoded tokens). A proposal that never diverges costs nothing.

With a grammar, p^α is restricted to the allowed tree, and Σ p^α is over the allowed tokens.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from localsmc.errors import ConfigError
from localsmc.methods.finish_state import LIVE, OUT_OF_LENGTH, PRUNED
from localsmc.methods.mcmc.chain_state import ChainState, ChainWriter
from localsmc.methods.request import Request, WeightedText
from localsmc.methods.run import REASONS, SamplingRun, StepOutcome, nothing_allowed, require_capacity
from localsmc.methods.token_tree import ROOT, TokenTree
from localsmc.numerics.categorical import sample_one
from localsmc.results import FinishReason, HistoryInfo

KERNELS = ("length", "horizon")

ChainProgram = Iterator[ChainState | None]
"""A running chain: yields the completion to be extended by one token before it continues.

Sometimes yields None while its steps need no decode, so that the run can be stopped then, too.
"""

MAX_REDRAWS = 64
"""Steps without a decode between two checks for a time limit or Ctrl-C."""

MAX_STARTS = 100
"""First completions that a chain may lose to dead ends of a grammar before it raises."""


class Visited(NamedTuple):
    """A completion in the history of a chain."""

    tokens: tuple[int, ...]
    logp: float
    finish: int


def require_kernel(kernel: str) -> None:
    """Raise ConfigError for an unknown kernel."""
    if kernel not in KERNELS:
        raise ConfigError(
            f"`kernel` is `{kernel}`, which is not a kernel", hint=f"choose from: {', '.join(KERNELS)}"
        )


def _visited(text: ChainState) -> Visited:
    return Visited(tuple(text.tokens), text.logp, text.finish)


def log_ratio(current: ChainState, proposal: ChainState, parted: int, rung: int) -> float:
    """Σ log Σ_v p^α over the positions after `parted`, of the proposal minus that of the current completion.

    At position `parted` and before it both have the same history, so their terms are equal.
    """
    new, old = (
        sum(float(row[rung]) for row in text.log_powers[parted + 1 :]) for text in (proposal, current)
    )
    return new - old


class Chain:
    """One chain: its current completion, and in `history` the last ones of the current stage, one per step.

    `history` holds the completions after the last `n_kept` steps, and the one before them.
    """

    def __init__(self, run: ChainRun, rung: int, *, kernel: str, retrace: bool, n_kept: int) -> None:
        self._run, self._writer, self._rung = run, run.writer, rung
        self._kernel, self._retrace = kernel, retrace
        self.current: ChainState | None = None
        self.proposal: ChainState | None = None
        self.history: deque[Visited] = deque(maxlen=n_kept + 1)
        self._n_idle = 0

    def begin(self, horizon: int) -> ChainProgram:
        """Draw a first completion from the proposal."""
        self.current = self._writer.begin(self._rung, horizon)
        yield from self.finish(horizon)

    def finish(self, horizon: int) -> ChainProgram:
        """Extend the current completion to its end or the horizon; a stage begins with it."""
        self._writer.reopen(self.text, horizon)
        yield from self._write(self.text)
        n_lost = 0
        while self.text.finish == PRUNED:
            n_lost += 1
            if n_lost == MAX_STARTS:
                raise nothing_allowed(f"after any of {MAX_STARTS} completions that a chain has begun")
            self._writer.release(self.text)
            self.current = self._writer.begin(self._rung, horizon)
            yield from self._write(self.current)
        self.history.clear()
        self.adopt()

    def _write(self, text: ChainState) -> ChainProgram:
        while text.finish == LIVE:
            yield text

    def step(self, horizon: int) -> ChainProgram:
        """One Metropolis step; `adopt` is to follow."""
        self._run.proposals += 1
        current = self.text
        parted = self._parted(current, self._cut(current, horizon))
        if parted >= len(current):
            self._n_idle += 1
            if self._n_idle % MAX_REDRAWS == 0:
                yield None
            return
        avoid = current.tokens[parted] if self._retrace else -1
        proposal = self.proposal = self._writer.branch(
            current, parted, rung=self._rung, horizon=horizon, avoid=avoid
        )
        yield from self._write(proposal)
        self._decide(current, proposal, parted)

    @property
    def text(self) -> ChainState:
        """The current completion."""
        assert self.current is not None  # noqa: S101 - `begin` comes first
        return self.current

    def _cut(self, current: ChainState, horizon: int) -> int:
        n = len(current) if self._kernel == "length" else horizon
        return sample_one(self._run.draw, np.ones(n))

    def _parted(self, current: ChainState, keep: int) -> int:
        """The number of tokens that the proposal shares with the current completion; all if equal."""
        if not self._retrace or keep >= len(current):
            return keep
        stays = current.stays(keep, self._rung, self._run.alphas[self._rung])
        reach = np.concatenate(([1.0], np.cumprod(stays)))
        return keep + sample_one(self._run.draw, reach * np.concatenate((1.0 - stays, [1.0])))

    def _decide(self, current: ChainState, proposal: ChainState, parted: int) -> None:
        is_accepted = proposal.finish != PRUNED and self._run.accept(self._log_r(current, proposal, parted))
        self._run.accepted += is_accepted and proposal.tokens != current.tokens
        self._writer.release(current if is_accepted else proposal)
        self.current = proposal if is_accepted else current
        self.proposal = None

    def _log_r(self, current: ChainState, proposal: ChainState, parted: int) -> float:
        log_r = log_ratio(current, proposal, parted, self._rung)
        if self._kernel == "length":
            log_r += float(np.log(len(current)) - np.log(len(proposal)))
        return log_r

    def adopt(self) -> None:
        """Record the current completion after a step."""
        self.history.append(_visited(self.text))

    def collected(self) -> list[Visited]:
        """The completions after the last `n_kept` steps; the current one if there are none."""
        collected = list(self.history)[1:]
        return collected or ([] if self.current is None else [_visited(self.current)])

    def release(self) -> None:
        """Free its slot; `history` stays."""
        self._writer.release(self.text)


class ChainRun(SamplingRun):
    """A run of chains: each step decodes one batch, the tokens that its program asks for."""

    def __init__(self, request: Request, alphas: Sequence[float]) -> None:
        super().__init__(request)
        self.draw = request.draw
        self.chains: list[Chain] = []
        self.genealogy = TokenTree()
        self.burn_in_ladder(alphas)

    def burn_in_ladder(self, alphas: Sequence[float]) -> None:
        """Use these exponents from now on; earlier completions cannot be branched any more."""
        request = self._request
        self.alphas = tuple(alphas)
        self.writer = ChainWriter(
            self.sequences,
            self._root,
            self._root_logits,
            self.genealogy,
            alphas=alphas,
            stop=request.stop,
            draw=request.draw,
        )

    def start(self, program: Iterator[list[ChainState]]) -> None:
        """Start a program, which yields the completions to be extended next."""
        self._program = program
        self._texts = next(program, None)
        self._finish_prefill()

    def chains_that_fit(self, n_chains: int, at_least: int = 1) -> int:
        """How many chains, each with a completion and a proposal, fit at a time; ContextFull if too few."""
        model, request = self._request.model, self._request
        what_needs = "1 chain needs" if at_least == 1 else f"{at_least} chains need"
        require_capacity(2 * at_least, request, what_needs)
        by_slots = (model.n_seq_max - 1) // 2
        by_cells = (model.n_cells - len(request.prompt)) // (2 * request.n_tokens)
        return min(n_chains, by_slots, by_cells)

    def accept(self, log_r: float) -> bool:
        """True with probability min(1, exp(log_r))."""
        p = float(np.exp(min(log_r, 0.0)))
        return sample_one(self.draw, np.array([p, 1.0 - p])) == 0

    def _step(self) -> StepOutcome:
        assert self._texts is not None  # noqa: S101 - `is_done` comes first
        if self._texts:
            self.writer.write(self._texts)
        self._texts = next(self._program, None)
        return StepOutcome(self.alphas[-1], self.ess)

    def _progress(self) -> tuple[int, int, float | None]:
        texts = [chain.current for chain in self.chains if chain.current is not None]
        return len(texts), sum(one.finish != LIVE for one in texts), None

    @property
    def is_done(self) -> bool:
        """See `SamplingRun.is_done`."""
        return self._texts is None

    def ending(self, text: Visited, weight: float) -> WeightedText:
        """A completion of the outcome."""
        return WeightedText(
            tokens=np.array(text.tokens, dtype=np.int32),
            count=1,
            weight=weight,
            logp=text.logp,
            finish_reason=self._reason(text),
        )

    def _reason(self, text: Visited) -> FinishReason:
        if text.finish == OUT_OF_LENGTH and len(text.tokens) < self._request.n_tokens:
            return "cancelled"  # at the horizon of a stage, not at the token limit
        return REASONS[text.finish]

    def weight_of(self, _chain: Chain) -> float:
        """The weight of a chain's completions in the outcome."""
        return 1 / len(self.chains)

    def population(self) -> list[HistoryInfo]:
        """Each chain's completion, and its proposal with weight 0."""
        texts = [(chain.proposal, 0.0) for chain in self.chains]
        # Current completions come last: if a proposal has not diverged yet, these describe the shared token.
        texts += [(chain.current, self.weight_of(chain)) for chain in self.chains]
        return [self._last_token(text, weight) for text, weight in texts if text is not None and text.tokens]

    def _last_token(self, text: ChainState, weight: float) -> HistoryInfo:
        parent = text.nodes[-2] if len(text) > 1 else ROOT
        return self._history(
            0, text.nodes[-1], parent, text.tokens[-1], count=int(weight > 0), weight=weight,
            logp=text.logp, finish=text.finish,
        )  # fmt: skip


def n_collected(collect: float, n_steps: int) -> int:
    """The number of steps that the share `collect` of them is, rounded up."""
    return math.ceil(collect * n_steps)


def run_together(programs: Iterable[ChainProgram], at_most: int) -> Iterator[list[ChainState]]:
    """Run programs side by side, `at_most` at a time; yields the completions of all that wait for a token.

    The list is empty if none of them waits for a token.
    """
    waiting = iter(programs)
    active: list[tuple[ChainProgram, ChainState | None]] = []
    while True:
        while len(active) < at_most and (program := next(waiting, None)) is not None:
            active += _advanced(program)
        if not active:
            return
        yield [text for _, text in active if text is not None]
        active = [one for program, _ in active for one in _advanced(program)]


def _advanced(program: ChainProgram) -> list[tuple[ChainProgram, ChainState | None]]:
    """The program with what it yields next; empty if it is over."""
    try:
        return [(program, next(program))]
    except StopIteration:
        return []
