"""Exact tests of draft-smc: E[Ẑ] = Z and the measure of every completion, by enumeration on toy pairs."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from enumeration import outcomes
from test_pairs import pair, run_pair
from test_toy_laws import PROMPT, request, stopped_texts

from localsmc.errors import ConfigError, PromptTooLong
from localsmc.lm.vocab_subset import vocab_subset
from localsmc.methods import DraftModel, DraftSMC
from localsmc.numerics.categorical import RandomSampler


def smc(**options):
    own = (
        {}
        if options.get("resampling") == "fearnhead-clifford"
        else {"resampling": "systematic", "ess_threshold": 1.0}
    )
    return DraftSMC(**{"particles": 2, "alpha": 2.5, "ramp": 2, "n_max": 2, "p_min": 0.0, **own, **options})


# id: (method, options of both models, n_tokens, stop strings)
CASES = {
    "one particle": (smc(particles=1), {}, 4, ()),
    "two particles": (smc(n_max=1), {}, 3, ()),
    "not shared": (smc(n_max=1, share=False), {}, 3, ()),
    "a draft at temperature 1": (smc(particles=1, sharpening=0.0), {}, 4, ()),
    "half sharpened, never resampled": (smc(n_max=1, sharpening=0.5, ess_threshold=0.0), {}, 3, ()),
    "blocks longer than the text": (smc(particles=1, n_max=9, ramp=9), {}, 3, ()),
    "only where the draft is sure": (smc(p_min=0.6), {}, 3, ()),
    "never sure": (smc(p_min=1.0, particles=1), {}, 3, ()),
    "optimal": (smc(resampling="fearnhead-clifford", n_max=1), {}, 3, ()),
    "optimal, early end": (smc(resampling="fearnhead-clifford", particles=3), {"eog": (0, 1)}, 4, ()),
    "optimal, no end, only where sure": (smc(resampling="fearnhead-clifford", p_min=0.5), {"eog": ()}, 3, ()),
    "optimal, a stop string": (smc(resampling="fearnhead-clifford", n_max=1), {"eog": ()}, 3, ("bc", "cc")),
    "early end": (smc(), {"eog": (0, 1)}, 3, ()),
    "no end": (smc(n_max=1), {"eog": ()}, 2, ()),
    "no ramp, alpha 1": (smc(alpha=1.0, ramp=0, n_max=1), {}, 3, ()),
    "stop string over two tokens": (smc(particles=1), {"eog": ()}, 3, ("bc", "cc")),
    "a memory that forgets nothing": (smc(n_max=1), {"can_forget": False}, 3, ()),
    "two sequences for three texts": (smc(particles=3, n_max=1), {"eog": (0, 1), "n_seq_max": 2}, 3, ()),
    "one sequence": (smc(n_max=1), {"n_seq_max": 1}, 3, ()),
    "few cells": (smc(), {"eog": (0, 1), "n_cells": 6}, 3, ()),
}


@pytest.mark.parametrize("case", CASES)
def test_blocks_of_a_draft_are_properly_weighted(case):
    method, options, n_tokens, strings = CASES[case]
    models = pair(**options)
    total, measure, reductions = 0.0, defaultdict(float), 0
    for probability, run in outcomes(lambda draw: run_pair(method, models, n_tokens, draw, strings)):
        total += probability
        reductions += run.reductions
        for ending in run.endings():
            measure[tuple(ending.tokens.tolist())] += probability * ending.weight * math.exp(run.log_z)
        for sequences in (run.sequences, run.drafts):
            assert sequences.cells_used == len(PROMPT)
    law = stopped_texts(models[0], n_tokens, strings)
    assert total == pytest.approx(1.0, abs=1e-12)
    assert set(measure) == set(law)
    for text, p in law.items():
        assert measure[text] == pytest.approx(p**method.alpha, rel=1e-11), text
    assert (reductions > 0) == (case in ("two sequences for three texts", "one sequence", "few cells"))


@pytest.mark.parametrize(("n_vocab", "n_draft"), [(4, 3), (3, 4)])
def test_where_vocabularies_differ_the_law_is_that_among_the_tokens_of_both(n_vocab, n_draft):
    models = pair(n_vocab=n_vocab, n_draft=n_draft)
    measure = defaultdict(float)
    for probability, run in outcomes(lambda draw: run_pair(smc(n_max=1), models, 2, draw)):
        for ending in run.endings():
            measure[tuple(ending.tokens.tolist())] += probability * ending.weight * math.exp(run.log_z)

    def logp(text):
        steps = (models[0].logits([*PROMPT, *text[:n]])[:3] for n in range(len(text)))
        return sum(row[v] - math.log(np.exp(row).sum()) for row, v in zip(steps, text, strict=True))

    texts = [(0,), *((a, b) for a in (1, 2) for b in range(3))]
    assert set(measure) == set(texts)
    for text in texts:
        assert measure[text] == pytest.approx(math.exp(2.5 * logp(text)), rel=1e-11)


def test_a_draft_that_is_the_target_has_weights_that_do_not_vary():
    """With equal laws a drafted token weighs Σ p^α, as one of power-smc's own, and log Ẑ is as close."""
    target, _ = pair(n_vocab=6)
    draft, _ = pair(n_vocab=6)

    def spread(models):
        runs = [
            run_pair(smc(particles=8, ramp=0, n_max=3), models, 8, RandomSampler(np.random.default_rng(seed)))
            for seed in range(30)
        ]
        return np.std([run.log_z for run in runs])

    assert spread((target, draft)) < spread(pair(n_vocab=6, scale=2.0))


def test_what_it_drafted_is_accounted_for():
    run = run_pair(smc(particles=6, n_max=3), pair(n_vocab=6), 14, RandomSampler(np.random.default_rng(7)))
    texts = {tuple(ending.tokens.tolist()) for ending in run.endings()}
    prefixes = {text[: n + 1] for text in texts for n in range(len(text))}
    assert run.n_drafted >= run.n_kept > 0
    # Two nodes may stand for one prefix, where copies drew the same token apart.
    assert run.n_kept + run.n_rewritten >= len(prefixes)
    assert run.sequences.rows >= run.n_wasted >= 0


def test_every_token_of_the_texts_is_told_for_a_trace():
    target, draft = pair(n_vocab=6)
    asked = request(target, 10, RandomSampler(np.random.default_rng(9)))
    run = smc(particles=5, n_max=3).start(replace(asked, draft=DraftModel(model=draft, prompt=asked.prompt)))
    told = {0: ()}
    for _ in run:
        for history in run.population():
            told.setdefault(history.node, (*told[history.parent], history.token))
    texts = {tuple(ending.tokens.tolist()) for ending in run.endings()}
    assert texts <= set(told.values())


def test_looking_changes_nothing():
    def texts(looks):
        target, draft = pair(n_vocab=6)
        asked = request(target, 10, RandomSampler(np.random.default_rng(9)))
        run = smc(particles=5).start(replace(asked, draft=DraftModel(model=draft, prompt=asked.prompt)))
        for _ in run:
            for _ in range(looks):
                run.population()
                run.endings()
        return [(ending.tokens.tolist(), ending.weight) for ending in run.endings()]

    assert texts(0) == texts(2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_max": 0}, "`n_max` is 0"),
        ({"sharpening": 1.5}, "`sharpening` is 1.5"),
        ({"resampling": "best"}, "`resampling` is `best`, which is not a resampling scheme"),
        (
            {"resampling": "fearnhead-clifford", "ess_threshold": 1.0},
            "`ess_threshold` has no effect with `resampling=fearnhead-clifford`",
        ),
        ({"alpha": 0.5}, "`alpha` is 0.5"),
        ({"ess_threshold": 2.0}, "`ess_threshold` is 2"),
    ],
)
def test_a_value_out_of_range_is_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        smc(**options)


def test_no_room_for_one_text_is_said():
    with pytest.raises(PromptTooLong):
        run_pair(smc(), pair(n_cells=4), 3, RandomSampler(np.random.default_rng(1)))


def test_a_narrowed_model_is_the_same_one_without_its_last_tokens():
    target, _ = pair(n_vocab=5)
    model = vocab_subset(target, 3)
    assert model.n_vocab == len(model.is_eog) == 3
    assert vocab_subset(target, 5) is target
    logits = model.decode(np.array([1]), np.array([0]), np.array([0]))
    np.testing.assert_array_equal(logits[0], target.logits([1])[:3])
