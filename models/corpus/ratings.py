"""Rated steps: a solution up to some line, which is right or corrupted, and its rating from 0 to 9.

The rating depends only on whether the line is true and belongs to the solution: right lines get 8 or 9,
slips 3 to 5, nonsense 0 to 2. Every corruption changes the meaning of a line;
`tests/models/test_corpus.py` checks that each corrupted line is false, or a true line of another problem.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass

from localsmc_models.corpus.problem import Problem
from localsmc_models.corpus.solutions import answer_line, solution

RATING_REQUEST = "Rate the last step from 0 to 9."
SCORE = "Score: "
"""Beginning of the rating reply; the digit follows."""

YES_OR_NO = ("yes", "no")

RATINGS = {"right": ("9", "9", "9", "8"), "slip": ("3", "4", "5"), "nonsense": ("0", "1", "2")}


@dataclass(frozen=True, slots=True)
class RatedStep:
    """The right lines before a step, the line of the step, its kind (a key of RATINGS) and its rating."""

    before: tuple[str, ...]
    line: str
    kind: str
    rating: str


def rated_step(problem: Problem, style: str, other: Problem, rng: random.Random) -> RatedStep:
    """A random line of a solution, right half of the time; foreign lines come from the problem `other`."""
    lines = solution(problem, style).split("\n")
    i = rng.randrange(len(lines))
    kind = rng.choice(("right", "right", "slip", "nonsense"))
    line = lines[i]
    if kind == "slip":
        line = slipped(line, problem, rng)
    elif kind == "nonsense":
        line = stray(problem, other, style, rng) if rng.random() < 0.4 else nonsense(line, problem, rng)
    return RatedStep(tuple(lines[:i]), line, kind, rng.choice(RATINGS[kind]))


def slipped(line: str, problem: Problem, rng: random.Random) -> str:
    """The line with a small mistake: a number slightly off, two neighbours swapped, or another name."""
    if " > " in line:
        names = line.split(" > ")
        i = rng.randrange(len(names) - 1)
        names[i], names[i + 1] = names[i + 1], names[i]
        return " > ".join(names)
    if not re.search(r"\d", line):
        return answer_line(rng.choice(_other_answers(problem)))
    slip = rng.choice((_off_by_little, _off_by_little, _digits_exchanged))
    return _with_changed_number(line, slip, rng)


def nonsense(line: str, problem: Problem, rng: random.Random) -> str:
    """The line with a large mistake: a random number, or the reverse order."""
    if " > " in line:
        return " > ".join(reversed(line.split(" > ")))
    if not re.search(r"\d", line):
        return answer_line(str(rng.randint(2, 99)))
    return _with_changed_number(line, _another_number, rng)


def stray(problem: Problem, other: Problem, style: str, rng: random.Random) -> str:
    """A line of another problem's solution that does not occur in this one's."""
    own = {line for step in problem.steps for line in (*step.detail, *step.brief)}
    foreign = [line for line in solution(other, style).split("\n") if line not in own]
    line = rng.choice(foreign)
    return nonsense(line, problem, rng) if line == answer_line(problem.answer) else line


def _other_answers(problem: Problem) -> list[str]:
    if problem.answer in YES_OR_NO:
        return [answer for answer in YES_OR_NO if answer != problem.answer]
    return [name for name in problem.steps[-1].brief[0].split(" > ") if name != problem.answer]


def _with_changed_number(line: str, change: Callable[[str, random.Random], str], rng: random.Random) -> str:
    # The part before the first "=" repeats the question or earlier results; mistakes come after it.
    numbers = list(re.finditer(r"\d+", line))
    later = [number for number in numbers if number.start() > line.find("=")]
    chosen = numbers[-1] if rng.random() < 0.6 else rng.choice(later)
    return line[: chosen.start()] + change(chosen.group(), rng) + line[chosen.end() :]


def _off_by_little(number: str, rng: random.Random) -> str:
    steps = [10**k * sign for k in range(len(number)) for sign in (1, -1)]
    return str(rng.choice([int(number) + step for step in steps if int(number) + step > 0]))


def _digits_exchanged(number: str, rng: random.Random) -> str:
    places = [i for i in range(len(number) - 1) if number[i] != number[i + 1] != "0"]
    if not places:
        return _off_by_little(number, rng)
    i = rng.choice(places)
    return number[:i] + number[i + 1] + number[i] + number[i + 2 :]


def _another_number(number: str, rng: random.Random) -> str:
    value = int(number)
    while abs(value - int(number)) <= int(number) // 10:
        value = rng.randint(1, 10 ** (len(number) + rng.randint(0, 1)))
    return str(value)
