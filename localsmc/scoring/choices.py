"""Multiple choice by log-likelihood: the option that the model holds most likely after the question.

`acc` and `acc_norm` are those of lm-evaluation-harness: whether the option with the highest log p is right,
and whether that with the highest log p per character of its text is. Of equal ones the first counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from localsmc.engine.settings import Settings
from localsmc.errors import ConfigError
from localsmc.scoring.pair_tokens import PairForm
from localsmc.scoring.score import scores

if TYPE_CHECKING:
    from localsmc.engine.load import Model

DELIMITER = " "
"""What stands between a question and an option; it is scored, but has no part in the option's length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A prompt, the options that may follow it, and the numbers from 0 of those that are right, if known."""

    prompt: str
    choices: tuple[str, ...]
    gold: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if len(self.choices) < 2:
            raise ConfigError("a question has fewer than two options", hint="give at least two `choices`")
        if "" in self.choices:
            raise ConfigError(
                f"option {self.choices.index('') + 1} of a question is empty", hint="fix or remove it"
            )
        if any(not 0 <= right < len(self.choices) for right in self.gold):
            raise ConfigError(
                f"`gold` is {self.gold}, but there are {len(self.choices)} options, counted from 0"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceScore:
    """The log-probabilities of a question's options, and the options chosen by them, as numbers from 0.

    `choice` has the highest log p, `choice_norm` the highest log p per character. `acc` and `acc_norm` are 1
    if they are right and 0 if not, None if that is not known.
    """

    prompt: str
    choices: tuple[str, ...]
    gold: tuple[int, ...]
    logps: tuple[float, ...]
    choice: int
    choice_norm: int
    acc: int | None
    acc_norm: int | None

    def to_json(self) -> dict[str, Any]:
        """The score as a dictionary for `json.dumps`."""
        return asdict(self)


class Share(NamedTuple):
    """A mean of zeros and ones, its standard error (None for a single one), and how many there are."""

    mean: float
    error: float | None
    n: int


def choice_score(question: Question, logps: Sequence[float]) -> ChoiceScore:
    """The options chosen by these log-probabilities."""
    values = np.array(logps)
    best = int(np.argmax(values))
    best_norm = int(np.argmax(values / [len(choice) for choice in question.choices]))
    is_known = bool(question.gold)
    return ChoiceScore(
        prompt=question.prompt,
        choices=question.choices,
        gold=question.gold,
        logps=tuple(map(float, logps)),
        choice=best,
        choice_norm=best_norm,
        acc=int(best in question.gold) if is_known else None,
        acc_norm=int(best_norm in question.gold) if is_known else None,
    )


def choose(
    model: Model,
    questions: Sequence[Question],
    *,
    form: PairForm | None = None,
    delimiter: str = DELIMITER,
    settings: Settings | None = None,
) -> list[ChoiceScore]:
    """Choose an option of each question by log-likelihood, in order; see `score` for errors."""
    found = dict(choice_scores(model, questions, form=form, delimiter=delimiter, settings=settings))
    return [found[i] for i in range(len(questions))]


def choice_scores(
    model: Model,
    questions: Sequence[Question],
    *,
    form: PairForm | None = None,
    delimiter: str = DELIMITER,
    settings: Settings | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[tuple[int, ChoiceScore]]:
    """As `choose`, but each index and score as it is done; ends early if `should_stop` says so."""
    pairs, owners = [], []
    for i, question in enumerate(questions):
        owners += [(i, k) for k in range(len(question.choices))]
        pairs += [(question.prompt, delimiter + choice) for choice in question.choices]
    names = [f"option {k + 1} of question {i + 1}" for i, k in owners]
    logps: dict[int, dict[int, float]] = {}
    form = PairForm() if form is None else form
    for n, found in scores(model, pairs, form, settings=settings, should_stop=should_stop, names=names):
        i, k = owners[n]
        known = logps.setdefault(i, {})
        known[k] = found.logp
        if len(known) == len(questions[i].choices):
            yield i, choice_score(questions[i], [known[k] for k in sorted(known)])
            del logps[i]


def share(values: Sequence[int | None]) -> Share | None:
    """The mean of the known values, with the standard error of lm-evaluation-harness; None without any."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    error = float(np.std(known, ddof=1)) / math.sqrt(len(known)) if len(known) > 1 else None
    return Share(float(np.mean(known)), error, len(known))
