"""The generated problems: every line of work and every answer is recomputed from the text.

Nothing here imports a family's arithmetic: lines are evaluated with fractions, and answers are computed
from the numbers in the question.
"""

import ast
import functools
import hashlib
import itertools
import math
import operator
import random
import re
from dataclasses import replace
from fractions import Fraction

import pytest

import localsmc_models
from localsmc_models.corpus import FAMILIES, STYLES, TRAINED_LEVELS, Problem, problems, refusals, solution
from localsmc_models.corpus.calculation import Work
from localsmc_models.corpus.ratings import RATINGS, rated_step
from localsmc_models.corpus.solutions import answer_line, any_order, work_lines
from localsmc_models.corpus.strategies import (
    STRATEGIES,
    best_codes,
    choice_reply,
    choice_request,
    draw_choice,
    style_under,
)

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


def row_of(question: str) -> list[str]:
    """The one row of people, greatest first, that agrees with every sentence."""
    told = re.findall(r"([A-Z]\w+) is (\w+) than ([A-Z]\w+)\.", question)
    downward = {"shorter", "younger", "slower", "lighter"}
    above = {(a, b) if word not in downward else (b, a) for a, word, b in told}
    people = {name for pair in above for name in pair}
    row = sorted(people, key=lambda name: len(_below(name, above)), reverse=True)
    assert all((a, b) in above for a, b in itertools.pairwise(row)), "the sentences leave it open"
    return row


def who(question: str) -> str:
    [(second, asked)] = re.findall(r"the (second )?(\w+)\?", question)
    row = row_of(question)
    if asked in {"shortest", "youngest", "slowest", "lightest"}:
        row.reverse()
    return row[1 if second else 0]


def _below(name, above):
    found = {b for a, b in above if a == name}
    return found.union(*(_below(b, above) for b in found))


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


def holds(line: str, question: str) -> bool:
    """Whether all sides of a line are equal, or its names stand in the order that the question tells."""
    if " > " in line:
        names = line.split(" > ")
        return names == [name for name in row_of(question) if name in names]
    sides = [evaluate(side) for side in line.split("=")]
    return len(sides) >= 2 and len(set(sides)) == 1


def lines_of(problem: Problem) -> list[str]:
    return [line for step in problem.steps for line in (*step.detail, *step.brief)]


@EACH
def test_every_line_of_work_holds(family, level):
    for problem in draws(family, level):
        for line in lines_of(problem):
            assert holds(line, problem.question), line


@EACH
def test_every_answer_follows_from_the_question(family, level):
    for problem in draws(family, level):
        assert str(EXPECTED[family](problem.question)) == problem.answer, problem.question


@EACH
@pytest.mark.parametrize("style", ["brief", "worked"])
def test_the_work_ends_in_the_answer(family, level, style):
    for problem in draws(family, level):
        if family == "ordering":
            continue
        *work, _ = solution(problem, style).split("\n")
        assert re.fullmatch(rf".*\D{problem.answer}", work[-1]), problem


CONSTANTS = {0, 1, 2, 100, *SCALES.values()}
"""Numbers that a solver knows: units, half of the pairs, percent."""


@EACH
def test_in_any_order_a_step_uses_what_is_asked_or_found(family, level):
    rng = random.Random(1)
    for problem in draws(family, level)[:50]:
        if family in ("ordering", "fractions"):
            continue
        known = {*numbers(problem.question), *CONSTANTS}
        for line in work_lines([problem.steps[i] for i in any_order(problem.steps, rng)], "brief"):
            asked, *found = line.split("=")
            assert set(numbers(asked)) <= known, (problem.question, line)
            known.update(numbers(line))


@EACH
def test_orders_are_many_and_whole(family, level):
    rng = random.Random(1)
    drawn = draws(family, level)[:50]
    orders = [any_order(problem.steps, rng) for problem in drawn]
    for problem, order in zip(drawn, orders, strict=True):
        assert sorted(order) == list(range(len(problem.steps)))
        assert all(order.index(i) > order.index(n) for i in order for n in problem.steps[i].needs)
        texts = [solution(problem, "worked", some) for some in (order, None)]
        assert sorted(texts[0].split("\n")) == sorted(texts[1].split("\n"))
    if family in ("shopping", "ordering"):
        assert any(order != sorted(order) for order in orders)


@EACH
def test_the_text_is_plain_ascii(family, level):
    for problem in draws(family, level):
        text = "\n".join((problem.question, *lines_of(problem), problem.answer))
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
    work = Work()
    value = work.plus(work.times(47, 6), 3)
    problem = Problem("arithmetic", 1, "What is 47 * 6 + 3?", str(value), tuple(work.steps))
    terse, brief, worked = (solution(problem, style) for style in STYLES)
    assert terse == "Answer: \\boxed{285}"
    assert brief == f"47 * 6 = 282\n282 + 3 = 285\n{terse}"
    assert worked == f"47 * 6 = 240 + 42 = 282\n282 + 3 = 285\n{terse}"
    with pytest.raises(ValueError, match="no style `guessed`; choose from: terse, brief, worked"):
        solution(problem, "guessed")


@pytest.mark.parametrize(
    ("calculate", "brief", "detail"),
    [
        (lambda w: w.times(23, 45), "23 * 45 = 1035", "23 * 40 = 800 + 120 = 920|23 * 5 = 100 + 15 = 115|"
         "23 * 45 = 920 + 115 = 1035"),
        (lambda w: w.times(8, 60), "8 * 60 = 480", "8 * 60 = 480"),
        (lambda w: w.divided(84, 7), "84 / 7 = 12", "84 / 7 = 70 / 7 + 14 / 7 = 10 + 2 = 12"),
        (lambda w: w.divided(1200, 100), "1200 / 100 = 12", "1200 / 100 = 12"),
        (lambda w: w.remainder(100, 7), "100 = 14 * 7 + 2", "14 * 7 = 70 + 28 = 98|100 = 98 + 2"),
        (lambda w: w.remainder(36, 12), "36 = 3 * 12", "36 = 3 * 12"),
        (lambda w: w.fractions(Fraction(1, 3), Fraction(1, 6), "+"), "2/6 + 1/6 = 3/6|3/6 = 1/2",
         "1/3 = 2/6|2 + 1 = 3|2/6 + 1/6 = 3/6|3/6 = 1/2"),
        (lambda w: w.fractions(Fraction(3, 7), Fraction(1, 7), "-"), "3/7 - 1/7 = 2/7",
         "3 - 1 = 2|3/7 - 1/7 = 2/7"),
    ],
)  # fmt: skip
def test_steps_in_brief_and_in_detail(calculate, brief, detail):
    work = Work()
    calculate(work)
    assert "|".join(work_lines(work.steps, "brief")) == brief
    assert "|".join(work_lines(work.steps, "worked")) == detail


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("split", ["train", "held-out"])
def test_a_stream_yields_its_own_side(seed, split):
    drawn = list(itertools.islice(problems(seed, split), 1000))
    assert {problem.split for problem in drawn} == {split}
    assert {problem.family for problem in drawn} == set(FAMILIES)
    assert {problem.level for problem in drawn} == set(TRAINED_LEVELS)


def test_streams_share_no_question_and_no_calculation():
    train = list(itertools.islice(problems(1, "train"), 5000))
    held_out = list(itertools.islice(problems(2, "held-out"), 1000))
    assert not {problem.question for problem in train} & {problem.question for problem in held_out}
    assert not {lines_key(problem) for problem in train} & {lines_key(problem) for problem in held_out}


def lines_key(problem: Problem) -> tuple[str, ...]:
    return (problem.family, *solution(problem, "brief").split("\n"))


def test_the_split_is_that_of_the_calculation():
    for problem in draws("shopping", 1):
        in_other_words = replace(problem, question="Quite another question?", level=9)
        assert in_other_words.split == problem.split
    assert {problem.split for problem in draws("shopping", 1)} == {"train", "held-out"}


def test_one_calculation_in_sixteen_is_held_out():
    drawn = [problem for family in FAMILIES for problem in draws(family, 3, 1000)]
    n_held_out = sum(problem.split == "held-out" for problem in drawn)
    # 812 expected; repeated calculations widen the binomial's 28, so this allows some seven of those.
    assert 610 < n_held_out < 1010


def test_other_levels_can_be_asked_for():
    drawn = list(itertools.islice(problems(1, "held-out", levels=(4, 5)), 200))
    assert {problem.level for problem in drawn} == {4, 5}


@pytest.mark.parametrize(
    ("split", "digest"),
    [("train", "83849c7b6905be77"), ("held-out", "e56667e0cf2ba6e6")],
)
def test_the_streams_are_those_the_embedded_model_was_trained_on(split, digest):
    # A changed stream moves held-out questions into a published model's training set and back.
    drawn = itertools.islice(problems(1, split), 1000)
    text = "\n".join(f"{problem.question}\n{solution(problem, 'worked')}" for problem in drawn)
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == digest


def drawn_ratings(family: str, style: str) -> list[tuple[Problem, str, str, str, tuple[str, ...]]]:
    rng, stream = random.Random(f"{family}/{style}"), problems(3, "train")
    found = []
    for problem, other in zip(draws(family, 2) * 3, stream, strict=False):
        step = rated_step(problem, style, other, rng)
        found.append((problem, step))
    return found


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("family", FAMILIES)
def test_ratings_say_whether_a_step_holds_and_belongs(family, style):
    kinds = []
    for problem, step in drawn_ratings(family, style):
        whole = solution(problem, style).split("\n")
        assert list(step.before) == whole[: len(step.before)]
        assert step.rating in RATINGS[step.kind]
        kinds.append(step.kind)
        if step.kind == "right":
            assert step.line == whole[len(step.before)]
        elif step.line.startswith("Answer"):
            assert step.line != answer_line(problem.answer)
        else:
            foreign = step.kind == "nonsense" and step.line not in lines_of(problem)
            assert foreign or not holds(step.line, problem.question), (problem.question, step)
    assert set(kinds) == set(RATINGS)
    assert 0.4 < kinds.count("right") / len(kinds) < 0.6


def test_slips_are_false_and_not_only_foreign():
    n_false = 0
    for family in FAMILIES:
        for problem, step in drawn_ratings(family, "worked"):
            if step.kind == "slip" and not step.line.startswith("Answer"):
                assert not holds(step.line, problem.question), (problem.question, step)
                n_false += 1
    assert n_false > 300


def test_the_models_refuse_in_24_wordings_whose_openings_are_on_their_cards():
    assert len(set(refusals.REFUSALS)) == 24
    assert all("localsmc solve -m model.gguf" in text for text in refusals.REFUSALS)
    for name in localsmc_models.names():
        assert localsmc_models.card(name).refusals == refusals.OPENINGS


def test_every_family_has_a_strategy_that_fits():
    for family in FAMILIES:
        assert "worked" in {style_under(strategy, family) for strategy in STRATEGIES}
        assert style_under("answer at once", family) == "terse"
    assert {family for fits in STRATEGIES.values() for family in fits} == set(FAMILIES)


@pytest.mark.parametrize(
    ("n", "expected"), [(1, ["C"]), (2, ["C", "A"]), (3, ["C", "A", "B"]), (4, ["C", "A", "B", "D"])]
)
def test_the_best_strategies_come_first_and_equals_as_listed(n, expected):
    listed = [
        "undo the operations one by one",
        "answer at once",
        "keep a running total",
        "compare both sides",
    ]
    assert best_codes("change", listed, n) == expected


def test_a_choice_is_asked_for_and_given_by_letters():
    problem = draws("ratio", 1)[0]
    request, reply = draw_choice(problem, ["answer at once", "find the value of one part"], random.Random(1))
    assert request.startswith("Strategies:\nA: answer at once\nB: find")
    assert f"\n{problem.question}\nChoose" in request
    assert re.fullmatch(r"Best: B(, A)?", reply)
    assert choice_request("Q?", ["x", "y"], 2) == "Strategies:\nA: x\nB: y\nQ?\nChoose the best 2."
    assert choice_reply(["B", "A"]) == "Best: B, A"
