"""Tracks: completions of separate prompts, written step by step by a draft and rated by the target.

All tracks are at the same step. A round is a step of each from the draft, one batch in which the target rates
them, and the steps that the target writes instead of rejected ones. Completions contain kept steps only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from localsmc.lm.kv_slots import KVSlots
from localsmc.methods.finish_state import LIVE, OUT_OF_LENGTH, STOPPED
from localsmc.methods.request import DraftModel, PromptBuilder, Request, WeightedText
from localsmc.methods.run import REASONS, SamplingRun, StepOutcome, merged
from localsmc.methods.ssr.multiple_choice import MultipleChoice
from localsmc.methods.ssr.shared_prefix import SharedPrefixPrompts
from localsmc.methods.ssr.step_writer import DecodingState, StepSampling, StepWriter, WrittenStep
from localsmc.methods.ssr.strategy_choice import require_prompts
from localsmc.methods.token_tree import ROOT, TokenTree
from localsmc.numerics.log_math import Doubles, Floats, Ints
from localsmc.results import HistoryInfo
from localsmc.text.stop_rule import StopState

MAX_EMPTY_STEPS = 2
"""A step that repeats the one before it ends a track that has more steps than this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackRules:
    """Which steps are kept, and when the run stops; see the parameters of `SSR`."""

    threshold: float
    sure: float
    is_greedy: bool
    rewrite_score: float
    step_tokens: int
    fast: int
    n_tokens: int

    @property
    def drafts(self) -> bool:
        """Whether a step of the draft can be kept."""
        return self.threshold <= 9

    @property
    def rates(self) -> bool:
        """Whether ratings have an effect."""
        return 0 < self.threshold <= 9

    def judge(self, shares: Doubles) -> tuple[bool, float]:
        """Whether a step is kept, and its score, from the probabilities (10,) of its rating."""
        digits = np.arange(10)
        if self.is_greedy:
            digit = int(shares.argmax())
            return digit >= self.threshold, float(digit)
        return bool(shares[digits >= self.threshold].sum() >= self.sure), float(shares @ digits)


@dataclass(slots=True, eq=False, kw_only=True)
class Track:
    """One completion, and its state in both models; `tokens` are the target's."""

    target: DecodingState
    stop: StopState
    draft: DecodingState | None = None
    n_prompt: int = 0
    """The number of tokens of the draft's `DecodingState` that belong to its prompt."""
    tokens: list[int] = field(default_factory=list)
    nodes: list[int] = field(default_factory=list)
    """The nodes of its tokens in the token tree."""
    n_traced: int = 0
    n_steps: int = 0
    last_step: list[int] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    finish: int = LIVE
    answer: str | None = None

    @property
    def score(self) -> float | None:
        """The mean score of its scored steps; None if there are none."""
        return float(np.mean(self.scores)) if self.scores else None


class ProposedStep(NamedTuple):
    """A step that the draft has written, the draft's state after it, and the step in the target's tokens.

    For a rating, the target decodes the first `n_words` tokens, up to the last word, without trailing blanks.
    """

    track: Track
    state: DecodingState
    step: WrittenStep
    tokens: list[int]
    n_words: int


class StepRating(NamedTuple):
    """The probabilities (10,) of a step's rating; the logits (V,) before the step and after its last word."""

    shares: Doubles
    before: Floats | None
    after: Floats | None


class TracksRun(SamplingRun):
    """A run with a track for each prompt; `prompts` are the target's and the draft's."""

    def __init__(
        self,
        request: Request,
        draft: DraftModel,
        prompts: tuple[SharedPrefixPrompts, SharedPrefixPrompts],
        *,
        manner: StepSampling,
        rule: TrackRules,
        rating: MultipleChoice | None,
        n_before: int,
        began: float,
    ) -> None:
        self._rule, self._draft, self._rating, self._manner = rule, draft, rating, manner
        target_prompts, draft_prompts = prompts
        n_each = rule.n_tokens + (0 if rating is None else len(rating.tokens))
        target_prompts.require_fit(request.model, "target", n_each, 1)
        if rule.drafts:
            draft_prompts.require_fit(draft.model, "draft", rule.n_tokens, 2)
        super().__init__(
            replace(request, prompt=target_prompts.prefix, n_tokens=target_prompts.longest + n_each)
        )
        # Choosing the strategies counts as part of the prompts.
        self.sequences.prompt_rows += n_before
        self._began = began
        self._judge = StepWriter(self.sequences, request.stop, manner, request.model.n_vocab)
        self.genealogy = TokenTree()
        roots = self._judge.states(self._root, self._root_logits, target_prompts.suffixes)
        self.tracks = [Track(target=root, stop=request.stop.start()) for root in roots]
        if rule.drafts:
            self._start_drafts(draft_prompts)
        self._is_over = False
        self._batches = self._rounds()
        next(self._batches)
        self._finish_prefill()

    def _start_drafts(self, prompts: SharedPrefixPrompts) -> None:
        """Decode the draft's prompts, and set the draft's states."""
        draft, request = self._draft, self._request
        self.drafts = KVSlots(draft.model, prompts.longest + self._rule.n_tokens)
        n_known = request.model.n_vocab if draft.shares_tokens else draft.model.n_vocab
        stop = draft.stop or replace(request.stop, pieces=draft.model.pieces)
        self._writer = StepWriter(self.drafts, stop, self._manner, n_known)
        states = self._writer.states(*self.drafts.prefill(prompts.prefix, request.check), prompts.suffixes)
        for track, state in zip(self.tracks, states, strict=True):
            track.draft, track.n_prompt = state, len(state.tokens)

    # --- a round ---

    @property
    def live(self) -> list[Track]:
        """The tracks that have not ended; none if the result is decided."""
        return [] if self.is_decided else [track for track in self.tracks if track.finish == LIVE]

    def _rounds(self) -> Iterator[None]:
        """Run all rounds; yields before each batch."""
        yield
        while live := self.live:
            refused = live
            if self._rule.drafts:
                proposed = yield from self._drafted(live)
                refused = yield from self._judged(proposed)
            if refused:
                yield from self._rewritten(refused)
            self._conclude(live)

    def _drafted(self, tracks: Sequence[Track]) -> Generator[None, None, list[ProposedStep]]:
        """Write a step of each track with the draft."""
        states = [track.draft for track in tracks if track.draft is not None]
        yield from self._writer.read(states)
        # The draft writes in a fork, since a recurrent model cannot forget a rejected step.
        forks = [self._writer.fork(state) for state in states]
        steps = [self._begun(track) for track in tracks]
        yield from self._writer.write(forks, steps)
        self.n_drafted += sum(len(step.tokens) for step in steps)
        return [self._proposed(*parts) for parts in zip(tracks, forks, steps, strict=True)]

    def _begun(self, track: Track) -> WrittenStep:
        """An empty step, with the token limit that both models have room for."""
        n_drafted = 0 if track.draft is None else len(track.draft.tokens) - track.n_prompt
        left = self._rule.n_tokens - max(len(track.tokens), n_drafted)
        return WrittenStep(min(self._rule.step_tokens, left), track.stop)

    def _proposed(self, track: Track, state: DecodingState, step: WrittenStep) -> ProposedStep:
        tokens = step.tokens
        if not self._draft.shares_tokens:
            tokens = _translated(tokens, self._draft.prompts, self._request.prompts)
            left = self._rule.n_tokens - len(track.tokens)
            if len(tokens) > left:  # too long in the target's tokens, so it is cut and does not end
                tokens, step.is_last = tokens[:left], False
        return ProposedStep(track, state, step, tokens, self._judge.words(tokens))

    def _judged(self, proposed: Sequence[ProposedStep]) -> Generator[None, None, list[Track]]:
        """Keep or drop each of the steps; returns the tracks whose step is rejected."""
        if self._rating is None:
            for one in proposed:
                self._accept(one)
            return []
        yield
        refused = []
        for one, rated in zip(proposed, self._rated(proposed, self._rating), strict=True):
            is_kept, score = self._rule.judge(rated.shares)
            n_back = len(self._rating.tokens) + (0 if is_kept else one.n_words)
            self.n_rated += len(self._rating.tokens) + one.n_words
            self.n_wasted += n_back
            target = one.track.target
            self.sequences.truncate(target.slot, self._judge.n_held(target) - n_back)
            # If no token is pending, the next one is drawn from these logits.
            target.logits = rated.after if is_kept else rated.before
            if is_kept:
                one.track.scores.append(score)
                self._accept(one)
            else:
                self._writer.sequences.release(one.state.slot)
                refused.append(one.track)
        return refused

    def _rated(self, proposed: Sequence[ProposedStep], rating: MultipleChoice) -> list[StepRating]:
        """The rating of each step, all decoded in one batch."""
        blocks: list[Ints] = []
        places: list[list[int | None]] = []
        start = 0
        for one in proposed:
            before = self._judge.pending(one.track.target)
            tokens = [*before, *one.tokens[: one.n_words], *rating.tokens.tolist()]
            blocks.append(np.array(tokens, dtype=np.int64))
            ends = len(before), len(before) + one.n_words, len(tokens)
            # If no token is decoded before a place, the logits there are known already.
            places.append([start + end - 1 if end else None for end in ends])
            start += len(tokens)
        rows = np.unique([row for ends in places for row in ends if row is not None])
        slots = np.array([one.track.target.slot for one in proposed])
        logits = self.sequences.decode_blocks(slots, blocks, rows=rows)
        found = []
        for one, found_at in zip(proposed, places, strict=True):
            known = one.track.target.logits
            ahead, after, last = (
                known if row is None else logits[np.searchsorted(rows, row)].copy() for row in found_at
            )
            assert last is not None  # noqa: S101 - a rating request has tokens
            found.append(StepRating(rating.shares(last), ahead, after))
        return found

    def _accept(self, one: ProposedStep) -> None:
        """Add the draft's step to the track."""
        track = one.track
        if track.draft is not None:
            self._writer.sequences.release(track.draft.slot)
        track.draft = one.state
        track.target.tokens += one.tokens
        self.n_kept += len(one.step.tokens)
        self._keep(track, one.tokens, one.step)

    def _rewritten(self, tracks: Sequence[Track]) -> Iterator[None]:
        """Write a step of each track with the target; the draft decodes it later."""
        steps = [self._begun(track) for track in tracks]
        yield from self._judge.write([track.target for track in tracks], steps)
        for track, step in zip(tracks, steps, strict=True):
            self.n_rewritten += len(step.tokens)
            if self._rule.rewrite_score >= 0:
                track.scores.append(self._rule.rewrite_score)
            if track.draft is not None:
                track.draft.tokens += self._draft_tokens(step.tokens)
            self._keep(track, step.tokens, step)

    def _draft_tokens(self, tokens: list[int]) -> list[int]:
        """Tokens of the target as tokens of the draft."""
        if self._draft.shares_tokens:
            # The draft reads tokens that its vocabulary lacks as its last token.
            last_id = self._draft.model.n_vocab - 1
            return [min(token, last_id) for token in tokens]
        return _translated(tokens, self._request.prompts, self._draft.prompts)

    def _keep(self, track: Track, tokens: list[int], step: WrittenStep) -> None:
        for token in tokens:
            parent = track.nodes[-1] if track.nodes else ROOT
            track.nodes += self.genealogy.append(np.array([parent]), np.array([token])).tolist()
        track.tokens += tokens
        track.stop = step.stop
        track.n_steps += 1
        repeats = track.n_steps > MAX_EMPTY_STEPS and tokens == track.last_step
        track.last_step = tokens
        if step.is_last:
            track.finish = STOPPED
        elif repeats or self._begun(track).limit < 1:
            track.finish = OUT_OF_LENGTH

    def _conclude(self, tracks: Sequence[Track]) -> None:
        """After a round: free the slots of tracks that have ended, or of all if the result is decided."""
        for track in tracks:
            if track.finish == STOPPED and self._rule.fast:
                track.answer = self._request.answer(np.array(track.tokens, dtype=np.int32))
        votes = Counter(track.answer for track in self.tracks if track.answer is not None)
        is_decided = self._rule.fast and max(votes.values(), default=0) >= self._rule.fast
        for track in tracks:
            if track.finish != LIVE or is_decided:
                self.sequences.release(track.target.slot)
                if track.draft is not None:
                    self._writer.sequences.release(track.draft.slot)
        self.is_decided = bool(is_decided and self.live)

    # --- see `SamplingRun` ---

    def _step(self) -> StepOutcome:
        for track in self.tracks:
            track.n_traced = len(track.nodes)
        self._is_over = next(self._batches, True) is not None
        return StepOutcome(self._manner.alpha, self.ess)

    def _progress(self) -> tuple[int, int, float | None]:
        return len(self.tracks), sum(track.finish != LIVE for track in self.tracks), None

    @property
    def is_done(self) -> bool:
        """Whether every track has ended, or the result is decided."""
        return self._is_over

    @property
    def ess(self) -> float:
        """The number of tracks."""
        return float(len(self.tracks))

    def endings(self) -> list[WeightedText]:
        """See `SamplingRun.endings`; equal completions are merged into a finished one with the best score."""
        best_first = sorted(self.tracks, key=lambda one: (one.finish == LIVE, -(one.score or 0.0)))
        return merged(
            WeightedText(
                tokens=np.array(track.tokens, dtype=np.int32),
                count=1,
                weight=1 / len(self.tracks),
                logp=None,
                finish_reason=REASONS[track.finish],
                score=track.score,
            )
            for track in best_first
        )

    def population(self) -> list[HistoryInfo]:
        """All tokens kept in the last step, and the last token of each track."""
        return [
            history
            for track in self.tracks
            for history in self._trace_rows(
                track.nodes, track.tokens, track.n_traced, weight=1 / len(self.tracks), logp=None,
                finish=track.finish,
            )
        ]  # fmt: skip


def _translated(tokens: list[int], source: PromptBuilder | None, target: PromptBuilder | None) -> list[int]:
    """Tokens of a reply in another vocabulary; an incomplete character at the end is dropped."""
    text = require_prompts(source).text(np.array(tokens, dtype=np.int32))
    return [int(token) for token in require_prompts(target).tokens(text.rstrip("\ufffd"))]
