"""A completion that is nothing but its answer, as after examples, states it."""

import pytest

from localsmc.text import answers

ALONE = [
    ("Paris", "any", "Paris"),
    (" Paris\n", "any", "Paris"),
    ("Yes.", "any", "Yes"),
    ("No", "text", "No"),
    ('"Paris"', "text", "Paris"),
    ("**42**", "any", "42"),
    ("New York City", "any", "New York City"),
    ("red, white and blue", "text", "red, white and blue"),
    ("St. Louis", "any", "St. Louis"),
    ("5 apples", "any", "5 apples"),
    ("3:30", "any", "3:30"),
    ("巴黎", "any", "巴黎"),
    ("391", "numeric", "391"),
    ("391.", "numeric", "391"),
    ("-5", "numeric", "-5"),
    ("$1,234.50", "numeric", "1234.50"),
    ("**42**", "numeric", "42"),
    ("42 apples", "numeric", "42 apples"),
    ("x = 42", "numeric", "x = 42"),
    ("12%", "numeric", "12%"),
    ("$5$", "math", "5"),
    ("\\frac{1}{2}", "math", "\\frac{1}{2}"),
    ("$(3, \\frac{\\pi}{2})$", "math", "(3, \\frac{\\pi}{2})"),
    ("x^2 + 1", "math", "x^2 + 1"),
    ("\\text{East}", "math", "East"),
    ("Evelyn", "math", "Evelyn"),
    ("B", "letter", "B"),
    ("(B)", "letter", "B"),
    (" D", "letter", "D"),
    ("d", "letter", "D"),
    ("**C**", "letter", "C"),
    ("B. Paris", "letter", "B"),
    ("B) The mitochondria, which is the powerhouse of the cell, makes it.", "letter", "B"),
    ("<think>so A or B</think>\n\nB", "letter", "B"),
    ("<think>hm</think>Paris", "any", "Paris"),
]

NOT_ALONE = [
    ("", "any"),
    ("   \n", "any"),
    ("...", "any"),
    ("?", "any"),
    ("Paris?", "any"),
    ("Paris is nice", "any"),
    ("I don't know.", "any"),
    ("I am not sure", "text"),
    ("Sure!", "any"),
    ("Let me think", "any"),
    ("Step 1", "any"),
    ("Step 1: add", "any"),
    ("Solution", "any"),
    ("The answer", "any"),
    ("Answer:", "any"),
    ('{"answer": null}', "any"),
    ('{"answer":null}', "any"),
    ("# Title", "any"),
    ("Paris\nRome", "any"),
    ("We add three and four together", "any"),
    ("3 + 4 = 7", "any"),
    ("\\boxed{12", "any"),
    ("Paris. It has a tower.", "any"),
    ("A) 1 B) 2", "letter"),
    ("A cat sat", "letter"),
    ("Paris", "letter"),
    ("I think so", "letter"),
    ("B?", "letter"),
]


@pytest.mark.parametrize(("text", "kind", "expected"), ALONE)
def test_a_text_that_is_nothing_but_its_answer_states_it(text, kind, expected):
    found = answers.find(text, kind)
    assert (found and found.text) == expected
    assert found is None or found.source == "stated"


@pytest.mark.parametrize(("text", "kind"), NOT_ALONE)
def test_other_short_texts_state_nothing(text, kind):
    assert answers.find(text, kind) is None


@pytest.mark.parametrize(("text", "kind"), [("Paris", "any"), ("391", "numeric"), ("B", "letter")])
def test_a_cut_text_is_not_nothing_but_its_answer(text, kind):
    assert answers.find(text, kind, is_cut=True) is None


@pytest.mark.parametrize("text", ["Step 2", "We have 3 apples and 4 pears", "3 + 4 = 7"])
def test_a_number_within_a_sentence_is_still_a_fallback(text):
    assert answers.find(text, "numeric").source == "fallback"
