"""Multiple choice by log-likelihood: the accuracies of lm-evaluation-harness, and rows as sets have them."""

import json
from pathlib import Path

import numpy as np
import pytest

import localsmc
from localsmc.errors import ConfigError, TaskError
from localsmc.scoring.choice_rows import ChoiceFields, has_choices, questions_of
from localsmc.scoring.choices import Question, choice_score, choose, share

PATH = Path("rows.jsonl")


def question(*rows, **fields):
    (found,) = questions_of(rows, PATH, ChoiceFields(**fields))
    return found


# log p, the options, the right ones, and `acc` and `acc_norm` as lm-evaluation-harness 0.4.13 gives them:
# ConfigurableTask.process_results of a multiple_choice task with these log-likelihoods.
HARNESS = [
    ((-3.0, -4.0), ("a", "bbbb"), (0,), 1, 0),
    ((-3.0, -4.0), ("a", "bbbb"), (1,), 0, 1),
    ((-2.0, -2.0, -1.5), ("aa", "aa", "c"), (2,), 1, 0),
    ((-2.0, -2.0), ("ab", "cd"), (1,), 0, 0),
    ((-6.0, -5.0), ("ééé", "bb"), (0,), 0, 1),
    ((-1.0, -4.0, -2.0), ("x", "y", "z"), (1, 2), 0, 0),
    ((-5.0, -4.0, -2.0), ("x", "y", "z"), (1, 2), 1, 1),
]


@pytest.mark.parametrize(("logps", "choices", "gold", "acc", "acc_norm"), HARNESS)
def test_accuracies_of_the_harness(logps, choices, gold, acc, acc_norm):
    found = choice_score(Question(prompt="?", choices=choices, gold=gold), logps)
    assert (found.acc, found.acc_norm) == (acc, acc_norm)


def test_the_standard_error_of_the_harness():
    # lm_eval.api.metrics.mean_stderr([1, 0, 1, 1])
    assert share([1, 0, None, 1, 1]) == (0.75, pytest.approx(0.25), 4)
    assert share([1]) == (1.0, None, 1)
    assert share([None]) is None


def test_options_are_scored_after_the_question(embedded):
    asked = [
        Question(prompt="Question: What is 2 + 3?\nAnswer:", choices=("4", "5", "six"), gold=(1,)),
        Question(prompt="1 + 1 =", choices=("2", "two")),
    ]
    found = choose(embedded, asked)
    pairs = [(one.prompt, f" {choice}") for one in asked for choice in one.choices]
    expected = localsmc.score(embedded, pairs)
    np.testing.assert_allclose(
        [logp for one in found for logp in one.logps], [one.logp for one in expected], atol=0.05
    )
    for one in found:
        assert one.choice == max(range(len(one.choices)), key=lambda k: one.logps[k])
        assert one.choice_norm == max(
            range(len(one.choices)), key=lambda k: one.logps[k] / len(one.choices[k])
        )
    assert (found[1].acc, found[1].acc_norm) == (None, None)
    assert json.loads(json.dumps(found[0].to_json()))["gold"] == [1]


LISTED = {"question": "2 + 3?", "choices": ["4", "5"]}


@pytest.mark.parametrize(
    ("row", "prompt", "choices", "gold"),
    [
        (LISTED | {"answer": 1}, "Question: 2 + 3?\nAnswer:", ("4", "5"), (1,)),
        (LISTED | {"answer": "B"}, "Question: 2 + 3?\nAnswer:", ("4", "5"), (1,)),
        (LISTED | {"answer": "5"}, "Question: 2 + 3?\nAnswer:", ("4", "5"), (1,)),
        (LISTED | {"answer": ["A", "B"]}, "Question: 2 + 3?\nAnswer:", ("4", "5"), (0, 1)),
        (LISTED | {"answer": None}, "Question: 2 + 3?\nAnswer:", ("4", "5"), ()),
        (LISTED, "Question: 2 + 3?\nAnswer:", ("4", "5"), ()),
        # columns with gaps, as pandas and Parquet have them
        (LISTED | {"answer": 1.0}, "Question: 2 + 3?\nAnswer:", ("4", "5"), (1,)),
        (LISTED | {"answer": float("nan")}, "Question: 2 + 3?\nAnswer:", ("4", "5"), ()),
        (LISTED | {"answer": " "}, "Question: 2 + 3?\nAnswer:", ("4", "5"), ()),
        ({"prompt": "?", "A": "x", "B": "y", "C": float("nan"), "answer": "A"}, "?", ("x", "y"), (0,)),
        # TruthfulQA: which of the options are right
        (LISTED | {"answer": [0, 1]}, "Question: 2 + 3?\nAnswer:", ("4", "5"), (1,)),
        ({"goal": "?", "options": ["x", "y", "z"], "label": [True, False, 1]}, "?", ("x", "y", "z"), (0, 2)),
        # ARC
        (
            {"question": "?", "choices": {"text": ["x", "y"], "label": ["1", "2"]}, "answerKey": "1"},
            "Question: ?\nAnswer:", ("x", "y"), (0,),
        ),
        (
            {"goal": "?", "options": [{"text": "x", "label": "a"}, {"text": "y", "label": "b"}], "gold": "b"},
            "?", ("x", "y"), (1,),
        ),
        # HellaSwag, and MMLU as CSV
        ({"ctx": "A man", "endings": ["sits.", "runs."], "label": "1"}, "A man", ("sits.", "runs."), (1,)),
        ({"prompt": "?", "A": "x", "B": "y", "C": "", "answer": "B"}, "?", ("x", "y"), (1,)),
        ({"query": "q", "options": ["no", "yes"], "target": 0}, "q", ("no", "yes"), (0,)),
    ],
)  # fmt: skip
def test_rows_as_sets_have_them(row, prompt, choices, gold):
    assert has_choices(row)
    found = question(row)
    assert (found.prompt, found.choices, found.gold) == (prompt, choices, gold)


def test_fields_letters_and_templates():
    row = {"goal": "Boil water", "sol1": "a pot", "sol2": "a sieve", "right": 0}
    fields = {"choices": ("sol1", "sol2"), "answer": "right"}
    assert question(row, **fields) == Question(prompt="Boil water", choices=("a pot", "a sieve"), gold=(0,))
    found = question(row, **fields, template="Goal: {goal}\nHow:")
    assert found.prompt == "Goal: Boil water\nHow:"
    found = question(row, **fields, letters=True)
    assert found == Question(
        prompt="Boil water\nA. a pot\nB. a sieve\nAnswer:", choices=("A", "B"), gold=(0,)
    )
    assert not has_choices({"prompt": "a", "text": "b"})


@pytest.mark.parametrize("letters", [False, True])
def test_fields_can_be_inside_others(letters):
    row = {"doc": {"question": "2 + 3?", "options": ["4", "5"], "right": "B"}}
    names = {"question": "doc.question", "answer": "doc.right"}
    listed = question(row, **names, choices=("doc.options",), letters=letters)
    assert listed == question(row, **names, choices=("doc.options.0", "doc.options.1"), letters=letters)
    plain = {"question": "2 + 3?", "choices": ["4", "5"], "answer": "B"}
    assert listed == question(plain, letters=letters)
    assert listed.gold == (1,)


def test_there_are_letters_for_26_options():
    many = {"goal": "?", "choices": [str(n) for n in range(27)]}
    with pytest.raises(TaskError, match="has 27 options, but there are 26 letters"):
        question(many, letters=True)
    assert len(question(many).choices) == 27


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            LISTED | {"answer": "C"},
            "`answer` in row 1 of `rows.jsonl` is `C`, which is none of the 2 options",
        ),
        (LISTED | {"answer": 2}, "is `2`, which is none of the 2 options"),
        (LISTED | {"answer": -1}, "is `-1`, which is none of the 2 options"),
        (LISTED | {"answer": True}, "is `True`, which is none"),
        (LISTED | {"choices": ["1", "0"], "answer": "0"}, "is `0`, which can mean option 1 or 2"),
        (LISTED | {"choices": ["4"]}, "row 1 of `rows.jsonl` has fewer than two options"),
        (LISTED | {"choices": ["4", ""]}, "row 1 of `rows.jsonl` has an empty option"),
        (LISTED | {"choices": "4, 5"}, "is not a list of options"),
        (LISTED | {"answer": 0.5}, "is `0.5`, which is none of the 2 options"),
        (LISTED | {"choices": ["-1", "1"], "answer": -1}, "is `-1`, which is none of the 2 options"),
        (LISTED | {"question": " "}, "row 1 of `rows.jsonl` has an empty question"),
        (LISTED | {"question": None}, "row 1 of `rows.jsonl` has an empty question"),
        ({"question": "?"}, "has no field `choices` or `options` or `endings`"),
        ({"choices": ["a", "b"]}, "has no field `prompt` or `question`"),
    ],
)
def test_what_is_no_question_is_refused(row, message):
    with pytest.raises(TaskError) as caught:
        question(row)
    assert message in str(caught.value)


def test_a_question_needs_options():
    for choices, gold in ((("a",), ()), (("a", ""), ()), (("a", "b"), (2,))):
        with pytest.raises(ConfigError):
            Question(prompt="?", choices=choices, gold=gold)
    with pytest.raises(ConfigError, match="`letters` writes the prompt itself"):
        ChoiceFields(letters=True, template="x")
