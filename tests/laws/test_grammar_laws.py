"""Exact tests of constrained decoding, by enumeration: the target is p^α on the allowed completions."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from enumeration import outcomes
from test_pairs import pair
from test_toy_laws import PROMPT, request, smc, stopped_texts, tempered, toy, with_scheme

from localsmc.errors import NothingAllowed
from localsmc.lm.constrained import _mask_row
from localsmc.lm.kv_slots import KVSlots
from localsmc.methods import (
    BestOfN,
    DraftModel,
    DraftSMC,
    Greedy,
    PowerMH,
    PowerTempering,
    Sample,
    SelfConsistency,
)
from localsmc.methods.mcmc import metropolis
from localsmc.methods.smc.schedule import FEARNHEAD_CLIFFORD
from localsmc.numerics.categorical import RandomSampler
from localsmc.numerics.resampling import SCHEMES
from localsmc.numerics.tempered_logits import TemperedLogits


class Beginnings:
    """The grammar of some token sequences and what they begin with: a state is the text."""

    def __init__(self, *texts, n_vocab=3):
        self.prefixes = {text[:n] for text in texts for n in range(len(text) + 1)}
        self.n_vocab = n_vocab
        self.asked = 0

    def start(self):
        return ()

    def advance(self, state, token):
        assert (*state, token) in self.prefixes, "a token that is not allowed was decoded"
        return (*state, token)

    def allowed(self, states, n_threads):
        self.asked += len(states)
        return [
            np.array([(*state, token) in self.prefixes for token in range(self.n_vocab)]) for state in states
        ]


# id: (texts that the grammar allows whole or in part, tokens to generate)
GRAMMARS = {
    "some": (((1, 2, 0), (1, 0), (2, 1, 1), (2, 1, 0), (2, 2, 2)), 3),
    "nothing is forced": (((1, 0), (2, 0), (0,)), 2),
    "one": (((2, 1, 0),), 3),
    "cut at the horizon": (((1, 2, 2, 2, 0), (2, 2, 1, 0), (2, 0)), 3),
    "dead ends": (((1, 2), (1, 0), (2, 2, 1), (2, 1), (2, 0)), 3),
    "a dead end at once": (((0,), (2,)), 2),
}


def allowed_law(model, case, strings=()):
    """p of every text of the stopped process that is allowed."""
    grammar, n_tokens = Beginnings(*GRAMMARS[case][0]), GRAMMARS[case][1]
    law = stopped_texts(model, n_tokens, strings)
    return {text: p for text, p in law.items() if text in grammar.prefixes and p > 0}


def run(method, model, case, draw, strings=(), draft=None):
    """To its end; None where no text is left."""
    texts, n_tokens = GRAMMARS[case]
    asked = replace(request(model, n_tokens, draw, strings), grammar=Beginnings(*texts))
    if draft is not None:
        asked = replace(asked, draft=DraftModel(model=draft, prompt=asked.prompt))
    try:
        begun = method.start(asked)
        for _ in begun:
            pass
    except NothingAllowed:
        return None
    return begun


def assert_properly_weighted(method, model, case, strings=(), draft=None):
    total, measure, logps = 0.0, defaultdict(float), {}
    for probability, ended in outcomes(lambda draw: run(method, model, case, draw, strings, draft)):
        total += probability
        for ending in ended.endings() if ended is not None else ():
            text = tuple(ending.tokens.tolist())
            measure[text] += probability * ending.weight * math.exp(ended.log_z)
            logps[text] = ending.logp
    law = allowed_law(model, case, strings)
    assert total == pytest.approx(1.0, abs=1e-12)
    assert set(measure) == set(law)
    for text, p in law.items():
        assert measure[text] == pytest.approx(p**method.alpha, rel=1e-11), text
        assert logps[text] == pytest.approx(math.log(p), abs=1e-12)


OPTIONS = {
    "one particle": smc(particles=1),
    "no ramp": smc(ramp=0),
    "a long ramp": smc(ramp=9),
    "three, sometimes resampled": smc(particles=3, ess_threshold=0.8),
    "alpha 1": smc(alpha=1.0),
    "drawn before resampling": smc(lookahead=False),
    "adaptive ramp": smc(ramp_ess=0.8, ramp=0),
    "islands": smc(particles=1, islands=2),
    "moves": smc(rejuvenate=2, particles=1),
    "rollouts": smc(rollouts=1, block=1),
    "optimal, three": smc(resampling=FEARNHEAD_CLIFFORD, particles=3),
    "optimal, all": smc(resampling=FEARNHEAD_CLIFFORD, particles=99),
}


@pytest.mark.parametrize("case", GRAMMARS)
@pytest.mark.parametrize("option", OPTIONS)
def test_power_smc_estimates_the_sum_over_the_allowed(option, case):
    assert_properly_weighted(OPTIONS[option], toy(), case)


@pytest.mark.parametrize("share", [True, False], ids=["shared", "unshared"])
@pytest.mark.parametrize("scheme", [*SCHEMES, FEARNHEAD_CLIFFORD])
def test_every_scheme_keeps_the_law(scheme, share):
    method = smc(particles=3 if share else 2)
    assert_properly_weighted(with_scheme(method, scheme, share), toy(), "dead ends")


@pytest.mark.parametrize("options", [{"n_seq_max": 1}, {"n_cells": 5}, {"can_forget": False}])
def test_memory_is_no_part_of_the_law(options):
    assert_properly_weighted(smc(particles=3, ess_threshold=0.0), toy(**options), "dead ends")


def test_a_stop_rule_ends_texts_that_the_grammar_would_let_go_on():
    assert_properly_weighted(smc(), toy(), "cut at the horizon", ("cc",))


@pytest.mark.parametrize("resampling", ["systematic", FEARNHEAD_CLIFFORD])
@pytest.mark.parametrize("p_min", [0.0, 0.6])
@pytest.mark.parametrize("case", GRAMMARS)
def test_blocks_of_a_draft_keep_the_law(case, p_min, resampling):
    own = {} if resampling == FEARNHEAD_CLIFFORD else {"ess_threshold": 1.0}
    method = DraftSMC(particles=2, alpha=2.5, ramp=2, n_max=2, p_min=p_min, resampling=resampling, **own)
    target, draft = pair()
    assert_properly_weighted(method, target, case, draft=draft)


def test_a_narrowed_model_is_restricted_as_well():
    """What only one model has is not in the law; with all of the rest allowed nothing is hidden."""
    target, draft = pair(n_vocab=4, n_draft=3)
    texts = [(0,), *((a, b) for a in (1, 2) for b in range(3))]
    asked = replace(
        request(target, 2, RandomSampler(np.random.default_rng(1))),
        grammar=Beginnings(*texts, n_vocab=4),
        draft=DraftModel(model=draft, prompt=np.array(PROMPT, dtype=np.int32)),
    )
    begun = DraftSMC(particles=99, alpha=2.0, ramp=0).start(asked)
    for _ in begun:
        pass
    law = {}
    for text in texts:
        steps = (target.logits([*PROMPT, *text[:n]])[:3] for n in range(len(text)))
        law[text] = sum(row[v] - math.log(np.exp(row).sum()) for row, v in zip(steps, text, strict=True))
    found = {tuple(one.tokens.tolist()): one.logp for one in begun.endings()}
    assert len(found) > 4
    assert found == {text: pytest.approx(law[text], abs=1e-12) for text in found}


def test_a_local_normaliser_would_be_caught(monkeypatch):
    """Masked and renormalised token by token, as everybody does, is another law."""
    monkeypatch.setattr(KVSlots, "tempered", lambda _, logits, alpha: TemperedLogits(logits[:, :-1], alpha))
    with pytest.raises(AssertionError):
        assert_properly_weighted(smc(), toy(), "some")


# --- chains ---------------------------------------------------------------------------------------


def texts_of(chain):
    return [text.tokens for text in chain.history]


def matrix_of(joint):
    states = sorted({before for before, _ in joint})
    matrix = np.array([[joint[x, y] for y in states] for x in states])
    return states, matrix / matrix.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("retrace", [True, False], ids=["parting", "plain"])
@pytest.mark.parametrize("kernel", metropolis.KERNELS)
@pytest.mark.parametrize("case", ["some", "one", "cut at the horizon"])
def test_a_step_leaves_the_power_distribution_on_the_allowed_as_it_is(case, kernel, retrace):
    method = PowerMH(alpha=2.5, block=9, steps=1, collect=1.0, kernel=kernel, retrace=retrace)
    joint = defaultdict(float)
    for probability, ended in outcomes(lambda draw: run(method, toy(), case, draw)):
        joint[tuple(texts_of(ended.chains[0]))] += probability
    texts, matrix = matrix_of(joint)
    law = allowed_law(toy(), case)
    assert set(texts) == set(law)
    pi = np.array([law[text] ** 2.5 for text in texts])
    np.testing.assert_allclose(pi / pi.sum() @ matrix, pi / pi.sum(), rtol=0, atol=1e-14)


def test_a_sweep_of_tempering_leaves_the_joint_law_as_it_is():
    method = PowerTempering(particles=2, alpha=3.0, steps=1, collect=1.0)
    joint = defaultdict(float)
    for probability, ended in outcomes(lambda draw: run(method, toy(), "nothing is forced", draw)):
        *_, before, after = zip(*map(texts_of, ended.chains), strict=True)
        joint[before, after] += probability
    states, matrix = matrix_of(joint)
    law = allowed_law(toy(), "nothing is forced")
    pi = np.array([math.prod(law[t] ** a for t, a in zip(x, (1.0, 3.0), strict=True)) for x in states])
    np.testing.assert_allclose(pi / pi.sum() @ matrix, pi / pi.sum(), rtol=0, atol=1e-14)


@pytest.mark.parametrize("block", [2, 9])
@pytest.mark.parametrize("kernel", metropolis.KERNELS)
def test_chains_leave_dead_ends_behind(kernel, block):
    """Given that every text of a chain is allowed, its frequencies go to the law."""
    method = PowerMH(alpha=2.0, steps=500, collect=1.0, kernel=kernel, block=block)
    ended = run(method, toy(), "dead ends", RandomSampler(np.random.default_rng(4)))
    law = allowed_law(toy(), "dead ends")
    z = sum(p**2.0 for p in law.values())
    found = {tuple(ending.tokens.tolist()): ending.weight for ending in ended.endings()}
    assert set(found) <= set(law)
    # The standard error of 500 dependent steps is about 0.04.
    assert all(abs(found.get(text, 0.0) - p**2.0 / z) < 0.16 for text, p in law.items())


# --- token by token -------------------------------------------------------------------------------


def local_law(model, case, alpha):
    """Masked, tempered and normalised token by token; given that no dead end is met."""
    texts, n_tokens = GRAMMARS[case]
    prefixes, law = Beginnings(*texts).prefixes, {}
    for text in allowed_law(model, case):
        law[text] = 1.0
        for n, token in enumerate(text):
            allowed = [v for v in range(3) if (*text[:n], v) in prefixes]
            p = tempered(model, [*PROMPT, *text[:n]], alpha)
            law[text] *= p[token] / p[allowed].sum()
    return law


@pytest.mark.parametrize("method", [Sample(), Sample(temperature=0.5, particles=2)], ids=["one", "cold pair"])
@pytest.mark.parametrize("case", ["some", "one", "cut at the horizon"])
def test_samples_are_masked_and_normalised_token_by_token(case, method):
    drawn = defaultdict(float)
    for probability, ended in outcomes(lambda draw: run(method, toy(), case, draw)):
        for ending in ended.endings():
            drawn[tuple(ending.tokens.tolist())] += probability * ending.weight
            assert ending.logp == pytest.approx(
                math.log(allowed_law(toy(), case)[tuple(ending.tokens.tolist())]), abs=1e-12
            )
    law = local_law(toy(), case, 1 / method.temperature)
    assert {text: pytest.approx(p, abs=1e-12) for text, p in law.items()} == drawn


@pytest.mark.parametrize("method", [Sample(particles=3), SelfConsistency(particles=3), BestOfN(particles=3)])
def test_samples_that_meet_a_dead_end_are_dropped(method):
    law = allowed_law(toy(), "dead ends")
    n_dropped = 0
    for seed in range(30):
        ended = run(method, toy(), "dead ends", RandomSampler(np.random.default_rng(seed)))
        if ended is None:
            continue
        endings = ended.endings()
        assert {tuple(ending.tokens.tolist()) for ending in endings} <= set(law)
        assert sum(ending.weight for ending in endings) == pytest.approx(1.0)
        n_dropped += sum(ending.count for ending in endings) < 3
    assert n_dropped


@pytest.mark.parametrize("truncation", [{"top_k": 1}, {"top_p": 0.1}, {"min_p": 0.999}])
def test_a_truncation_looks_at_what_is_allowed(truncation):
    greedy = run(Greedy(), toy(), "some", RandomSampler(np.random.default_rng(0)))
    cut = run(Sample(**truncation), toy(), "some", RandomSampler(np.random.default_rng(0)))
    assert cut.endings()[0].tokens.tolist() == greedy.endings()[0].tokens.tolist()


@pytest.mark.parametrize("n_vocab", [3, 3000])
def test_rows_of_a_large_vocabulary_have_the_same_sums(n_vocab):
    rng = np.random.default_rng(7)
    logits = rng.normal(size=(4, n_vocab)) * 3
    allowed = rng.random(logits.shape) < 0.4
    allowed[:, :2], allowed[3] = True, False
    rows = np.empty((4, n_vocab + 1))
    for row in range(4):
        _mask_row(logits[row], allowed[row], rows[row])
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    for alpha in (1.0, 2.0, 3.3, 64.0):
        found = TemperedLogits(rows, alpha, has_rest=True)
        with np.errstate(divide="ignore"):
            expected = np.log(np.where(allowed, p**alpha, 0).sum(axis=1))
        np.testing.assert_allclose(found.log_power, expected, atol=1e-6)
        np.testing.assert_allclose(found.logp(np.arange(3), np.zeros(3, int)), np.log(p[:3, 0]), atol=1e-6)
        drawn = found.take(np.arange(3)).sample(RandomSampler(rng), np.full(3, 500))
        assert allowed[drawn.rows, drawn.tokens].all()
