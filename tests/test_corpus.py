"""The generated problems: each line of work and each answer is derived again, from the text alone.

Nothing here imports a family's arithmetic: lines go through an evaluator of fractions, and
answers are computed from the numbers that the question shows.
"""

import ast
import functools
import hashlib
import itertools
import operator
import random
import re
from fractions import Fraction

import pytest

from localsmc_models.corpus import FAMILIES, STYLES, TRAINED_LEVELS, Problem, problems, solution

LEVELS = (*TRAINED_LEVELS, 4, 5)
N_DRAWS = 200

EACH = pytest.mark.parametrize(
    ("family", "level"), [pytest.param(f, n, id=f"{f}-{n}") for f, n in itertools.product(FAMILIES, LEVELS)]
)

OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}
SCALES = {
    ("hours", "minutes"): 60,
    ("minutes", "seconds"): 60,
    ("days", "hours"): 24,
    ("weeks", "days"): 7,
    ("feet", "inches"): 12,
    ("metres", "centimetres"): 100,
}


def evaluate(expression: str) -> Fraction:
    """The exact value of +, -, *, / and brackets over whole numbers."""
    return _value(ast.parse(expression.strip(), mode="eval").body)


def _value(node: ast.expr) -> Fraction:
    if isinstance(node, ast.BinOp):
        return OPERATORS[type(node.op)](_value(node.left), _value(node.right))
    assert isinstance(node, ast.Constant), ast.dump(node)
    assert type(node.value) is int
    return Fraction(node.value)


def numbers(text: str) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d+", text)]


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
    [shown] = re.findall(r"\d+x [\dx+= ]*\d", question)
    left, right = re.sub(r"(\d+)x", r"\1 * (x)", shown).split("=")
    at_0, at_1 = (evaluate(left.replace("x", n)) - evaluate(right.replace("x", n)) for n in "01")
    return at_0 / (at_0 - at_1)


def term(question: str) -> int:
    [shown] = re.findall(r"\d+(?:, \d+){3}", question)
    terms = numbers(shown)
    assert len({b - a for a, b in itertools.pairwise(terms)}) == 1
    asked = numbers(question.replace(shown, ""))
    return terms[0] + (terms[1] - terms[0]) * ((asked[0] if asked else 5) - 1)


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
    if "perimeter" in question:
        return 2 * sum(sizes)
    if "square of side" in question:
        cut, wide, high = sizes
        assert cut < min(wide, high)
        return wide * high - cut * cut
    wide, high = sizes
    return wide * high


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
}


@functools.cache
def draws(family: str, level: int, n: int = N_DRAWS) -> list[Problem]:
    return fresh_draws(family, level, n)


def fresh_draws(family: str, level: int, n: int) -> list[Problem]:
    rng = random.Random(f"{family}/{level}")
    return [FAMILIES[family](rng, level) for _ in range(n)]


def test_the_evaluator_is_exact():
    assert evaluate("(1/3 + 1/6) * 4 - 10/4") == Fraction(-1, 2)
    with pytest.raises(AssertionError):
        evaluate("2.5")


@EACH
def test_draws_follow_the_seed(family, level):
    assert fresh_draws(family, level, N_DRAWS) == draws(family, level)
    assert len({problem.question for problem in draws(family, level)}) > N_DRAWS / 4


@EACH
def test_labels(family, level):
    assert {(problem.family, problem.level) for problem in draws(family, level)} == {(family, level)}


@EACH
def test_every_line_of_work_holds(family, level):
    for line in (line for problem in draws(family, level) for line in problem.work):
        sides = [evaluate(side) for side in line.split("=")]
        assert len(sides) >= 2, line
        assert len(set(sides)) == 1, line


@EACH
def test_every_answer_follows_from_the_question(family, level):
    for problem in draws(family, level):
        assert str(EXPECTED[family](problem.question)) == problem.answer, problem.question


@EACH
def test_the_work_ends_in_the_answer(family, level):
    for problem in draws(family, level):
        assert problem.work[-1].split("= ")[-1] == problem.answer, problem


@EACH
def test_the_text_is_plain_ascii(family, level):
    for problem in draws(family, level):
        text = "\n".join((problem.question, *problem.work, problem.answer))
        assert text.isascii()
        assert "{" not in text, "a template's field is left"
        assert re.fullmatch(r"[A-Z\d].*[.?]", problem.question)


@pytest.mark.parametrize("family", FAMILIES)
def test_levels_grow(family):
    def mean_length(level):
        texts = [solution(problem, "worked") for problem in draws(family, level, 1000)]
        return sum(map(len, texts)) / len(texts)

    assert mean_length(1) < mean_length(3) < mean_length(5)


def test_styles():
    problem = Problem("arithmetic", 1, "What is 2 + 3?", "5", ("2 + 3 = 5",))
    assert solution(problem, "terse") == "Answer: \\boxed{5}"
    assert solution(problem, "worked") == "2 + 3 = 5\nAnswer: \\boxed{5}"
    assert set(STYLES) == {"terse", "worked"}
    assert sum(STYLES.values()) == pytest.approx(1)
    with pytest.raises(KeyError):
        solution(problem, "guessed")


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("split", ["train", "held-out"])
def test_a_stream_yields_its_own_side(seed, split):
    drawn = list(itertools.islice(problems(seed, split), 1000))
    assert {problem.split for problem in drawn} == {split}
    assert {problem.family for problem in drawn} == set(FAMILIES)
    assert {problem.level for problem in drawn} == set(TRAINED_LEVELS)


def test_streams_share_no_question():
    train = {problem.question for problem in itertools.islice(problems(1, "train"), 5000)}
    held_out = {problem.question for problem in itertools.islice(problems(2, "held-out"), 1000)}
    assert not train & held_out


def test_the_split_looks_at_the_question_only():
    for problem in draws("shopping", 1):
        relabelled = Problem("other", 9, problem.question, "0", ())
        assert relabelled.split == problem.split


def test_one_question_in_sixteen_is_held_out():
    drawn = [problem for family in FAMILIES for problem in draws(family, 3, 1000)]
    n_held_out = sum(problem.split == "held-out" for problem in drawn)
    # 625 expected; repeated questions widen the binomial's 24, so this allows some eight of those.
    assert 425 < n_held_out < 825


def test_other_levels_can_be_asked_for():
    drawn = list(itertools.islice(problems(1, "held-out", levels=(4, 5)), 200))
    assert {problem.level for problem in drawn} == {4, 5}


@pytest.mark.parametrize(
    ("split", "digest"),
    [("train", "71f636775e32cd37"), ("held-out", "e2e0002e3b1b6544")],
)
def test_the_streams_are_those_the_embedded_model_was_trained_on(split, digest):
    # A changed stream moves held-out questions into a published model's training set and back.
    drawn = itertools.islice(problems(1, split), 1000)
    text = "\n".join(f"{problem.question}\n{solution(problem, 'worked')}" for problem in drawn)
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == digest
