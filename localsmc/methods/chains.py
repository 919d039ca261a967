"""Metropolis-Hastings on whole texts: what the methods with Markov chains share.

A step of a chain with the current text x (Hastings 1970; cut and proposal from arXiv 2510.14901):

    1. cut: keep the first m tokens, m uniform on 0 … len(x) − 1 (kernel `length`), or uniform on
       0 … H − 1 for the horizon H, where m ≥ len(x) leaves x as it is (kernel `horizon`);
    2. propose x' by drawing token after token from q(v|h) ∝ p(v|h)^α up to an end, a stop or H;
    3. accept with min(1, r), log r = Σ_{t>m} log Σ_v p(v|x'_<t)^α − Σ_{t>m} log Σ_v p(v|x_<t)^α,
       and for the kernel `length` also + log len(x) − log len(x'), end tokens counted.

Each of the two leaves p^α on texts of at most H tokens invariant: over all of the longer and
shorter texts, which the public implementation of the paper is not.

A proposal follows x until it parts from it. That x's own token is drawn again at a position has
a known probability, α·log p − log Σ p^α, kept from when it was drawn: so the position of parting
is drawn at once, and only from there on is anything decoded (`retrace`: the same law for fewer
rows). Proposals that never part cost nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from localsmc.draws import draw_one
from localsmc.errors import ConfigError, ContextFull
from localsmc.genealogy import ROOT
from localsmc.methods.base import REASONS, Ending, Move, Request, Run
from localsmc.particles import LIVE, OUT_OF_LENGTH
from localsmc.records import FinishReason, HistoryInfo
from localsmc.texts import Text, Writer

KERNELS = ("length", "horizon")

Program = Iterator[Text]
"""A chain at work: gives the text that is to be one token longer when it is asked again."""


def require_kernel(kernel: str) -> None:
    """Raise ConfigError for an unknown kernel."""
    if kernel not in KERNELS:
        raise ConfigError(f"`kernel` is `{kernel}`", hint=f"there is: {', '.join(KERNELS)}")


def log_ratio(current: Text, proposal: Text, parted: int, rung: int) -> float:
    """Σ log Σ p^α of the proposal minus that of the current text, over the tokens after `parted`.

    Before it, and at it, both have the same past and so the same terms.
    """
    ours, theirs = (
        sum(float(row[rung]) for row in text.log_powers[parted + 1 :]) for text in (proposal, current)
    )
    return ours - theirs


class Chain:
    """One chain: its text, and in `history` the first text of the stage at work and that after each step."""

    def __init__(self, run: ChainRun, rung: int, *, kernel: str, retrace: bool) -> None:
        self._run, self._writer, self._rung = run, run.writer, rung
        self._alpha = run.writer.alphas[rung]
        self._kernel, self._retrace = kernel, retrace
        self.current: Text | None = None
        self.proposal: Text | None = None
        self.history: list[Text] = []

    def begin(self, horizon: int) -> Program:
        """A first text, drawn from the proposal."""
        self.current = self._writer.begin(self._rung, horizon)
        yield from self.finish(horizon)

    def finish(self, horizon: int) -> Program:
        """The current text, written up to an end or a horizon; the stage begins with it."""
        text = self.text
        self._writer.reopen(text, horizon)
        while text.finish == LIVE:
            yield text
        self.history = [text]

    def step(self, horizon: int) -> Program:
        """One Metropolis step, to be settled."""
        self._run.proposals += 1
        current = self.text
        keep = self._cut(current, horizon)
        if keep >= len(current):
            return
        parted = self._parted(current, keep)
        if parted == len(current):
            return
        avoid = current.tokens[parted] if self._retrace else -1
        proposal = self.proposal = self._writer.branch(
            current, parted, rung=self._rung, horizon=horizon, avoid=avoid
        )
        while proposal.finish == LIVE:
            yield proposal
        self._decide(current, proposal, parted)

    @property
    def text(self) -> Text:
        """Its text now."""
        assert self.current is not None  # noqa: S101 - `begin` comes first
        return self.current

    def _cut(self, current: Text, horizon: int) -> int:
        n = len(current) if self._kernel == "length" else horizon
        return draw_one(self._run.draw, np.ones(n))

    def _parted(self, current: Text, keep: int) -> int:
        """How many tokens the proposal has from the current text; all of them where it is the same."""
        if not self._retrace:
            return keep
        stays = current.stays(keep, self._alpha, self._rung)
        reach = np.concatenate(([1.0], np.cumprod(stays)))
        return keep + draw_one(self._run.draw, reach * np.concatenate((1.0 - stays, [1.0])))

    def _decide(self, current: Text, proposal: Text, parted: int) -> None:
        log_r = log_ratio(current, proposal, parted, self._rung)
        if self._kernel == "length":
            log_r += float(np.log(len(current)) - np.log(len(proposal)))
        is_accepted = self._run.toss(log_r)
        self._run.accepted += is_accepted and proposal.tokens != current.tokens
        self._writer.release(current if is_accepted else proposal)
        self.current = proposal if is_accepted else current
        self.proposal = None

    def settle(self) -> None:
        """The step is over: note the text."""
        self.history.append(self.text)

    def collected(self, share: float, n_steps: int) -> list[Text]:
        """The texts after the last steps, so many that they are this share of all, or the text now."""
        n_wanted = math.ceil(share * n_steps)
        visited = self.history[1:][-n_wanted:] if n_wanted else []
        return visited or ([] if self.current is None else [self.current])

    def release(self) -> None:
        """Give its slot back; its texts stay."""
        self._writer.release(self.text)


class ChainRun(Run):
    """A run that writes whatever its program asks for, one batch a step."""

    def __init__(self, request: Request, alphas: Sequence[float]) -> None:
        super().__init__(request)
        self.draw = request.draw
        self.chains: list[Chain] = []
        self.climb(alphas)

    def climb(self, alphas: Sequence[float]) -> None:
        """Write at other exponents from now on; texts so far cannot be branched any more."""
        request = self._request
        self.alphas = tuple(alphas)
        self.writer = Writer(
            self.sequences, self._root, self._root_logits, alphas=alphas, stop=request.stop, draw=request.draw
        )

    def start(self, program: Iterator[Sequence[Text]]) -> None:
        """Begin with a program, which says what is to be written next."""
        self._program = program
        self._texts = next(program, None)
        self._stand()

    def together(self, n_chains: int) -> int:
        """How many of some chains, a text and a proposal each, fit at a time; ContextFull if none."""
        model, request = self._request.model, self._request
        by_cells = (model.n_cells - len(request.prompt)) // (2 * request.n_tokens)
        fitting = min(n_chains, (model.n_seq_max - 1) // 2, by_cells)
        if fitting < 1:
            raise ContextFull(
                f"a chain needs two texts of {request.n_tokens} tokens in memory, and"
                f" {model.n_cells} cells hold less",
                hint="raise `--ctx-size`, or lower `--predict`",
            )
        return fitting

    def toss(self, log_r: float) -> bool:
        """True with probability min(1, exp(log_r))."""
        p = float(np.exp(min(log_r, 0.0)))
        return draw_one(self.draw, np.array([p, 1.0 - p])) == 0

    def _step(self) -> Move:
        assert self._texts is not None  # noqa: S101 - `is_done` comes first
        self.writer.write(self._texts)
        self._texts = next(self._program, None)
        return Move(self.alphas[-1], float(len(self.chains)))

    def _standing(self) -> tuple[int, int, float | None]:
        texts = [chain.current for chain in self.chains if chain.current is not None]
        return len(texts), sum(one.finish != LIVE for one in texts), None

    @property
    def is_done(self) -> bool:
        """See `Run.is_done`."""
        return self._texts is None

    def ending(self, text: Text, weight: float, count: int = 1) -> Ending:
        """A text of the outcome."""
        return Ending(
            tokens=text.ids,
            count=count,
            weight=weight,
            logp=text.logp,
            finish_reason=self._reason(text),
        )

    def _reason(self, text: Text) -> FinishReason:
        if text.finish == OUT_OF_LENGTH and len(text) < self._request.n_tokens:
            return "cancelled"  # at the end of a block only
        return REASONS[text.finish]

    def population(self) -> list[HistoryInfo]:
        """Each chain's text and its proposal, which has no weight."""
        texts = [(chain.current, 1 / len(self.chains)) for chain in self.chains]
        texts += [(chain.proposal, 0.0) for chain in self.chains]
        return [self._told(text, weight) for text, weight in texts if text is not None and text.tokens]

    def _told(self, text: Text, weight: float) -> HistoryInfo:
        parent = text.nodes[-2] if len(text) > 1 else ROOT
        return self._history(
            0, text.nodes[-1], parent, text.tokens[-1], count=int(weight > 0), weight=weight,
            logp=text.logp, finish=text.finish,
        )  # fmt: skip


def side_by_side(programs: Iterable[Program], at_most: int) -> Iterator[list[Text]]:
    """Programs that run together, so many at a time: the texts of all that wait for a token."""
    waiting = iter(programs)
    active: list[tuple[Program, Text]] = []
    while True:
        while len(active) < at_most and (program := next(waiting, None)) is not None:
            text = next(program, None)
            if text is not None:
                active.append((program, text))
        if not active:
            return
        yield [text for _, text in active]
        active = [(program, text) for program, _ in active if (text := next(program, None)) is not None]
