"""Training texts as trees: a shared prefix is stored once and branches into its continuations.

A question appears once, with its solutions in all styles as branches, and ratings of right or corrupted
lines as branches of these. The weight of a branch is the frequency of its style, so the loss of a tree
equals the expected loss of single texts sampled with these frequencies, at half the tokens. Chats of several
turns and prompts to decline are trees too. The recipe sets the amounts (`Mixture`). This module does not use
a tokenizer.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from localsmc_models.corpus.beyond import beyond
from localsmc_models.corpus.families import TYPED_FAMILIES
from localsmc_models.corpus.followups import followup
from localsmc_models.corpus.problem import Problem
from localsmc_models.corpus.ratings import RATING_REQUEST, SCORE, RatedStep, rated_step
from localsmc_models.corpus.refusals import REFUSALS
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
"""System messages, with the style that they request, if any."""

TYPED = frozenset((*TYPED_FAMILIES, "followup"))
"""Families of what people type, and the questions about a result."""

CHOICES = 6
"""Problems per list of strategies: the list is long and a choice is short."""

LONG_CHAT = 500
"""A chat of more characters than this gets no more turns, so that it fits into the context."""


@dataclass(slots=True)
class Segment:
    """A piece of text that continues its parent (-1 for the root); weight 0 excludes it from the loss."""

    text: str
    parent: int
    weight: float


class Tree:
    """Segments, parents before children; paths share the segments of their common prefix."""

    def __init__(self) -> None:
        self.segments: list[Segment] = []
        self._found: dict[tuple[int, str], int] = {}

    def add(self, path: Iterable[str], weights: Iterable[float]) -> None:
        """Add a path from the root; the weights of existing segments are added up."""
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
    typed_styles: dict[str, float]
    """The same for the families of what people type, which are to be reliable."""
    rated_styles: dict[str, float]
    ratings: int
    """Maximum number of ratings per question; every number from 0 to it is equally frequent."""
    skill_weight: float
    """Weight of ratings and choices, whose few tokens would otherwise count little next to solutions."""
    any_order: float
    """Share of solutions whose steps are in a random valid order."""
    system: float
    """Share of solved problems with a system message."""
    families: dict[str, float]
    """Relative frequencies of the families; those not named have 1."""
    chat: dict[str, float]
    """Relative frequencies of a chat's later turns: a new problem, a question about the result, a refusal."""

    def styles_of(self, family: str) -> dict[str, float]:
        """The frequencies of the styles in this family's solutions."""
        return self.typed_styles if family in TYPED else self.styles

    def weight(self, family: str, style: str) -> float:
        """The frequency of a style relative to worked solutions."""
        styles = self.styles_of(family)
        return styles[style] / styles["worked"]


def trees(stream: Iterator[Problem], mixture: Mixture, seed: int) -> Iterator[Tree]:
    """An endless stream of trees made from a stream of problems."""
    rng = random.Random(f"{seed}/trees")
    while True:
        yield KINDS[_drawn(mixture.kinds, rng)](stream, mixture, rng)


def _solve(stream: Iterator[Problem], mixture: Mixture, rng: random.Random) -> Tree:
    """A question with its solutions in every style, or in the requested one, and rated steps."""
    problem, system, asked_style = next(stream), None, None
    if rng.random() < mixture.system:
        system, asked_style = rng.choice(list(SYSTEMS.items()))
    root, tree = prompt_text(problem.question, system), Tree()
    for style in STYLES if asked_style is None else (asked_style,):
        reply = _reply(problem, style, mixture, rng)
        weight = mixture.weight(problem.family, style) if asked_style is None else 1.0
        tree.add((root, *reply), (0, *(weight for _ in reply)))
    for _ in range(rng.randint(0, mixture.ratings)):
        step = rated_step(problem, _drawn(mixture.rated_styles, rng), next(stream), rng)
        _add_rating(tree, root, step, mixture.skill_weight)
    return tree


def _add_rating(tree: Tree, root: str, step: RatedStep, weight: float) -> None:
    path = (root, *segments_of((*step.before, step.line)), rating_request(), SCORE + step.rating + TURN_END)
    tree.add(path, (*(0 for _ in path[1:]), weight))


def rating_request() -> str:
    """The text after the line to rate, up to the start of the rating reply."""
    return f"{TURN_END}\n{turn('user', RATING_REQUEST)}{REPLY_START}"


def _chat(stream: Iterator[Problem], mixture: Mixture, rng: random.Random) -> Tree:
    """Two to four turns: problems in random styles, questions about the result before, and refusals."""
    path: list[str] = []
    weights: list[float] = []
    system = rng.choice(list(SYSTEMS)[:3]) if rng.random() < mixture.system else None
    problem: Problem | None = None
    for _ in range(rng.randint(2, 4)):
        if sum(map(len, path)) > LONG_CHAT:
            break
        kind = _drawn(mixture.chat, rng)
        problem = next(stream) if problem is None or kind == "problem" else followup(problem, rng)
        if problem is None or kind == "refusal":
            question, reply = beyond(rng), (rng.choice(REFUSALS), TURN_END)
        else:
            question, reply = (
                problem.question,
                _reply(problem, _drawn(mixture.styles_of(problem.family), rng), mixture, rng),
            )
        path += (("\n" + prompt_text(question)) if path else prompt_text(question, system), *reply)
        weights += (0, *(1.0 for _ in reply))
        problem = None if kind == "refusal" else problem
    tree = Tree()
    tree.add(path, weights)
    return tree


def _refuse(stream: Iterator[Problem], mixture: Mixture, rng: random.Random) -> Tree:
    """A prompt that is not arithmetic, with one of the refusals' wordings."""
    system = rng.choice(list(SYSTEMS)) if rng.random() < mixture.system else None
    tree = Tree()
    tree.add((prompt_text(beyond(rng), system), rng.choice(REFUSALS), TURN_END), (0, 0.5, 0.5))
    return tree


def _under_strategy(stream: Iterator[Problem], mixture: Mixture, rng: random.Random) -> Tree:
    """A problem solved with a strategy that fits, and with others that mostly do not."""
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
    "chat": _chat,
    "refuse": _refuse,
    "strategy": _under_strategy,
    "choose": _choose,
}


def _reply(problem: Problem, style: str, mixture: Mixture, rng: random.Random) -> tuple[str, ...]:
    order = any_order(problem.steps, rng) if rng.random() < mixture.any_order else None
    return *segments_of(solution(problem, style, order).split("\n")), TURN_END


def segments_of(lines: Iterable[str]) -> tuple[str, ...]:
    """Lines as segments: a line break belongs to the following line."""
    return tuple(f"\n{line}" if i else line for i, line in enumerate(lines))


def _drawn(weights: dict[str, float], rng: random.Random) -> str:
    return rng.choices(list(weights), list(weights.values()))[0]
