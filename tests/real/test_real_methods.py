"""Every method end to end on the real models: what a result promises, and `logp` against llama-cpp-python."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

import localsmc
from localsmc import METHODS, Settings

QUESTION = "Name three colors."
SETTINGS = Settings(n_predict=8, seed=3, n_threads=1, box="off", conclude="off")

OPTIONS = {
    "power-smc": {"particles": 3, "ramp": 4},
    "power-mh": {"particles": 2, "steps": 3, "block": 4},
    "power-tempering": {"particles": 2, "steps": 3},
    "sample": {"particles": 3},
    "greedy": {},
    "best-of-n": {"particles": 3},
    "self-consistency": {"particles": 3},
    "speculative": {"particles": 2},
    "cascade": {"particles": 2},
    "draft-smc": {"particles": 3, "ramp": 4},
    "ssr": {"particles": 2, "pool": "none", "words": "tiny", "step_tokens": 8},
}
"""Small settings of each method."""

BASE = ["power-smc", "power-mh", "sample", "greedy"]
ONE_HISTORY = ["greedy", "sample"]

BATCHES = 0.35
"""What log p of a completion of n tokens may be off by in batches of other shapes, times √n: errors of single
tokens (support/real_words.py) have both signs. Up to 0.13 was seen."""


def test_every_method_is_here():
    assert set(OPTIONS) == set(METHODS)


def run(model, name, settings=SETTINGS, problem=QUESTION, **options):
    """The result, the prompt, and the completions as tokens."""
    method = model.method(name, **(OPTIONS[name] | options))
    with localsmc.start(model, problem, method=method, settings=settings) as solving:
        for _ in solving:
            pass
        return solving.result(), solving.prompt, solving.endings()


def assert_holds(result, settings, logps_known=True):
    weights = [completion.weight for completion in result.completions]
    assert sum(weights) == pytest.approx(1.0)
    assert all(weight > 0 for weight in weights)
    assert result.text in [completion.text for completion in result.completions]
    for completion in result.completions:
        assert completion.finish_reason in ("stop", "length")
        assert 1 <= completion.n_tokens <= settings.n_predict
        if completion.finish_reason == "length":
            assert completion.n_tokens == settings.n_predict
        if logps_known:
            assert math.isfinite(completion.logp)
            assert completion.logp < 0
    assert "<|im_" not in result.text
    assert result.usage.rows > 0
    assert 1 <= result.ess <= sum(completion.count for completion in result.completions) * (1 + 1e-9)


def tokens_of(endings):
    return [(ending.tokens.tolist(), ending.count, ending.weight, ending.logp) for ending in endings]


def assert_logps(prompt, endings, reference):
    for ending in endings:
        expected = reference.logps(prompt, ending.tokens).sum()
        assert abs(ending.logp - expected) < BATCHES * math.sqrt(len(ending.tokens))


@pytest.mark.parametrize("name", METHODS)
def test_a_method_solves_repeats_itself_and_knows_its_logp(name, smollm2_pair, smollm2_reference):
    result, prompt, endings = run(smollm2_pair, name)
    assert_holds(result, SETTINGS, logps_known=name != "ssr")
    assert (result.usage.draft is not None) == (name in ("speculative", "cascade", "draft-smc", "ssr"))
    if name != "ssr":
        assert_logps(prompt, endings, smollm2_reference)
    assert tokens_of(run(smollm2_pair, name)[2]) == tokens_of(endings)


@pytest.mark.parametrize("name", ["power-smc", "power-mh", "sample"])
def test_another_seed_gives_other_tokens(name, smollm2):
    one, other = (run(smollm2, name, replace(SETTINGS, seed=seed))[2] for seed in (3, 4))
    assert tokens_of(one) != tokens_of(other)


@pytest.mark.parametrize("name", BASE)
def test_a_base_model_continues_a_text(name, gemma, gemma_reference):
    settings = replace(SETTINGS, raw=True)
    problem = "Monday, Tuesday, Wednesday,"
    result, prompt, endings = run(gemma, name, settings, problem)
    assert prompt.tolist() == gemma_reference.tokenize(problem, add_bos=True)
    assert_holds(result, settings)
    assert_logps(prompt, endings, gemma_reference)
    assert tokens_of(run(gemma, name, settings, problem)[2]) == tokens_of(endings)
    if name == "greedy":
        assert result.text.startswith(" Thursday, Friday, Saturday")


@pytest.mark.parametrize("name", ONE_HISTORY)
def test_logp_of_one_history_is_the_same_to_rounding(name, real_model, real_name, real_reference):
    """The batches are the same, so the logits are the same to the last bit, and only the sums are rounded."""
    settings = replace(SETTINGS, raw=real_name == "gemma")
    options = {} if name == "greedy" else {"particles": 1}
    _, prompt, [ending] = run(real_model, name, settings, **options)
    expected = real_reference.logps(prompt, ending.tokens).sum()
    assert ending.logp == pytest.approx(expected, abs=1e-4)
