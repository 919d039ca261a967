"""A model may write anything for as long as it likes: whatever reads a text takes time linear in it.

A quarter of a million characters take hundredths of a second each; what takes quadratic time, or worse, takes
minutes. Time of the process, not of the clock: tests share the machine.
"""

import random
import time

import pytest

from localsmc.evals.grading import GRADERS
from localsmc.text import answers, reasoning
from localsmc.text.answers import BoxScan, latex

LENGTH = 250_000
MOST = 3.0
"""Seconds for all functions together."""

UNITS = [
    "a",
    " ",
    "\n",
    "{",
    "{}",
    "\\",
    "$",
    "*",
    "#",
    "_",
    "`",
    '"',
    "'",
    "(",
    "()",
    "[",
    "<",
    "=",
    "-",
    "5",
    ".",
    ",",
    "5 ",
    "1,",
    "1.",
    "1/",
    "\\(",
    "\\[",
    "$$",
    "\\boxed{",
    "\\boxed",
    "\\boxed ",
    "\\boxed{}",
    "\\boxed{5}",
    "\\boxed{{}",
    "\\framebox[",
    "answer",
    "answer ",
    "answer is ",
    "the answer is ",
    "Answer:",
    "Answer:\n",
    "Answer: 5\n",
    "the answer is not 5. ",
    "The answer to ",
    "if the answer is 5 ",
    "ans",
    "the total is 5. ",
    "#### ",
    "####",
    "x####\n",
    "<answer>",
    "[ANSWER]",
    "<think>",
    "</think>",
    "<think></think>",
    "</think>`",
    "\\text{",
    "\\frac{",
    "= ",
    "=5 ",
    "答案",
    "答案是",
    "答えは5",
    "정답은",
    "\u0130",
    "\ud800",
    "**answer** ",
    "\n\nAnswer\n\n",
    "option B is ",
    "5 is the answer ",
    "$5 ",
    "a b ",
    'answer: "',
    "\\begin{",
    "answer |",
    "。",
    "「",
    "x=1",
    "answer is \\(",
    "answer is ```",
    "It's C, ",
    "A) b ",
    "I choose B is correct ",
    "answer (C) ",
    "option C ",
    "one hundred ",
    "\U0001f389",
    "\u00b2",
    "5 million ",
    "10^3",
    "5!",
    "to get the answer: ",
]
SHAPES = [
    ("The answer is 5", " ", "|"),
    ("Answer:", "\n", ""),
    ("answer is ", "(", ""),
    ("answer is ", "a, ", ""),
    ("answer is ", "1, ", ""),
    ("\\boxed{", "a", "}"),
    ("\\boxed{", "{}", "}"),
    ("$", "a", "$"),
    ("**answer", "*", ":5"),
    ('answer "', '"', ""),
    ("\\boxed{5}", "answer ", ""),
    ("<think>", "a", ""),
    ("", "a", "</think>5"),
    ("the answer", " to the", ""),
    ("#### ", "1,", ""),
    ("= ", "1,", ""),
    ("5 ", "a ", ""),
    ("\u00e9 ", "\U0001f389 ", "a"),
]


def test_keys_of_the_longest_answers_take_no_time():
    began = time.process_time()
    for unit in UNITS:
        for kind in ("any", "numeric", "text", "letter", "math"):
            answers.key(("5 " + unit * 990)[:990] + "!1", kind)
    assert time.process_time() - began < MOST


def _mixtures(n):
    rng = random.Random(0)
    return [("", "".join(rng.choices(UNITS, k=rng.randint(2, 6))), "") for _ in range(n)]


def _read(text):
    """Everything that reads a model's text outside of the grading process."""
    for kind in ("any", "numeric", "letter"):
        answers.find(text, kind, is_cut=kind == "numeric")
    answers.boxes(text)
    BoxScan().feed(text.encode(errors="surrogatepass"))
    for kind in ("any", "numeric", "text", "letter", "math"):
        answers.key(answers.normalise(text), kind)
    reasoning.parts(text)
    latex.unwrapped(text)
    for rule in GRADERS.values():
        rule.at_once(text, "5")
        rule.grade(text, "5" if rule.name != "choice" else "B")


@pytest.mark.parametrize(("before", "unit", "after"), [*(("", u, "") for u in UNITS), *SHAPES, *_mixtures(6)])
def test_any_text_is_read_in_linear_time(before, unit, after):
    text = before + unit * (LENGTH // len(unit)) + after
    began = time.process_time()
    _read(text)
    assert time.process_time() - began < MOST
