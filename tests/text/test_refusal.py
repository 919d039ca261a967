"""Refusals are recognised by how they begin, and are one candidate in a vote."""

import numpy as np
import pytest

from localsmc.results import Completion
from localsmc.selection import answer_shares, choose
from localsmc.text import answers, refusal
from localsmc_models.corpus.refusals import OPENINGS, REFUSALS

KINDS = ("any", "numeric", "text", "letter", "math")


@pytest.mark.parametrize("text", REFUSALS)
def test_every_wording_is_a_refusal_and_nothing_is_for_a_model_without_openings(text):
    assert refusal.is_refused(text, OPENINGS)
    assert refusal.is_refused(f"\n {text} It is \\boxed{{4}}.", OPENINGS)
    assert not refusal.is_refused(text, ())


@pytest.mark.parametrize("text", ["", "42", f"2 + 2 = 4. {REFUSALS[0]}", REFUSALS[0][:40], "I only do it."])
def test_other_texts_are_none(text):
    assert not refusal.is_refused(text, OPENINGS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("answer", ["refusal", "\nrefusal", " \n refusal", "\n", '"refusal"', "r" * 2000])
def test_no_answer_has_the_key_of_refusals(answer, kind):
    assert answers.key(answer, kind) != refusal.KEY


def completion(text, answer, weight, **options):
    return Completion(
        text=text,
        answer=answer,
        logp=-1.0,
        weight=weight,
        n_tokens=3,
        finish_reason="stop",
        count=1,
        **options,
    )  # fmt: skip


HUNG = [
    completion("It is 4.", "4", 0.3),
    completion(REFUSALS[0], None, 0.2, is_refused=True),
    completion(REFUSALS[9], None, 0.25, is_refused=True),
    completion("Well.", None, 0.15),
    completion("refusal", "refusal", 0.1),
]


def test_all_refusals_are_one_share_apart_from_texts_without_an_answer():
    shares = answer_shares(HUNG)
    assert [(one.answer, one.is_refused, one.count) for one in shares] == [
        (None, True, 2), ("4", False, 1), (None, False, 1), ("refusal", False, 1),
    ]  # fmt: skip
    assert [one.weight for one in shares] == pytest.approx([0.45, 0.3, 0.15, 0.1])


@pytest.mark.parametrize(
    ("select", "text"),
    [("majority", REFUSALS[9]), ("distinct", REFUSALS[9]), ("argmax", "It is 4."), ("best", "It is 4.")],
)
def test_refusals_are_elected_together(select, text):
    assert choose(select, HUNG, np.random.default_rng(0)).text == text


def test_an_answer_with_more_votes_than_all_refusals_wins():
    more = [*HUNG, completion("4", "4", 0.2)]
    assert choose("majority", more, np.random.default_rng(0)).text == "It is 4."
