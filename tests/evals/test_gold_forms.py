r"""Gold answers that stand for several texts, or for a number with a tolerance or decimal places."""

import json

import pytest

from localsmc.evals.grading import GRADERS, read_gold, written_gold


@pytest.mark.parametrize(
    ("gold", "right", "wrong"),
    [
        ({"answer": "3.14", "tolerance": 0.01}, ["3.14", "3.13", "3.15"], ["3.1299", "3.16", "-3.14"]),
        ({"answer": "350", "tolerance": "2%"}, ["343", "357", "350 km"], ["342.9", "357.1"]),
        ({"answer": "-200", "tolerance": "1%"}, ["-198", "-202"], ["-197", "200"]),
        ({"answer": "1/3", "places": 2}, ["0.33", "0.333", "1/3"], ["0.3", "0.34", "0.334", "0"]),
        ({"answer": ["5", "7"], "tolerance": "0.5"}, ["5.5", "6.5"], ["6", "12"]),
        (["4", "5"], ["4", "5", "5.0"], ["4.5", "45", "9"]),
        (r"\approx 3.14", ["3.14", "3.135", "3.1416"], ["3.13", "3.15"]),
        (r"9.8 \pm 0.1", ["9.7", "9.9", "9.8"], ["9.69", "9.91"]),
        ("9.8 ± 0.1", ["9.75"], ["9.95"]),
        ("0.5", ["1/2", "0.50"], ["0.49999"]),
    ],
)  # fmt: skip
def test_numbers_that_are_close_enough(gold, right, wrong):
    grade = GRADERS["numeric"].grade
    text = written_gold(gold)
    assert [answer for answer in right if not grade(answer, text).is_right] == []
    assert [answer for answer in wrong if grade(answer, text).verdict != "wrong"] == []


def test_an_irrational_value_may_be_rounded_where_the_gold_says_so():
    grade = GRADERS["math"].grade
    gold = written_gold({"answer": "\\pi", "places": 2})
    verdicts = {answer: grade(answer, gold).verdict for answer in ("3.14", "3.1416", "3.1", "3.15", "\\pi")}
    assert verdicts == {"3.14": "right", "3.1416": "right", "3.1": "wrong", "3.15": "wrong", "\\pi": "right"}
    assert grade("3.14", "\\pi").verdict == "wrong"


@pytest.mark.parametrize(
    "text",
    [
        '["4", 5]',
        '{"answer": "4", "tolerance": -1}',
        '{"answer": "4", "tolerance": "wide"}',
        '{"answer": "4", "tolerance": 1, "places": 2}',
        '{"answer": "4", "places": 1.5}',
        '{"answer": "4", "error": 1}',
        '{"tolerance": 1}',
        '{"answer": "4"',
    ],
)
def test_forms_with_a_mistake_cannot_be_read(text):
    assert GRADERS["numeric"].grade("4", text).verdict == "failed"


def test_texts_and_letters_have_no_tolerance():
    gold = written_gold({"answer": "A", "tolerance": 1})
    assert GRADERS["choice"].grade("A", gold).verdict == "failed"
    assert GRADERS["choice"].grade("B", '["A", "B"]').is_right


def test_an_interval_is_no_list_of_answers_and_the_gold_of_a_reply_no_object_of_this_kind():
    assert read_gold("[1, 2]").texts == ("[1, 2]",)
    tests = json.dumps({"prompt": "", "test": "assert f"})
    assert GRADERS["code"].grade("", tests).reason == "there is no answer"
    instructions = json.dumps({"instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]})
    assert GRADERS["format"].grade("a", instructions).is_right
