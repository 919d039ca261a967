"""The power distribution under a grammar on the real models, against brute force.

Every token sequence that the grammar allows is scored by teacher forcing. The exact tests then run a method
through every outcome of its random choices on the same logits, so that E[Ẑ] and each completion's expected
weight must come out to float32 rounding, with the real vocabulary, end tokens and grammar masks. The others
run on llama.cpp contexts, whose batches round differently (support/real_words.py): they compare p^α of likely
completions, and their tolerances are wide for that reason.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict

import numpy as np
import pytest
from enumeration import outcomes
from test_grammar_laws import matrix_of, texts_of

import localsmc
from localsmc import Settings
from localsmc.llama import ContextOptions, LlamaGrammar, open_context
from localsmc.lm.toy import ToyModel
from localsmc.methods import DraftModel, DraftSMC, PowerMH, PowerSMC, Request
from localsmc.text.stop_rule import StopRule

QUESTION = "Question: Is 91 a prime number?\nAnswer (yes or no):"
GRAMMAR = 'root ::= " yes" | " no"'
ALPHA, N_TOKENS = 2.0, 2

ROUNDING = 1e-4
"""Relative, for p^α of two tokens by sums over 262,144 float32 logits."""

BATCHES = 0.35
"""What log p of a likely answer, two tokens, may differ by between batches of other shapes."""


class RealLogits(ToyModel):
    """A finite model whose logits are a real model's: each history is decoded once, in a fresh context."""

    def __init__(self, llama, options):
        super().__init__()
        self.n_vocab, self.is_eog, self.pieces = llama.n_vocab, llama.is_eog, llama.pieces
        self.dtype = np.dtype(np.float32)
        self._context = open_context(llama, options)

    def logits(self, history):
        key = tuple(int(token) for token in history)
        if key not in self._table:
            self._context.clear()
            tokens = np.array(key)
            last = np.array([len(key) - 1])
            rows = self._context.decode(tokens, np.arange(len(key)), np.zeros(len(key), int), outputs=last)
            self._table[key] = rows[0].copy()
        return self._table[key]

    def close(self):
        self._context.close()


class Flatter(ToyModel):
    """The same model at a higher temperature: a draft that mostly agrees."""

    def __init__(self, model):
        super().__init__()
        self.n_vocab, self.is_eog, self.pieces = model.n_vocab, model.is_eog, model.pieces
        self.dtype, self._model = model.dtype, model

    def logits(self, history):
        return np.float32(0.7) * self._model.logits(history)


@pytest.fixture(scope="module")
def model(real_model, flash_attention):
    options = ContextOptions(n_ctx=256, n_seq_max=1, n_batch=64, n_threads=1, flash_attention=flash_attention)
    model = RealLogits(real_model.llama, options)
    yield model
    model.close()


@pytest.fixture(scope="module")
def prompt(real_model):
    llama = real_model.llama
    return llama.with_bos(llama.tokenize(QUESTION, special=False))


@pytest.fixture(scope="module")
def grammar(real_model):
    return LlamaGrammar(real_model.llama, GRAMMAR)


@pytest.fixture(scope="module")
def law(model, prompt):
    """p of every allowed token sequence, by the texts of the tokens alone: not by the grammar engine."""
    answers, pieces = (b" yes", b" no"), model.pieces
    ends = np.flatnonzero(model.is_eog).tolist()
    follows = {b"": [], **{answer[:n]: [] for answer in answers for n in range(1, len(answer))}}
    for token in range(model.n_vocab):
        piece = b"" if model.is_eog[token] else pieces[token]
        for before in follows if piece else ():
            if any(answer.startswith(before + piece) for answer in answers):
                follows[before].append(token)
    law, pending = {}, [((), b"", 0.0)]
    while pending:
        tokens, text, logp = pending.pop()
        if len(tokens) == N_TOKENS or (tokens and tokens[-1] in ends):
            law[tokens] = math.exp(logp)
            continue
        step = model.logp([*prompt, *tokens])
        pending += [((*tokens, v), text + pieces[v], logp + float(step[v])) for v in follows.get(text, ())]
        if text in answers:
            pending += [((*tokens, v), text, logp + float(step[v])) for v in ends]
    assert len(law) > 10
    return law


def run(method, model, prompt, grammar, draw, draft=None):
    begun = method.start(
        Request(
            model=model,
            prompt=prompt,
            n_tokens=N_TOKENS,
            stop=StopRule(model.pieces),
            draw=draw,
            grammar=grammar,
            draft=None if draft is None else DraftModel(model=draft, prompt=prompt),
        )
    )
    for _ in begun:
        pass
    return begun


SYSTEMATIC = {"resampling": "systematic", "ess_threshold": 0.9}
EXACT = {
    "one particle": PowerSMC(particles=1, alpha=ALPHA, ramp=2),
    "two particles": PowerSMC(particles=2, alpha=ALPHA, ramp=2),
    "all": PowerSMC(particles=99, alpha=ALPHA, ramp=2),
    "systematic": PowerSMC(particles=2, alpha=ALPHA, ramp=2, **SYSTEMATIC),
    "a draft": DraftSMC(particles=2, alpha=ALPHA, ramp=2, n_max=1, p_min=0.0),
}


CASES = [*(("smollm2", name) for name in EXACT), ("gemma", "two particles"), ("gemma", "all")]


@pytest.mark.parametrize(("real_name", "name"), CASES, indirect=["real_name"], scope="session")
def test_the_evidence_and_every_weight_are_unbiased(name, model, prompt, grammar, law):
    method = EXACT[name]
    draft = Flatter(model) if name == "a draft" else None
    total, measure = 0.0, defaultdict(float)
    for probability, ended in outcomes(lambda draw: run(method, model, prompt, grammar, draw, draft)):
        total += probability
        for ending in ended.endings():
            text = tuple(ending.tokens.tolist())
            measure[text] += probability * ending.weight * math.exp(ended.log_z)
            assert ending.logp == pytest.approx(math.log(law[text]), abs=ROUNDING)
    assert total == pytest.approx(1.0, abs=1e-9)
    assert set(measure) <= set(law)
    for text, p in law.items():
        assert measure[text] == pytest.approx(p**ALPHA, rel=ROUNDING), text


LOST = 1e-20
"""Of all p^α: a token with less than 1e-16 of the mass of its siblings is lost in float64."""


@pytest.mark.parametrize("real_name", ["smollm2"], indirect=True, scope="session")
@pytest.mark.parametrize("kernel", ["length", "horizon"])
def test_a_step_of_a_chain_leaves_the_power_distribution_as_it_is(kernel, model, prompt, grammar, law):
    method = PowerMH(alpha=ALPHA, block=9, steps=1, collect=1.0, kernel=kernel)
    joint = defaultdict(float)
    for probability, ended in outcomes(lambda draw: run(method, model, prompt, grammar, draw)):
        joint[tuple(texts_of(ended.chains[0]))] += probability
    texts, matrix = matrix_of(joint)
    assert set(texts) == set(law)
    pi = np.array([law[text] ** ALPHA for text in texts])
    np.testing.assert_allclose(pi / pi.sum() @ matrix, pi / pi.sum(), rtol=ROUNDING, atol=LOST)


# --- on llama.cpp's own batches ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def answers(law, model):
    """p^α of the two answers, each by its most probable tokens, which have nearly all of it."""
    powers = Counter()
    for tokens, p in law.items():
        powers[b"".join(b"" if model.is_eog[v] else model.pieces[v] for v in tokens)] += p**ALPHA
    heavy = {text.decode(): powers[text] for text in (b" yes", b" no")}
    assert sum(heavy.values()) > 0.999 * sum(powers.values())
    return heavy


def solve(model, method, seed=1):
    settings = Settings(raw=True, grammar=GRAMMAR, n_predict=N_TOKENS, seed=seed, n_threads=1)
    return localsmc.solve(model, QUESTION, method=method, settings=settings)


def shares(result):
    found = Counter()
    for completion in result.completions:
        found[completion.text] += completion.weight
    return found


def test_with_particles_for_all_texts_a_run_is_the_sum(real_model, answers):
    result = solve(real_model, PowerSMC(particles=200, alpha=ALPHA, ramp=2))
    total = sum(answers.values())
    assert result.log_z == pytest.approx(math.log(total), abs=ALPHA * BATCHES)
    assert sum(completion.weight for completion in result.completions) == pytest.approx(1.0)
    for text, power in answers.items():
        assert math.log(shares(result)[text]) == pytest.approx(math.log(power / total), abs=ALPHA * BATCHES)


def test_chains_give_the_answers_their_shares(real_model, answers):
    n, total = 60, sum(answers.values())
    result = solve(real_model, PowerMH(particles=n, alpha=ALPHA, steps=3))
    share = answers[" yes"] / total
    slack = math.expm1(ALPHA * BATCHES) * share * (1 - share)
    assert abs(shares(result)[" yes"] - share) < 4.5 * math.sqrt(share * (1 - share) / n) + slack
