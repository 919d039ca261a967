"""Which answers are the same, for each kind; and that graders agree with votes."""

import itertools
from fractions import Fraction

import pytest

from localsmc.evals.grading import GRADERS
from localsmc.text import answers
from localsmc.text.answers.numeric import number

SAME = {
    "numeric": [
        [
            "42",
            "42 apples",
            "x = 42",
            "$42",
            "$42.00",
            "42.0",
            "**42**",
            "40 + 2 = 42",
            "\\boxed{42}",
            "84/2",
            "The answer is 42",
            "42 because 40 + 2 = 42",
            "42 (40 + 2 = 42)",
            "total = 42",
            "6 × 7 = 42",
            "42%",
            "\\frac{84}{2}",
            "Tom has 42 apples",
            "42 apples in total",
        ],
        ["-5", "−5", "$-5$", "x = -5"],
        ["5 cm^2", "5 cm²", "5\\text{ cm}^2", "$5~\\mathrm{m}^3$", "5 square feet", "5 ft^{2}", "5"],
        ["1234", "1,234", "$1,234", "1234.00"],
    ],
    "text": [
        ["Paris", '"Paris"', "Paris.", "paris", " Paris ", "\\text{Paris}", "“Paris”", "**Paris**", "Paris!"]
    ],
    "letter": [
        ["B", "(B)", "b", "b)", "B) 12", "B.", "\\text{B}", "B. Paris", "(B) Paris", "option B", "**B**"]
    ],
    "any": [
        ["Paris", '"Paris"', "Paris.", "paris"],
        ["B", "(B)", "b", "b)", "B) 12", "(B) 12"],
        ["5", "5.0", "$5", "10/2", "+5", "05"],
        ["0.5", "1/2", "\\frac{1}{2}", "2/4", ".5"],
        ["-5", "−5"],
        ["1,234", "1234"],
        ["x = 3", "x=3"],
        ["5 Apples", "5 apples", "5 APPLES."],
        ["3 PM", "3 pm", "3 p.m.", "3PM", "3 P.M."],
        ["3:30 PM", "3:30 p.m."],
        ["caf\u00e9", "cafe\u0301", "Caf\u00e9"],
        ["\uff15", "5"],
        ["Paris \U0001f389", "Paris", "**Paris** \U0001f389\U0001f5fc", "Paris! \u2728"],
        ["5 \u2705", "5"],
        ["1 1/2", "1.5", "3/2", "1\\frac{1}{2}"],
        ["\\dfrac12", "\\frac12", "\\frac{1}{2}", "0.5"],
        ["2\u00b2", "2^2"],
        ["90^\\circ", "90\u00b0", "90^{\\circ}", "$90^\\circ$"],
        ["$12.50", "12.5 dollars", "12.50 dollars"],
    ],
    "math": [["5", "x = 5", "5 apples", "$5$", "10/2"], ["x + 1", "x+1"], ["East", "\\text{East}", "east"]],
}

DIFFERENT = {
    "numeric": [["5", "6", "-5", "0.5", "5 hours 30 minutes"]],
    "text": [["cat", "cats"], ["0.5", "1/2"]],
    "letter": [["A", "B"]],
    "any": [
        ["2\\frac{1}{2}", "21/2"],
        ["2 1/2", "21/2", "1/2"],
        ["3 4", "34"],
        ["1/2", "2"],
        ["-3", "3"],
        ["1/0", "0"],
        ["x", "y"],
        ["12%", "12"],
        ["1/3", "0.333"],
        ["R^2", "r^2"],
        ["5 MW", "5 mW"],
        ["C\u266f", "C"],
        ["3 am", "3 pm"],
        ["\U0001f389", "\u2728"],
        ["2\u00b2", "22"],
    ],
    "math": [["y = 2x", "y = 3x"], ["1/3", "0.333"], ["A", "B"]],
}


def _groups(table):
    return [(kind, group) for kind, groups in table.items() for group in groups]


@pytest.mark.parametrize(("kind", "group"), _groups(SAME))
def test_the_same_answer_has_the_same_key(kind, group):
    assert len({answers.key(answer, kind) for answer in group}) == 1


@pytest.mark.parametrize(("kind", "group"), _groups(DIFFERENT))
def test_another_answer_has_another_key(kind, group):
    assert len({answers.key(answer, kind) for answer in group}) == len(group)


@pytest.mark.parametrize("name", ["numeric", "exact", "choice"])
def test_what_is_one_vote_has_one_grade(name):
    rule = GRADERS[name]
    every = [answer for group in [*SAME[rule.kind], *DIFFERENT[rule.kind]] for answer in group]
    for one, other in itertools.product(every, repeat=2):
        if rule.grade(one, one).is_right and rule.grade(other, other).is_right:
            assert rule.grade(one, other).is_right == answers.same(one, other, rule.kind), (one, other)


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ("10 because 3 + 4 = 7", 10),
        ("5 apples, since 2 + 3 = 6", 5),
        ("10 (since 3 + 4 = 7)", 10),
        ("10 so 3 + 4 = 7", 10),
        ("10. 3 + 4 = 7", 10),
        ("10: 3 + 4 = 7", 10),
        ("the total is 10, as 3 + 4 = 7", 10),
        ("10 - 3 = 7 because 10 is 3 more than 7", 7),
        ("x = 3", 3),
        ("3 + 4 = 7", 7),
        ("total = 7", 7),
        ("16 - 3 - 8 = 5 eggs", 5),
        ("2 apples + 3 apples = 5 apples", 5),
        ("3 * (4 + 5) = 27", 27),
        ("5 and 3 + 4 = 7", None),
        ("10, 3 + 4 = 7", None),
        ("5 or 6", None),
        ("many", None),
        ("five", 5),
        ("Eighteen", 18),
        ("twenty-one apples", 21),
        ("Ninety nine.", 99),
        ("two hundred and six", 206),
        ("one thousand two hundred", 1200),
        ("a million", 1000000),
        ("One", 1),
        ("one of them", None),
        ("the right one", None),
        ("five or six", None),
        ("five six", None),
        ("two thirds", Fraction(2, 3)),
        ("-$5", -5),
        ("-\\$5", -5),
        ("$10 - $5 = $5", 5),
        ("10^3", 1000),
        ("1e3", 1000),
        ("2^5", 32),
        ("2^{-1}", Fraction(1, 2)),
        ("2**10", 1024),
        ("x = 2^5", 32),
        ("3 \\times 10^8", 300000000),
        ("3 × 10^8 m/s", 300000000),
        ("10^999", None),
        ("2 million", 2000000),
        ("$2.5 million", 2500000),
        ("5k", 5000),
        ("5kg", 5),
        ("3 dozen eggs", 36),
        ("2 hundred", 200),
        ("12 and a half", Fraction(25, 2)),
        ("12 and three quarters", Fraction(51, 4)),
        ("twelve and a half", Fraction(25, 2)),
        ("", None),
    ],
)
def test_the_number_of_an_answer_is_not_that_of_its_reason(answer, value):
    assert number(answer) == value


def test_a_magnitude_is_no_unit_of_a_formula():
    assert answers.key("2 million", "math") != answers.key("2", "math")


def test_number_words_and_magnitudes_are_answers_of_numeric_tasks():
    assert answers.find("The answer is five.", "numeric") == ("five", "stated")
    assert answers.find("Eighteen", "numeric") == ("Eighteen", "stated")
    assert answers.find("He has about 2 million.", "numeric") == ("2 million", "fallback")


def test_a_very_long_number_does_not_hang():
    assert answers.key("9" * 5000) == "9" * 5000
    assert answers.same("9" * 5000, "9" * 5000, "numeric")


def test_no_answer_is_the_same_as_none():
    assert not answers.same(None, "5")


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        (" $5$ ", "5"),
        ("$5$ apples", "5 apples"),
        ("$5", "5"),
        ("\\(5\\)", "5"),
        ("**5**", "5"),
        ('"Paris"', "Paris"),
        ("\\boxed{5}", "5"),
        ("\\dfrac{1}{2}", "\\frac{1}{2}"),
        ("1,234,567", "1234567"),
        ("(1,234)", "(1,234)"),
        ("12\\%", "12%"),
        ("\\text{ yes }", "yes"),
        ("−5", "-5"),
        ("Washington, D.C.", "Washington, D.C."),
        ("5.", "5"),
        ("$x = 1$ and $y = 2$", "x = 1 and y = 2"),
    ],
)
def test_formatting_is_not_shown(answer, shown):
    assert answers.normalise(answer) == shown
