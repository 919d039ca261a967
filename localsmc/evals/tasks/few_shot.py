"""The worked examples of a few-shot evaluation: the first training problems of a task, or rows of a file."""

from __future__ import annotations

from pathlib import Path

from localsmc.engine.example_file import ANSWER_FIELDS, QUESTION_FIELDS, pairs_of
from localsmc.errors import ConfigError, TaskError
from localsmc.evals.tasks.hub_datasets import fetch
from localsmc.evals.tasks.standard_tasks import STANDARD
from localsmc.system.row_files import read_rows
from localsmc.text.examples import Examples


def few_shot(
    task: str | None,
    n: int,
    *,
    data: Path | None = None,
    question: str | None = None,
    answer: str | None = None,
    offline: bool = False,
) -> Examples:
    """The first n rows of `data`, or of the training problems of a task that has some.

    Answers are shown as they stand in the file. Raises ConfigError or TaskError.
    """
    known = STANDARD.get(task or "")
    if data is None:
        data = _training_file(task, offline=offline)
    questions = (question,) if question else (*(known.question if known else ()), *QUESTION_FIELDS)
    answers = (answer,) if answer else (*(known.answer if known else ()), *ANSWER_FIELDS)
    rows = read_rows(data, "--fewshot-data")
    if len(rows) < n:
        raise TaskError(
            f"{n} examples are asked for, but `{data}` has {len(rows)} row{'s' * (len(rows) > 1)}",
            hint=f"use --fewshot {len(rows)}",
        )
    return Examples(pairs=pairs_of(rows[:n], data, questions, answers, has_options=True))


def _training_file(task: str | None, *, offline: bool) -> Path:
    known = STANDARD.get(task or "")
    if known is None or known.training is None:
        names = ", ".join(name for name, row in STANDARD.items() if row.training)
        what = "your own problems have" if task is None else f"the task `{task}` has"
        raise ConfigError(
            f"{what} no training problems to show as examples",
            hint=f"pass some with `--fewshot-data FILE` (known for: {names})",
        )
    return fetch(known, known.training, offline=offline, option="--fewshot-data")
