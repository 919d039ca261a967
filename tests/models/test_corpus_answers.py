"""Answers of the textbook families: each is computed from the numbers in the question.

Nothing here imports a family's arithmetic.
"""

import itertools
import math
import re
from fractions import Fraction

import pytest
from corpus_draws import LEVELS, draws, evaluate, numbers, row_of

SCALES = {
    ("hours", "minutes"): 60,
    ("minutes", "seconds"): 60,
    ("days", "hours"): 24,
    ("weeks", "days"): 7,
    ("feet", "inches"): 12,
    ("metres", "centimetres"): 100,
}


def formula(question: str) -> str:
    """The longest stretch of a question that reads as an expression of numbers."""
    return max(re.findall(r"[\d(][\d+\-*/() ]*[\d)]", question), key=len)


def basket_cost(question: str) -> int:
    return sum(int(n) * int(price) for n, price in re.findall(r"(\d+) \w+ at (\d+) coins each", question))


def change_due(question: str) -> int:
    [paid] = re.findall(r"pays with (\d+) coins|has (\d+) coins and", question)
    return int("".join(paid)) - basket_cost(question)


def root(question: str) -> Fraction:
    """The x of a linear equation: where the difference of its sides, a straight line, is zero."""
    [shown] = re.findall(r"\d+\(?x [\dx+=() ]*\d", question)
    left, right = re.sub(r"(\d+)(x|\(x)", r"\1 * \2", shown).split("=")
    at_0, at_1 = (evaluate(left.replace("x", n)) - evaluate(right.replace("x", n)) for n in "01")
    return at_0 / (at_0 - at_1)


def term(question: str) -> int:
    [shown] = re.findall(r"\d+(?:, \d+){3}", question)
    terms = numbers(shown)
    assert len({b - a for a, b in itertools.pairwise(terms)}) == 1
    asked = numbers(question.replace(shown, ""))
    last = terms[0] + (terms[1] - terms[0]) * ((asked[0] if asked else 5) - 1)
    assert last > 0
    return last


def percentage_of(question: str) -> Fraction:
    [percent] = re.findall(r"(\d+)%", question)
    [whole] = numbers(question.replace(f"{percent}%", ""))
    share = Fraction(int(percent), 100)
    return whole * (1 - share if re.search("cheaper|stayed", question) else share)


def in_small_units(question: str) -> int:
    [(count, large, rest, small)] = re.findall(r"(\d+) (\w+) and (\d+) (\w+)", question)
    amount = int(count) * SCALES[large, small] + int(rest)
    used = re.findall(r"(\d+) \w+ are used|spends (\d+)", question)
    return amount - (int("".join(used[0])) if used else 0)


def second_share(question: str) -> Fraction:
    whole, left, right = numbers(question)
    first, second = re.findall(r"([A-Z][a-z]+) and ([A-Z][a-z]+) ", question)[0]
    assert re.search(rf"(does|for) {second}\b", question)
    assert first != second
    return Fraction(whole * right, left + right)


def measure(question: str) -> int:
    sizes = numbers(question)
    if "perimeter" in question or "fence" in question:
        return 2 * sum(sizes)
    if "square of side" in question:
        cut, wide, high = sizes
        assert cut < min(wide, high)
        return wide * high - cut * cut
    wide, high = sizes[-2:]
    return wide * high


def divisor(question: str) -> int:
    a, b = numbers(question)
    if "remainder" in question or "left over" in question:
        return a % b
    # By search, not by Euclid's algorithm.
    if "greatest" in question or "largest" in question:
        return max(n for n in range(1, min(a, b) + 1) if a % n == b % n == 0)
    return next(n for n in range(a, a * b + 1, a) if n % b == 0)


def count(question: str) -> int:
    found = numbers(question)
    if "choices" in question:
        return math.prod(found)
    if "every other one" in question:
        return sum(1 for _ in itertools.combinations(range(found[0]), 2))
    low, high, *by = found
    return sum(1 for n in range(low, high + 1) if n % (by[0] if by else 1) == 0)


def who(question: str) -> str:
    [(second, asked)] = re.findall(r"the (second )?(\w+)\?", question)
    row = row_of(question)
    if asked in {"shortest", "youngest", "slowest", "lightest"}:
        row.reverse()
    return row[1 if second else 0]


EXPECTED = {
    "arithmetic": lambda question: evaluate(formula(question)),
    "shopping": basket_cost,
    "change": change_due,
    "equation": root,
    "sequence": term,
    "percentage": percentage_of,
    "units": in_small_units,
    "ratio": second_share,
    "fractions": lambda question: evaluate(formula(question)),
    "geometry": measure,
    "divisors": divisor,
    "counting": count,
    "ordering": who,
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("family", EXPECTED)
def test_every_answer_follows_from_the_question(family, level):
    for problem in draws(family, level):
        assert str(EXPECTED[family](problem.question)) == problem.answer, problem.question
