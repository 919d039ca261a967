"""Speculative parallel scaling reasoning: parallel tracks with strategies; the target rates drafted steps.

Target    none: a heuristic without a target distribution. Lenient ratings give the draft's completions,
          strict ones the target's; with `threshold` 0 or less the draft writes alone, above 9 the target.
Proposal  the target chooses the best strategies of a pool by the probabilities of their codes, one for each
          track; with more tracks than strategies, they are used in turn. The draft writes a step, and the
          target rates it from 0 to 9. The step is kept if P(rating ≥ threshold) is at least `sure`; with
          rating=digit, if the most probable digit is at least the threshold. Otherwise the target writes
          the step itself, which is kept unrated. Both sample with `temperature` and `top_p`.
Weight    equal; the answers are voted on, and ties go to the highest mean rating. Rewritten steps are left
          out of the mean, or count as `rewrite_score` each.
Words     `pool` names the strategies: general, tiny (for the embedded models, which were trained on it), the
          path of a JSON file in the same format, or none, which leaves problems unchanged. `words` names the
          pool with the request to rate a step and the separator of steps; `same` for that of `pool`. A path
          must not contain blanks or commas.
Stops     when every track has ended: end token, stop rule, n_tokens in either model's tokens, or a step that
          repeats the one before it, from the third step on; with fast=1 also when a finished track has an
          answer, with fast=2 when two agree. A step has at most `step_tokens` tokens.
Cost      one decoded token of each model per drafted token; for each rating, the target also decodes the
          request to rate, which is removed again, as are rejected steps. Tracks wait for each other: a round
          takes as long as its longest step.
Source    SSR, arXiv 2505.15340. The paper keeps a step if the most probable digit is at least 7, and counts a
          rewritten step as 9: rating=digit, rewrite_score=9.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import cycle, islice
from typing import ClassVar

from localsmc.errors import ConfigError
from localsmc.lm.interface import TokenIds
from localsmc.methods.base import COMPLETIONS, Unused, reject_unused, require_between
from localsmc.methods.request import KVDemand, Request
from localsmc.methods.run import require_draft
from localsmc.methods.sampling.sample import Sample, require_truncation
from localsmc.methods.ssr.multiple_choice import MultipleChoice, multiple_choice
from localsmc.methods.ssr.shared_prefix import SharedPrefixPrompts
from localsmc.methods.ssr.step_writer import StepSampling
from localsmc.methods.ssr.strategy_choice import ChosenStrategies, choose, require_prompts
from localsmc.methods.ssr.strategy_pool import NONE, Pool, Strategy, load_pool
from localsmc.methods.ssr.tracks import TrackRules, TracksRun

SAME, GENERAL = "same", "general"
PROBABILITY, DIGIT = "probability", "digit"
MOST_TRACKS = 127
"""Each needs two sequences, and one holds the common prefix of the prompts: llama.cpp has 256."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SSR:
    """Parameters, see above. `particles` is the number of tracks, 1 to 127.

    `threshold` is −64 to 64, `sure` 0 to 1, `temperature` 1/64 to 64, `rewrite_score` 0 to 9, or −1 to leave
    rewritten steps out, and `fast` 0 to 2.
    """

    name: ClassVar[str] = "ssr"
    no_grammar: ClassVar[str] = "steps are drafted, rated and rewritten as free text"
    select: ClassVar[str] = "majority"
    pair: ClassVar[str] = COMPLETIONS
    weight_exponent: ClassVar[None] = None
    knows_logp: ClassVar[bool] = False

    particles: int = 3
    threshold: float = 7.0
    rating: str = PROBABILITY
    sure: float = 0.5
    temperature: float = 0.6
    top_p: float = 0.95
    step_tokens: int = 512
    rewrite_score: float = -1.0
    fast: int = 0
    pool: str = GENERAL
    words: str = SAME

    def __post_init__(self) -> None:
        require_between("particles", self.particles, 1, MOST_TRACKS)
        require_between("threshold", self.threshold, -64.0, 64.0)
        if self.rating not in (PROBABILITY, DIGIT):
            raise ConfigError(f"`rating` is `{self.rating}`", hint=f"choose from: {PROBABILITY}, {DIGIT}")
        require_between("sure", self.sure, 0.0, 1.0)
        require_between("temperature", self.temperature, 1 / 64, 64.0)
        require_truncation(0, self.top_p, 0.0)
        require_between("step_tokens", self.step_tokens, 1, 1_000_000)
        if self.rewrite_score != -1.0:
            require_between("rewrite_score", self.rewrite_score, 0.0, 9.0)
        require_between("fast", self.fast, 0, 2)
        reject_unused(self)
        self._pools()

    @property
    def unused(self) -> list[Unused]:
        """The parameters that have no effect with the others as they are."""
        if self.rating != DIGIT:
            return []
        return [Unused(("sure",), f"with `rating={DIGIT}`", f"use `rating={PROBABILITY}`")]

    def _pools(self) -> tuple[Pool | None, Pool]:
        """The pool of strategies, None for none, and the pool of words."""
        pool = None if self.pool == NONE else load_pool(self.pool)
        if self.words != SAME:
            return pool, load_pool(self.words)
        return pool, pool or load_pool(GENERAL)

    @property
    def kv_demand(self) -> KVDemand:
        """Two sequences for each track, one of them for the current step, and one for the common prefix."""
        pool, words = self._pools()
        n_bytes = words.n_bytes
        if pool is not None:
            n_choice = len(pool.choose("", self.particles).encode())
            n_bytes = max(n_bytes, pool.n_bytes, -(-n_choice // self.particles))
        # Every language has at least 2 bytes per token, except with tiny vocabularies; templates add tokens.
        return KVDemand(2 * self.particles + 1, self.particles, self.particles, n_bytes // 2 + 32)

    def start(self, request: Request) -> TracksRun:
        """See `Method.start`."""
        draft, began = require_draft(request), time.perf_counter()
        if not request.model.can_forget:
            raise ConfigError(
                "the target is recurrent: it cannot forget the request to rate a step",
                hint="use a target with a KV cache; the draft may be recurrent",
            )
        pool, words = self._pools()
        rule = self._rule(request.n_tokens)
        rating = _rating(words, request) if rule.rates else None
        prompts, n_before = ([request.prompt], [draft.prompt]), 0
        if pool is not None:
            choice = choose(pool, self.particles, request)
            prompts, n_before = _under(pool, choice, request), choice.rows
        target_prompts, draft_prompts = (
            SharedPrefixPrompts.of(list(islice(cycle(some), self.particles))) for some in prompts
        )
        sample = Sample(temperature=self.temperature, top_p=self.top_p)
        sampling = StepSampling(
            alpha=1.0 / self.temperature,
            lowest=sample.lowest if self.top_p < 1.0 else None,
            separator=words.separator.encode(),
            draw=request.draw,
        )
        return TracksRun(
            request,
            draft,
            (target_prompts, draft_prompts),
            manner=sampling,
            rule=rule,
            rating=rating,
            n_before=n_before,
            began=began,
        )

    def _rule(self, n_tokens: int) -> TrackRules:
        return TrackRules(
            threshold=self.threshold,
            sure=self.sure,
            is_greedy=self.rating == DIGIT,
            rewrite_score=self.rewrite_score,
            step_tokens=self.step_tokens,
            fast=self.fast,
            n_tokens=n_tokens,
        )


def _rating(words: Pool, request: Request) -> MultipleChoice:
    """The request to rate a step, up to the digit."""
    prompts = require_prompts(request.prompts)
    found = multiple_choice(
        [prompts.follow_up(words.rating, f"{words.rating_reply}{digit}") for digit in range(10)]
    )
    if not found.are_apart:
        raise ConfigError(
            "the model's tokenizer has no separate tokens for the digits 0 to 9, so it cannot rate steps",
            hint="use `threshold=0` for the draft alone, or `threshold=10` for the target alone",
        )
    return found


def _under(pool: Pool, choice: ChosenStrategies, request: Request) -> tuple[list[TokenIds], list[TokenIds]]:
    """The prompts for the problem with each chosen strategy, for the target and for the draft."""
    target, draft = require_prompts(request.prompts), require_prompts(require_draft(request).prompts)

    def task(strategy: Strategy) -> str:
        return pool.under(strategy, target.problem)

    return (
        [target.prompt(task(one)) for one in choice.strategies],
        [draft.prompt(task(one)) for one in choice.strategies],
    )
