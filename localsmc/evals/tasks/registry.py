"""The registry of tasks, and how the rows of each task become problems."""

from __future__ import annotations

import hashlib
import itertools
import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from string import ascii_uppercase
from typing import Any

from localsmc.engine.example_file import ANSWER_FIELDS, QUESTION_FIELDS
from localsmc.errors import ConfigError, TaskError
from localsmc.evals.tasks.hub_datasets import fetch
from localsmc.evals.tasks.task import Item, Task
from localsmc.system.row_files import MissingField, Row, field_of, read_rows

DEFAULT_GENERATED = 300
"""Number of problems of a generated task if no limit is given."""

MAX_REPEATS = 1000
"""After this many repeats in a row, a family is assumed to have no further problems."""

ID_FIELDS = ("problem_id", "unique_id", "id", "ID", "Record ID")


@dataclass(frozen=True, slots=True, kw_only=True)
class StandardTask:
    """A data set on the hub. Of several field names, the first one that a row has is used."""

    description: str
    version: int
    repository: str
    file: str
    training: str | None = None
    """The file with training problems, whose answers are worked out."""
    grader: str
    question: tuple[str, ...]
    answer: tuple[str, ...]
    gold: Callable[[str], str] = str.strip
    """Extract the answer from the answer field."""
    choices: tuple[str, ...] = ()
    """Fields with wrong answers. If given, the question lists the options and the gold answer is a letter."""
    family: str | None = None


def _after_hashes(text: str) -> str:
    return text.rsplit("####", 1)[-1].strip().replace(",", "")


STANDARD: dict[str, StandardTask] = {
    "gsm8k": StandardTask(
        description="grade school mathematics, 1,319 word problems",
        version=2,
        repository="openai/gsm8k",
        file="main/test-00000-of-00001.parquet",
        training="main/train-00000-of-00001.parquet",
        grader="numeric",
        question=("question",),
        answer=("answer",),
        gold=_after_hashes,
    ),
    "math-500": StandardTask(
        description="500 problems of the MATH competition set",
        version=2,
        repository="HuggingFaceH4/MATH-500",
        file="test.jsonl",
        grader="math",
        question=("problem", "prompt"),
        answer=("answer",),
        family="subject",
    ),
    "aime-2024": StandardTask(
        description="30 problems of AIME 2024, answers are integers",
        version=2,
        repository="HuggingFaceH4/aime_2024",
        file="data/train-00000-of-00001.parquet",
        grader="numeric",
        question=("problem",),
        answer=("answer",),
    ),
    "aime-2025": StandardTask(
        description="30 problems of AIME 2025, answers are integers",
        version=2,
        repository="math-ai/aime25",
        file="test.jsonl",
        grader="numeric",
        question=("problem",),
        answer=("answer",),
    ),
    "gpqa": StandardTask(
        description="198 multiple-choice questions of GPQA Diamond (accept its terms on the hub first)",
        version=2,
        repository="Idavidrein/gpqa",
        file="gpqa_diamond.csv",
        grader="choice",
        question=("Question",),
        answer=("Correct Answer",),
        choices=("Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3"),
        family="High-level domain",
    ),
}

TASKS = {"tiny": "generated problems for the embedded model, held out from its training"} | {
    name: row.description for name, row in STANDARD.items()
}
"""Task names and their descriptions."""


def load_task(
    spec: str, *, data: Path | None = None, limit: int | None = None, offline: bool = False
) -> Task:
    """Load a task by name: from the hub, from a local copy in `data`, or generated.

    `limit` keeps the first problems only. `tiny` takes options: `tiny:levels=4-5,family=shopping,seed=2`.
    Raises ConfigError or TaskError.
    """
    name, _, rest = spec.partition(":")
    if name not in TASKS:
        near = get_close_matches(name, TASKS, 1)
        hint = (
            f"did you mean `{near[0]}`?"
            if near
            else f"choose from: {', '.join(TASKS)}; or pass your own problems with `--data FILE`"
        )
        raise ConfigError(f"no task is called `{name}`", hint=hint)
    if name == "tiny":
        if data is not None:
            raise ConfigError("`--data` does not apply to the task `tiny`", hint="remove one of them")
        return _generated(spec, _options(spec, rest), limit or DEFAULT_GENERATED)
    if rest:
        raise ConfigError(f"the task `{name}` takes no options, got `{rest}`", hint=f"write `{name}`")
    row = STANDARD[name]
    path = data or fetch(row.repository, row.file, offline=offline)
    try:
        items = _named_apart(_items(read_rows(path), row, path))
    except MissingField as error:
        error.hint = (
            f"this is not a copy of `{name}`; for your own problems, leave out `--task` and name the fields"
            " with `--question` and `--answer`"
        )
        raise
    source = str(data) if data else f"{row.repository}/{row.file}"
    task = Task(name=name, version=row.version, source=source, grader=row.grader, items=items)
    return task.first(limit)


def user_task(
    data: Path, *, question: str | None = None, answer: str | None = None, grader: str = "math"
) -> Task:
    """Load problems from a user's file; without answers they are not graded."""
    rows = read_rows(data)
    known = StandardTask(
        description="",
        version=2,
        repository="",
        file="",
        grader=grader,
        question=(question,) if question else QUESTION_FIELDS,
        answer=(answer,) if answer else ANSWER_FIELDS,
    )
    if answer is None and not any(field in row for row in rows for field in known.answer):
        items = _named_apart(_item(row, i, known, data, gold=None) for i, row in enumerate(rows))
    else:
        items = _named_apart(_items(rows, known, data))
    return Task(name=data.stem, version=2, source=str(data), grader=grader, items=items)


# --- rows of a file -----------------------------------------------------------------------------


def _items(rows: Sequence[Row], known: StandardTask, path: Path) -> Iterator[Item]:
    for i, row in enumerate(rows):
        gold = known.gold(field_of(row, known.answer, i, path, "answer"))
        if not gold:
            raise TaskError(f"row {i + 1} of `{path}` has an empty answer", hint="fix or remove the row")
        yield _with_choices(row, i, known, path) if known.choices else _item(row, i, known, path, gold=gold)


def _item(row: Row, i: int, known: StandardTask, path: Path, *, gold: str | None) -> Item:
    question = field_of(row, known.question, i, path, "question").strip()
    if not question:
        raise TaskError(f"row {i + 1} of `{path}` has an empty question", hint="fix or remove the row")
    family = row.get(known.family) if known.family else row.get("family")
    level = str(row.get("level", ""))
    return Item(
        problem_id=_identifier(row, i),
        question=question,
        gold=gold,
        family=None if family is None else str(family),
        level=int(level) if level.isascii() and level.isdigit() else None,
    )


def _with_choices(row: Row, i: int, known: StandardTask, path: Path) -> Item:
    """A problem with lettered options, in an order that depends only on the row."""
    right = field_of(row, known.answer, i, path, "answer").strip()
    wrong = [field_of(row, (field,), i, path, "answer").strip() for field in known.choices]
    item = _item(row, i, known, path, gold=right)
    options = [right, *wrong]
    random.Random(f"{item.problem_id}/{item.question}").shuffle(options)
    listed = "\n".join(f"{code}) {text}" for code, text in zip(ascii_uppercase, options, strict=False))
    return Item(
        problem_id=item.problem_id,
        question=f"{item.question}\n\n{listed}\n\nAnswer with the letter of one option.",
        gold=ascii_uppercase[options.index(right)],
        family=item.family,
        level=item.level,
    )


def _identifier(row: Row, i: int) -> str:
    return next((str(row[name]) for name in ID_FIELDS if row.get(name) not in (None, "")), str(i + 1))


def _named_apart(items: Iterable[Item]) -> tuple[Item, ...]:
    """The problems; if their ids are not unique, they are numbered from 1 instead."""
    found = tuple(items)
    if len({item.problem_id for item in found}) == len(found):
        return found
    return tuple(replace(item, problem_id=str(i)) for i, item in enumerate(found, start=1))


# --- generated problems -------------------------------------------------------------------------


def _options(spec: str, text: str) -> Mapping[str, str]:
    pairs = [part.partition("=") for part in text.split(",") if part]
    names = [name for name, _, _ in pairs]
    for name, sign, value in pairs:
        if names.count(name) > 1:
            raise ConfigError(f"`{name}` is given twice in `{spec}`", hint="remove one of them")
        if name not in ("levels", "family", "seed") or not sign or not value:
            raise ConfigError(
                f"`{name}{sign}{value}` is not an option of the task `tiny`",
                hint="use levels, family and seed, e.g. tiny:levels=4-5,family=shopping,seed=2",
            )
    return {name: value for name, _, value in pairs}


def _generated(spec: str, options: Mapping[str, str], n: int) -> Task:
    from localsmc_models.corpus import FAMILIES, LEARNED_FAMILIES, TRAINED_LEVELS, problems

    levels = _levels(options["levels"]) if "levels" in options else TRAINED_LEVELS
    seed = _whole(options.get("seed", "1"), "seed")
    family = options.get("family")
    if family is not None and family not in FAMILIES:
        near = get_close_matches(family, FAMILIES, 1)
        hint = f"did you mean `{near[0]}`?" if near else f"choose from: {', '.join(FAMILIES)}"
        raise ConfigError(f"the task `tiny` has no family `{family}`", hint=hint)
    wanted = _distinct(problems(seed, "held-out", levels, (family,) if family else LEARNED_FAMILIES))
    items = tuple(
        Item(
            # The id contains a hash of the question: another version of the generator makes other problems.
            problem_id=f"{i}-{hashlib.sha256(one.question.encode()).hexdigest()[:8]}",
            question=one.question,
            gold=one.answer,
            family=one.family,
            level=one.level,
        )
        for i, one in enumerate(itertools.islice(wanted, n), start=1)
    )
    return Task(name=spec, version=3, source="localsmc_models.corpus, held out", grader="math", items=items)


def _distinct(stream: Iterator[Any]) -> Iterator[Any]:
    """Drop repeated questions; stop once no new ones come."""
    seen: set[str] = set()
    repeats = 0
    while repeats < MAX_REPEATS:
        one = next(stream)
        repeats += 1
        if one.question not in seen:
            seen.add(one.question)
            repeats = 0
            yield one


def _levels(text: str) -> tuple[int, ...]:
    first, dash, last = text.partition("-")
    low = _whole(first, "levels")
    high = _whole(last, "levels") if dash else low
    if not 1 <= low <= high <= 9:
        raise ConfigError(f"`levels={text}` is not a range of levels from 1 to 9", hint="write levels=4-5")
    return tuple(range(low, high + 1))


def _whole(text: str, name: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise ConfigError(f"`{name}={text}` is not a whole number", hint=f"write {name}=2")
    return int(text)
