"""Solutions of a problem: the same steps in several styles and valid orders.

The styles differ in reliability: an immediate answer is a guess made in a few tokens, while work by
place values leaves little to guess. The recipe sets their frequencies (`Mixture.styles`).
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from localsmc_models.corpus.calculation import WorkStep
from localsmc_models.corpus.problem import Problem

STYLES = ("terse", "brief", "worked")
"""From the least reliable: the answer at once, one line per step, all lines of each step."""


def solution(problem: Problem, style: str, order: Sequence[int] | None = None) -> str:
    """The full text of a solution in one of STYLES, ending with the boxed answer.

    `order` is an order of the steps from `any_order`; by default, the order of calculation.
    """
    steps = [problem.steps[i] for i in order] if order is not None else problem.steps
    return "\n".join((*work_lines(steps, style), answer_line(problem.answer)))


def work_lines(steps: Sequence[WorkStep], style: str) -> list[str]:
    """The lines of work for these steps in a style; raises ValueError for an unknown style."""
    if style not in STYLES:
        raise ValueError(f"no style `{style}`; choose from: {', '.join(STYLES)}")
    if style == "terse":
        return []
    return [line for step in steps for line in (step.detail if style == "worked" else step.brief)]


def answer_line(answer: str) -> str:
    """The last line of every solution."""
    return f"Answer: \\boxed{{{answer}}}"


def any_order(steps: Sequence[WorkStep], rng: random.Random) -> list[int]:
    """A random order of the steps in which each comes after the steps it needs."""
    order: list[int] = []
    while len(order) < len(steps):
        ready = [i for i, step in enumerate(steps) if i not in order and step.needs <= set(order)]
        order.append(rng.choice(ready))
    return order
