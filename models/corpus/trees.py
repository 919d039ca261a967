"""Training texts as trees: what follows the same beginning is written once, and branches there.

A question stands in the tree once with its solutions in every style below it, and below their
lines the ratings of these, or of corrupted ones. Each branch has the weight that its style is
to have, so the loss of a tree is what single texts drawn with those frequencies have on
average, at half of the tokens. How much of each kind there is is the recipe's (`Mixture`).
This module knows no tokenizer.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from localsmc_models.corpus.problem import Problem
from localsmc_models.corpus.ratings import RATING_REQUEST, SCORE, RatedStep, rated_step
from localsmc_models.corpus.solutions import STYLES, any_order, solution
from localsmc_models.corpus.strategies import STRATEGIES, draw_choice, draw_list, style_under, under
from localsmc_models.corpus.template import REPLY_START, TURN_END, prompt_text, turn

SYSTEMS: dict[str, str | None] = {
    "You are a helpful assistant.": None,
    "You solve problems.": None,
    "Put the answer in a box.": None,
    "Answer at once.": "terse",
    "Be brief.": "brief",
    "Show all your work.": "worked",
}
"""System messages, with the style that they ask for, if any."""

CHOICES = 6
"""Problems below one list of strategies: the list is long and a choice short."""


@dataclass(slots=True)
class Segment:
    """A stretch of text that goes on from its parent (-1: from nothing); weight 0 is not learned."""

    text: str
    parent: int
    weight: float


class Tree:
    """Segments, parents before children; paths that begin alike share what they begin with."""

    def __init__(self) -> None:
        self.segments: list[Segment] = []
        self._found: dict[tuple[int, str], int] = {}

    def add(self, path: Iterable[str], weights: Iterable[float]) -> None:
        """Add a path from the root; weights of segments that are there already add up."""
        i = -1
        for text, weight in zip(path, weights, strict=True):
            key = (i, text)
            if key not in self._found:
                self._found[key] = len(self.segments)
                self.segments.append(Segment(text, i, 0.0))
            i = self._found[key]
            self.segments[i].weight += weight


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """The `corpus` table of the recipe: relative frequencies, and two shares between 0 and 1."""

    kinds: dict[str, float]
    styles: dict[str, float]
    rated_styles: dict[str, float]
    ratings: int
    """Most ratings below one question; each number from 0 up is as frequent."""
    skill_weight: float
    """Weight of ratings and of choices, whose few tokens would be lost among those of solutions."""
    any_order: float
    """Share of the solutions whose steps stand in a random valid order instead of the usual one."""
    system: float
    """Share of the solved problems that stand under a system message."""

    def weight(self, style: str) -> float:
        """A style's frequency relative to that of worked solutions."""
        return self.styles[style] / self.styles["worked"]


def trees(stream: Iterator[Problem], mixture: Mixture, seed: int) -> Iterator[Tree]:
    """An endless stream of trees about the problems of a stream."""
    rng = random.Random(f"{seed}/trees")
    while True:
        yield KINDS[_drawn(mixture.kinds, rng)](stream, mixture, rng)


def _solve(stream: Iterator[Problem], mixture: Mixture, rng: random.Random) -> Tree:
    """A question with its solutions in every style, or in the one asked for, and rated steps."""
    problem, system, asked_style = next(stream), None, None
    if rng.random() < mixture.system:
        system, asked_style = rng.choice(list(SYSTEMS.items()))
    root, tree = prompt_text(problem.question, system), Tree()
    for style in STYLES if asked_style is None else (asked_style,):
        reply = _reply(problem, style, mixture, rng)
        weight = mixture.weight(style) if asked_style is None else 1.0
        tree.add((root, *reply), (0, *(weight for _ in reply)))
    for _ in range(rng.randint(0, mixture.ratings)):
        step = rated_step(problem, _drawn(mixture.rated_styles, rng), next(stream), rng)
        _add_rating(tree, root, step, mixture.skill_weight)
    return tree


def _add_rating(tree: Tree, root: str, step: RatedStep, weight: float) -> None:
    path = (root, *segments_of((*step.before, step.line)), rating_request(), SCORE + step.rating + TURN_END)
    tree.add(path, (*(0 for _ in path[1:]), weight))


def rating_request() -> str:
    """What follows a reply's last line so far, up to where the rating begins."""
    return f"{TURN_END}\n{turn('user', RATING_REQUEST)}{REPLY_START}"


def _several(stream: Iterator[Problem], mixture: Mixture, rng: random.Random) -> Tree:
    """Two or three questions in a row, each answered in a style of its own."""
    path: list[str] = []
    weights: list[float] = []
    for _ in range(rng.randint(2, 3)):
        problem = next(stream)
        reply = _reply(problem, _drawn(mixture.styles, rng), mixture, rng)
        path += ("\n" * bool(path) + prompt_text(problem.question), *reply)
        weights += (0, *(1.0 for _ in reply))
    tree = Tree()
    tree.add(path, weights)
    return tree


def _under_strategy(stream: Iterator[Problem], mixture: Mixture, rng: random.Random) -> Tree:
    """A problem solved under a strategy that fits, and under others that mostly do not."""
    problem, tree = next(stream), Tree()
    fitting = [name for name in STRATEGIES if style_under(name, problem.family) == "worked"]
    for strategy in {rng.choice(fitting): None} | dict.fromkeys(rng.sample(list(STRATEGIES), 2)):
        reply = _reply(problem, style_under(strategy, problem.family), mixture, rng)
        request = prompt_text(under(strategy, problem.question))
        tree.add((*_parted(request, "Strategy: "), *reply), (0, 0, *(1.0 for _ in reply)))
    return tree


def _choose(stream: Iterator[Problem], mixture: Mixture, rng: random.Random) -> Tree:
    """The best strategies of one list for several problems."""
    listed, tree = draw_list(rng), Tree()
    for problem in itertools.islice(stream, CHOICES):
        request, reply = draw_choice(problem, listed, rng)
        path = (*_parted(prompt_text(request), problem.question), reply + TURN_END)
        tree.add(path, (0, 0, mixture.skill_weight))
    return tree


def _parted(text: str, at: str) -> tuple[str, str]:
    i = text.index(at)
    return text[:i], text[i:]


KINDS: dict[str, Callable[[Iterator[Problem], Mixture, random.Random], Tree]] = {
    "solve": _solve,
    "several": _several,
    "strategy": _under_strategy,
    "choose": _choose,
}


def _reply(problem: Problem, style: str, mixture: Mixture, rng: random.Random) -> tuple[str, ...]:
    order = any_order(problem.steps, rng) if rng.random() < mixture.any_order else None
    return *segments_of(solution(problem, style, order).split("\n")), TURN_END


def segments_of(lines: Iterable[str]) -> tuple[str, ...]:
    """Lines as segments: a line break belongs to the line after it."""
    return tuple(f"\n{line}" if i else line for i, line in enumerate(lines))


def _drawn(weights: dict[str, float], rng: random.Random) -> str:
    return rng.choices(list(weights), list(weights.values()))[0]
