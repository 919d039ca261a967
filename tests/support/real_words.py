"""A real model on which the small token ids of the contract suite are words.

The suite decodes the ids 0 to 9. In a real vocabulary these are control and unused tokens, of which a model
knows nothing: logits would hardly depend on the history. Here they stand for the first tokens of a sentence.
"""

from __future__ import annotations

import numpy as np
from test_contract import PROMPT

from localsmc.llama import ContextOptions, open_context
from localsmc.lm.interface import LMWrapper

N_WORDS = 10
SENTENCE = "The capital of France is Paris, and the river that runs through it"

MOST_LOGP, MOST_VARIATION = 1.5, 0.12
"""How far the distributions of a next token may be apart for the same history: log p of any token that has
0.001 in one of them, and total variation.

llama.cpp has other kernels for one row of a batch, for four, and for the rest of a batch: each rounds its
products of 4-bit weights and 8-bit activations in its own order, and the layers amplify that. One by one, in
a batch of several histories, and in one prefill, log p of the same token differed by up to 0.78, and total
variation was up to 0.08 (Gemma, Q4_K_M; F16 and Q4_0 cells). The same batches give the same bits: that is
asserted where it can be. One wrong token among the last four changes log p by 3.8 or more and gives a total
variation of 0.14 to 0.6; a test asserts that it is noticed.
"""


class Words(LMWrapper):
    """A model whose tokens 0 to 9 are words of a sentence."""

    def __init__(self, model, words):
        super().__init__(model)
        self._words = np.asarray(words, dtype=np.int64)

    def decode(self, tokens, positions, seqs, *, outputs=None):
        tokens = np.asarray(tokens)
        is_word = (0 <= tokens) & (tokens < N_WORDS)
        words = self._words[np.where(is_word, tokens, 0)]
        return self._model.decode(np.where(is_word, words, tokens), positions, seqs, outputs=outputs)


def words_of(llama):
    """The first tokens of the sentence, BOS included if the model wants one."""
    words = llama.with_bos(llama.tokenize(SENTENCE, special=False))[:N_WORDS]
    assert len(set(words.tolist())) == N_WORDS
    table = np.empty(N_WORDS, dtype=np.int64)
    table[[*PROMPT, *(token for token in range(N_WORDS) if token not in PROMPT)]] = words
    return table


def opener(llama, kv="f16", flash_attention="auto"):
    """A function of (n_cells, n_seq_max) that opens an empty context, with a KV cache of this type."""

    def open_one(n_cells=256, n_seq_max=8):
        options = ContextOptions(
            n_ctx=n_cells,
            n_seq_max=n_seq_max,
            n_batch=64,
            n_threads=1,
            flash_attention=flash_attention,
            guard_views=True,
            type_k=kv,
            type_v=kv,
        )
        return Words(open_context(llama, options), words_of(llama))

    return open_one


def probabilities(logits):
    p = np.exp(np.asarray(logits, dtype=np.float64) - np.max(logits, axis=-1, keepdims=True))
    return p / p.sum(axis=-1, keepdims=True)


def assert_close(actual, expected):
    """Assert that logits are those of the same history, as far as kernels round alike."""
    p, q = probabilities(np.atleast_2d(actual)), probabilities(np.atleast_2d(expected))
    is_likely = np.maximum(p, q) > 1e-3
    apart = np.abs(np.log(p[is_likely]) - np.log(q[is_likely])).max()
    variation = np.abs(p - q).sum(axis=1).max() / 2
    assert apart < MOST_LOGP
    assert variation < MOST_VARIATION
