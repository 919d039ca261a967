"""Boxes in a text, and the scan that finds the first one in pieces."""

import pytest

from localsmc.text.answers import BoxScan, boxes
from localsmc.text.answers.box_scan import LONGEST

TEXTS = [
    ("Answer: \\boxed{42}", ["42"]),
    ("so \\boxed{1} or rather \\boxed{ 2 }.", ["1", " 2 "]),
    ("\\boxed{\\frac{1}{2}}", ["\\frac{1}{2}"]),
    ("\\boxed{\\{1, 2\\}}", ["\\{1, 2\\}"]),
    ("\\boxed{}", []),
    ("\\boxed{ \n} then \\boxed{7}", ["7"]),
    ("\\boxed{...} is \\boxed{\\text{your answer}}", []),
    ("\\boxed{unfinished", []),
    ("\\boxe\\boxed{3}", ["3"]),
    ("\\boxed{x\\}", []),
    ("\\boxed{\\\\}", ["\\\\"]),
    ("\\boxed{open \\boxed{5} on", ["5"]),
    ("\\boxed{\\boxed{5}}", ["5"]),
    ("\\fbox{5} \\fbox {6} \\framebox{7} \\framebox[2cm][c]{8}", ["5", "6", "7", "8"]),
    ("\\boxed{\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}}", ["\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}"]),
    ("\\boxed{Straße é}", ["Straße é"]),
    ("\\boxed{" + "a" * LONGEST + "}", ["a" * LONGEST]),
    ("\\boxed{" + "a" * (LONGEST + 1) + "} \\boxed{5}", ["5"]),
]


@pytest.mark.parametrize(("text", "found"), TEXTS, ids=[text[:30] for text, _ in TEXTS])
def test_boxes(text, found):
    assert boxes(text) == found


@pytest.mark.parametrize("size", [1, 2, 7])
@pytest.mark.parametrize(("text", "found"), TEXTS, ids=[text[:30] for text, _ in TEXTS])
def test_the_scan_does_not_care_how_the_text_is_cut(text, found, size):
    data, scan = text.encode(), BoxScan()
    for i in range(0, len(data), size):
        scan = scan.feed(data[i : i + size])
    assert scan.complete == BoxScan().feed(data).complete == bool(found)


def test_a_scan_holds_no_more_than_a_box():
    scan = BoxScan()
    for _ in range(1000):
        scan = scan.feed(b"\\boxed{aaaa" * 10)
        assert len(scan.held) <= LONGEST + 60
    assert BoxScan().feed(b"plain text").held == b""
