"""Measure instructions to state the answer: the share of texts with an answer, and accuracy, per wording.

    python -m localsmc_models.experiments.instruction_wordings MODEL FOLDER --data FILE [--data FILE]
        [--limit N] [--method METHOD] [--predict N] [--threads N]

Each wording stands below every problem, as `solve` adds an instruction, and is a task of one run folder:
`localsmc report FOLDER` shows the same run. Run the command again to resume, or to read the texts of a
finished run anew with the current search for answers.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from localsmc.engine.settings import Settings
from localsmc.evals.grading.grader import Grader
from localsmc.evals.model_specs import parse_models
from localsmc.evals.run_folder import RunFolder
from localsmc.evals.runner import Evaluation, Plan
from localsmc.evals.tasks import Item, Task, user_task
from localsmc.methods.spec import parse_method
from localsmc.numerics.statistics import wilson
from localsmc.text import answers, instructions
from localsmc.text.chat_template import instructed
from localsmc_models.error_boundary import run

WORDINGS: dict[str, str | None] = {
    "none": None,
    "boxed": instructions.BOXED,
    "answer-line": 'Give your final answer on the last line, after "Answer:".',
    "steps-answer": 'Think step by step, and end with "Answer:" and the final answer.',
    "the-answer-is": instructions.NEUTRAL,
}
"""The name of each wording and its text, None for the bare problem."""

LIMIT_PER_GRADE = 10.0
"""Seconds."""


@dataclass(slots=True)
class Tally:
    """What the texts of a wording come to."""

    texts: int = 0
    answered: int = 0
    right: int = 0
    cut: int = 0
    tokens: int = 0


def tasks(files: Sequence[Path], limit: int) -> tuple[Task, ...]:
    """A task per wording: the first `limit` problems of each file, with the wording below each."""
    items = [
        replace(item, problem_id=f"{file.stem}-{item.problem_id}", family=file.stem)
        for file in files
        for item in user_task(file, grader="numeric").first(limit).items
    ]
    source = ", ".join(file.name for file in files)
    return tuple(
        Task(name=name, version=1, source=source, grader="numeric", items=_with(items, wording))
        for name, wording in WORDINGS.items()
    )


def _with(items: Iterable[Item], wording: str | None) -> tuple[Item, ...]:
    return tuple(replace(item, question=instructed(item.question, wording)) for item in items)


def tallies(lines: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], Tally]:
    """The tally of each wording and method, with answers searched for and graded anew."""
    found: dict[tuple[str, str], Tally] = {}
    with Grader("numeric", limit=LIMIT_PER_GRADE) as grader:
        for line in lines:
            tally = found.setdefault((line["task"], line["method"]), Tally())
            for completion in line["result"]["completions"] if line["result"] else ():
                n, is_cut = completion["count"], completion["finish_reason"] == "length"
                # What is stated only: the last number of a text is no sign that the instruction was followed.
                found_one = answers.find(completion["text"], "numeric", is_cut=is_cut, with_fallback=False)
                is_right = (
                    found_one is not None and grader.grade(found_one.text, line["gold"]).verdict == "right"
                )
                tally.texts += n
                tally.answered += n * (found_one is not None)
                tally.right += n * is_right
                tally.cut += n * is_cut
                tally.tokens += n * completion["n_tokens"]
    return found


def rows(found: Mapping[tuple[str, str], Tally]) -> Iterator[list[str]]:
    """The cells of a table, heads first."""
    yield ["wording", "method", "texts", "with an answer", "95 %", "right", "95 %", "cut", "tokens per text"]
    for (wording, method), one in found.items():
        answered, right = (wilson(k, one.texts) for k in (one.answered, one.right))
        yield [
            wording, method, str(one.texts),
            f"{one.answered / one.texts:.1%}", f"{answered[0]:.1%} to {answered[1]:.1%}",
            f"{one.right / one.texts:.1%}", f"{right[0]:.1%} to {right[1]:.1%}",
            f"{one.cut / one.texts:.1%}", f"{one.tokens / one.texts:.0f}",
        ]  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m localsmc_models.experiments.instruction_wordings",
        description=__doc__.splitlines()[0],
    )
    add = parser.add_argument
    add("model", help="GGUF file")
    add("folder", type=Path, help="run folder")
    add("--data", type=Path, action="append", required=True, help="problems with numbers as answers; repeat")
    add("--limit", type=int, default=25, help="problems of each file (default: 25)")
    add("--method", action="append", help="sampling method (default: sample:N=4 and greedy)")
    add("--predict", type=int, default=256, help="token limit (default: 256)")
    add("--threads", type=int, default=0, help="llama.cpp threads (default: 0, automatic)")
    options = parser.parse_args(arguments)
    if options.limit < 1:
        parser.error("--limit must be at least 1")
    plan = Plan(
        tasks=tasks(options.data, options.limit),
        models=parse_models([options.model]),
        methods=tuple(map(parse_method, options.method or ("sample:N=4", "greedy"))),
        seeds=(0,),
        settings=Settings(box="off", n_predict=options.predict, n_threads=options.threads),
    )
    with RunFolder(options.folder, plan.manifest()) as folder:
        for line in Evaluation(plan, folder):
            print(json.dumps([line["task"], line["problem_id"], line["method"], line["answer"]]), flush=True)
        folder_lines = (options.folder / "results.jsonl").read_text(encoding="utf-8").splitlines()
    for number, cells in enumerate(rows(tallies(map(json.loads, folder_lines)))):
        print("|", " | ".join(cells), "|")
        if not number:
            print("|", " | ".join("---" for _ in cells), "|")


if __name__ == "__main__":
    run(main)
