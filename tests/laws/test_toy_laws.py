"""Exact tests of the methods, by enumerating every random choice on the toy model.

Each row of CASES runs Power-SMC through all its outcomes and asserts E[Ẑ] = Z and, for every
completion s, E[Σ count·exp(logw)·1{s}] = p(s)^α: exact to 1e-12.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from enumeration import outcomes

from localsmc.errors import DecodeFailed, SequenceError
from localsmc.lm.toy import ToyModel
from localsmc.methods import Greedy, PowerSMC, Request, Sample
from localsmc.methods.smc.schedule import FEARNHEAD_CLIFFORD
from localsmc.numerics.categorical import RandomSampler
from localsmc.numerics.resampling import SCHEMES
from localsmc.text.stop_rule import StopRule

PROMPT = (1, 2)


def toy(**options):
    return ToyModel(3, **{"seed": 5, "scale": 1.3, **options})


def request(model, n_tokens, draw, strings=()):
    return Request(
        model=model,
        prompt=np.array(PROMPT, dtype=np.int32),
        n_tokens=n_tokens,
        stop=StopRule(model.pieces, strings),
        draw=draw,
    )


def stopped_texts(model, n_tokens, strings=()):
    """p of every text of the stopped process, by walking the model itself: no localsmc stop rule."""
    law = defaultdict(float)
    for tokens, logp in model.texts(PROMPT, n_tokens):
        if logp == -math.inf:
            continue
        for end in range(1, len(tokens) + 1):
            text = b"".join(model.pieces[t] for t in tokens[:end]).decode()
            if any(string in text for string in strings):
                tokens = tokens[:end]
                break
        law[tokens] += math.exp(logp)
    assert sum(law.values()) == pytest.approx(1.0, abs=1e-12)
    return law


def run_to_end(method, *args, **kwargs):
    run = method.start(request(*args, **kwargs))
    for _ in run:
        pass
    return run


def enumerated_measure(method, model, n_tokens, strings=()):
    """Σ prob, and E[Ẑ·weight] of each text, over every outcome of a run."""
    total, measure, reductions = 0.0, defaultdict(float), 0
    for probability, run in outcomes(lambda draw: run_to_end(method, model, n_tokens, draw, strings)):
        total += probability
        reductions += run.reductions
        for ending in run.endings():
            measure[tuple(ending.tokens.tolist())] += probability * ending.weight * math.exp(run.log_z)
    return total, measure, reductions


def assert_properly_weighted(method, model, n_tokens, strings=()):
    total, measure, reductions = enumerated_measure(method, model, n_tokens, strings)
    law = stopped_texts(model, n_tokens, strings)
    assert total == pytest.approx(1.0, abs=1e-12)
    assert sum(measure.values()) == pytest.approx(sum(p**method.alpha for p in law.values()), rel=1e-12)
    assert set(measure) == set(law)
    for text, p in law.items():
        assert measure[text] == pytest.approx(p**method.alpha, rel=1e-11), text
    return reductions


def smc(**options):
    own = (
        {}
        if options.get("resampling") == FEARNHEAD_CLIFFORD
        else {"resampling": "systematic", "ess_threshold": 1.0}
    )
    return PowerSMC(**{"particles": 2, "alpha": 2.5, "ramp": 2, **own, **options})


def with_scheme(method, scheme, share):
    """The method with another scheme; the optimal one has neither threshold nor a choice to share."""
    if scheme == FEARNHEAD_CLIFFORD:
        return replace(method, resampling=FEARNHEAD_CLIFFORD, ess_threshold=0.5)
    return replace(method, resampling=scheme, share=share)


# id: (method, model options, n_tokens, stop strings)
CASES = {
    "one particle": (smc(particles=1), {}, 3, ()),
    "three particles": (smc(particles=3), {}, 2, ()),
    "no ramp": (smc(ramp=0), {}, 3, ()),
    "ramp longer than the text": (smc(ramp=9), {}, 3, ()),
    "never resampled": (smc(ess_threshold=0.0), {}, 3, ()),
    "sometimes resampled": (smc(particles=3, ess_threshold=0.8), {}, 2, ()),
    "early end of generation": (smc(), {"eog": (0, 1)}, 3, ()),
    "no end of generation": (smc(), {"eog": ()}, 2, ()),
    "alpha 1": (smc(alpha=1.0), {}, 3, ()),
    "large alpha": (smc(alpha=12.0, ramp=5), {"scale": 0.3}, 3, ()),
    "alpha so large that texts are lost in rounding": (smc(alpha=20.0, ramp=5), {}, 3, ()),
    "two islands": (smc(particles=1, islands=2, ramp=0), {}, 2, ()),
    "two islands of two": (smc(islands=2, ess_threshold=0.9), {"eog": (0, 1)}, 2, ()),
    "islands under pressure": (smc(islands=2, ess_threshold=0.0), {"eog": (0, 1), "n_seq_max": 2}, 2, ()),
    "stop string": (smc(), {}, 3, ("b",)),
    "stop string over two tokens": (smc(), {"eog": ()}, 3, ("bc", "cc")),
}


EVERY_SCHEME = ("three particles", "ramp longer than the text")
ROWS = [
    (case, scheme, share)
    for case in CASES
    for scheme in (*SCHEMES, FEARNHEAD_CLIFFORD)
    for share in ("shared", "unshared")[: 1 if scheme == FEARNHEAD_CLIFFORD else 2]
    if scheme == "systematic"
    or case in EVERY_SCHEME
    or (scheme == FEARNHEAD_CLIFFORD and "rounding" not in case)
]


@pytest.mark.parametrize(("case", "scheme", "share"), ROWS, ids=["-".join(row) for row in ROWS])
def test_power_smc_is_properly_weighted(case, scheme, share):
    method, options, n_tokens, strings = CASES[case]
    method = with_scheme(method, scheme, share == "shared")
    reductions = assert_properly_weighted(method, toy(**options), n_tokens, strings)
    assert reductions == 0 or "pressure" in case


# id: (method, model options, n_tokens); the prompt has 2 tokens.
PRESSURE = {
    "one slot": (smc(), {"n_seq_max": 1}, 3),
    "one slot, never resampled": (smc(ess_threshold=0.0), {"n_seq_max": 1}, 3),
    "one slot, some finished": (smc(ess_threshold=0.6), {"n_seq_max": 1, "eog": (0,)}, 3),
    "two slots for three": (smc(particles=3, ess_threshold=0.0), {"n_seq_max": 2}, 2),
    "one slot for three": (smc(particles=3, ess_threshold=0.6), {"n_seq_max": 1}, 2),
    "five cells": (smc(), {"n_cells": 5}, 3),
    "five cells, never resampled": (smc(ess_threshold=0.0), {"n_cells": 5}, 3),
}


@pytest.mark.parametrize("scheme", [*SCHEMES, FEARNHEAD_CLIFFORD, "unshared"])
@pytest.mark.parametrize("case", PRESSURE)
def test_reduction_under_memory_pressure_keeps_the_law(case, scheme):
    method, memory, n_tokens = PRESSURE[case]
    model = toy(**{"eog": (), **memory})
    if scheme == FEARNHEAD_CLIFFORD:  # which has fewer histories: more of them, to be short of memory
        method = replace(method, particles=method.particles + 20)
    is_shared = scheme != "unshared"
    method = with_scheme(method, scheme if is_shared else "systematic", is_shared)
    assert assert_properly_weighted(method, model, n_tokens) > 0


@pytest.mark.parametrize("n", [1, 2, 5, 10_000])
def test_fearnhead_clifford_holds_no_text_twice_and_no_more_than_its_share(n):
    model, seen = toy(), set()
    law = {text: p**2.5 for text, p in stopped_texts(model, 3).items()}
    for _, run in outcomes(
        lambda draw: run_to_end(smc(particles=n, resampling=FEARNHEAD_CLIFFORD), model, 3, draw)
    ):
        endings = run.endings()
        assert {ending.count for ending in endings} == {1}
        assert len({ending.tokens.tobytes() for ending in endings}) == len(endings)
        seen.add(round(run.log_z, 9))
    # With room for all texts nothing is left to chance.
    assert (len(seen) == 1) == (n == 10_000)
    if n == 10_000:
        assert math.exp(run.log_z) == pytest.approx(sum(law.values()), rel=1e-12)


def test_fearnhead_clifford_has_the_least_error_of_the_evidence():
    def variance(scheme):
        runs = outcomes(lambda draw: run_to_end(smc(resampling=scheme, particles=3), toy(), 2, draw))
        found = [(p, math.exp(run.log_z)) for p, run in runs]
        mean = sum(p * z for p, z in found)
        return sum(p * (z - mean) ** 2 for p, z in found)

    assert variance(FEARNHEAD_CLIFFORD) < 0.5 * min(map(variance, SCHEMES))


def test_dropping_the_light_children_would_be_caught(monkeypatch):
    """The heaviest children alone are no unbiased choice."""
    monkeypatch.setattr(
        "localsmc.numerics.fearnhead_clifford._pick",
        lambda lumps, draw: (np.zeros(len(lumps), dtype=np.int64), 0.0),
    )
    with pytest.raises((AssertionError, ValueError)):
        assert_properly_weighted(smc(particles=3, resampling=FEARNHEAD_CLIFFORD), toy(), 3)


def test_islands_of_equal_weight_would_be_caught(monkeypatch):
    """Their evidence is what makes the pool properly weighted."""
    from localsmc.methods import ParticleRun

    monkeypatch.setattr(
        ParticleRun, "_shares", lambda self: [(wave, 0.5) for wave in (*self.finished, self.particles)]
    )
    with pytest.raises(AssertionError):
        assert_properly_weighted(smc(particles=1, islands=2, ramp=0), toy(), 2)


def test_pooled_islands_come_closer_to_the_target_than_one():
    """Row 19: total variation of the final draw, one, two and three islands of one particle, exactly."""
    model = toy(scale=2.0)
    law = {text: p**4.0 for text, p in stopped_texts(model, 2).items()}
    z, distances = sum(law.values()), []
    for islands in (1, 2, 3):
        drawn = selection_law(smc(alpha=4.0, particles=1, islands=islands, ramp=0), model, 2)
        distances.append(sum(abs(drawn[text] - weight / z) for text, weight in law.items()) / 2)
    assert distances[0] > distances[1] > distances[2]


def test_a_reduction_to_equal_weights_would_be_caught(monkeypatch):
    """The suite's power: the tempting wrong reduction fails it."""
    monkeypatch.setattr(
        "localsmc.methods.smc.particles.thin", lambda w, n, draw: np.where(np.argsort(-w).argsort() < n, w, 0)
    )
    with pytest.raises(AssertionError):
        assert_properly_weighted(smc(), toy(eog=(), n_seq_max=1), 3)


def test_dropping_the_evidence_at_resampling_would_be_caught(monkeypatch):
    """Row 5b: log-weights reset to −log N lose the running mean."""
    from localsmc.methods.smc.particles import Particles

    def forgetful(self, scheme, _):
        offspring = scheme(self.weights, self.n, self.draw)
        self._select(offspring.counts, np.log(offspring.weights))

    monkeypatch.setattr(Particles, "resample", forgetful)
    with pytest.raises(AssertionError):
        assert_properly_weighted(smc(), toy(), 3)


def selection_law(method, model, n_tokens):
    """The law of the text drawn by weight at the end."""
    law = defaultdict(float)
    for probability, run in outcomes(lambda draw: run_to_end(method, model, n_tokens, draw)):
        for ending in run.endings():
            law[tuple(ending.tokens.tolist())] += probability * ending.weight
    return law


@pytest.mark.parametrize("ess_threshold", [0.0, 0.6, 1.0])
def test_sharing_changes_no_law(ess_threshold):
    """The law of the final draw, which proper weighting does not pin down at finite N, is the same."""
    # Residual and multinomial counts depend on weights only, not on the order of histories.
    shared, unshared = (
        selection_law(smc(share=share, resampling="multinomial", ess_threshold=ess_threshold), toy(), 3)
        for share in (True, False)
    )
    assert set(shared) == set(unshared)
    for text, probability in shared.items():
        assert probability == pytest.approx(unshared[text], abs=1e-12)


def test_alpha_one_draws_from_the_model_and_never_resamples():
    """Row 8."""
    model = toy()
    method = smc(alpha=1.0, particles=3)
    for _, run in outcomes(lambda draw: run_to_end(method, model, 2, draw)):
        assert run.resamples == 0
        assert run.particles.ess == pytest.approx(3.0)
        assert run.log_z == pytest.approx(0.0, abs=1e-12)
    drawn, law = selection_law(method, model, 2), stopped_texts(model, 2)
    assert all(drawn[text] == pytest.approx(p, abs=1e-12) for text, p in law.items())


def tempered(model, history, alpha):
    p = np.exp(alpha * model.logp(history))
    return p / p.sum()


@pytest.mark.parametrize(
    ("method", "memory"),
    [
        (Sample(), {}),
        (Sample(temperature=0.5, particles=2), {}),
        (Sample(temperature=2.0, particles=2, share=False), {}),
        (Sample(particles=3), {"n_seq_max": 2}),
        (Sample(particles=2), {"n_cells": 6}),
    ],
    ids=["one", "cold pair", "hot pair unshared", "waves for want of slots", "waves for want of cells"],
)
def test_sampling_is_exact_token_by_token(method, memory):
    model = toy(**memory)
    drawn = selection_law(method, model, 2)
    expected = defaultdict(float)
    for text, _ in model.texts(PROMPT, 2):
        steps = [tempered(model, [*PROMPT, *text[:i]], 1 / method.temperature)[t] for i, t in enumerate(text)]
        expected[text] += math.prod(steps)
    assert all(drawn[text] == pytest.approx(p, abs=1e-12) for text, p in expected.items())


def test_waves_are_independent_and_equally_weighted():
    model = toy(n_seq_max=2)
    runs = list(outcomes(lambda draw: run_to_end(Sample(particles=3), model, 2, draw)))
    assert sum(p for p, _ in runs) == pytest.approx(1.0)
    for _, run in runs:
        assert sum(e.count for e in run.endings()) == 3
        assert all(e.weight == pytest.approx(e.count / 3) for e in run.endings())


TRUNCATIONS = {
    "top-k": (Sample(top_k=2), lambda p: p >= np.sort(p)[-2]),
    "top-k 1": (Sample(top_k=1), lambda p: p == p.max()),
    "min-p": (Sample(min_p=0.5), lambda p: p >= 0.5 * p.max()),
    "top-p before min-p": (
        Sample(top_p=0.95, min_p=0.3),
        lambda p: (
            (p >= np.sort(p)[::-1][np.argmax(np.cumsum(np.sort(p)[::-1]) >= 0.95)]) & (p >= 0.3 * p.max())
        ),
    ),
    "top-p": (
        Sample(top_p=0.6),
        lambda p: p >= np.sort(p)[::-1][np.argmax(np.cumsum(np.sort(p)[::-1]) >= 0.6)],
    ),
}


@pytest.mark.parametrize("name", TRUNCATIONS)
def test_truncated_sampling(name):
    method, allowed = TRUNCATIONS[name]
    model = toy()
    drawn = selection_law(method, model, 1)
    p = np.exp(model.logp(PROMPT))
    p = np.where(allowed(p), p, 0)
    for token, probability in enumerate(p / p.sum()):
        assert drawn[(token,)] == pytest.approx(probability, abs=1e-12)


def test_greedy_takes_the_top_token_and_draws_nothing():
    model = toy()
    paths = list(outcomes(lambda draw: run_to_end(Greedy(), model, 3, draw)))
    assert len(paths) == 1
    (ending,) = paths[0][1].endings()
    history = list(PROMPT)
    for token in ending.tokens:
        assert token == model.logits(history).argmax()
        history.append(int(token))


def test_low_temperature_is_not_power():
    """Row 7: ab .40, ba .25, bb .25 (divided by .9), α = 2: the power law favours a, tempering favours b."""
    laws = {PROMPT: (0, 4, 5), (*PROMPT, 1): (0, 0, 1), (*PROMPT, 2): (0, 1, 1)}
    model = toy(eog=(), laws=laws)
    cold = selection_law(Sample(temperature=0.5), model, 2)
    cold_a, cold_b = cold[1, 2], cold[2, 1] + cold[2, 2]
    assert cold_a / cold_b == pytest.approx(0.160 / 0.250)
    _, measure, _ = enumerated_measure(smc(alpha=2.0), model, 2)
    power_a, power_b = measure[1, 2], measure[2, 1] + measure[2, 2]
    assert power_a / power_b == pytest.approx(0.160 / 0.125)


def test_the_tempered_proposal_has_no_variance_and_others_have():
    """Row 1: after one token every outcome has the same weight, at the exponent of the proposal only."""
    model = toy()
    evidence = [
        run.log_z for _, run in outcomes(lambda draw: run_to_end(smc(particles=1, ramp=0), model, 1, draw))
    ]
    assert evidence == pytest.approx([evidence[0]] * 3, abs=1e-12)
    # A ramp that is not over draws at a smaller exponent; the catch-up then differs by outcome.
    evidence = [
        run.log_z for _, run in outcomes(lambda draw: run_to_end(smc(particles=1, ramp=3), model, 1, draw))
    ]
    assert np.ptp(evidence) > 0.1


def test_a_failed_step_ends_the_run_and_keeps_what_it_had(monkeypatch):
    """Going on would draw from the logits of an earlier step."""
    model = toy(eog=())
    run = Sample(particles=2).start(request(model, 5, RandomSampler(np.random.default_rng(0))))
    next(run)
    monkeypatch.setattr(model, "decode", lambda *_, **__: (_ for _ in ()).throw(DecodeFailed("broken")))
    with pytest.raises(DecodeFailed):
        next(run)
    with pytest.raises(SequenceError, match="failed"):
        next(run)
    assert sum(ending.weight for ending in run.endings()) == pytest.approx(1)


def test_increments_sum_to_the_importance_weight():
    """Rows 3 and 4: increments, bridging and catch-up make α·log p(y) − log q(y), early ends too."""
    model = toy()
    for ramp in (0, 2, 7):
        method = smc(particles=1, ess_threshold=0.0, ramp=ramp)
        for _, run in outcomes(lambda draw, method=method: run_to_end(method, model, 3, draw)):
            (ending,) = run.endings()
            log_q, history = 0.0, list(PROMPT)
            for t, token in enumerate(ending.tokens.tolist()):
                log_q += math.log(tempered(model, history, method.exponent(t))[token])
                history.append(token)
            assert run.log_z == pytest.approx(method.alpha * ending.logp - log_q, abs=1e-9)


def test_accuracy_moves_with_alpha_as_correctness_goes_with_probability():
    """Row 20: dP(correct)/dα is Cov(correct, log p) under the power law, here of what a run returns."""

    def chance(alpha):
        measure = enumerated_measure(smc(particles=1, alpha=alpha), toy(), 3)[1]
        return sum(mass for text, mass in measure.items() if text[0] == 1) / sum(measure.values())

    alpha, step = 2.5, 1e-4
    law = stopped_texts(toy(), 3)
    power = np.array([p**alpha for p in law.values()])
    power /= power.sum()
    logp, correct = np.log(list(law.values())), np.array([text[0] == 1 for text in law])
    covariance = (power * correct * logp).sum() - (power * correct).sum() * (power * logp).sum()
    slope = (chance(alpha + step) - chance(alpha - step)) / (2 * step)
    assert slope == pytest.approx(covariance, abs=1e-7)
    assert abs(covariance) > 0.01


def test_more_particles_come_closer_to_the_target():
    """Row 6: total variation of the final draw, N = 1, 2, 3, exactly."""
    model = toy(scale=2.0)
    law = {text: p**4.0 for text, p in stopped_texts(model, 2).items()}
    z = sum(law.values())
    distances = []
    for n in (1, 2, 3):
        drawn = selection_law(smc(alpha=4.0, particles=n, ramp=0), model, 2)
        distances.append(sum(abs(drawn[text] - weight / z) for text, weight in law.items()) / 2)
    assert distances[0] > distances[1] > distances[2]
