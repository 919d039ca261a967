"""Kinds of spellings and look-alikes that bug reports of graders describe: a table for each grader."""

import pytest

from localsmc.evals.grading import GRADERS, Grader, benchmark

MATH = [
    ("\\text{Yes}", "**Yes**", "right"),
    ("73", "**73**", "right"),
    ("73", "`73`", "right"),
    ("73", "__73__", "right"),
    ("Yes", "NO", "wrong"),
    ("True", "true", "right"),
    ("11:59 \\text{ p.m.}", "11:59 a.m.", "wrong"),
    ("3:00", "3 o'clock", "right"),
    ("12:00 PM", "noon", "right"),
    ("23:59", "11:59 PM", "right"),
    ("9:05", "9:50", "wrong"),
    ("1e6", "10^6", "right"),
    ("1.5e-3", "0.0015", "right"),
    ("1e6", "1e7", "wrong"),
    ("6.02\\times 10^{23}", "6.02 x 10^23", "right"),
    ("6.02\\times 10^{23}", "6.02\\cdot10^{23}", "right"),
    ("6.02\\times 10^{23}", "6.02*10**23", "right"),
    ("6.02\\times10^{23}", "6.02E+23", "right"),
    ("\\frac{1}{3}", "0.\\bar{3}", "right"),
    ("\\frac{1}{3}", "0.(3)", "right"),
    ("\\frac{1}{3}", "0.333...", "right"),
    ("\\frac{1}{3}", "0.333", "wrong"),
    ("\\frac16", "0.1\\overline{6}", "right"),
    ("0.\\overline{142857}", "1/7", "right"),
    ("0.\\overline{9}", "1", "right"),
    ("x^2", "x²", "right"),
    ("\\frac12", "½", "right"),
    ("2.5", "2½", "right"),
    ("-3", "−3", "right"),
    ("-3", "–3", "right"),
    ("\\frac{3}{4}", "3⁄4", "right"),
    ("2^{-3}", "2⁻³", "right"),
    ("12345", "12 345", "right"),
    ("12345", "12\u2009345", "right"),
    ("12345", "12\u202f345", "right"),
    ("12345", "12'345", "right"),
    ("12345", "12’345", "right"),
    ("1234567", "1.234.567", "right"),
    ("1.234", "1234", "wrong"),
    ("1234", "1,234", "right"),
    ("1234.5", "1,234.5", "right"),
    ("21", "twenty-one", "right"),
    ("105", "one hundred and five", "right"),
    ("999999", "nine hundred ninety-nine thousand nine hundred ninety-nine", "right"),
    ("1000000", "one million", "right"),
    ("21", "twenty", "wrong"),
    ("B", "(B) 12", "right"),
    ("B", "B) 12", "right"),
    ("B", "**B.** twelve", "right"),
    ("B", "(C) 12", "wrong"),
    ("12", "(B) 12", "wrong"),
    ("\\textbf{(B)}\\ 12", "B", "right"),
    ("\\emptyset", "∅", "right"),
    ("\\emptyset", "\\{\\}", "right"),
    ("\\emptyset", "{}", "right"),
    ("\\emptyset", "0", "wrong"),
    ("\\emptyset", "empty set", "right"),
    ("\\frac{1}{100!}", "\\frac{1}{101!}", "wrong"),
    ("\\pi", "3.14159265358979", "wrong"),
    ("\\sqrt2", "1.41421356", "wrong"),
    ("0.5", "1/2", "right"),
    ("5", "10^{10^{10^{10}}}", "wrong"),
    ("5", "1000000!", "wrong"),
    ("5", "2^{3^{4^{5^6}}}", "wrong"),
    ("9^{9^{9^9}}", "9^{9^{9^9}}", "right"),
    ("9^{9^{9^9}}", "9^{9^{9^8}}", "wrong"),
    ("\\pi", "\\frac{22}{7}", "wrong"),
    ("e^{\\pi\\sqrt{163}}", "262537412640768744", "wrong"),
    ("=5", "5", "right"),
    ("5", "= 5", "right"),
    ("10", "1e1", "right"),
    ("10^{100}", "10^{100}+1", "wrong"),
    ("(3,4]", "\\frac{14}{3}", "wrong"),
    ("(3,4]", "3.5", "wrong"),
    ("73", "73**", "right"),
    ("Yes", "yes", "right"),
    ("\\text{Yes}", "Yes.", "right"),
    ("11:59 \\text{ p.m.}", "11:59 PM", "right"),
    ("1e6", "1000000", "right"),
    ("6.02\\times 10^{23}", "6.02e23", "right"),
    ("0.\\overline{3}", "\\frac{1}{3}", "right"),
    ("3000000", "3×10⁶", "right"),
    ("1000", "1 000", "right"),
    ("\\emptyset", "\\varnothing", "right"),
    ("\\frac{1}{2004!}", "\\frac{1}{2006!}", "wrong"),
    ("e", "2.718281828459045", "wrong"),
    ("5", "9^{9^{9^{9}}}", "wrong"),
    ("\\approx 3.14", "\\pi", "right"),
    ("\\approx 3.14", "3.1416", "right"),
    ("\\approx 3.14", "3.1", "wrong"),
    ("\\approx 3.14", "\\frac{22}{7}", "right"),
    ("≈ 0.33", "1/3", "right"),
    ("\\approx 3.14", "x", "wrong"),
    ("0.33", "1/3", "wrong"),
    ("73", "***73***", "right"),
    ("Yes", "YES!", "right"),
    ("12:30 \\text{ a.m.}", "0:30", "right"),
    ("3000000", "3 million", "right"),
    ("2500000", "two and a half million", "right"),
    ("2.5", "two and a half", "right"),
    ("12", "a dozen", "right"),
    ("-7", "minus 7", "right"),
    ("5000", "5k", "wrong"),
    ("\\frac{1}{2}", "\\sin 30^\\circ", "right"),
    ("\\sin 23^\\circ", "\\cos(67^\\circ)", "right"),
    ("\\sin 23^\\circ", "\\sin 24^\\circ", "wrong"),
    ("\\frac{1}{2}", "\\sin 30", "wrong"),
    ("5", "\\binom{10^9}{5 \\cdot 10^8}", "wrong"),
    ("499999999500000000", "\\binom{10^9}{2}", "right"),
    ("5", "\\Gamma(10^9)", "wrong"),
    ("5", "\\prod_{k=1}^{10^9} k", "wrong"),
    ("120", "\\prod_{k=1}^{5} k", "right"),
    ("5", "\\sum_{k=1}^{10^9} \\frac{1}{k}", "wrong"),
    ("500000500000", "\\sum_{k=1}^{1000000} k", "right"),
    ("\\frac{\\pi^2}{6}", "\\sum_{k=1}^{\\infty} \\frac{1}{k^2}", "right"),
    ("5", "\\gcd(9^{9^9}, 3)", "wrong"),
    ("4", "\\gcd(12, 8)", "right"),
    ("5", "\\int_0^1 x^x dx", "wrong"),
    ("\\frac{1}{2}", "\\int_0^1 x dx", "right"),
]

NUMERIC = [
    ("1/3", "0.333...", "right"),
    ("-7", "minus 7", "right"),
    ("-7", "negative 7", "right"),
    ("2500000", "2 and a half million", "right"),
    ("18", "1.8×10^1", "right"),
    ("18", "１８", "right"),
    ("105", "one hundred five", "right"),
    ("1000000", "one million", "right"),
    ("1234", "1\u202f234", "right"),
    ("1234", "1,234", "right"),
    ("1234567.5", "1.234.567,5", "right"),
    ("0.5", "½", "right"),
    ("-7", "-7", "right"),
    ("-7", "7", "wrong"),
    ("3", "0.3e1", "right"),
    ("0.333", "1/3", "wrong"),
    ("1/3", "0.(3)", "right"),
    ("5", "9^{9^{9}}", "wrong"),
    ("1234", "1 23", "wrong"),
    ("18", "**18**", "right"),
    ("18", "1.8e1", "right"),
    ("18", "eighteen", "right"),
    ("1234", "1'234", "right"),
    ("1234.5", "1.234,5", "right"),
    ("-7", "−7", "right"),
    ("9.8 \\pm 0.1", "9.75", "right"),
    ("9.8 ± 0.1", "9.9", "right"),
    ("9.8 +/- 0.1", "9.91", "wrong"),
    ("\\approx 3.14", "3.1416", "right"),
    ("\\approx 3.14", "3.15", "wrong"),
    ("9.8", "9.75", "wrong"),
]

SEVERAL = [
    ("numeric", ("4", "5"), "5", "right"),
    ("exact", ("4", "four"), "Four", "right"),
    ("exact", ("4", "four"), "5", "wrong"),
    ("numeric", ("four hundred miles of road", "400"), "400", "right"),
    ("numeric", ("unknown", "400"), "401", "failed"),  # nobody knows what the first one means
    ("numeric", (r"9.8 \\pm 0.1", "98"), "9.75", "right"),
    ("exact", (), "4", "failed"),
]


@pytest.mark.parametrize(("gold", "answer", "verdict"), MATH)
def test_math(gold, answer, verdict):
    assert GRADERS["math"].grade(answer, gold).verdict == verdict


@pytest.mark.parametrize(("gold", "answer", "verdict"), NUMERIC)
def test_numeric(gold, answer, verdict):
    assert GRADERS["numeric"].grade(answer, gold).verdict == verdict


@pytest.mark.parametrize(("name", "golds", "answer", "verdict"), SEVERAL)
def test_one_of_several_golds_is_enough(name, golds, answer, verdict):
    with Grader(name, 60.0) as grader:
        assert grader.grade(answer, golds).verdict == verdict


@pytest.mark.parametrize("tower", ["N^{9^{9^{9}}}", "2^{3^{4^{5^N}}}", "N000000!", "10^{10^{N0}}"])
def test_a_tower_of_exponents_is_told_by_its_size(tower):
    """Evaluated, it would take all memory or all time, and the verdict would be `failed`."""
    nine, eight = tower.replace("N", "9"), tower.replace("N", "8")
    with Grader("math", 60.0) as grader:
        assert grader.grade(nine, "5").verdict == "wrong"
        assert grader.grade(nine.replace("{", "{ "), nine).verdict == "right"
        assert grader.grade(eight, nine).verdict == "wrong"


def test_pairs_of_golds_that_are_called_equal_are_listed():
    with Grader("math", 60.0) as grader:
        found = benchmark.measure_pairs(grader, ["1/2", "0.5", "7", "8", "8"], 100)
    assert found.total == 12
    assert sorted(failure[:2] for failure in found.failures) == [("0.5", "1/2"), ("1/2", "0.5")]
