"""What is said about problems before a run: how they were read, and the first ones as the model gets them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localsmc.system.printable import printable
from localsmc_cli.ui.output import Output

if TYPE_CHECKING:
    from localsmc.evals.shown_problems import ShownProblem
    from localsmc.evals.tasks import Task

_MOST_NAMED = 5
"""Problems that are named in a sentence."""


def print_reading(output: Output, task: Task) -> None:
    """Print from which fields a user's problems are read, and how many of them have no gold answer."""
    if not task.reading:
        return
    output.note(f"{task.source}: {task.reading}")
    missing = task.without_gold
    if missing and len(missing) == len(task.items):
        output.note("no problem has a gold answer: nothing is graded")
    elif missing:
        named = ", ".join(f"`{item.problem_id}`" for item in missing[:_MOST_NAMED])
        others = f" and {len(missing) - _MOST_NAMED} more" if len(missing) > _MOST_NAMED else ""
        have, run = ("has", "it runs, and is") if len(missing) == 1 else ("have", "they run, and are")
        output.warn(
            f"{len(missing)} of {len(task.items)} problems {have} no gold answer ({named}{others}):"
            f" {run} not graded"
        )


def print_problem(output: Output, task: Task, number: int, shown: ShownProblem) -> None:
    """Print a problem on standard output, between lines that name it and its gold answer."""
    from localsmc.evals.grading import GRADERS
    from localsmc.evals.tasks.golds import all_of

    item = shown.item
    size = f"no prompt: {shown.error}" if shown.error else f"{shown.n_tokens} tokens"
    row = "" if item.row is None else f", row {item.row}"
    golds = " or ".join(all_of(item.gold)) or "none, not graded"
    grader = f"{task.grader} v{GRADERS[task.grader].version}"
    lines = (
        f"--- {task.name}, problem {number} of {len(task.items)}: {item.problem_id}{row}; {size} ---",
        shown.text,
        f"--- gold: {golds}; grader: {grader} ---",
        "",
    )
    output.text(printable("\n".join(lines), keep="\n\t"))
