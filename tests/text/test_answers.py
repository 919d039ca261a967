"""Extraction of answers: a table with one row per bug found."""

import pytest

from localsmc.text import answers
from localsmc.text.answers import BoxScan

EXTRACTED = [
    ("Answer: \\boxed{42}", "42"),
    ("so \\boxed{1} or rather \\boxed{ 2 }.", "2"),
    ("\\boxed{\\frac{1}{2}}", "\\frac{1}{2}"),
    ("\\boxed{\\dfrac{3}{4}}", "\\frac{3}{4}"),
    ("\\boxed{\\{1, 2\\}}", "\\{1, 2\\}"),
    ("\\boxed{}", None),
    ("\\boxed{ \n} then \\boxed{7}", "7"),
    ("\\boxed{unfinished", None),
    ("\\boxe\\boxed{3}", "3"),
    ("\\boxed{x\\}", None),
    ("\\boxed{1,234,567}", "1234567"),
    ("\\boxed{(1,234)}", "(1,234)"),  # a pair: elsewhere commas part thousands
    ("\\boxed{\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}}", "\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}"),
    ("\\boxed{(1,2)}", "(1,2)"),
    ("\\boxed{$12$}", "12"),
    ("\\boxed{12\\%}", "12%"),
    ("\\boxed{\\text{ yes }}", "yes"),
    ("The final answer is 12.", "12"),
    ("**Answer:** 17", "17"),
    ("The answer is: $x = 3$.\n", "x = 3"),
    ("answer is 5\nno, the answer is 6", "6"),
    ("Answer: \\boxed{7", None),
    ("Answer: \\", None),
    ("Answer: \\box", None),
    ("Answer: \\frac{1}{2}", "\\frac{1}{2}"),
    ("I have no idea", None),
    ("", None),
    ("\\boxed{Straße é}", "Straße é"),
]


@pytest.mark.parametrize(("text", "answer"), EXTRACTED, ids=[text[:30] or "empty" for text, _ in EXTRACTED])
def test_extract(text, answer):
    assert answers.extract(text) == answer


@pytest.mark.parametrize(("text", "_"), EXTRACTED, ids=[text[:30] or "empty" for text, _ in EXTRACTED])
def test_the_scan_does_not_care_how_the_text_is_cut(text, _):
    data = text.encode()
    at_once = BoxScan().feed(data).complete
    scan = BoxScan()
    for i in range(len(data)):
        scan = scan.feed(data[i : i + 1])
    assert scan.complete == at_once == bool(answers.boxes(text))


SAME = [
    ("0.5", "1/2"), ("\\frac{1}{2}", "1/2"), ("2/4", "1/2"), ("+3", "3"), ("3.0", "3"), (".5", "0.5"),
    ("007", "7"), ("x = 3", "x=3"),
]  # fmt: skip
DIFFERENT = [
    ("2\\frac{1}{2}", "21/2"), ("2 1/2", "21/2"), ("3 4", "34"), ("2 1/2", "1/2"), ("1/2", "2"), ("-3", "3"),
    ("1/0", "0"), ("x", "y"), ("12%", "12"), ("1/3", "0.333"),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), SAME)
def test_same_value_same_key(one, other):
    assert answers.key(one) == answers.key(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_other_value_other_key(one, other):
    assert answers.key(one) != answers.key(other)


def test_a_very_long_number_does_not_hang():
    assert answers.key("9" * 5000) == "9" * 5000
