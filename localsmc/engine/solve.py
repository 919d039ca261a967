"""One problem, one model, one method: from a problem to a `Result`.

`start` returns a `Generation`, an iterator of steps that can be asked for its result at any time.
`solve` runs it to the end.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import cached_property

import numpy as np

from localsmc.engine import conclusion, context_size, instruction, output_format, prompting, usage
from localsmc.engine.beginnings import Beginnings, beginnings
from localsmc.engine.completion_reader import CompletionReader
from localsmc.engine.conclusion import Conclusions, UnansweredText
from localsmc.engine.load import Model
from localsmc.engine.prompting import ModelPrompts, Prompt
from localsmc.engine.reply_form import ReplyForm
from localsmc.engine.settings import AS_MANY_AS_FIT, Settings
from localsmc.llama import LlamaContext, LlamaGrammar
from localsmc.lm.interface import LanguageModel, TokenIds
from localsmc.lm.shared_beginning import SharedBeginning
from localsmc.methods import DraftModel, Method, Request, SamplingRun, WeightedText
from localsmc.methods.base import COMPLETIONS, TOKENS, checked_for, draft_kind, refuse_grammar
from localsmc.numerics.categorical import RandomSampler
from localsmc.results import AnswerKind, Completion, HistoryInfo, MethodInfo, Result, StepInfo, Usage
from localsmc.selection import BY_VOTE, answer_shares, choose, confidence
from localsmc.text import answers, refusal
from localsmc.text.reasoning import TextPart
from localsmc.version import __version__


class _Interrupted(Exception):
    """The budget ran out while the prompt was decoded, or the caller stopped the run there."""


class Generation:
    """A problem being solved: iterate its steps, ask for its result at any time, close it.

    `was_cut` and `was_stopped` say whether the budget ran out, or the caller stopped it, before all was done.
    """

    def __init__(
        self,
        model: Model,
        problem: str,
        method: Method | None,
        settings: Settings,
        *,
        answer_kind: AnswerKind = "any",
        is_stopped: Callable[[], bool] = lambda: False,
        prompt: Prompt | None = None,
        context: LanguageModel | None = None,
        draft_context: LanguageModel | None = None,
    ) -> None:
        self.method = checked_for(model.method() if method is None else method, settings.select)
        settings = conclusion.resolved(settings, self.method, problem)
        self.draft = model.require_draft() if draft_kind(self.method) else None
        context_size.require_sequences(model, self.method)
        self._began = time.perf_counter()
        self.model, self.settings, self._is_stopped = model, settings, is_stopped
        self.problem = problem
        if draft_kind(self.method) == TOKENS:
            model.require_shared_tokens()
        self.seed = secrets.randbits(32) if settings.seed is None else settings.seed
        self.notices: list[str] = []
        self._grammar = self._restriction()
        prompt = prompt or prompting.build_prompt(model, problem, settings)
        self.prompt_text, self.prompt, self.instruction = prompt
        self.n_tokens = context_size.max_new_tokens(
            model, self.method, len(self.prompt), settings, context=context
        )
        asked, least = settings.n_predict or model.source.defaults.n_predict, self.method.kv_demand.least
        if self.n_tokens < asked:
            texts = "the prompt and the completion" if least == 1 else f"the prompt and {least} completions"
            self.notices.append(
                f"--predict {asked} is lowered to {self.n_tokens}: {texts} must fit in"
                f" {len(self.prompt) + least * self.n_tokens} tokens"
            )
        self.was_cut = self.was_stopped = self._is_concluded = False
        self._endings: tuple[int, list[WeightedText]] | None = None
        stops = prompting.stop_strings(model, settings)
        self._form = self._form_of(model, self.prompt, stops)
        self.closing = self._form.closing
        """The tag that ends the thought that the prompt opened; empty if it opened none, or with a token."""
        self.stop = self._form.stop_rule(stops, at_box=settings.stop_at_box)
        self.reader = CompletionReader(model, settings, self.stop, self._form, answer_kind)
        self._closes = contextlib.ExitStack()
        self.context = self._apart(self._open()) if context is None else context
        self.draft_context = draft_context
        if self.draft is not None and self.draft.llama.n_params >= model.llama.n_params:
            self.notices.append(
                f"the draft model has {self.draft.llama.n_params / 1e6:,.1f} M parameters, the model"
                f" {model.llama.n_params / 1e6:,.1f} M: a draft model this large saves no time"
            )
        try:
            if self.draft is not None and draft_context is None:
                self.draft_context = self._apart(self._open_draft(self.draft), is_draft=True)
            self.run = self._start()
        except BaseException:
            self.close()
            raise

    def _open(self) -> LlamaContext:
        n_cells = context_size.n_ctx(self.model, self.method, len(self.prompt), self.n_tokens, self.settings)
        context = context_size.open_run_context(
            self.model, self.method.kv_demand.sequences, n_cells, self.settings
        )
        self._closes.callback(context.close)
        return context

    def _apart(self, context: LlamaContext, *, is_draft: bool = False) -> LanguageModel:
        """A context that decodes the beginning of its prompts as in an evaluation, which shares it."""
        tokens = self._beginnings.of_draft if is_draft else self._beginnings.of_model
        return context if tokens is None else SharedBeginning(context, tokens)

    @cached_property
    def _beginnings(self) -> Beginnings:
        return beginnings(self.model, self.method, self.settings)

    def _form_of(self, model: Model, prompt: TokenIds, stops: Sequence[str]) -> ReplyForm:
        settings = self.settings
        grammar = (settings.grammar or "") if settings.is_restricted else None
        return ReplyForm.of(model.llama, prompt, stops, grammar)

    def _restriction(self) -> LlamaGrammar | None:
        """The grammar that constrains the output."""
        text = output_format.to_gbnf(self.settings)
        if text is None:
            return None
        refuse_grammar(self.method)
        if keywords := output_format.unsupported_keywords(self.settings):
            self.notices.append(f"these keywords of the JSON schema are not enforced: {', '.join(keywords)}")
        return LlamaGrammar(self.model.llama, text)

    def _open_draft(self, draft: Model) -> LlamaContext:
        """A context for the draft model, as large as the model's."""
        context = context_size.open_run_context(
            draft, self.method.kv_demand.sequences, self.context.n_cells, self.settings, is_draft=True
        )
        self._closes.callback(context.close)
        return context

    # --- the run ---

    def _start(self) -> SamplingRun | None:
        streams = np.random.SeedSequence(self.seed).spawn(2)
        self._select_stream = streams[1]
        request = Request(
            model=self.context,
            prompt=self.prompt,
            n_tokens=self.n_tokens,
            stop=self.stop,
            draw=RandomSampler(np.random.default_rng(streams[0])),
            check=self._check,
            answer=self._candidate,
            n_concluding=conclusion.n_reserved(self.model, self.settings),
            draft=self._draft_model(),
            prompts=ModelPrompts(self.model, self.problem, self.settings),
            grammar=self._grammar,
        )
        try:
            return self.method.start(request)
        except _Interrupted:
            self.was_cut = self._has_timed_out()
            return None

    def _draft_model(self) -> DraftModel | None:
        """The draft model as the method sees it."""
        draft, context = self.draft, self.draft_context
        if draft is None or context is None:
            return None
        own_words = draft_kind(self.method) == COMPLETIONS
        prompt = prompting.build_prompt(draft, self.problem, self.settings).tokens if own_words else None
        stops = self.stop.strings
        return DraftModel(
            model=context,
            prompt=self.prompt if prompt is None else prompt,
            stop=None
            if prompt is None
            else self._form_of(draft, prompt, stops).stop_rule(stops, at_box=self.stop.at_box),
            cost=draft.llama.n_params / self.model.llama.n_params,
            prompts=ModelPrompts(draft, self.problem, self.settings),
            shares_tokens=self.model.shares_tokens(),
        )

    def _check(self) -> None:
        if self._has_timed_out() or self._is_stopped():
            raise _Interrupted

    def _has_timed_out(self) -> bool:
        return self.settings.budget is not None and self.elapsed >= self.settings.budget

    @property
    def elapsed(self) -> float:
        """Seconds since the start, model loading excluded."""
        return time.perf_counter() - self._began

    def __iter__(self) -> Iterator[StepInfo]:
        return self

    def __next__(self) -> StepInfo:
        if self.run is None:
            raise StopIteration
        if self.run.is_done:
            self._conclude()
            raise StopIteration
        if self._has_timed_out():
            self.was_cut = True
            raise StopIteration
        return next(self.run)

    def _conclude(self) -> None:
        """Ask for the answers of completions that state none, once, when the run is over."""
        if self.run is None or self.settings.conclude != "on" or self._is_concluded:
            return
        self._is_concluded = True
        unanswered = [
            UnansweredText(ending.tokens, self.reader.request(ending.tokens))
            for ending in self.endings()
            if ending.finish_reason != "cancelled" and self._candidate(ending.tokens) is None
        ]
        began, decoding_before = time.perf_counter(), self.run.decode_seconds
        try:
            self.reader.conclusions = conclusion.conclude(
                self.run.sequences, self.prompt, unanswered, self._check
            )
        except _Interrupted:
            self.was_cut = self._has_timed_out()
            self.was_stopped = not self.was_cut
            self.reader.conclusions = Conclusions(
                seconds=time.perf_counter() - began,
                decode_seconds=self.run.decode_seconds - decoding_before,
            )

    @property
    def expects_answer(self) -> bool:
        """Whether the prompt or the model's training asks for an answer, or a vote needs one."""
        votes = self._select in BY_VOTE
        return votes or instruction.expects_answer(self.model, self.instruction, self.settings)

    @property
    def is_sampled(self) -> bool:
        """Whether sampling is over, so that only answers are left to be asked for."""
        return self.run is not None and self.run.is_done

    @property
    def fills_context(self) -> bool:
        """Whether the token limit is what the context holds, so that a higher one allows no more."""
        asked = self.settings.n_predict or self.model.source.defaults.n_predict
        return asked == AS_MANY_AS_FIT or self.n_tokens < asked

    def close(self) -> None:
        """Free the contexts that were opened here."""
        self._closes.close()

    def __enter__(self) -> Generation:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- the result ---

    def population(self) -> list[HistoryInfo]:
        """The current histories, for a trace; reading them changes nothing."""
        return [] if self.run is None else self.run.population()

    def completions(self) -> list[Completion]:
        """Every distinct completion so far, the heaviest first."""
        return [self._completion(ending) for ending in self.endings()]

    def parts(self, completion: str) -> list[TextPart]:
        """The parts of thought and reply in the text of a completion; read from its tokens, since text can
        look like the marks of a thought. Empty if no completion has that text.
        """  # noqa: D205
        tokens = (one.tokens for one in self.endings())
        found = next((one for one in tokens if self.reader.read(one).text == completion), None)
        return [] if found is None else self.reader.parts(found)

    def endings(self) -> list[WeightedText]:
        """The same as tokens; worked out once per step."""
        if self.run is None:
            return []
        if self._endings is None or self._endings[0] != self.run.steps:
            self._endings = self.run.steps, self.run.endings()
        return self._endings[1]

    def _candidate(self, tokens: TokenIds) -> str | None:
        """The key of a completion's answer, or of a refusal; one that is to be concluded has none yet."""
        is_to_come = self.settings.conclude == "on"
        found = self.reader.read_stated(tokens) if is_to_come else self.reader.read(tokens)
        if found.is_refused:
            return refusal.KEY
        return None if found.answer is None else answers.key(found.answer.text, self.reader.kind)

    def _completion(self, ending: WeightedText) -> Completion:
        text, answer, is_refused = self.reader.read(ending.tokens)
        return Completion(
            text=text,
            answer=None if answer is None else answer.text,
            logp=ending.logp,
            weight=ending.weight,
            n_tokens=len(ending.tokens),
            finish_reason=ending.finish_reason,
            count=ending.count,
            score=ending.score,
            source=None if answer is None else answer.source,
            is_refused=is_refused,
        )

    def result(self) -> Result:
        """The result so far; in a run that was cut short, finished completions are preferred."""
        completions = self.completions()
        # A fresh generator of the same stream: asking twice, or early, changes nothing.
        kind, rng = self.reader.kind, np.random.default_rng(self._select_stream)
        chosen = choose(self._select, completions, rng, kind)
        answer, shares = None if chosen is None else chosen.answer, answer_shares(completions, kind)
        return Result(
            answer=answer,
            text="" if chosen is None else chosen.text,
            method=MethodInfo(
                name=self.method.name,
                config={**asdict(self.method), "n_predict": self.n_tokens, **self._choices()},  # type: ignore[call-overload]
            ),
            model=self.model.info(self.context.n_cells),
            draft=None if self.draft is None else self.draft.info(self.context.n_cells),
            seed=self.seed,
            version=__version__,
            answers=shares,
            completions=tuple(completions),
            log_z=None if self.run is None else self.run.log_z,
            ess=0.0 if self.run is None else self.run.ess_of(self.endings()),
            confidence=confidence(answer, shares, self.method.weight_exponent, kind),
            usage=self._usage(completions),
            source=None if chosen is None else chosen.source,
            answer_kind=kind,
            is_refused=chosen is not None and chosen.is_refused,
        )

    @property
    def _select(self) -> str:
        return self.settings.select or self.method.select

    def _choices(self) -> dict[str, object]:
        settings = self.settings
        return {
            "select": self._select,
            "system": settings.system,
            "box": settings.box,
            "instruction": self.instruction,
            "chat_template": self.model.llama.options.chat_template,
            "raw": settings.raw,
            "special": settings.special,
            "thinking": settings.thinking,
            "stop": list(self.stop.strings),
            "examples": None if settings.examples is None else settings.examples.to_json(),
            "stop_at_box": settings.stop_at_box,
            "conclude": settings.conclude == "on",
            "budget": settings.budget,
            "grammar": settings.grammar,
            "json_schema": settings.json_schema,
        }

    def _usage(self, completions: Sequence[Completion]) -> Usage:
        models = [self.model, *([] if self.draft is None else [self.draft])]
        return usage.usage_of(
            self.run, models, completions, len(self.prompt), self.elapsed, self.reader.conclusions
        )


def start(
    model: Model,
    problem: str,
    *,
    method: Method | None = None,
    settings: Settings | None = None,
    is_stopped: Callable[[], bool] = lambda: False,
) -> Generation:
    """Start solving a problem: the prompt is decoded, no token is sampled yet.

    `is_stopped` can end it while the prompt is decoded or completions are concluded. Raises ConfigError,
    PromptTooLong, ContextError or a SequenceError of llama.cpp's context.
    """
    settings = Settings() if settings is None else settings
    return Generation(model, problem, method, settings, is_stopped=is_stopped)


def solve(
    model: Model, problem: str, *, method: Method | None = None, settings: Settings | None = None
) -> Result:
    """Solve a problem, to the end or until the budget runs out; errors as for `start`."""
    with start(model, problem, method=method, settings=settings) as solving:
        for _ in solving:
            pass
        return solving.result()
