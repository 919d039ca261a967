"""The registry of tasks: standard sets on the hub, and generated problems."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from localsmc.errors import ConfigError
from localsmc.evals.grading import GRADERS
from localsmc.evals.tasks.hub_datasets import fetch
from localsmc.evals.tasks.problem_rows import named_apart
from localsmc.evals.tasks.standard_rows import items_of
from localsmc.evals.tasks.standard_tasks import STANDARD
from localsmc.evals.tasks.task import Item, Task
from localsmc.system.row_files import MissingField, read_rows

DEFAULT_GENERATED = 300
"""Number of problems of a generated task if no limit is given."""

MAX_REPEATS = 1000
"""After this many repeats in a row, a family is assumed to have no further problems."""


TASKS = {"tiny": "generated problems for the embedded model, held out from its training"} | {
    name: row.description for name, row in STANDARD.items()
}
"""Task names and their descriptions."""


def runs_code(spec: str) -> bool:
    """Whether the grader of this task runs the code that a model wrote; False for unknown names."""
    known = STANDARD.get(spec.partition(":")[0])
    return known is not None and GRADERS[known.grader].runs_code


def load_task(
    spec: str, *, data: Path | None = None, limit: int | None = None, offline: bool = False
) -> Task:
    """Load a task by name: from the hub, from a local copy in `data`, or generated.

    `limit` keeps the first problems only. Some tasks take options: `tiny:levels=4-5,family=shopping,seed=2`,
    `math-500:levels=5`. Raises ConfigError or TaskError.
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
        return _generated(spec, _options(spec, rest, _OF_TINY), limit or DEFAULT_GENERATED)
    known = STANDARD[name]
    if rest and not known.filters:
        raise ConfigError(f"the task `{name}` takes no options, got `{rest}`", hint=f"write `{name}`")
    options = _options(spec, rest, known.filters)
    levels = _levels(options["levels"]) if "levels" in options else None
    paths = (data,) if data else [fetch(known, file, offline=offline) for file in known.files]
    try:
        found = [item for path in paths for item in items_of(read_rows(path), known, path)]
    except MissingField as error:
        error.hint = (
            f"this is not a copy of `{name}`; for your own problems, leave out `--task` and name the fields"
            " with `--question` and `--answer`"
        )
        raise
    items = named_apart(_chosen(found, name, levels, options.get("family")))
    source = str(data) if data else f"{known.repository}/{known.file}"
    task = Task(name=spec, version=known.version, source=source, grader=known.grader, items=items)
    return task.first(limit)


def _chosen(
    items: Sequence[Item], name: str, levels: Collection[int] | None, family: str | None
) -> list[Item]:
    """The problems of these levels and this family; raises ConfigError if there are none."""
    families = sorted({item.family for item in items if item.family})
    if family is not None and family.lower() not in map(str.lower, families):
        near = get_close_matches(family, families, 1)
        hint = f"did you mean `{near[0]}`?" if near else f"choose from: {', '.join(families)}"
        raise ConfigError(f"the task `{name}` has no family `{family}`", hint=hint)
    found = [
        item
        for item in items
        if (levels is None or item.level in levels)
        and (family is None or (item.family or "").lower() == family.lower())
    ]
    if not found:
        there = map(str, sorted({item.level for item in items if item.level is not None}))
        raise ConfigError(
            f"the task `{name}` has no such problems", hint=f"choose levels from: {', '.join(there)}"
        )
    return found


# --- generated problems -------------------------------------------------------------------------


_OF_TINY = ("levels", "family", "seed")
_EXAMPLES = {"levels": "levels=4-5", "family": "family=NAME", "seed": "seed=2"}


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _options(spec: str, text: str, known: Sequence[str]) -> Mapping[str, str]:
    name_of_task = spec.partition(":")[0]
    pairs = [part.partition("=") for part in text.split(",") if part]
    names = [name for name, _, _ in pairs]
    for name, sign, value in pairs:
        if names.count(name) > 1:
            raise ConfigError(f"`{name}` is given twice in `{spec}`", hint="remove one of them")
        if name not in known or not sign or not value:
            raise ConfigError(
                f"`{name}{sign}{value}` is not an option of the task `{name_of_task}`",
                hint=f"use {_listed(known)}, e.g."
                f" {name_of_task}:{','.join(_EXAMPLES[option] for option in known)}",
            )
    return {name: value for name, _, value in pairs}


def _generated(spec: str, options: Mapping[str, str], n: int) -> Task:
    from localsmc_models.corpus import FAMILIES, TRAINED_LEVELS, problems

    levels = _levels(options["levels"]) if "levels" in options else TRAINED_LEVELS
    seed = _whole(options.get("seed", "1"), "seed")
    family = options.get("family")
    if family is not None and family not in FAMILIES:
        near = get_close_matches(family, FAMILIES, 1)
        hint = f"did you mean `{near[0]}`?" if near else f"choose from: {', '.join(FAMILIES)}"
        raise ConfigError(f"the task `tiny` has no family `{family}`", hint=hint)
    wanted = _distinct(problems(seed, "held-out", levels, (family,) if family else tuple(FAMILIES)))
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
    return Task(name=spec, version=4, source="localsmc_models.corpus, held out", grader="math", items=items)


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
