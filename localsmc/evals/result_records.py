"""One line of results.jsonl: a completed problem of a run, with its answers and cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from localsmc.evals.json_fields import JsonReader
from localsmc.results import AnswerKind, AnswerShare, AnswerSource, Completion, DraftUsage, FinishReason
from localsmc.selection import SELECTORS, choose

RIGHT, NO_ANSWER, TRUNCATED, GRADER_FAILED = "right", "no-answer", "truncated", "grader-failed"
UNGRADED, FAILED = "ungraded", "failed"
COUNTS = ("reductions", "proposals", "accepted", "swap_proposals", "swaps")
DRAFT_COUNTS = tuple(field.name for field in fields(DraftUsage) if field.name != "seconds")
VERDICTS = (RIGHT, "wrong", NO_ANSWER, TRUNCATED, GRADER_FAILED, UNGRADED, FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """A completion and its token ids (T,); the ids are empty if the run did not store them."""

    completion: Completion
    tokens: NDArray[np.int32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """The cost of a problem, loading excluded: decoded tokens (`rows`), batches, tokens, steps, seconds.

    `tokens` counts the tokens of the distinct completions. `flops` and `draft` are None in runs from
    versions that did not record them; `draft` is also None without a draft model.
    """

    rows: int
    decodes: int
    tokens: int
    steps: int
    seconds: float
    reductions: int
    proposals: int
    accepted: int
    swap_proposals: int
    swaps: int
    concluding: int = 0
    """Tokens decoded to conclude completions, apart from `rows`."""
    flops: float | None = None
    draft: DraftUsage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCurves:
    """Per step (S,): the effective sample size in particles, and the number of distinct histories."""

    ess: NDArray[np.float64]
    histories: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """What a method returned for a problem; `is_partial` if it dropped completions that could not win.

    `source` says how the selected answer was found; it is None without an answer, and in runs from versions
    that did not record it, as `kind` is then `any`.
    """

    particles: int
    select: str
    log_z: float | None
    shares: tuple[AnswerShare, ...]
    histories: tuple[History, ...]
    spent: Cost
    is_partial: bool = False
    confidence: str | None = None
    source: AnswerSource | None = None
    kind: AnswerKind = "any"
    is_refused: bool = False
    """Whether the selected completion is a refusal."""

    @property
    def completions(self) -> list[Completion]:
        """The weighted completions, without their token ids."""
        return [history.completion for history in self.histories]

    @property
    def total(self) -> float:
        """The sum of the completions' weights: 1, or 0 if there are none."""
        return sum(completion.weight for completion in self.completions)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultRecord:
    """A problem, its model, method and seed, and the outcome; `drawn` is None if the run failed.

    Several accepted answers are one text in `gold`, with "or" between them.
    """

    task: str
    problem: str
    family: str | None
    level: int | None
    model: str
    method: str
    seed: int
    question: str
    gold: str | None
    answer: str | None
    verdict: str
    error: str | None
    verdicts: dict[str, str]
    drawn: Generated | None
    steps: StepCurves

    @property
    def key(self) -> tuple[str, str, str, str, int]:
        """Identifies the run: two lines with the same key are the same piece of work."""
        return self.task, self.problem, self.model, self.method, self.seed

    def verdict_of(self, answer: str | None, finish_reason: str = "stop") -> str:
        """The verdict on an answer; an answer without a grade counts as a failure of the grader."""
        if self.verdict == UNGRADED:
            return UNGRADED
        if answer is None:
            return TRUNCATED if finish_reason == "length" else NO_ANSWER
        return self.verdicts.get(answer, GRADER_FAILED)

    def verdict_of_completion(self, one: Completion) -> str:
        """The verdict on a completion; a refusal has no answer, even if it was cut."""
        return self.verdict_of(one.answer, "stop" if one.is_refused else one.finish_reason)

    def outcome(self, selector: str) -> dict[str, float]:
        """The probability of each verdict under a selector.

        It is 1 for one verdict, except for the selector `draw` if the run used another selector: then each
        completion counts by its weight.
        """
        drawn = self.drawn
        if drawn is None or selector == drawn.select or drawn.total <= 0:
            return {self.verdict: 1.0}
        if selector == "draw":
            return self._expected(drawn)
        chosen = choose(selector, drawn.completions, np.random.default_rng(0), drawn.kind)
        return {} if chosen is None else {self.verdict_of_completion(chosen): 1.0}

    def fallback(self, selector: str) -> float:
        """The probability that the answer under a selector is a fallback; as for `outcome`."""
        return self._probability(selector, lambda one: one.source == "fallback")

    def refused(self, selector: str) -> float:
        """The probability that the completion under a selector is a refusal; as for `outcome`."""
        return self._probability(selector, lambda one: one.is_refused)

    def _probability(self, selector: str, has: Callable[[Completion | Generated], bool]) -> float:
        drawn = self.drawn
        if drawn is None:
            return 0.0
        if selector == drawn.select or drawn.total <= 0:
            return float(has(drawn))
        if selector == "draw":
            return sum(one.weight for one in drawn.completions if has(one)) / drawn.total
        chosen = choose(selector, drawn.completions, np.random.default_rng(0), drawn.kind)
        return float(chosen is not None and has(chosen))

    def _expected(self, drawn: Generated) -> dict[str, float]:
        found: dict[str, float] = {}
        for completion in drawn.completions:
            verdict = self.verdict_of_completion(completion)
            found[verdict] = found.get(verdict, 0.0) + completion.weight / drawn.total
        # Rounding must not make a certain outcome uncertain.
        return found if len(found) > 1 else dict.fromkeys(found, 1.0)

    @property
    def n_right(self) -> int:
        """The number of particles with a right answer."""
        completions = self.drawn.completions if self.drawn is not None else []
        return sum(one.count for one in completions if self.verdict_of(one.answer) == RIGHT)


def result_record(fields: JsonReader) -> ResultRecord:
    """Parse a line. Raises RunError if a field is missing or invalid."""
    result, steps = fields.inner_or_none("result"), fields.inner_or_none("steps")
    return ResultRecord(
        task=fields.text("task"),
        problem=fields.text("problem_id"),
        family=fields.text_or_none("family"),
        level=fields.integer_or_none("level"),
        model=fields.text("model"),
        method=fields.text("method"),
        seed=fields.integer("seed"),
        question=fields.text("question"),
        gold=_gold(fields),
        answer=fields.text_or_none("answer"),
        verdict=fields.one_of("verdict", VERDICTS),
        error=fields.text_or_none("error"),
        verdicts=fields.texts_by_text("verdicts"),
        drawn=None if result is None else _drawn(result),
        steps=_steps(steps or fields.around({})),
    )


def _gold(fields: JsonReader) -> str | None:
    golds = fields.texts_or_none("gold")
    return None if golds is None else " or ".join(golds)


def _steps(fields: JsonReader) -> StepCurves:
    return StepCurves(ess=np.array(fields.numbers("ess")), histories=np.array(fields.numbers("histories")))


def _drawn(result: JsonReader) -> Generated:
    config = result.inner("method").inner("config")
    selectable = config.around({"select": "draw", **config.values})
    n_particles = config.integer("particles") if "particles" in config.values else 1
    return Generated(
        particles=n_particles,
        select=selectable.one_of("select", tuple(SELECTORS)),
        log_z=None if result.values.get("log_z") is None else result.number("log_z"),
        shares=tuple(map(share_of, result.objects("answers"))),
        histories=tuple(map(_history, result.objects("completions"))),
        spent=_spent(result.inner("usage")),
        confidence=result.text_or_none("confidence"),
        source=_source(result),
        kind=_kind(result),
        is_refused=_is_refused(result),
        is_partial=bool(config.flag_or_none("early")) if "early" in config.values else False,
    )


def share_of(fields: JsonReader) -> AnswerShare:
    """Parse an answer's share."""
    return AnswerShare(
        answer=fields.text_or_none("answer"),
        weight=fields.number("weight"),
        count=fields.integer("count"),
        is_refused=_is_refused(fields),
    )


def _history(fields: JsonReader) -> History:
    reasons: tuple[FinishReason, ...] = get_args(FinishReason)
    reason = fields.one_of("finish_reason", reasons)
    completion = Completion(
        text=fields.text("text"),
        answer=fields.text_or_none("answer"),
        logp=fields.number_or_none("logp"),
        weight=fields.number("weight"),
        n_tokens=fields.integer("n_tokens"),
        finish_reason=reasons[reasons.index(reason)],
        count=fields.integer("count"),
        score=fields.number_or_none("score"),
        source=_source(fields),
        is_refused=_is_refused(fields),
    )
    return History(completion=completion, tokens=np.array(fields.integers("tokens"), dtype=np.int32))


def _source(fields: JsonReader) -> AnswerSource | None:
    if fields.values.get("source") is None:
        return None
    sources: tuple[AnswerSource, ...] = get_args(AnswerSource)
    return sources[sources.index(fields.one_of("source", sources))]


def _is_refused(fields: JsonReader) -> bool:
    """False in runs from versions that did not record it."""
    return bool(fields.flag_or_none("is_refused"))


def _kind(fields: JsonReader) -> AnswerKind:
    kinds: tuple[AnswerKind, ...] = get_args(AnswerKind)
    if "answer_kind" not in fields.values:
        return "any"
    return kinds[kinds.index(fields.one_of("answer_kind", kinds))]


def _spent(usage: JsonReader) -> Cost:
    seconds, draft = usage.inner("seconds"), usage.inner_or_none("draft")
    concluded = usage.inner_or_none("concluded")
    return Cost(
        rows=usage.integer("rows"),
        decodes=usage.integer("decode_calls"),
        tokens=usage.integer("completion_tokens"),
        steps=usage.integer("steps"),
        # The model is loaded once for many problems.
        seconds=seconds.number("total") - seconds.number("load"),
        concluding=0 if concluded is None else concluded.integer("prompt_tokens") + concluded.integer("rows"),
        flops=usage.number_or_none("flops"),
        draft=None if draft is None else _draft(draft),
        **{name: usage.integer(name) for name in COUNTS},
    )


def _draft(usage: JsonReader) -> DraftUsage:
    counts = {name: usage.integer(name) for name in DRAFT_COUNTS}
    return DraftUsage(seconds=usage.number("seconds"), **counts)
