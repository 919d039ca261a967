"""Tests of the methods on the embedded GGUF, against its power distribution by brute force.

All completions of at most three tokens whose prefixes have p^alpha above a floor are enumerated. The
remaining mass is bounded and is part of every tolerance. Frequencies must lie within K standard deviations.
"""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from localsmc import Settings
from localsmc.engine import prompting
from localsmc.llama import ContextOptions, open_context
from localsmc.methods import PowerMH, PowerSMC, PowerTempering, Request
from localsmc.numerics.categorical import RandomSampler
from localsmc.numerics.log_math import log_sum_exp
from localsmc.text.stop_rule import StopRule

ALPHA, N_TOKENS = 2.0, 3
FLOOR = 1e-7
K = 4.5
N_CHAINS = 800
MOST_OMITTED = 2e-3
"""Of the whole mass; the share that is left out is asserted to be below."""

BEGINNING = "Hello"
"""A prompt after which the model wavers: ten texts have more than a hundredth of the mass each."""


@pytest.fixture(scope="module")
def context(embedded, flash_attention):
    options = ContextOptions(
        n_ctx=2048, n_seq_max=129, n_batch=256, n_threads=1, flash_attention=flash_attention
    )
    context = open_context(embedded.llama, options)
    yield context
    context.close()


@pytest.fixture(scope="module")
def prompt(embedded):
    return prompting.build_prompt(embedded, BEGINNING, Settings(raw=True)).tokens


def log_softmax(logits):
    logits = logits.astype(np.float64)
    return logits - log_sum_exp(logits)


@pytest.fixture(scope="module")
def power_law(context, prompt, law_tolerance):
    """What each text has, the most that all others have together, and what a device's rounding may change."""
    law, omitted = law_above(context, prompt, alpha=ALPHA, floor=FLOOR)
    assert omitted < MOST_OMITTED * sum(law.values())
    return law, omitted, law_tolerance


def law_above(context, prompt, *, alpha, floor):
    """p(text)^alpha of every text above the floor, and a bound on the others' together."""

    def logp_after(text):
        context.clear()
        tokens = np.array([*prompt, *text], dtype=np.int64)
        logits = context.decode(
            tokens,
            np.arange(len(tokens)),
            np.zeros(len(tokens), int),
        )
        return log_softmax(logits[-1])

    law, omitted, pending = {}, 0.0, [((), 0.0)]
    while pending:
        text, logp = pending.pop()
        if len(text) == N_TOKENS or (text and context.is_eog[text[-1]]):
            law[text] = math.exp(alpha * logp)
            continue
        after = logp + logp_after(text)
        kept = np.flatnonzero(alpha * after > math.log(floor))
        # What follows a beginning has no more mass than the beginning, as alpha is at least 1.
        omitted += np.exp(alpha * after).sum() - np.exp(alpha * after[kept]).sum()
        pending += [((*text, int(v)), float(after[v])) for v in kept]
    return law, omitted


def runs(method, context, prompt, n, seed=1):
    rng = np.random.default_rng(seed)
    for _ in range(n):
        run = method.start(
            Request(
                model=context,
                prompt=prompt,
                n_tokens=N_TOKENS,
                stop=StopRule(context.pieces),
                draw=RandomSampler(rng),
            )
        )
        for _ in run:
            pass
        yield run


def assert_frequencies(counts, power_law):
    law, omitted, relative = power_law
    total, n = sum(law.values()), sum(counts.values())
    heavy = {text: mass / total for text, mass in law.items() if mass / total > 0.01}
    assert len(heavy) >= 4, "a law on one text would test nothing"
    for text, share in heavy.items():
        sigma = math.sqrt(share * (1 - share) / n)
        assert abs(counts[text] / n - share) < K * sigma + omitted / total + relative * share, text


@pytest.mark.parametrize(
    "method",
    [
        PowerMH(particles=N_CHAINS, alpha=ALPHA, steps=15),
        PowerMH(particles=N_CHAINS, alpha=ALPHA, steps=15, kernel="horizon", retrace=False),
        PowerMH(particles=N_CHAINS, alpha=ALPHA, steps=15, block=2),
    ],
    ids=["length", "horizon", "blocks"],
)
def test_metropolis_chains_end_in_the_power_distribution(method, context, prompt, power_law):
    (run,) = runs(method, context, prompt, 1)
    counts = Counter()
    for ending in run.endings():
        counts[tuple(ending.tokens.tolist())] += ending.count
    assert sum(counts.values()) == N_CHAINS
    assert_frequencies(counts, power_law)


def test_the_tempered_law_is_told_from_the_power_distribution(context, prompt, power_law):
    """The same test refuses chains that have taken no step: low temperature is not power."""
    (run,) = runs(PowerMH(particles=N_CHAINS, alpha=ALPHA, steps=0), context, prompt, 1)
    counts = Counter()
    for ending in run.endings():
        counts[tuple(ending.tokens.tolist())] += ending.count
    with pytest.raises(AssertionError):
        assert_frequencies(counts, power_law)


def test_tempering_ends_in_the_power_distribution(context, prompt, power_law):
    method = PowerTempering(particles=3, alpha=ALPHA, steps=12)
    counts = Counter(tuple(run.endings()[0].tokens.tolist()) for run in runs(method, context, prompt, 120))
    assert_frequencies(counts, power_law)


OPTIONS = {
    "plain": {"lookahead": False},
    "looking ahead": {},
    "chopthin": {"resampling": "chopthin"},
    "optimal": {"resampling": "fearnhead-clifford"},
    "adaptive ramp": {"ramp_ess": 0.8},
    "moves": {"rejuvenate": 2},
    "rollouts": {"rollouts": 1, "block": 1},
}


@pytest.mark.parametrize("name", OPTIONS)
def test_power_smc_estimates_the_evidence_without_bias(context, prompt, power_law, name):
    law, omitted, relative = power_law
    own = {} if name == "optimal" else {"resampling": "systematic", "ess_threshold": 0.9}
    method = PowerSMC(**{"particles": 8, "alpha": ALPHA, "ramp": 2, **own, **OPTIONS[name]})
    evidence = np.exp([run.log_z for run in runs(method, context, prompt, 300)])
    sigma = evidence.std(ddof=1) / math.sqrt(len(evidence))
    total = sum(law.values())
    assert abs(evidence.mean() - total) < K * sigma + omitted + relative * total
    assert sigma < 0.05 * evidence.mean()
