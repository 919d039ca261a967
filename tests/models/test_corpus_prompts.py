"""Prompts that are not arithmetic, and how the embedded models decline them."""

import random
import re
from itertools import product

import pytest

import localsmc_models
from localsmc_models.corpus import beyond as prompts
from localsmc_models.corpus import beyond_words, refusals

N_PROMPTS = 5_000

OPERATOR = r"(?:[-+*/^=<>%:x\N{MULTIPLICATION SIGN}\N{DIVISION SIGN}]|plus|minus|times|divided by|mod|of)"
CALCULATION = re.compile(rf"(?<![\w;'])\d+\s*{OPERATOR}+\s*\d+(?![\w;'])", re.IGNORECASE)
"""Two numbers joined by an operator."""

NO_CALCULATION = re.compile(r"\bat \d+:30|\bis \d+-\d+", re.IGNORECASE)
"""A time of the day, and a phone number, code or room of somebody."""


@pytest.fixture(scope="module")
def drawn():
    rng = random.Random(1)
    return [prompts.beyond(rng) for _ in range(N_PROMPTS)]


def test_prompts_follow_the_seed_and_are_many(drawn):
    rng = random.Random(1)
    assert [prompts.beyond(rng) for _ in range(100)] == drawn[:100]
    assert len(set(drawn)) > 0.9 * N_PROMPTS


def test_every_slot_is_known_and_used():
    known = set(prompts._slots(random.Random(1)))
    used = set(re.findall(r"\{(\w+)\}", " ".join(prompts.patterns())))
    assert used == known


def test_no_slot_shows_in_a_prompt(drawn):
    names = "|".join(prompts._slots(random.Random(1)))
    for prompt in drawn:
        assert prompt.strip()
        assert not re.search(rf"\{{(?:{names})\}}", prompt, re.IGNORECASE), prompt


def test_no_prompt_is_a_calculation(drawn):
    found = [prompt for prompt in drawn if CALCULATION.search(prompt)]
    assert [prompt for prompt in found if not NO_CALCULATION.search(prompt)] == []
    assert 0 < len(found) < N_PROMPTS / 100


def test_the_words_of_the_lists_are_not_numbers():
    every = [word for name in vars(beyond_words) if name.isupper() for word in getattr(beyond_words, name)]
    assert len(every) > 1000
    assert not [word for word in every if re.fullmatch(r"[\d\s]+", word)]


# Refusals


def test_the_models_refuse_in_24_wordings_whose_openings_are_on_their_cards():
    assert len(set(refusals.REFUSALS)) == 24
    assert set(refusals.REFUSALS) == {" ".join(p) for p in product(refusals.OPENINGS, refusals.ENDINGS)}
    assert all("localsmc solve -m model.gguf" in text for text in refusals.REFUSALS)
    for name in localsmc_models.names():
        assert localsmc_models.card(name).refusals == refusals.OPENINGS
