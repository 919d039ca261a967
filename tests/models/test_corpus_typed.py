"""Answers of what people type: each is read off the question's text, by rules that are only here.

A question in signs is evaluated. Words are matched by the tables below, which say for each wording what it
asks for; a test puts every wording of the corpus through them, in every choice.
"""

import itertools
import math
import random
import re
from fractions import Fraction

import pytest
from corpus_draws import ALL, LEVELS, draws, evaluate, expanded, numbers, read

from localsmc_models.corpus import followups, problems
from localsmc_models.corpus.calculation import shown_quotient
from localsmc_models.corpus.families import calculations, expressions, frames, shares, unknowns

N = r"(-?\d+(?:\.\d+)?)"
ROW = r"(\d+(?:,? (?:and )?\d+)+)"


def total(row):
    return sum(numbers(row))


def root(square):
    assert math.isqrt(square) ** 2 == square
    return math.isqrt(square)


PART_NAMES = {"half": 2, "halve": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "tenth": 10}
PART = f"({'|'.join(PART_NAMES)})"
COUNTED_PART = r"(\d+) (thirds|quarters|fourths|fifths|tenths)"

# The first that is found in a question says what it asks for; longer wordings come before their parts.
TABLE = [
    (rf"{N} (?:mod|modulo) {N}", lambda a, b: a % b),
    (rf"(?:remainder|rest) of {N} (?:/|divided by) {N}", lambda a, b: a % b),
    # Two or three operations
    (rf"{N} times the sum of {N} and {N}", lambda n, a, b: n * (a + b)),
    (rf"(?:add|the sum of|^|\b){ROW},?(?: then multiply by| times) {N}", lambda row, n: total(row) * n),
    (rf"{N} plus {N},? all times {N}", lambda a, b, n: (a + b) * n),
    (rf"{N} times the difference of {N} and {N}", lambda n, a, b: n * (a - b)),
    (rf"subtract {N} from {N},? then multiply by {N}", lambda b, a, n: (a - b) * n),
    (rf"{N} plus the product of {N} and {N}", lambda a, n, m: a + n * m),
    (rf"multiply {N} by {N} and add {N}", lambda n, m, a: n * m + a),
    (rf"multiply {N} by {N} and subtract {N}", lambda n, m, a: n * m - a),
    (rf"{N} more than {N} times {N}", lambda a, n, m: n * m + a),
    (rf"{N} less than {N} times {N}", lambda a, n, m: n * m - a),
    (rf"divide {N} by {N} and add {N}", lambda a, n, b: a / n + b),
    (rf"divide {N} by {N} and subtract {N}", lambda a, n, b: a / n - b),
    (rf"(?:double|twice) {N} (?:plus|and add) {N}", lambda a, b: 2 * a + b),
    (rf"(?:double|twice) {N} (?:minus|and take away) {N}", lambda a, b: 2 * a - b),
    (rf"{N} more than twice {N}", lambda b, a: 2 * a + b),
    (rf"{N} less than twice {N}", lambda b, a: 2 * a - b),
    (rf"(?:half of|halve) {N},? (?:plus|and add) {N}", lambda a, b: a / 2 + b),
    (rf"(?:half of|halve) {N},? (?:minus|then subtract) {N}", lambda a, b: a / 2 - b),
    (rf"{N} more than half of {N}", lambda b, a: a / 2 + b),
    (rf"{N} less than half of {N}", lambda b, a: a / 2 - b),
    (rf"half the sum of {N} and {N}", lambda a, b: (a + b) / 2),
    (rf"halfway between {N} and {N}", lambda a, b: (a + b) / 2),
    (rf"(?:average|mean) of {ROW}", lambda row: Fraction(total(row), len(numbers(row)))),
    (rf"subtract {N} and {N} from {N}", lambda b, c, a: a - b - c),
    (rf"take {N} and then {N} from {N}", lambda b, c, a: a - b - c),
    (rf"add {N} and {N},? then take away {N}", lambda a, b, c: a + b - c),
    (rf"(?:product of|multiply) {ROW}", lambda row: math.prod(numbers(row))),
    # Parts, multiples, powers
    (rf"{COUNTED_PART} of {N}", lambda top, name, a: a * int(top) / PART_NAMES[name.rstrip("s")]),
    (rf"(\d+)/(\d+) of {N}", lambda top, bottom, a: a * int(top) / int(bottom)),
    (rf"{PART}(?: of)? {N}", lambda name, a: a / PART_NAMES[name]),
    (rf"{N} halved", lambda a: a / 2),
    (rf"(?:double|double of|twice) {N}|{N} doubled", lambda a: 2 * a),
    (rf"(?:triple|triple of|thrice) {N}|{N} tripled", lambda a: 3 * a),
    (rf"(?:square root of|sqrt|root of)[ (]+{N}", lambda a: root(int(a))),
    (rf"square of {N}|{N} squared", lambda a: a**2),
    (rf"cube of {N}|{N} cubed", lambda a: a**3),
    (rf"{N} ?(?:\^|\*\*|to the power of) ?([23])\b", lambda a, power: a ** int(power)),
    # One operation
    (rf"(?:subtract|take|take away|deduct) {N} (?:away )?from {N}", lambda b, a: a - b),
    (rf"{N} (?:less|smaller) than {N}", lambda b, a: a - b),
    (rf"{N} subtracted from {N}", lambda b, a: a - b),
    (rf"difference (?:of|between) {N} and {N}", lambda a, b: a - b),
    (rf"{N} (?:decreased by|reduced by|without) {N}", lambda a, b: a - b),
    (rf"(?:sum of|total of|add|add up|sum up|sum|put|do|are) {ROW}", total),
    (rf"{ROW} (?:together|added|more)", total),
    (rf"{N} with {N} added", lambda a, b: a + b),
    (rf"add {N} to {N}", lambda a, b: a + b),
    (rf"{N} (?:added to|increased by|more than|greater than) {N}", lambda a, b: a + b),
    (rf"multiply {N} (?:by|with) {N}", lambda a, b: a * b),
    (rf"{N} (?:lots of|groups of|multiplied with|times as much as) {N}", lambda a, b: a * b),
    (rf"{N} by {N} multiplied", lambda a, b: a * b),
    (rf"quotient of {N} and {N}", lambda a, b: a / b),
    (rf"divide {N} (?:by|into) {N}", lambda a, b: a / b),
    (rf"(?:split|share) {N} into {N} equal parts", lambda a, b: a / b),
    (rf"(?:does {N} (?:go|fit) into|how many {N}s are in) {N}", lambda b, a: a / b),
    (rf"{N} (?:shared by|split into|divided into) {N}", lambda a, b: a / b),
]  # fmt: skip
IN_SIGNS = {
    "multiplied by": "*", "divided by": "/", "take away": "-", "plus": "+", "minus": "-", "less": "-",
    "times": "*", "over": "/", ":": "/",
}  # fmt: skip


def as_number(found: str):
    return Fraction(found) if re.fullmatch(N, found) else found


def calculated(question: str) -> Fraction | None:
    """What a question asks for, by the table or else by its signs; None if neither knows it."""
    text = read(question)
    for pattern, ask in TABLE:
        if found := re.search(pattern, text):
            return ask(*(as_number(group) for group in found.groups() if group is not None))
    for word, sign in IN_SIGNS.items():
        text = re.sub(rf"(?<=[\d)])( ?),?( ?){word}( ?)(?=[-\d(])", rf"\1\2{sign}\3", text)
    shown = [
        run for run in re.findall(r"-?[\d(][\d.+\-*/() ]*[\d)]", text) if re.search(r"\d[ )]*[-+*/]", run)
    ]
    return evaluate(max(shown, key=len)) if shown else None


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("family", ["calculation", "expression"])
def test_calculations_in_signs_and_in_words(family, level):
    for problem in draws(family, level):
        assert calculated(problem.question) == Fraction(problem.answer), problem.question


A, B = 84, 7


@pytest.mark.parametrize("sign", "+-*/")
def test_every_wording_of_an_operation_is_that_operation(sign):
    expected = evaluate(f"{A} {sign} {B}")
    for pattern in (*calculations.SPELLINGS[sign], *calculations.IN_WORDS[sign], *calculations.PHRASES[sign]):
        for wording in expanded(pattern):
            assert calculated(wording.format(a=A, b=B)) == expected, wording


@pytest.mark.parametrize("frame", sorted(set().union(*map(expanded, frames.FRAMES))))
def test_no_frame_changes_what_is_asked(frame):
    for written in ("12 - 30 / 5", "4 less than twice 8", "-3*2", "2.5 + 1", "half of 18", "(2 + 4) x 5"):
        assert calculated(frame.format(e=written)) == calculated(written), written


def test_every_name_of_a_multiple_and_a_power():
    for factor, wordings in calculations.MULTIPLES:
        assert {calculated(wording.format(a=36)) for wording in wordings} == {36 * factor}
    for by, wordings in calculations.PARTS:
        assert {calculated(wording.format(a=360)) for wording in wordings} == {360 // by}
    for power, wordings in enumerate(calculations.POWERS, 2):
        assert {calculated(wording.format(a=6)) for wording in wordings} == {6**power}
    for top, bottom, wordings in shares.SIMPLE_PARTS:
        assert {calculated(wording.format(a=360)) for wording in wordings} == {360 * top // bottom}
    every = set().union(*map(expanded, calculations.ROOTS))
    assert {calculated(wording.format(a=49)) for wording in every} == {7}
    every = set().union(*map(expanded, calculations.REMAINDERS))
    assert {calculated(wording.format(a=44, b=7)) for wording in every} == {2}


def test_every_expression_in_words_says_its_shape():
    slots = {"a": 96, "b": 36, "c": 12, "d": 5, "n": 6, "m": 8, "k": 3}
    for shape, wordings in expressions.TOLD:
        for wording in set().union(*map(expanded, wordings)):
            assert calculated(wording.format_map(slots)) == evaluate(shape.format_map(slots)), wording


@pytest.mark.parametrize(
    ("value", "shown"),
    [(Fraction(5, 2), "2.5"), (Fraction(1, 4), "0.25"), (Fraction(10, 7), "10/7"), (Fraction(6), "6")],
)
def test_quotients_are_short_decimals_or_fractions(value, shown):
    assert shown_quotient(value) == shown


# Comparisons

UP = r"\b(bigger|larger|greater|higher|more|biggest|largest|greatest|highest|max|maximum)\b"
DOWN = r"\b(smaller|less|lower|smallest|lowest|least|min|minimum)\b"
DIFFERENCE = r"how (much|many|far)|exceed|must (i|be) (add|take)"


def compared(question: str) -> str:
    text = read(re.sub("one is", "is", question, flags=re.IGNORECASE))
    found = numbers(text)
    if "even" in text or "odd" in text:
        return "yes" if found[0] % 2 == ("odd" in text) else "no"
    if "divi" in text:
        return "no" if found[0] % found[1] else "yes"
    if re.search(DIFFERENCE, text):
        assert len(found) == 2
        return str(abs(found[0] - found[1]))
    up = re.search(UP, text) is not None
    assert up != (re.search(DOWN, text) is not None)
    if re.search(r"\bthan\b", text):
        a, b = found
        return "yes" if (a > b if up else a < b) else "no"
    return str(max(found) if up else min(found))


@pytest.mark.parametrize("level", LEVELS)
def test_comparisons(level):
    for problem in draws("comparison", level):
        assert compared(problem.question) == problem.answer, problem.question


# Shares

PERCENT = r"(\d+) ?(?:%|percent|per cent|pct)"
WHICH = r"what percent|how many percent|in percent"
ONLY_THE_PART = (
    rf"do i save|(?:how much|what) is a {PERCENT} discount|tip on|is the tip|is the tax|% of the|"
    rf"students|%,? are red"
)
OFF = r"\boff\b|cheaper|reduced|decreased|minus|less|discount|- "
ON = r"plus|\+|increase|rises|goes up|tip\b|add "


def shared(question: str) -> Fraction:
    text = read(re.sub(r"\bone\b(?= \w+ costs)", "a", question, flags=re.IGNORECASE))
    if re.search(WHICH, text):
        part, whole = sorted(numbers(text))
        return Fraction(100 * part, whole)
    if (found := re.search(PERCENT, text)) is None:
        return calculated(question)
    percent = int(found[1])
    [whole] = numbers(text.replace(found[0], "", 1))
    part = Fraction(whole * percent, 100)
    if re.search(ONLY_THE_PART, text):
        return part
    if re.search(OFF, text):
        return whole - part
    return whole + part if re.search(ON, text) else part


@pytest.mark.parametrize("level", LEVELS)
def test_shares(level):
    for problem in draws("share", level):
        assert shared(problem.question) == int(problem.answer), problem.question


@pytest.mark.parametrize(
    ("kind", "expected"), [("of", 60), ("off", 180), ("saved", 60), ("on", 300), ("which", 25)]
)
def test_every_wording_of_a_share_asks_for_its_kind(kind, expected):
    slots = {"p": 25, "w": 240, "x": 60, "cw": "$240", "g": "bike", "things": "pens", "people": "guests",
             "people2": "kids"}  # fmt: skip
    for wording in set().union(*map(expanded, shares.PATTERNS[kind])):
        assert shared(wording.format_map(slots)) == expected, wording


# Unknown numbers

TERM = r"(?:\d*(?<![a-z])[a-z?_](?![a-z])|\d+)"
EQUATION = re.compile(rf"{TERM}(?: ?[-+*/] ?{TERM})* ?= ?\d+")
THE = r"(?:what|which|what number|which number)"

RIDDLES = [
    (rf"{THE} plus {N} (?:is|equals|makes|gives) {N}", lambda a, s: s - a),
    (rf"{THE} minus {N} (?:equals|gives|leaves|makes) {N}", lambda a, r: r + a),
    (rf"{THE} times {N} (?:is|equals|makes|gives) {N}", lambda n, p: p / n),
    (rf"{THE} divided by {N} (?:is|equals|gives) {N}", lambda n, r: n * r),
    (rf"{N} times {THE} (?:is|equals|makes|gives) {N}", lambda n, p: p / n),
    (rf"{N} plus {THE} (?:is|equals|makes|gives) {N}", lambda a, s: s - a),
    (rf"{N} minus {THE} (?:is|equals|leaves|gives) {N}", lambda b, r: b - r),
    (rf"think of a number,? (?:and )?add {N} and get {N}", lambda a, s: s - a),
    (rf"think of a number,? subtract {N} and get {N}", lambda a, r: r + a),
    (rf"(?:multiply|multiplied) a number by {N} and (?:get|got) {N}", lambda n, p: p / n),
    (rf"double a number and add {N}[. ]+the result is {N}", lambda a, v: (v - a) / 2),
    (rf"double a number and get {N}", lambda e: e / 2),
    (rf"(?:twice|double) a number is {N}", lambda e: e / 2),
    (rf"half of a number is {N}", lambda r: r * 2),
    (rf"{N} times a number is {N}", lambda n, p: p / n),
    (rf"a number increased by {N} is {N}", lambda a, s: s - a),
    (rf"add {N} to a number you get {N}", lambda a, s: s - a),
    (rf"sum of 2 numbers is {N}[. ]+1 of them is {N}", lambda s, a: s - a),
    (rf"{N} more than a number is {N}", lambda a, s: s - a),
    (rf"(?:add to|put with) {N} to get {N}", lambda a, s: s - a),
    (rf"multiply {N} by to get {N}", lambda n, p: p / n),
]


def unknown_of(question: str) -> Fraction:
    # An `x` between numbers would be read as a sign.
    text = read(question.replace("x", "y").replace("X", "y"))
    equations = EQUATION.findall(text)
    if not equations:
        [(found, ask)] = [(found, ask) for pattern, ask in RIDDLES if (found := re.search(pattern, text))]
        return ask(*map(Fraction, found.groups()))
    left, right = max(equations, key=len).split("=")
    [unknown] = set(re.findall("[a-z?_]", left))
    left = re.sub(rf"(\d+){re.escape(unknown)}", rf"\1 * {unknown}", left)
    at_1, at_2 = (evaluate(left.replace(unknown, n)) - evaluate(right) for n in "12")
    return 1 - at_1 / (at_2 - at_1)


@pytest.mark.parametrize("level", LEVELS)
def test_unknown_numbers(level):
    for problem in draws("unknown", level):
        assert unknown_of(problem.question) == int(problem.answer), problem.question


def test_every_riddle_and_equation_comes_with_its_formula():
    # x is 4, and 2 where it is a multiple of another number.
    slots = {"n": 6, "a": 9, "s": 13, "r": 5, "b": 9, "p": 24, "t": 33, "u": 15, "e": 8, "v": 17, "y": 12}
    for wording, formula in unknowns.RIDDLES:
        expected = evaluate(re.sub("[a-z]", lambda found: str(slots[found[0]]), formula))
        for said in expanded(wording):
            assert unknown_of(said.format_map(slots)) == expected, said
    for shown, formula in unknowns.EQUATIONS:
        expected = evaluate(re.sub("[a-z]", lambda found: str(slots[found[0]]), formula))
        written = shown.format_map(slots | {"x": "z"})
        for ask in unknowns.SOLVE:
            assert unknown_of(ask.format(q=written, x="z")) == expected, ask


# Questions about the result before


FOLLOWING = {
    "+": (r"add|plus|\+|and \d+ more|with \d+ more|increase", lambda value, k: value + k),
    "-": (r"subtract|minus|- ?\d|take|\d+ less|reduce", lambda value, k: value - k),
    "*": (r"multiply|times|\*|\bx ?\d", lambda value, k: value * k),
    "2": (r"double|twice", lambda value: value * 2),
    "/": (r"divide|split|/", lambda value, k: value / k),
    "half": (r"half|halve", lambda value: value / 2),
    "%": (r"%|percent", lambda value, k: value * k / 100),
}


def kinds_of(question: str) -> list[str]:
    # "take 5% of it" is a percentage, whatever else it says.
    found = [kind for kind, (words, _) in FOLLOWING.items() if re.search(words, question.lower())]
    return ["%"] if "%" in found else found


@pytest.mark.parametrize("kind", FOLLOWING)
def test_every_wording_of_a_followup_asks_for_its_kind(kind):
    for pattern in followups.FOLLOWUPS[kind]:
        whole = pattern.replace("{lead}", followups.LEAD).replace("{it}", followups.IT)
        for wording in expanded(whole):
            assert kinds_of(wording.format(k=7)) == [kind], wording


def test_a_followup_goes_on_from_the_answer_before(followed):
    for before, after in followed:
        [kind] = kinds_of(after.question)
        value = FOLLOWING[kind][1](Fraction(before.answer), *numbers(after.question))
        assert value == int(after.answer), (before.answer, after.question)
        assert value >= 0


@pytest.fixture(scope="module")
def followed():
    rng = random.Random(1)
    pairs = [
        (one, followups.followup(one, rng))
        for one in itertools.islice(problems(4, "train", families=ALL), 600)
    ]
    return [(before, after) for before, after in pairs if after is not None]
