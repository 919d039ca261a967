"""Run every problem with every model, method and seed, and record the results.

Every run starts from the same memory layout (one context per model and task, cleared) and from a seed
derived from its key, and templates get the date on which the evaluation began. So, without a time budget,
its result does not depend on what ran before: an evaluation that is killed and resumed ends with the same
lines as an undisturbed one, timings aside.
"""

from __future__ import annotations

import contextlib
import hashlib
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from typing import Any

from localsmc.engine import context_size, prompting
from localsmc.engine.beginnings import NOTHING, Beginnings, beginnings
from localsmc.engine.load import Model, load
from localsmc.engine.settings import Settings
from localsmc.engine.solve import Generation
from localsmc.errors import LocalSMCError, PromptTooLong, TaskError
from localsmc.evals.grading import GRADERS, GRADING_LIMIT, Grade, Grader
from localsmc.evals.model_specs import ModelSpec
from localsmc.evals.problem_settings import messages_json, refuse_lost_messages, settings_of, task_settings
from localsmc.evals.run_folder import Key, RunFolder, key_of
from localsmc.evals.tasks import Gold, Item, Task
from localsmc.gguf import reader
from localsmc.llama import LoadOptions, build_info, default_threads, devices
from localsmc.lm.shared_beginning import HeldBeginning
from localsmc.methods.base import TOKENS, draft_kind
from localsmc.methods.spec import MethodSpec, uses_draft
from localsmc.results import Completion, Result, StepInfo
from localsmc.store import model_source
from localsmc.text.examples import Examples
from localsmc.text.templates import today
from localsmc.version import __version__

Line = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to run: all combinations. `settings.seed` and `settings.select` are not used."""

    tasks: tuple[Task, ...]
    models: tuple[ModelSpec, ...]
    methods: tuple[MethodSpec, ...]
    seeds: tuple[int, ...]
    settings: Settings = Settings()
    load: LoadOptions = LoadOptions()
    draft: str | None = None
    """The draft model's file, for all models; used only if a method needs a draft model."""
    draft_load: LoadOptions = LoadOptions()
    run_code: bool = False
    """Whether the user allows running the code in completions, for tasks that test it."""

    def __post_init__(self) -> None:
        for task in self.tasks:
            task.refuse_shown(self.settings.examples)
            refuse_lost_messages(task, self.settings)

    def __len__(self) -> int:
        items = sum(len(task.items) for task in self.tasks)
        return items * len(self.models) * len(self.methods) * len(self.seeds)

    def keys(self) -> Iterator[Key]:
        """The key of every run."""
        for model in self.models:
            for task in self.tasks:
                yield from (key for key, _, _ in self.runs(model, task))

    def runs(self, spec: ModelSpec, task: Task) -> Iterator[tuple[Key, Item, MethodSpec]]:
        """The runs of a model on a task."""
        # Methods take turns within a problem, so that other load on the machine affects them equally.
        for item in task.items:
            for seed in self.seeds:
                for method in self.methods:
                    yield Key(task.name, item.problem_id, spec.name, method.label, seed), item, method

    def _draft_json(self) -> list[dict[str, Any]]:
        """The draft model if a method needs one: the given file, or the embedded draft."""
        if not uses_draft(self.methods):
            return []
        file = (
            model_source.resolve(self.draft)
            if self.draft
            else model_source.embedded(model_source.EMBEDDED_DRAFT)
        )
        header = reader.read_header(file.path)
        return [ModelSpec(name=file.name, file=self.draft, source=file, header=header).to_json()]

    def manifest(self) -> dict[str, Any]:
        """The content of manifest.json; hashes model files whose hash is not known."""
        settings = asdict(self.settings) | {"load": asdict(self.load), "draft_load": asdict(self.draft_load)}
        del settings["seed"], settings["select"]
        del settings["load"]["check_memory"], settings["draft_load"]["check_memory"]
        settings["examples"] = _examples_json(self.settings.examples)
        return {
            "tasks": [
                {
                    "name": task.name,
                    "version": task.version,
                    "source": task.source,
                    "grader": f"{task.grader} v{GRADERS[task.grader].version}",
                    "n_problems": len(task.items),
                    "digest": task.digest,
                    "examples": _examples_json(task.examples),
                }
                for task in self.tasks
            ],
            "models": [model.to_json() for model in self.models],
            "draft": self._draft_json(),
            "methods": [method.to_json() for method in self.methods],
            "seeds": list(self.seeds),
            "settings": settings,
            "version": __version__,
            "machine": {
                "system": f"{platform.system()} {platform.machine()}",
                "llama.cpp": build_info(),
                "devices": [device.description for device in devices()],
                "threads": [
                    self.settings.n_threads or default_threads(model.header.n_params) for model in self.models
                ],
            },
        }


def _examples_json(examples: Examples | None) -> dict[str, Any] | None:
    return None if examples is None else examples.to_json()


class _Cancelled(Exception):
    """Stopped in the middle of a problem."""


class Evaluation:
    """Executes a plan in a folder; iterate to run the missing lines."""

    def __init__(
        self,
        plan: Plan,
        folder: RunFolder,
        *,
        should_stop: Callable[[], bool] = lambda: False,
        on_load: Callable[[Model], None] = lambda _: None,
    ) -> None:
        self.plan, self._folder, self._should_stop, self._on_load = plan, folder, should_stop, on_load
        self._done = {key_of(line) for line in folder.lines} & set(plan.keys())
        self.n_shared_decoded = 0
        """Tokens decoded for what prompts begin with; the usage of each run counts them as cached."""

    @property
    def n_left(self) -> int:
        """The number of missing lines."""
        return len(self.plan) - len(self._done)

    def __iter__(self) -> Iterator[Line]:
        """Run what is missing; each line is written to the folder before it is yielded."""
        # Some templates write today's date: a run that goes on tomorrow must have the same prompts.
        with today.fixed(self._folder.started), contextlib.suppress(_Cancelled):
            for spec in self.plan.models:
                yield from self._with_model(spec)

    def _with_model(self, spec: ModelSpec) -> Iterator[Line]:
        missing = [task for task in self.plan.tasks if any(self._missing(spec, task))]
        if not missing:
            return
        plan = self.plan
        draft = plan.draft if uses_draft(plan.methods) else None
        with load(
            spec.source,
            plan.load,
            draft=draft,
            draft_options=plan.draft_load,
            methods=[method.method for method in plan.methods],
            settings=plan.settings,
        ) as model:
            self._on_load(model)
            for task in missing:
                with _TaskSession(self.plan, model, task, self._cells_before(spec, task)) as session:
                    for key, item, method in self._missing(spec, task):
                        if self._should_stop():
                            raise _Cancelled
                        line = self._line(session, key, item, method)
                        self._folder.append(line)
                        self._done.add(key)
                        self.n_shared_decoded += session.take_n_shared_decoded()
                        yield line

    def _missing(self, spec: ModelSpec, task: Task) -> Iterator[tuple[Key, Item, MethodSpec]]:
        for run in self.plan.runs(spec, task):
            if run[0] not in self._done:
                yield run

    def _cells_before(self, spec: ModelSpec, task: Task) -> int:
        """The context size in existing lines, or 0: free memory may have changed since."""
        for line in self._folder.lines:
            if (line["model"], line["task"]) == (spec.name, task.name) and line["cells"]:
                return int(line["cells"])
        return 0

    def _line(self, session: _TaskSession, key: Key, item: Item, method: MethodSpec) -> Line:
        head = {**key._asdict(), "family": item.family, "level": item.level}
        head |= {"messages": messages_json(item), "question": item.question, "gold": item.gold}
        try:
            return head | session.run(key, item, method, self._should_stop)
        except (_Cancelled, TaskError):  # no grader: the missing line is run again on resume
            raise
        except Exception as error:
            session.renew()
            message = str(error) if isinstance(error, LocalSMCError) else f"{type(error).__name__}: {error}"
            return head | {
                "answer": None, "correct": None, "verdict": "failed", "error": message,
                "verdicts": {}, "result": None, "steps": None, "cells": None,
            }  # fmt: skip


class _TaskSession:
    """A model and a task: the contexts that all its runs share, and the grader."""

    def __init__(self, plan: Plan, model: Model, task: Task, n_cells: int) -> None:
        self._plan, self._model, self._task = plan, model, task
        self._settings = task_settings(model, task, plan.settings)
        self._methods = {spec.label: model.method(spec.name, **spec.options) for spec in plan.methods}
        if any(draft_kind(method) == TOKENS for method in self._methods.values()):
            model.require_shared_tokens()
        for method in self._methods.values():
            context_size.require_sequences(model, method)
        self._n_sequences = max(method.kv_demand.sequences for method in self._methods.values())
        self._n_cells = n_cells or self._cells()
        self._closes = ExitStack()
        self._beginnings = {
            label: beginnings(model, method, self._settings) for label, method in self._methods.items()
        }
        self._require_room_for_examples()
        self._context, self._draft_context = self._open()
        self._closes.callback(self._close_contexts)
        self._grader = self._closes.enter_context(
            Grader(task.grader, limit=GRADING_LIMIT, run_code=plan.run_code)
        )
        self._grades: dict[tuple[str, Gold], Grade] = {}
        self._n_shared_decoded = 0

    def __enter__(self) -> _TaskSession:
        return self

    def __exit__(self, *_: object) -> None:
        self._closes.close()

    def _cells(self) -> int:
        """Context size that suffices for every problem that fits, with every method; other problems fail."""
        settings, found = self._settings, {256}
        for n_prompt in {self._length(item) for item in self._task.items}:
            with contextlib.suppress(PromptTooLong):
                for method in self._methods.values():
                    n_tokens = context_size.max_new_tokens(self._model, method, n_prompt, settings)
                    n_cells = context_size.n_ctx(
                        self._model, method, n_prompt, n_tokens, settings, n_sequences=self._n_sequences + 1
                    )
                    found.add(n_cells)
        return max(found)

    def _length(self, item: Item) -> int:
        try:
            settings = settings_of(self._settings, item)
            return len(prompting.build_prompt(self._model, item.question, settings).tokens)
        except (LocalSMCError, UnicodeError):
            return 1  # the problem's line reports the error

    def _require_room_for_examples(self) -> None:
        n_shown = max(len(shared.of_model) for shared in self._beginnings.values())
        trained = self._model.llama.n_ctx_train
        held = self._settings.n_ctx or trained
        if self._settings.examples is not None and n_shown >= min(trained, held):
            raise context_size.prompt_too_long(
                n_shown, " tokens before the problem", held, trained, self._settings
            )

    def _open(self) -> tuple[HeldBeginning, HeldBeginning | None]:
        """Open a context for the model, and one for the draft model if a method uses it."""
        if not uses_draft(self._plan.methods):
            return self._open_one(self._model), None
        return self._open_one(self._model), self._open_one(self._model.require_draft(), is_draft=True)

    def _open_one(self, model: Model, *, is_draft: bool = False) -> HeldBeginning:
        n_sequences = self._n_sequences + 1  # one more for the shared beginning
        return HeldBeginning(
            context_size.open_run_context(
                model, n_sequences, self._n_cells, self._settings, is_draft=is_draft
            )
        )

    def _close_contexts(self) -> None:
        self._context.close()
        if self._draft_context is not None:
            self._draft_context.close()

    def _hold(self, shared: Beginnings) -> None:
        """Decode what the prompts of a method begin with, unless it is still held from the last run."""
        for context, tokens in ((self._context, shared.of_model), (self._draft_context, shared.of_draft)):
            if context is not None and tokens is not None:
                # One that has no room has a prompt that has none: the run itself says so.
                self._n_shared_decoded += context.hold(tokens if len(tokens) < context.n_cells else NOTHING)

    def renew(self) -> None:
        """Replace the contexts by new ones of the same layout: after a failed decode they are unusable."""
        self._close_contexts()
        self._context, self._draft_context = self._open()

    def take_n_shared_decoded(self) -> int:
        """The tokens decoded for shared beginnings since the last call."""
        n, self._n_shared_decoded = self._n_shared_decoded, 0
        return n

    def run(self, key: Key, item: Item, spec: MethodSpec, should_stop: Callable[[], bool]) -> dict[str, Any]:
        """Run one problem with one method; the fields of its line."""
        settings = replace(settings_of(self._settings, item), seed=seed_of(key), select=spec.select)
        steps: list[StepInfo] = []
        self._hold(self._beginnings[spec.label])
        with Generation(
            self._model,
            item.question,
            self._methods[spec.label],
            settings,
            answer_kind=self._task.kind,
            context=self._context,
            draft_context=self._draft_context,
        ) as generation:
            for step in generation:
                if should_stop():
                    raise _Cancelled
                steps.append(step)
            result = generation.result()
            endings = generation.endings()
        record = result.to_json()
        for completion, ending in zip(record["completions"], endings, strict=True):
            completion["tokens"] = ending.tokens.tolist()
        found = {"result": record, "steps": _columns(steps), "cells": self._n_cells}
        return self._graded(result, item.gold) | found

    def _grade(self, answer: str, gold: Gold) -> Grade:
        # Methods often give the same answer, and grading one can take long.
        if (answer, gold) not in self._grades:
            self._grades[answer, gold] = self._grader.grade(answer, gold)
        return self._grades[answer, gold]

    def _graded(self, result: Result, gold: Gold | None) -> dict[str, Any]:
        # Grade every spelling: answers of the same share may differ for a grader.
        found = {completion.answer for completion in result.completions} | {result.answer}
        verdicts: dict[str, str] = {}
        error = None
        for answer in sorted(answer for answer in found if answer is not None):
            if gold is None:
                break
            grade = self._grade(answer, gold)
            verdicts[answer] = "grader-failed" if grade.verdict == "failed" else grade.verdict
            error = grade.reason if grade.verdict == "failed" and answer == result.answer else error
        verdict = _verdict(result, gold, verdicts)
        correct = None if verdict in ("ungraded", "grader-failed") else verdict == "right"
        return {
            "answer": result.answer, "source": result.source, "correct": correct, "verdict": verdict,
            "error": error, "verdicts": verdicts,
        }  # fmt: skip


def seed_of(key: Key) -> int:
    """The seed of a run, derived from its key without the model: models share the same random numbers."""
    text = f"{key.seed}/{key.task}/{key.problem_id}/{key.method}"
    return int.from_bytes(hashlib.sha256(text.encode(errors="backslashreplace")).digest()[:4], "big")


def _verdict(result: Result, gold: Gold | None, verdicts: dict[str, str]) -> str:
    if gold is None:
        return "ungraded"
    if result.answer is not None:
        return verdicts[result.answer]
    if not result.completions:
        return "truncated"  # the budget ended during the prompt
    if result.is_refused:
        return "no-answer"  # even if it was cut
    return "no-answer" if _chosen(result).finish_reason == "stop" else "truncated"


def _chosen(result: Result) -> Completion:
    return next(completion for completion in result.completions if completion.text == result.text)


def _columns(steps: Sequence[StepInfo]) -> dict[str, list[float]]:
    return {
        "ess": [round(step.ess, 3) for step in steps],
        "histories": [step.histories for step in steps],
        "rows": [step.rows for step in steps],
    }
