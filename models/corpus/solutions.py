"""Solutions of a problem: the same steps in several styles and several valid orders.

The styles differ in how reliable they are: an answer at once is a guess in one token's
breadth, work by place values leaves little to guess. How often each is written is the
recipe's (`Mixture.styles`), not this module's.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from localsmc_models.corpus.calculation import WorkStep
from localsmc_models.corpus.problem import Problem

STYLES = ("terse", "brief", "worked")
"""From the least reliable: the answer at once, one line a step, every line of every step."""


def solution(problem: Problem, style: str, order: Sequence[int] | None = None) -> str:
    """The full text of a solution in one of STYLES, up to the boxed answer.

    `order` is the steps' order, as given by `any_order`; without one it is the order in which
    they were calculated.
    """
    steps = [problem.steps[i] for i in order] if order is not None else problem.steps
    return "\n".join((*work_lines(steps, style), answer_line(problem.answer)))


def work_lines(steps: Sequence[WorkStep], style: str) -> list[str]:
    """The lines of work that a style writes for these steps; raises ValueError for no style."""
    if style not in STYLES:
        raise ValueError(f"no style `{style}`; there is: {', '.join(STYLES)}")
    if style == "terse":
        return []
    return [line for step in steps for line in (step.detail if style == "worked" else step.brief)]


def answer_line(answer: str) -> str:
    """The line that every solution ends in."""
    return f"Answer: \\boxed{{{answer}}}"


def any_order(steps: Sequence[WorkStep], rng: random.Random) -> list[int]:
    """A random order of steps in which each comes after all that it needs."""
    order: list[int] = []
    while len(order) < len(steps):
        ready = [i for i, step in enumerate(steps) if i not in order and step.needs <= set(order)]
        order.append(rng.choice(ready))
    return order
