"""Grade completions or answers that exist. The lines are those of an evaluation; no model is loaded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from localsmc.errors import TaskError
from localsmc.evals.given_texts import GivenText, TextFields
from localsmc.evals.grading import GRADERS, GRADING_LIMIT, Grade, Grader
from localsmc.evals.run_folder import Key, RunFolder, key_of
from localsmc.evals.tasks.golds import require_readable
from localsmc.evals.tasks.task import Gold
from localsmc.results import AnswerShare, Completion, MethodInfo, ModelInfo, Result, Seconds, Usage
from localsmc.text import answers
from localsmc.text.answers import Answer
from localsmc.version import __version__

Line = dict[str, Any]

GIVEN = "given"
"""The name of the task and of the method in a run folder of texts that exist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GradingPlan:
    """What to grade: the texts of the file `source`, which reports call `name`, with one of GRADERS."""

    name: str
    source: str
    fields: TextFields
    texts: tuple[GivenText, ...]
    grader: str
    run_code: bool = False
    """Whether the user allows running the code in completions."""

    def __post_init__(self) -> None:
        """Raise TaskError if nothing has a right answer, or one cannot be read."""
        if not any(text.item.gold is not None for text in self.texts):
            raise TaskError(
                f"no row of `{self.source}` has a right answer in `{self.fields.gold}`",
                hint="name the field with `--gold FIELD`",
            )
        require_readable([text.item for text in self.texts], self.grader, self.source)

    @property
    def n_without_gold(self) -> int:
        """The number of rows without a right answer: they are not graded."""
        return sum(text.item.gold is None for text in self.texts)

    def key(self, text: GivenText) -> Key:
        """The key of a text's line."""
        return Key(GIVEN, text.item.problem_id, self.name, GIVEN, 0)

    def manifest(self) -> dict[str, Any]:
        """The content of manifest.json."""
        content = json.dumps([asdict(text) for text in self.texts]).encode()
        golds = json.dumps([(text.item.problem_id, text.item.gold) for text in self.texts]).encode()
        return {
            "tasks": [
                {
                    "name": GIVEN,
                    "version": 1,
                    "source": self.source,
                    "grader": f"{self.grader} v{GRADERS[self.grader].version}",
                    "n_problems": len(self.texts),
                    "digest": hashlib.sha256(golds).hexdigest()[:16],
                    "examples": None,
                }
            ],
            "models": [
                {
                    "name": self.name,
                    "path": self.source,
                    "sha256": hashlib.sha256(content).hexdigest(),
                    "params": 0,
                    "quantization": "",
                    "bytes": 0,
                }
            ],
            "draft": [],
            "methods": [{"label": GIVEN, "name": GIVEN, "config": {"select": "draw"}}],
            "seeds": [0],
            "settings": asdict(self.fields),
            "version": __version__,
            "machine": {},
        }


class TextGrading:
    """Grades a plan; iterate for all lines in order. Lines that the folder has are not graded again."""

    def __init__(
        self,
        plan: GradingPlan,
        folder: RunFolder | None = None,
        *,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self._plan, self._folder, self._should_stop = plan, folder, should_stop
        self._grades: dict[tuple[str, Gold], Grade] = {}

    def __iter__(self) -> Iterator[Line]:
        """Each line is written to the folder before it is yielded; fewer come if it is stopped."""
        folder = self._folder
        done = {} if folder is None else {key_of(line): line for line in folder.lines}
        with Grader(self._plan.grader, limit=GRADING_LIMIT, run_code=self._plan.run_code) as grader:
            for text in self._plan.texts:
                if self._should_stop():
                    return
                key = self._plan.key(text)
                if key in done:
                    yield done[key]
                    continue
                line = self._line(grader, text)
                if folder is not None:
                    folder.append(line)
                yield line

    def _line(self, grader: Grader, text: GivenText) -> Line:
        answer = self._answer(text)
        gold = text.item.gold
        grade = None
        if answer is not None and gold is not None:
            grade = self._grade(grader, answer.text, gold)
        verdict = _verdict(text, answer, grade)
        return {
            **self._plan.key(text)._asdict(),
            "family": text.item.family,
            "level": text.item.level,
            "question": text.item.question,
            "gold": gold,
            "answer": None if answer is None else answer.text,
            "source": None if answer is None else answer.source,
            "correct": None if verdict in ("ungraded", "grader-failed") else verdict == "right",
            "verdict": verdict,
            "error": grade.reason if grade is not None and grade.verdict == "failed" else None,
            "reason": None if grade is None else grade.reason or None,
            "verdicts": {} if grade is None or answer is None else {answer.text: verdict},
            "result": self._result(text, answer),
            "steps": {"ess": [], "histories": [], "rows": []},
            "cells": None,
        }

    def _answer(self, text: GivenText) -> Answer | None:
        if text.text is None:
            return None
        kind = GRADERS[self._plan.grader].kind
        if self._plan.fields.are_answers:
            # A program may begin with blanks that count.
            return Answer(text.text.strip("\n") if kind == "reply" else text.text.strip(), "stated")
        return answers.find(text.text, kind, is_cut=text.is_cut)

    def _grade(self, grader: Grader, answer: str, gold: Gold) -> Grade:
        if (answer, gold) not in self._grades:
            self._grades[answer, gold] = grader.grade(answer, gold)
        return self._grades[answer, gold]

    def _result(self, text: GivenText, answer: Answer | None) -> dict[str, Any]:
        """The one completion as a result that cost nothing."""
        plan, shown = self._plan, None if answer is None else answer.text
        source = None if answer is None else answer.source
        completion = Completion(
            text=text.text or "",
            answer=shown,
            logp=None,
            weight=1.0,
            n_tokens=0,
            finish_reason="length" if text.is_cut else "stop",
            count=1,
            source=source,
        )
        record = Result(
            answer=shown,
            text=completion.text,
            method=MethodInfo(name=GIVEN, config={"select": "draw"}),
            model=ModelInfo(
                name=plan.name, path=plan.source, sha256=None, params=0, quantization="", n_ctx=0, device=""
            ),
            draft=None,
            seed=0,
            version=__version__,
            answers=(AnswerShare(answer=shown, weight=1.0, count=1),),
            completions=(completion,),
            log_z=None,
            ess=1.0,
            confidence=None,
            usage=_NO_COST,
            source=source,
            answer_kind=GRADERS[plan.grader].kind,
        ).to_json()
        record["completions"][0]["tokens"] = []
        return record


_NO_COST = Usage(
    prompt_tokens=0, cached_tokens=0, completion_tokens=0, steps=0, rows=0, decode_calls=0, resamples=0,
    reductions=0, forks=0, proposals=0, accepted=0, swap_proposals=0, swaps=0, peak_rows=0, peak_cells=0,
    flops=0.0, draft=None, concluded=None,
    seconds=Seconds(load=0.0, prompt=0.0, decode=0.0, sample=0.0, conclude=0.0, total=0.0),
)  # fmt: skip


def _verdict(text: GivenText, answer: Answer | None, grade: Grade | None) -> str:
    if text.item.gold is None:
        return "ungraded"
    if answer is None or grade is None:
        return "truncated" if text.is_cut else "no-answer"
    return "grader-failed" if grade.verdict == "failed" else grade.verdict
