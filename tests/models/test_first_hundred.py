"""A hundred questions that a newcomer types, written by hand before the corpus had templates for them.

They are never used for training. 70 have an answer, 30 are none of arithmetic's business.
"""

import itertools
import json
import random
import re
from pathlib import Path

from corpus_draws import ALL

from localsmc.text import answers
from localsmc_models.corpus import FAMILIES, TRAINED_LEVELS, problems
from localsmc_models.corpus.beyond import beyond
from localsmc_models.corpus.followups import followup
from localsmc_models.corpus.trees import KINDS, Mixture
from localsmc_models.training.recipe import load_recipe

HUNDRED = Path(__file__).parent.parent / "first_hundred.jsonl"
N_DRAWS = 300
N_PROMPTS = 5_000
SHARED_WORDS = 8


def questions():
    return [json.loads(line) for line in HUNDRED.read_text(encoding="utf-8").splitlines()]


def runs_of_words(text):
    words = re.findall(r"\w+", text.lower())
    return {tuple(words[at : at + SHARED_WORDS]) for at in range(len(words) - SHARED_WORDS + 1)}


def test_seventy_have_a_number_as_their_answer_and_thirty_have_none():
    asked = questions()
    assert len({one["question"] for one in asked}) == 100
    given = [one["answer"] for one in asked if one["answer"] is not None]
    assert len(given) == 70
    assert all(answers.key(answer, "numeric") == str(int(answer)) for answer in given)


def test_calculations_that_are_nothing_else_have_the_right_answer():
    bare = [one for one in questions() if re.fullmatch(r"[\d\s+*/()=?x-]+", one["question"])]
    assert len(bare) >= 10
    for one in bare:
        expression = one["question"].rstrip("=? ").replace("x", "*")
        assert eval(expression, {}) == int(one["answer"]), one  # noqa: S307 - the test's own file


def shared(prompts):
    held = set().union(*(runs_of_words(one["question"]) for one in questions()))
    return [prompt for prompt in prompts if held & runs_of_words(prompt)]


def test_no_question_shares_eight_words_with_the_problems_of_the_corpus():
    for (name, family), level in itertools.product(FAMILIES.items(), TRAINED_LEVELS):
        draws = random.Random(f"{name} {level}")
        assert shared(family(draws, level).question for _ in range(N_DRAWS)) == []


def test_no_question_shares_eight_words_with_prompts_to_decline():
    draws = random.Random(1)
    assert shared(beyond(draws) for _ in range(N_PROMPTS)) == []


def test_no_question_shares_eight_words_with_followups_and_chats():
    draws, stream = random.Random(1), problems(1, "train", families=ALL)
    following = (followup(problem, draws) for problem in itertools.islice(stream, N_DRAWS))
    assert shared(problem.question for problem in following if problem is not None) == []
    mixture = Mixture(**load_recipe("tiny")["corpus"])
    chats = [KINDS["chat"](stream, mixture, draws) for _ in range(N_DRAWS)]
    assert shared(segment.text for chat in chats for segment in chat.segments) == []
