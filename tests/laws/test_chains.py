"""Exact tests of the MCMC methods, by their transition matrices on the toy model.

A run is enumerated over every random choice. Conditioned on the completions before a step, the
probabilities of the completions after it are a row of the step's transition matrix P.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from enumeration import outcomes
from test_toy_laws import PROMPT, request, run_to_end, stopped_texts

from localsmc.errors import ContextFull
from localsmc.lm.toy import ToyModel
from localsmc.methods import PowerMH, PowerTempering
from localsmc.methods.mcmc import metropolis
from localsmc.methods.mcmc.parallel_tempering import respaced
from localsmc.numerics.categorical import RandomSampler


def toy(**options):
    return ToyModel(**{"n_vocab": 3, "seed": 5, "scale": 1.3, **options})


def texts_of(chain):
    """The texts that are kept: all of the stage, the first one included, where all are collected."""
    return [text.tokens for text in chain.history]


def transitions(method, model, n_tokens, strings=()):
    """(texts, P) of one step of the last stage, rows by the text before it."""
    joint, total = defaultdict(float), 0.0
    for probability, run in outcomes(
        lambda draw: run_to_end(replace(method, steps=1), model, n_tokens, draw, strings)
    ):
        (chain,) = run.chains
        before, after = texts_of(chain)
        joint[before, after] += probability
        total += probability
    assert total == pytest.approx(1.0, abs=1e-12)
    texts = sorted({before for before, _ in joint})
    matrix = np.array([[joint[x, y] for y in texts] for x in texts])
    return texts, matrix / matrix.sum(axis=1, keepdims=True)


def target(model, texts, n_tokens, alpha, strings=()):
    law = stopped_texts(model, n_tokens, strings)
    assert set(texts) == set(law)
    powers = np.array([law[text] ** alpha for text in texts])
    return powers / powers.sum()


def mh(**options):
    return PowerMH(**{"alpha": 2.5, "block": 9, "collect": 1.0, **options})


# id: (method, model options, n_tokens, stop strings)
CASES = {
    "plain": (mh(), {}, 3, ()),
    "alpha 1": (mh(alpha=1.0), {}, 3, ()),
    "large alpha": (mh(alpha=12.0), {}, 3, ()),
    "early end": (mh(), {"eog": (0, 1)}, 3, ()),
    "no end": (mh(), {"eog": ()}, 2, ()),
    "stop string over two tokens": (mh(), {"eog": ()}, 3, ("bc", "cc")),
    "a model that cannot forget": (mh(), {"can_forget": False}, 3, ()),
    "two blocks": (mh(block=2), {"eog": (0, 1)}, 3, ()),
}


@pytest.mark.parametrize("retrace", [True, False], ids=["parting", "plain"])
@pytest.mark.parametrize("kernel", metropolis.KERNELS)
@pytest.mark.parametrize("case", CASES)
def test_a_step_leaves_the_power_distribution_as_it_is(case, kernel, retrace):
    """Row 11: πP = π and detailed balance, for both kernels."""
    method, options, n_tokens, strings = CASES[case]
    method, model = replace(method, kernel=kernel, retrace=retrace), toy(**options)
    texts, matrix = transitions(method, model, n_tokens, strings)
    pi = target(model, texts, n_tokens, method.alpha, strings)
    np.testing.assert_allclose(pi @ matrix, pi, rtol=0, atol=1e-14)
    flow = pi[:, None] * matrix
    np.testing.assert_allclose(flow, flow.T, rtol=0, atol=1e-14)


@pytest.mark.parametrize("kernel", metropolis.KERNELS)
def test_what_is_not_decoded_again_changes_no_law(kernel):
    plain, parting = (
        transitions(mh(kernel=kernel, retrace=retrace), toy(), 3)[1] for retrace in (False, True)
    )
    np.testing.assert_allclose(parting, plain, rtol=0, atol=1e-14)


def test_the_rule_of_the_papers_code_is_not_invariant(monkeypatch):
    """Row 11b: the current text's terms cut off at the proposal's end, no correction for lengths."""

    class Truncating(metropolis.Chain):
        def _decide(self, current, proposal, parted):
            ours, theirs = (
                sum(float(row[0]) for row in text.log_powers[parted : len(proposal)])
                for text in (proposal, current)
            )
            is_accepted = self._run.accept(ours - theirs)
            self._writer.release(current if is_accepted else proposal)
            self.current, self.proposal = proposal if is_accepted else current, None

    monkeypatch.setattr("localsmc.methods.mcmc.power_mh.Chain", Truncating)
    method = mh(alpha=4.0)
    texts, matrix = transitions(method, toy(), 3)
    pi = target(toy(), texts, 3, method.alpha)
    drifted = pi @ np.linalg.matrix_power(matrix, 1000)
    assert abs(drifted - pi).sum() / 2 > 0.02


def test_dropping_the_lengths_is_not_invariant_either(monkeypatch):
    ratio = metropolis.log_ratio

    def forgetful(current, proposal, parted, rung):
        return ratio(current, proposal, parted, rung) + math.log(len(proposal)) - math.log(len(current))

    monkeypatch.setattr(metropolis, "log_ratio", forgetful)
    with pytest.raises(AssertionError):
        test_a_step_leaves_the_power_distribution_as_it_is("plain", "length", True)


def test_the_two_token_case_of_the_papers_critics():
    """Row 11c: vocabulary {a, e}, p = 1/2, alpha = 2, T = 2, from "ae": TV = 2/3·(5/8)^steps, from one on."""
    model = ToyModel(3, eog=(0,), laws={PROMPT: (1, 1, 0), (*PROMPT, 1): (1, 1, 0)})
    texts, matrix = transitions(mh(alpha=2.0, kernel="horizon"), model, 2)
    law = np.array([1.0 if text == (1, 0) else 0.0 for text in texts])
    pi = np.array([2 / 3 if text == (0,) else 1 / 6 for text in texts])
    for step in range(1, 12):
        law = law @ matrix
        assert abs(law - pi).sum() / 2 == pytest.approx(2 / 3 * (5 / 8) ** step, abs=1e-12)


def test_the_ratio_is_that_of_hastings():
    """Row 12: Σ of log-normalisers is α·log p − log q of the suffixes, where q is the proposal."""
    alpha, model = 3.0, toy(eog=(0,))

    def suffix(text, start):
        total = 0.0
        for t in range(start, len(text)):
            logp = model.logp([*PROMPT, *text[:t]])
            log_q = alpha * logp - np.log(np.exp(alpha * logp).sum())
            total += alpha * logp[text[t]] - log_q[text[t]]
        return total

    seen = []
    original = metropolis.log_ratio

    def spy(current, proposal, parted, rung):
        found = original(current, proposal, parted, rung)
        seen.append((tuple(current.tokens), tuple(proposal.tokens), parted, found))
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metropolis, "log_ratio", spy)
        for retrace in (True, False):
            method = mh(alpha=alpha, steps=1, retrace=retrace)
            for _ in outcomes(lambda draw, method=method: run_to_end(method, model, 3, draw)):
                pass
    assert len(seen) > 100
    for x, y, parted, found in seen:
        assert found == pytest.approx(suffix(y, parted) - suffix(x, parted), abs=1e-12)


@pytest.mark.parametrize("n_seq_max", [64, 4, 3], ids=["side by side", "a sequence short", "three sequences"])
def test_chains_are_independent(n_seq_max):
    """The joint law of two chains' texts is the product of one's with itself."""
    model = toy(eog=(0, 1), n_seq_max=n_seq_max)
    one, two = defaultdict(float), defaultdict(float)
    for probability, run in outcomes(lambda draw: run_to_end(mh(steps=1), model, 2, draw)):
        one[texts_of(run.chains[0])[-1]] += probability
    for probability, run in outcomes(lambda draw: run_to_end(mh(steps=1, particles=2), model, 2, draw)):
        two[tuple(texts_of(chain)[-1] for chain in run.chains)] += probability
        assert sum(ending.weight for ending in run.endings()) == pytest.approx(1.0)
        assert run.ess == 2
    for (x, y), probability in two.items():
        assert probability == pytest.approx(one[x] * one[y], abs=1e-13)


def test_collected_texts_are_those_of_the_last_steps():
    model = toy()
    for _, run in outcomes(lambda draw: run_to_end(mh(steps=2, collect=1.0), model, 2, draw)):
        _, first, second = texts_of(run.chains[0])
        weights = {tuple(ending.tokens.tolist()): ending.weight for ending in run.endings()}
        assert weights == ({first: 1.0} if first == second else {first: 0.5, second: 0.5})


SLOTS = [
    (mh(steps=1, particles=2), {}),
    (mh(steps=1, block=1), {}),
    (PowerTempering(particles=3, steps=1, warmup=2), {"laws": {PROMPT: (0, 1, 0)}}),
]


@pytest.mark.parametrize(("method", "options"), SLOTS, ids=["chains", "blocks", "warm-up"])
def test_every_slot_is_given_back(method, options):
    model = toy(eog=(0, 1), **options)
    for _, run in outcomes(lambda draw: run_to_end(method, model, 2, draw)):
        # The prompt's is left.
        assert len(run.sequences._free) == run.sequences.n_slots - 1
        assert run.sequences.cells_used == len(PROMPT)


def test_thinking_can_be_stopped():
    """Steps that decode nothing hand control back every now and then."""
    model = toy(laws={PROMPT: (1, 0, 0)})
    run = mh(steps=1000, collect=0.0).start(request(model, 3, RandomSampler(np.random.default_rng(0))))
    steps = list(run)
    assert len(steps) > 10
    assert run.proposals == 1000
    assert sum(step.rows for step in steps) == 0
    assert [ending.tokens.tolist() for ending in run.endings()] == [[0]]


def test_a_chain_remembers_no_more_than_is_asked_for():
    run = mh(steps=200, collect=0.05).start(request(toy(), 3, RandomSampler(np.random.default_rng(0))))
    for _ in run:
        assert len(run.chains[0].history) <= 11
    assert sum(ending.count for ending in run.endings()) == 10
    assert run.ess == 1


@pytest.mark.parametrize(
    ("method", "options", "message", "hint"),
    [
        (mh(), {"n_seq_max": 2}, "1 chain needs 3 sequences, but there are 2", "batch-size"),
        (mh(), {"n_cells": 7}, "needs 8 KV cells, but there are 7", "ctx-size"),
        (PowerTempering(), {"n_seq_max": 8}, "4 chains need 9 sequences", "batch-size"),
        (PowerTempering(), {"n_cells": 25}, "need 26 KV cells, but there are 25", "ctx-size"),
    ],
)
def test_what_does_not_fit_is_said_before_the_first_step(method, options, message, hint):
    with pytest.raises(ContextFull, match=message) as caught:
        method.start(request(toy(**options), 3, RandomSampler(np.random.default_rng(0))))
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("particles", "unused"), [(1, {"low", "warmup"}), (2, {"warmup"}), (3, set()), (4, set())]
)
def test_what_has_no_effect_with_few_chains_is_known_and_accepted(particles, unused):
    """`bench` and the environment vary the number of chains under options that were typed."""
    method = PowerTempering(particles=particles, low=2.0, warmup=4)
    assert {name for group in method.unused for name in group.names} == unused


@pytest.mark.parametrize(
    "method", [mh(steps=3), PowerTempering(steps=3), mh(particles=3, steps=3, collect=1.0)]
)
def test_a_step_works_out_no_completions(method, monkeypatch):
    """A long chain visits thousands: collecting them at every step would cost their square."""
    run = method.start(request(toy(), 3, RandomSampler(np.random.default_rng(0))))
    with monkeypatch.context() as patch:
        patch.setattr(type(run), "endings", lambda _: pytest.fail("worked out within a step"))
        for _ in run:
            pass
    assert run.endings()


def test_a_node_never_changes_its_parent():
    """A trace is read as one tree, the warm-up's texts included."""
    parents = {}
    method = PowerTempering(particles=3, steps=3, warmup=3)
    run = method.start(request(toy(), 3, RandomSampler(np.random.default_rng(2))))
    for _ in run:
        for told in run.population():
            assert parents.setdefault((told.wave, told.node), told.parent) == told.parent
        assert sum(told.weight for told in run.population()) in (0.0, 1.0)
    assert len(parents) > 10


# --- tempering -----------------------------------------------------------------------------------


def tempering(**options):
    return PowerTempering(**{"particles": 2, "alpha": 3.0, "steps": 1, "collect": 1.0, **options})


@pytest.mark.parametrize(
    ("method", "n_tokens", "eog"),
    [
        (tempering(), 2, (0, 1)),
        (tempering(kernel="horizon", retrace=False), 2, (0, 1)),
        (tempering(low=2.0, particles=3), 1, (0,)),
        (tempering(low=2.0, particles=3, steps=2), 1, ()),
    ],
    ids=["two chains", "horizon", "three chains", "the other pair"],
)
def test_a_sweep_leaves_the_joint_law_as_it_is(method, n_tokens, eog):
    """Row 21: the product of the power laws, steps and exchanges together, in two sweeps."""
    model = toy(eog=eog, **({} if eog else {"laws": {PROMPT: (0, 2, 3)}}))
    joint = defaultdict(float)
    for probability, run in outcomes(lambda draw: run_to_end(method, model, n_tokens, draw)):
        *_, before, after = zip(*map(texts_of, run.chains), strict=True)
        joint[before, after] += probability
    states = sorted({before for before, _ in joint})
    matrix = np.array([[joint[x, y] for y in states] for x in states])
    matrix /= matrix.sum(axis=1, keepdims=True)
    law = {text: p for text, p in stopped_texts(model, n_tokens).items() if p}
    assert len(states) == len(law) ** method.particles
    pi = np.array([math.prod(law[t] ** a for t, a in zip(x, method.ladder, strict=True)) for x in states])
    pi /= pi.sum()
    np.testing.assert_allclose(pi @ matrix, pi, rtol=0, atol=1e-14)


def test_an_exchange_that_forgets_the_exponents_is_not_invariant(monkeypatch):
    from localsmc.methods.mcmc.parallel_tempering import _TemperingRun

    def greedy(self, lower):
        one, other = self.chains[lower], self.chains[lower + 1]
        if one.text.logp > other.text.logp:
            one.current, other.current = other.current, one.current

    monkeypatch.setattr(_TemperingRun, "_exchange", greedy)
    with pytest.raises(AssertionError):
        test_a_sweep_leaves_the_joint_law_as_it_is(tempering(), 2, (0, 1))


def test_one_chain_of_a_ladder_is_a_metropolis_chain():
    one, other = (transitions(method, toy(), 2)[1] for method in (tempering(particles=1), mh(alpha=3.0)))
    np.testing.assert_allclose(one, other, rtol=0, atol=1e-14)


def test_pairs_take_turns():
    method = PowerTempering(particles=4, steps=5)
    run = method.start(request(toy(), 3, RandomSampler(np.random.default_rng(0))))
    for _ in run:
        pass
    assert run._swap_tries.tolist() == [3, 2, 3]
    assert run.swap_proposals == 8


def test_a_warm_up_is_discarded(monkeypatch):
    """Given the ladder that it leads to, the texts after it are those of a run on that ladder."""
    # Exchanges alone lead to several ladders; with steps there are too many outcomes.
    monkeypatch.setattr(metropolis.Chain, "step", lambda self, horizon: iter(()))
    model, method = toy(laws={PROMPT: (1, 2, 0)}), tempering(steps=0, warmup=2, particles=3, alpha=6.0)
    by_ladder = defaultdict(lambda: defaultdict(float))
    for probability, run in outcomes(lambda draw: run_to_end(method, model, 1, draw)):
        assert run.swap_proposals == 0
        by_ladder[tuple(run.alphas)][tuple(tuple(chain.text.tokens) for chain in run.chains)] += probability
    assert len(by_ladder) > 1
    for alphas, joint in by_ladder.items():
        total = sum(joint.values())
        p = np.exp(np.array(alphas)[:, None] * model.logp(PROMPT))
        p /= p.sum(axis=1, keepdims=True)
        for texts, probability in joint.items():
            expected = math.prod(p[k, text[0]] for k, text in enumerate(texts))
            assert probability / total == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("refusals", [[0.2, 0.2, 0.2], [0.0, 0.0, 0.0], [0.0, 0.0, 0.6], [0.3, 0.3, 0.6]])
def test_ladders_are_spaced_by_refusals(refusals):
    ladder = np.array([1.0, 2.0, 4.0, 8.0])
    found = respaced(ladder, np.array(refusals))
    assert (np.diff(found) > 0).all()
    assert (found[0], found[-1]) == (1, 8)
    barrier = np.interp(found, ladder, np.concatenate(([0], np.cumsum(refusals))))
    np.testing.assert_allclose(np.diff(barrier), sum(refusals) / 3, atol=1e-5)
    if len(set(refusals)) == 1:
        np.testing.assert_allclose(found, ladder)
