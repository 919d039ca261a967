"""Draws of the generated problems, and a reading of their texts that imports none of their arithmetic."""

import ast
import functools
import itertools
import operator
import random
import re
from fractions import Fraction

import pytest

from localsmc_models.corpus import FAMILIES, TRAINED_LEVELS, Problem

LEVELS = (*TRAINED_LEVELS, 4, 5)
N_DRAWS = 120
ALL = tuple(FAMILIES)
"""Every family, for streams of problems."""

EACH = pytest.mark.parametrize(
    ("family", "level"), [pytest.param(f, n, id=f"{f}-{n}") for f, n in itertools.product(FAMILIES, LEVELS)]
)


@functools.cache
def draws(family: str, level: int, n: int = N_DRAWS) -> list[Problem]:
    return fresh_draws(family, level, n)


def fresh_draws(family: str, level: int, n: int) -> list[Problem]:
    rng = random.Random(f"{family}/{level}")
    return [FAMILIES[family](rng, level) for _ in range(n)]


def lines_of(problem: Problem) -> list[str]:
    return [line for step in problem.steps for line in (*step.detail, *step.brief)]


# Calculations

OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}


def evaluate(expression: str) -> Fraction:
    """The exact value of +, -, *, / and brackets over whole and decimal numbers."""
    return _value(ast.parse(expression.strip(), mode="eval").body)


def _value(node: ast.expr) -> Fraction:
    if isinstance(node, ast.BinOp):
        return OPERATORS[type(node.op)](_value(node.left), _value(node.right))
    if isinstance(node, ast.UnaryOp):
        assert isinstance(node.op, ast.USub), ast.dump(node)
        return -_value(node.operand)
    assert isinstance(node, ast.Constant), ast.dump(node)
    assert type(node.value) in (int, float)
    # Written back, a short decimal number is what it was.
    return Fraction(str(node.value))


def numbers(text: str) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d+", text)]


def row_of(question: str) -> list[str]:
    """The one row of people, greatest first, that agrees with every sentence."""
    told = re.findall(r"([A-Z]\w+) is (\w+) than ([A-Z]\w+)\.", question)
    downward = {"shorter", "younger", "slower", "lighter"}
    above = {(a, b) if word not in downward else (b, a) for a, word, b in told}
    people = {name for pair in above for name in pair}
    row = sorted(people, key=lambda name: len(_below(name, above)), reverse=True)
    assert all((a, b) in above for a, b in itertools.pairwise(row)), "the sentences leave it open"
    return row


def _below(name, above):
    found = {b for a, b in above if a == name}
    return found.union(*(_below(b, above) for b in found))


def holds(line: str, question: str) -> bool:
    """Whether all sides of a line are equal, or what it ranks is of the question and in the right order."""
    if " > " in line:
        ranked = line.split(" > ")
        if ranked[0].isdecimal():
            values = [int(number) for number in ranked]
            return set(values) <= set(numbers(question)) and values == sorted(set(values), reverse=True)
        return ranked == [name for name in row_of(question) if name in ranked]
    sides = [evaluate(side) for side in line.split("=")]
    return len(sides) >= 2 and len(set(sides)) == 1


# Questions as people type them

SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
).split()
TENS = dict(
    zip("twenty thirty forty fifty sixty seventy eighty ninety".split(), range(20, 100, 10), strict=True)
)
WORD = "|".join((*TENS, *SMALL[::-1]))
NUMBER_WORD = re.compile(
    rf"\b(?:({'|'.join(TENS)})(?:-({'|'.join(SMALL[1:10])}))?|({'|'.join(SMALL[::-1])}))(s?)\b"
)
SIGNS = {
    "\N{MULTIPLICATION SIGN}": "*", "\N{MIDDLE DOT}": "*", "\N{DIVISION SIGN}": "/", "\N{MINUS SIGN}": "-",
    "\N{EN DASH}": "-", "\N{SUPERSCRIPT TWO}": "^2", "\N{SUPERSCRIPT THREE}": "^3",
    "\N{SQUARE ROOT}": "square root of ",
}  # fmt: skip


def read(question: str) -> str:
    """A question in lower case, with plain signs, digits for number words, and no marks in long numbers."""
    text = question.lower()
    for sign, plain in SIGNS.items():
        text = text.replace(sign, plain)
    text = re.sub(r"(?<=\w)pm\b", " pm", text)
    text = re.sub(rf"({WORD})x(?={WORD})", r"\1 x ", text)
    text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text)
    text = NUMBER_WORD.sub(_as_digits, text)
    return re.sub(r"(?<=[\d)])( ?)x( ?)(?=[\d(])", r"\1*\2", text)


def _as_digits(found: re.Match) -> str:
    tens, ones, small, plural = found.groups()
    if small is not None:
        return f"{SMALL.index(small)}{plural}"
    return f"{TENS[tens] + (SMALL.index(ones) if ones else 0)}{plural}"


def expanded(pattern: str) -> set[str]:
    """A pattern in each of its choices."""
    found = re.search(r"\[([^\[\]]*)\]", pattern)
    if found is None:
        return {pattern}
    ways = (pattern[: found.start()] + way + pattern[found.end() :] for way in found[1].split("|"))
    return set().union(*map(expanded, ways))
