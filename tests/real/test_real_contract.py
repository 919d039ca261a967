"""The contract suite of tests/contract/ on the real models; the tolerances are in support/real_words.py.

Left out is what does not depend on the model: batches and copies that are refused.
"""

from __future__ import annotations

import numpy as np
import pytest
import test_contract
from real_words import MOST_LOGP, assert_close, opener
from test_contract import (  # noqa: F401 - collected here again, with the fixtures of this file
    PROMPT,
    feed,
    test_a_batch_says_what_one_by_one_says,
    test_a_fork_goes_on_like_a_fresh_prefill,
    test_a_kept_prompt_goes_on_like_a_fresh_prefill,
    test_a_prompt_at_once_says_what_token_by_token_says,
    test_a_slot_that_was_freed_starts_clean,
    test_cutting_back_restores_or_refuses,
    test_sequences_keep_the_same_book_as_the_memory,
    test_stale_logits_are_caught,
    test_the_beginning_of_a_history_goes_on_like_a_fresh_prefill,
    test_the_order_of_rows_is_irrelevant,
)


@pytest.fixture(scope="module")
def kind(real_name):
    return real_name


@pytest.fixture(scope="module")
def open_model(real_model, flash_attention):
    return opener(real_model.llama, flash_attention=flash_attention)


@pytest.fixture
def close_to():
    return assert_close


@pytest.fixture
def tolerance():
    return MOST_LOGP


def test_every_history_of_a_run_stands_on_its_own_tokens(open_model, close_to, tolerance):
    """With the default scheme only: each row of each step is replayed token by token."""
    test_contract.test_every_history_of_a_run_stands_on_its_own_tokens(
        open_model, close_to, tolerance, "optimal"
    )


def test_every_text_of_a_chain_has_the_probability_of_its_own_tokens(open_model, tolerance):
    test_contract.test_every_text_of_a_chain_has_the_probability_of_its_own_tokens(
        open_model, True, tolerance
    )


def test_the_tolerance_notices_one_wrong_token(open_model):
    model, text = open_model(), [*PROMPT, 0, 1, 2, 3]
    right = feed(model, 0, text)
    assert np.array_equal(feed(model, 1, text), right)
    for seq, place in enumerate((-4, -3, -2, -1), start=2):
        wrong = list(text)
        wrong[place] = 4
        with pytest.raises(AssertionError):
            assert_close(feed(model, seq, wrong), right)
