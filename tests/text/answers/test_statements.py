"""What is a statement of an answer, and what only looks like one."""

import pytest

from localsmc.text import answers

STATED = [
    ("The answer is 5! = 120.", "120"),
    ("The answer is 10 * 5! = 1200", "1200"),
    ("The answer is 5!/3! = 20.", "20"),
    ("The answer is $5! = 120$.", "120"),
    ("The answer is n! / 2.", "n! / 2"),
    ("The answer is 5!", "5"),
    ("The answer is 5! That was fun.", "5"),
    ("The answer is Paris! It has a tower.", "Paris"),
    ("The answer is (drumroll) 7.", "7"),
    ("The answer is (drumroll please!) **7**.", "7"),
    ("The answer is (3, 4).", "(3, 4)"),
    ("The answer is (a) 7.", "(a) 7"),
    ("Question: 2+2? Answer: 4 Question: 3+3? Answer:", "4"),
    ("Q: 2+2? A: no. Answer: 4 Q: 3+3?", "4"),
    ("We add them. This leads to the answer: 5", "5"),
    ("Here is the answer: 5", "5"),
    ("This brings us to the answer: 5.", "5"),
    ("```python\nanswer = 5\n```", "5"),
    ("answer = 5", "5"),
    ("This gives us our answer of 5.", "5"),
    ("We get an answer of 5.", "5"),
    ("We add them, giving the answer 5.", "5"),
    ("So we arrive at the final answer of $12.", "12"),
    ("The answer is going to be 7.", "7"),
    ("Ans. 9", "9"),
    ("Answer = x + 1", "x + 1"),
]

NOT_STATED = [
    "To get the answer: multiply 3 by 4.",
    "To find the answer: add 3.",
    "First, to work out the answer: add 3.",
    "Steps to the answer: 3 + 4",
    "Format of the answer: a number",
    "The format of the answer is a number.",
    "Explanation of the answer: 3 is odd",
    '{"answer": null}',
    "The answer is left to the reader.",
    "The answer is left as an exercise.",
    "The answer is already given.",
    "The answer is already known",
    "```python\nanswer = a + b\nprint(answer)\n```",
    "answer = int(input())",
    "We get an answer of 5 is what he said.",
    "We don't get an answer of 5.",
    "If we get an answer of 5 we stop.",
    "Tom gave a wrong answer of 5.",
    "He wants to get an answer of 5.",
]


@pytest.mark.parametrize(("text", "expected"), STATED)
def test_a_statement_has_its_whole_value(text, expected):
    assert answers.find(text) == (expected, "stated")


@pytest.mark.parametrize("text", NOT_STATED)
def test_what_speaks_about_an_answer_states_none(text):
    assert answers.find(text) is None


@pytest.mark.parametrize(("text", "expected"), [("The answer is 5! = 120.", "120"), ("5! = 120", "120")])
def test_a_factorial_is_no_number(text, expected):
    assert answers.extract(text, "numeric") == expected
