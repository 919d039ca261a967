"""Exact tests of Power-SMC's options: alone and combined, each keeps the target distribution.

As in test_toy_laws, every random choice is enumerated. For options that exclude each other, the bias of
the combination is shown.
"""

from __future__ import annotations

import itertools
import math
import statistics
from dataclasses import replace

import numpy as np
import pytest
from enumeration import outcomes
from test_toy_laws import (
    PROMPT,
    assert_properly_weighted,
    enumerated_measure,
    request,
    run_to_end,
    smc,
    stopped_texts,
    toy,
)

from localsmc.errors import ConfigError, ContextFull
from localsmc.methods.smc.power_smc import next_exponent
from localsmc.methods.smc.schedule import FEARNHEAD_CLIFFORD
from localsmc.numerics.categorical import RandomSampler
from localsmc.numerics.log_math import normalised
from localsmc.numerics.resampling import SCHEMES

FEW = {"eog": (0, 1), "laws": {PROMPT: (0.0, 0.4, 0.6)}}
"""A model with few texts."""

# id: (method, model options, n_tokens)
CASES = {
    "drawn before resampling": (smc(lookahead=False), {}, 3),
    "drawn before resampling, three": (smc(lookahead=False, particles=3), {}, 2),
    "adaptive ramp": (smc(ramp_ess=0.8, ramp=0), {}, 3),
    "adaptive ramp, no faster than the other": (smc(ramp_ess=0.8, ramp=4), {}, 3),
    "adaptive ramp, three": (smc(ramp_ess=0.9, particles=3, ess_threshold=0.7), {}, 2),
    "adaptive ramp, optimal": (smc(ramp_ess=0.8, resampling=FEARNHEAD_CLIFFORD, particles=3), {}, 3),
    "adaptive ramp, short of memory": (smc(ramp_ess=0.8), {"n_seq_max": 1, "eog": ()}, 3),
    "moves of one": (smc(rejuvenate=1, particles=1), {}, 2),
    "moves of one, within the ramp": (smc(rejuvenate=2, particles=1, ramp=3), {}, 3),
    "moves of finished texts": (smc(rejuvenate=2), FEW, 3),
    "moves that cannot forget": (smc(rejuvenate=2, ramp=0), {"can_forget": False, **FEW}, 3),
    "rollouts": (smc(rollouts=1, block=1), {"eog": (0, 1)}, 3),
    "rollouts in a ramp": (smc(rollouts=1, block=1, ramp=3), {"eog": (0, 1)}, 3),
    "rollouts every two tokens": (smc(rollouts=1, block=2), {"eog": (0, 1)}, 3),
    "two rollouts": (smc(rollouts=2, block=1), FEW, 3),
    "rollouts without slots": (smc(rollouts=1, block=1), {"n_seq_max": 2, **FEW}, 3),
    "rollouts short of slots": (smc(rollouts=2, block=1), {"n_seq_max": 4, **FEW}, 3),
    "rollouts short of cells": (smc(rollouts=2, block=1), {"n_cells": 7, **FEW}, 3),
}


@pytest.mark.parametrize("case", CASES)
def test_every_option_is_properly_weighted(case):
    method, options, n_tokens = CASES[case]
    assert_properly_weighted(method, toy(**options), n_tokens)


OPTIONS = {
    "drawn first": {"lookahead": False},
    "chopthin": {"resampling": "chopthin"},
    "optimal": {"resampling": FEARNHEAD_CLIFFORD},
    "never resampled": {"ess_threshold": 0.0},
    "adaptive ramp": {"ramp_ess": 0.8},
    "moves": {"rejuvenate": 2},
    "rollouts": {"rollouts": 1, "block": 1},
    "islands": {"islands": 2, "particles": 1},
    "apart": {"share": False},
}
REFUSED = {
    *((("optimal", other)) for other in ("never resampled", "moves", "rollouts", "apart")),
    ("drawn first", "optimal"),
    ("drawn first", "rollouts"),
    ("never resampled", "rollouts"),
    ("adaptive ramp", "moves"),
}
PAIRS = [
    pair
    for pair in itertools.combinations(OPTIONS, 2)
    if pair != ("chopthin", "optimal")  # one scheme only
]


@pytest.mark.parametrize("pair", PAIRS, ids=" and ".join)
def test_every_two_options_are_properly_weighted_or_refused(pair):
    options = {**OPTIONS[pair[0]], **OPTIONS[pair[1]]}
    if pair in REFUSED:
        with pytest.raises(ConfigError) as refused:
            smc(**options)
        assert refused.value.hint
    else:
        assert_properly_weighted(smc(**options), toy(**FEW), 2 if "moves" in pair else 3)


@pytest.mark.parametrize(
    "score",
    [
        lambda particles, nodes: np.zeros(len(nodes)),
        lambda particles, nodes: particles.alpha * particles.genealogy.logs(nodes)[:, 0],
    ],
    ids=["always taken", "no proposal in the ratio"],
)
def test_moves_by_another_ratio_would_be_caught(monkeypatch, score):
    monkeypatch.setattr("localsmc.methods.smc.rejuvenation._score", score)
    with pytest.raises(AssertionError):
        assert_properly_weighted(smc(rejuvenate=2, particles=1), toy(), 2)


def relative_bias(method, model, n_tokens):
    """E[Ẑ]/Z − 1."""
    _, measure, _ = enumerated_measure(method, model, n_tokens)
    return sum(measure.values()) / sum(p**method.alpha for p in stopped_texts(model, n_tokens).values()) - 1


def allowed(method, **options):
    """The method with options that it refuses."""
    method = replace(method)
    for name, value in options.items():
        object.__setattr__(method, name, value)
    return method


def test_moves_in_a_ramp_that_follows_the_ess_are_biased_and_refused():
    moving = smc(rejuvenate=2, ess_threshold=0.0)
    model = toy(eog=(0, 1))
    assert abs(relative_bias(moving, model, 3)) < 1e-12
    assert abs(relative_bias(allowed(moving, ramp_ess=0.8), model, 3)) > 0.002
    with pytest.raises(ConfigError, match="biased"):
        replace(moving, ramp_ess=0.8)


def test_values_that_are_not_taken_out_of_the_weights_would_be_caught(monkeypatch):
    from localsmc.methods.smc.particles import Particles

    def forgetful(self, scheme, log_value):
        offspring = scheme(normalised(self.histories.log_totals + log_value), self.n, self.draw)
        self._select(offspring.counts, self.log_z + np.log(offspring.weights))

    monkeypatch.setattr(Particles, "resample", forgetful)
    with pytest.raises(AssertionError):
        assert_properly_weighted(smc(rollouts=1, block=1), toy(**FEW), 3)


def ended(method, model, n_tokens, seed=0):
    return run_to_end(method, model, n_tokens, RandomSampler(np.random.default_rng(seed)))


def test_moves_need_room_for_a_proposal_beside_every_text():
    method = smc(particles=3, rejuvenate=2)
    for model in (toy(n_seq_max=6), toy(n_cells=2 + 2 * 3 * 4 - 1)):
        with pytest.raises(ContextFull, match="rejuvenate"):
            method.start(request(model, 4, RandomSampler(np.random.default_rng(0))))
    assert ended(method, toy(n_seq_max=7, n_cells=2 + 2 * 3 * 4), 4).is_done


def test_at_alpha_1_every_move_to_another_text_is_taken():
    run = ended(smc(alpha=1.0, particles=20, rejuvenate=1), toy(eog=()), 8)
    again = ended(smc(alpha=1.0, particles=20, rejuvenate=1), toy(eog=(), scale=0.0), 8)
    assert 0 < run.accepted < run.proposals == 20 * 4  # after 1, 2, 4 and 8 tokens
    # Where all texts are equally probable, hardly any proposal is its own text.
    assert again.accepted > 0.5 * again.proposals


def test_moves_give_texts_that_had_become_equal_their_variety_back():
    def n_texts(**options):
        method = smc(alpha=1.5, particles=16, resampling="multinomial", **options)
        runs = [ended(method, toy(eog=(), scale=0.7), 8, seed) for seed in range(20)]
        return statistics.mean(len(run.endings()) for run in runs)

    assert n_texts(rejuvenate=8) > 1.2 * n_texts()


def test_rejuvenation_waits_for_texts_that_ended_early():
    model = toy(laws={PROMPT: (1.0, 0.0, 0.0)})
    run = ended(smc(rejuvenate=1), model, 4)
    assert (run.proposals, run.accepted) == (2, 0)  # after one token; later cuts are behind the text
    assert run.log_z == pytest.approx(0.0, abs=1e-12)


def test_the_adaptive_ramp_takes_no_more_of_the_ess_than_it_may():
    run = ended(smc(alpha=1.0, particles=50), toy(eog=()), 3)
    histories = run.particles.histories
    low, high = next_exponent(histories, 1.0, 64.0, 0.95), next_exponent(histories, 1.0, 64.0, 0.6)
    assert 1.0 < low < high < 64.0
    assert next_exponent(histories, 1.0, 1.01, 0.6) == 1.01
    for share, alpha in ((0.95, low), (0.6, high)):
        logw = histories.logw + (alpha - 1.0) * histories.logp
        ess = float(np.exp(2 * np.logaddexp.reduce(logw + np.log(histories.count)))) / float(
            (histories.count * np.exp(2 * logw)).sum()
        )
        assert share <= ess / histories.ess < share + 0.01


def test_drawing_after_resampling_makes_the_evidence_no_worse():
    def variance(**options):
        found = [
            (p, math.exp(run.log_z))
            for p, run in outcomes(lambda draw: run_to_end(smc(**options), toy(), 3, draw))
        ]
        mean = sum(p * z for p, z in found)
        return sum(p * (z - mean) ** 2 for p, z in found)

    assert variance(lookahead=True) < variance(lookahead=False)


INDEPENDENT = {
    **{scheme: {"resampling": scheme} for scheme in SCHEMES},
    "drawn before": {"lookahead": False},
    "adaptive ramp": {"ramp_ess": 0.8},
    "moves": {"rejuvenate": 4},
    "rollouts": {"rollouts": 1, "block": 2},
}


@pytest.mark.parametrize("case", INDEPENDENT)
def test_the_error_of_the_evidence_falls_with_the_root_of_n(case):
    sizes, deviations = (16, 64, 256), []
    for n in sizes:
        method = smc(particles=n, ramp=3, ess_threshold=0.7, **INDEPENDENT[case])
        model = toy(eog=(), n_seq_max=700, n_cells=10_000, n_batch=512)
        deviations.append(statistics.stdev(ended(method, model, 5, seed).log_z for seed in range(60)))
    slope = np.polyfit(np.log(sizes), np.log(deviations), 1)[0]
    # The slope of 60 runs each has a standard deviation of 0.05.
    assert -0.7 < slope < -0.3


def test_a_block_without_rollouts_is_refused():
    with pytest.raises(ConfigError, match="`block` has no effect without `rollouts`") as caught:
        smc(block=8)
    assert caught.value.hint == "remove it, or set `rollouts`"
    smc(block=8, rollouts=1)
    with pytest.raises(ConfigError, match="`rollouts` has no effect with `resampling=fearnhead-clifford`"):
        smc(block=8, rollouts=1, resampling=FEARNHEAD_CLIFFORD)
