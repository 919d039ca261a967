"""Which option a text chooses, in forms that only count for tasks with options."""

import pytest

from localsmc.text import answers

CHOSEN = [
    ("The answer is Berlin (C).", "C"),
    ("The answer is Berlin, which is option C.", "C"),
    ("The answer is Berlin, not Paris (A).", "A"),
    ("Answer: [C]", "C"),
    ("The capital is Berlin. I choose B.", "B"),
    ("We look at them. I'd go with option (B).", "B"),
    ("Paris is not in Germany. It's C.", "C"),
    ("Paris is not in Germany, so it's C.", "C"),
    ("It has a tower. Therefore, it is **B**.", "B"),
    ("Look at it.\nChoice C.", "C"),
    ("Look at it. My guess is D.", "D"),
    ("The tower is in Paris. B) Paris is correct.", "B"),
    ("(B) Paris is the correct choice because of the tower.", "B"),
    ("A tower is there. A is the right one", "A"),
    ("I think that A is correct. No, B is right.", "B"),
    ("A is wrong. B is the best option.", "B"),
]

NONE = [
    "It's a nice day in Berlin.",
    "It's not C.",
    "Is it C?",
    "I don't think A is right.",
    "If B is correct, then the sky is red.",
    "B) Paris is not correct.",
    "I do not know if A is correct.",
    "Statement A is correct, and so is statement B?",
    "Option A: Paris\nOption B: Rome",
    "Answers: A) 1 B) 2",
    "The answer is Berlin (B) or Paris (C).",
    "The answer is Berlin.",
    "I choose blue.",
]


@pytest.mark.parametrize(("text", "letter"), CHOSEN)
def test_a_text_chooses_an_option(text, letter):
    assert answers.find(text, "letter") == (letter, "stated")


@pytest.mark.parametrize("text", NONE)
def test_other_texts_choose_none(text):
    assert answers.find(text, "letter") is None


@pytest.mark.parametrize(
    "text", ["So it's C", "I choose B", "Look.\nChoice C", "The answer is Berlin, option C"]
)
def test_a_choice_at_the_end_of_a_cut_text_is_none(text):
    assert answers.find(text, "letter", is_cut=True) is None
