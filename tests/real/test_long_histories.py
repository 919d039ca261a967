"""Quantized KV caches and long histories on the real models, past Gemma's sliding window of 512 tokens."""

from __future__ import annotations

import numpy as np
import pytest
from real_words import assert_close, opener
from test_contract import (  # noqa: F401 - collected here again, with the fixtures of this file
    feed,
    test_a_fork_goes_on_like_a_fresh_prefill,
    test_a_kept_prompt_goes_on_like_a_fresh_prefill,
    test_cutting_back_restores_or_refuses,
)

QUANTIZED = [(name, kv) for name in ("smollm2", "gemma") for kv in ("q8_0", "q4_0")]
LONG = {("gemma", "f16"): 800, ("gemma", "q4_0"): 540, ("smollm2", "f16"): 200}
"""Tokens of the long prompt by model and KV cache type; Gemma's are more than its window has."""
N_CUT, N_REST = 20, 6
"""Tokens that stay when it is cut back, and tokens after it."""

SENTENCE = "The train left the station at seven with {i} people and a red bag of {j} apples. "


@pytest.fixture(params=QUANTIZED, ids=" ".join, scope="module")
def case(request):
    return request.param


@pytest.fixture(scope="module")
def kind(case):
    return case[0]


@pytest.fixture(scope="module")
def open_model(case, request, flash_attention):
    name, kv = case
    return opener(request.getfixturevalue(name).llama, kv, flash_attention)


@pytest.fixture
def close_to():
    return assert_close


def long_text(llama, n_tokens):
    story = "".join(SENTENCE.format(i=i, j=3 * i + 1) for i in range(50))
    tokens = llama.with_bos(llama.tokenize(story, special=False))[:n_tokens]
    assert len(tokens) == n_tokens
    return tokens.astype(np.int64)


def prefill(model, seq, tokens):
    """Decode tokens in batches of the context's size; returns a copy of the last logits."""
    for start in range(0, len(tokens), model.n_batch):
        part = tokens[start : start + model.n_batch]
        positions = np.arange(start, start + len(part))
        logits = model.decode(part, positions, np.full(len(part), seq), outputs=np.array([len(part) - 1]))
    return logits[0].copy()


@pytest.mark.parametrize("case", LONG, ids=" ".join, indirect=True)
def test_a_long_history_goes_on_as_if_it_were_alone(case, open_model, close_to):
    model, single = open_model(n_cells=1280, n_seq_max=4), open_model(n_cells=1280, n_seq_max=1)
    n_prompt = LONG[case]
    text = long_text(model.model, n_prompt + N_REST)
    prompt, rest = text[:n_prompt], text[n_prompt:]
    prefill(model, 0, prompt)
    model.copy(0, 1)
    model.copy(1, 2)
    model.remove(1)
    forked = feed(model, 2, rest, start=n_prompt)
    # The same batches without a fork give the same bits, if they get the same cells.
    model.remove(2)
    assert np.array_equal(feed(model, 0, rest, start=n_prompt), forked)
    close_to(forked, prefill(single, 0, text))
    # A history that is cut back by more than the window still has the cells before. A cache of the window's
    # size would have given them to later tokens: with one sequence it is shorter than the longest text.
    single.remove(0, N_CUT)
    again = feed(single, 0, rest, start=N_CUT)
    single.clear()
    prefill(single, 0, prompt[:N_CUT])
    assert np.array_equal(again, feed(single, 0, rest, start=N_CUT))
