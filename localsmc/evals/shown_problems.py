"""Problems as a model gets them, with gold answer and grader, for a person to check before a run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from localsmc.engine import prompting
from localsmc.engine.load import Model
from localsmc.engine.settings import Settings
from localsmc.errors import LocalSMCError
from localsmc.evals.problem_settings import settings_of, task_settings
from localsmc.evals.tasks import Item, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownProblem:
    """A problem and its prompt: the text of its tokens, with the names of control tokens.

    `error` says why there is no prompt; then `text` is the question.
    """

    item: Item
    text: str
    n_tokens: int
    error: str | None = None


def shown_problems(model: Model, task: Task, settings: Settings, n: int) -> Iterator[ShownProblem]:
    """The first n problems of a task."""
    shared = task_settings(model, task, settings)
    for item in task.items[:n]:
        try:
            tokens = prompting.build_prompt(model, item.question, settings_of(shared, item)).tokens
        except LocalSMCError as error:
            yield ShownProblem(item=item, text=item.question, n_tokens=0, error=str(error))
        else:
            yield ShownProblem(item=item, text=model.llama.spelled(tokens), n_tokens=len(tokens))
