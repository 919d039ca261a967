"""Worked examples as turns, as plain text, and in a record."""

import pytest

from localsmc.text.chat_template import conversation
from localsmc.text.examples import STOPS, Examples, Pair, plain_pairs, plain_question
from localsmc.text.stop_rule import StopRule

PAIRS = (Pair("1 + 1?", "It is 2."), Pair("2 + 2?", "It is 4."))
TURNS = [
    {"role": "user", "content": "1 + 1?"},
    {"role": "assistant", "content": "It is 2."},
    {"role": "user", "content": "2 + 2?"},
    {"role": "assistant", "content": "It is 4."},
]
SAID = ({"role": "user", "content": "Hello."}, {"role": "assistant", "content": "Hi."})


def test_pairs_are_turns_between_the_system_message_and_what_was_said():
    messages = conversation("3?", "Be brief.", None, SAID, Examples(pairs=PAIRS))
    assert messages == [
        {"role": "system", "content": "Be brief."}, *TURNS, *SAID, {"role": "user", "content": "3?"}
    ]  # fmt: skip


@pytest.mark.parametrize("said", [SAID, ()])
def test_a_text_begins_the_first_message(said):
    messages = conversation("3?", "Be brief.", "In a box.", said, Examples(text="A page.\n  More."))
    first, last = messages[1]["content"], messages[-1]["content"]
    assert len(messages) == 2 + len(said)
    assert first == "A page.\n  More.\n\n" + ("Hello." if said else "3?\n\nIn a box.")
    assert last.endswith("3?\n\nIn a box.")


def test_the_plain_form_ends_where_an_answer_begins():
    assert plain_pairs(PAIRS) + plain_question("3?") == (
        "Question: 1 + 1?\nAnswer: It is 2.\n\nQuestion: 2 + 2?\nAnswer: It is 4.\n\nQuestion: 3?\nAnswer:"
    )


@pytest.mark.parametrize("gap", ["\n", "\n\n"])
def test_a_completion_ends_before_the_next_question(gap):
    pieces = [bytes([i]) for i in range(256)]
    rule = StopRule(pieces, STOPS)
    assert rule.shown(f" 7\nSo 7.{gap}Question: 4?\nAnswer: 4".encode()) == b" 7\nSo 7."
    assert rule.shown(b" The Question: is 7.") == b" The Question: is 7."


def test_a_record_has_the_content_and_a_hash_of_it():
    one, other = Examples(pairs=PAIRS).to_json(), Examples(pairs=PAIRS[::-1]).to_json()
    assert (one["n_pairs"], one["text"], [tuple(pair) for pair in one["pairs"]]) == (2, "", list(PAIRS))
    assert one["digest"] != other["digest"]
    assert one == Examples(pairs=PAIRS).to_json()
