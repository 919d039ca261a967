"""llama-cpp-python's own `Llama` as the reference for log-probabilities and greedy texts."""

from __future__ import annotations

import itertools

import llama_cpp
import numpy as np
from llama_cpp.llama_chat_format import Jinja2ChatFormatter

N_CTX = 256
"""Tokens of a prompt and its completion; `Llama` keeps a row of logits for each."""


class ReferenceLlama:
    """Teacher-forced scores and greedy texts, without a line of localsmc.

    A prompt is decoded in one batch and the rest token by token: the batches of a run with one history. Then
    the logits are the same to the last bit.
    """

    def __init__(self, path):
        self._llama = llama_cpp.Llama(
            str(path), n_ctx=N_CTX, n_threads=1, n_threads_batch=1, logits_all=True, verbose=False
        )
        self.n_batch = self._llama.n_batch

    def close(self):
        self._llama.close()

    def tokenize(self, text, *, add_bos=False):
        return self._llama.tokenize(text.encode(), add_bos=add_bos, special=True)

    def chat_prompt(self, *said):
        """The tokens of messages, the user's and the replies in turn, in the model's own chat template."""
        roles = itertools.cycle(("user", "assistant"))
        messages = [{"role": role, "content": text} for text, role in zip(said, roles, strict=False)]
        formatter = Jinja2ChatFormatter(
            template=self._llama.metadata["tokenizer.chat_template"],
            eos_token=self._llama._model.token_get_text(self._llama.token_eos()),
            bos_token=self._llama._model.token_get_text(self._llama.token_bos()),
        )
        return self.tokenize(formatter(messages=messages).prompt)

    def is_end(self, token):
        return llama_cpp.llama_vocab_is_eog(self._llama._model.vocab, token)

    def _begin(self, prompt):
        self._llama.reset()
        self._llama.n_batch = self.n_batch
        self._llama.eval(list(map(int, prompt)))
        self._llama.n_batch = 1

    def _last_logp(self):
        logits = self._llama.scores[self._llama.n_tokens - 1].astype(np.float64)
        logits -= logits.max()
        return logits - np.log(np.exp(logits).sum())

    def logps(self, prompt, tokens):
        """log p of each token of a completion."""
        self._begin(prompt)
        found = []
        for token in map(int, tokens):
            found.append(self._last_logp()[token])
            self._llama.eval([token])
        return np.array(found)

    def logps_of_one_batch(self, prompt, tokens):
        """log p of each token of a completion, decoded with its prompt in one batch."""
        whole = [*map(int, prompt), *map(int, tokens)]
        self._begin(whole[:-1])
        logits = self._llama.scores[len(prompt) - 1 : len(whole) - 1].astype(np.float64)
        logits -= logits.max(axis=1, keepdims=True)
        return logits[np.arange(len(tokens)), tokens] - np.log(np.exp(logits).sum(axis=1))

    def greedy(self, prompt, n_tokens):
        """The most probable tokens, and by how much log p of each is above that of the second."""
        self._begin(prompt)
        tokens, leads = [], []
        while len(tokens) < n_tokens and not (tokens and self.is_end(tokens[-1])):
            logp = self._last_logp()
            second, first = np.argpartition(logp, -2)[-2:]
            tokens.append(int(first))
            leads.append(float(logp[first] - logp[second]))
            self._llama.eval([int(first)])
        return tokens, leads
