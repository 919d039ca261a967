"""Two models in llama.cpp: KV cache contents after every round, rejected pairs, and distributions.

The target and the draft are the embedded pair, or toys; the contexts return guarded logits.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from test_gguf_laws import law_above
from tiny_gguf import write_llama

import localsmc
import localsmc_models
from localsmc import Settings
from localsmc.engine import prompting
from localsmc.engine.prompting import ModelPrompts
from localsmc.errors import ConfigError
from localsmc.llama import ContextOptions, LlamaModel, open_context, shared_tokens
from localsmc.lm.toy import ToyModel
from localsmc.methods import Cascade, DraftModel, DraftSMC, Request, Speculative
from localsmc.numerics.categorical import RandomSampler
from localsmc.text.stop_rule import StopRule

PROMPT = np.array([5, 7, 6, 8], dtype=np.int32)


@pytest.fixture(params=["toy", "embedded"])
def kind(request):
    return request.param


@pytest.fixture
def models(kind, request, flash_attention):
    """A target, a draft, and one more context of each to compare with."""
    if kind == "toy":
        yield [ToyModel(9, seed=3, scale=scale, eog=()) for scale in (1.0, 0.8, 1.0, 0.8)]
        return
    embedded = request.getfixturevalue("embedded")
    options = ContextOptions(
        n_ctx=1024, n_seq_max=8, n_batch=64, n_threads=1, guard_views=True, flash_attention=flash_attention
    )
    pair = (embedded.llama, embedded.require_draft().llama)
    contexts = [open_context(llama, options) for llama in pair * 2]
    yield contexts
    for context in contexts:
        context.close()


def asked(models, n_tokens, seed=1, prompt=PROMPT):
    target, draft = models[:2]
    return Request(
        model=target,
        prompt=prompt,
        n_tokens=n_tokens,
        stop=StopRule(target.pieces),
        draw=RandomSampler(np.random.default_rng(seed)),
        draft=DraftModel(model=draft, prompt=prompt, cost=0.25),
    )


def fresh_logits(model, tokens):
    model.clear()
    tokens = np.array([*PROMPT, *tokens])
    return model.decode(tokens, np.arange(len(tokens)), np.zeros(len(tokens), int))[-1].copy()


def logits_behind(sequences, slot, tokens):
    """The logits behind tokens whose beginning a slot holds; the slot is left as it is."""
    held = int(sequences.lengths(np.array([slot]))[0])
    assert held < len(tokens)
    fork = sequences.fork(slot)
    logits = sequences.decode_blocks(np.array([fork]), [np.array(tokens[held:])], last_only=True)[0].copy()
    sequences.release(fork)
    return logits


@pytest.mark.parametrize("method", [Speculative(particles=3), Cascade(particles=3, rule="opt", lenience=0.3)])
def test_both_memories_hold_the_texts_and_nothing_of_what_was_refused(models, close_to, method):
    run = method.start(asked(models, 24, seed=14))
    n_rounds = 0
    for _ in run:
        n_rounds += 1
        for text in run.live:
            for sequences, slot, fresh in (
                (run.sequences, text.target, models[2]), (run.drafts, text.draft, models[3])
            ):  # fmt: skip
                close_to(logits_behind(sequences, slot, text.tokens), fresh_logits(fresh, text.tokens))
    assert n_rounds > 2
    assert run.n_drafted > run.n_kept > 0


@pytest.mark.parametrize(
    "own", [{"resampling": "systematic", "ess_threshold": 0.9}, {}], ids=["systematic", "optimal"]
)
def test_both_memories_hold_the_histories_of_particles(models, close_to, own):
    method = DraftSMC(**{"particles": 6, "alpha": 1.2, "ramp": 3, "n_max": 3, "p_min": 0.0, **own})
    run = method.start(asked(models, 12))
    forks = 0
    for step in run:
        forks += step.forks
        particles = run.particles
        pending = particles._logits
        if pending is None or len(pending) != particles.n_live:
            continue
        for i, row in zip(particles.histories.live.tolist(), pending.copy(), strict=True):
            tokens = particles.genealogy.tokens(int(particles.histories.node[i])).tolist()
            close_to(row, fresh_logits(models[2], tokens))
            found = logits_behind(run.drafts, int(particles.histories.source[i]), tokens)
            close_to(found, fresh_logits(models[3], tokens))
    assert forks > 0
    assert all(ending.finish_reason != "cancelled" for ending in run.endings())


METHODS = [
    Speculative(particles=3),
    Speculative(temperature=0.0, p_min=0.3),
    Cascade(particles=2, rule="token-v3"),
    Cascade(rule="chow", sequential=True),
    DraftSMC(particles=5, alpha=1.5),
]


@pytest.mark.parametrize("method", METHODS, ids=lambda method: f"{method.name}-{method.n_max}")
def test_a_seed_gives_the_same_tokens_watched_or_not_and_a_run_cut_short_leaves_nothing(models, method):
    def texts(watches, n_steps=10**6):
        run = method.start(asked(models, 16))
        for _, _ in zip(range(n_steps), run, strict=False):
            if watches:
                run.population()
                run.endings()
        return [(ending.tokens.tolist(), ending.weight, ending.finish_reason) for ending in run.endings()]

    whole = texts(watches=False)
    texts(watches=True, n_steps=2)
    assert texts(watches=True) == whole


# --- laws on the GGUF pair --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pair(embedded, flash_attention):
    options = ContextOptions(
        n_ctx=4096, n_seq_max=250, n_batch=1024, n_threads=1, flash_attention=flash_attention
    )
    contexts = [open_context(model, options) for model in (embedded.llama, embedded.require_draft().llama)]
    yield contexts
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def prompt(embedded):
    return prompting.build_prompt(embedded, "Compute", Settings(raw=True)).tokens


def counts_of(method, pair, prompt, n_runs):
    counts = Counter()
    for seed in range(n_runs):
        run = method.start(asked(pair, 3, seed, prompt))
        for _ in run:
            pass
        counts.update({tuple(one.tokens.tolist()): one.count for one in run.endings()})
    return counts


def are_frequencies(counts, law, law_tolerance):
    """Whether heavy texts come as often as they should, whose probabilities sum to 1 with the others'."""
    n = sum(counts.values())
    heavy = {text: p for text, p in law.items() if p > 0.01}
    assert len(heavy) >= 4
    return all(
        abs(counts[text] / n - p) < 4.5 * np.sqrt(p * (1 - p) / n) + law_tolerance * p
        for text, p in heavy.items()
    )


def test_speculation_draws_from_the_target_and_a_lenient_cascade_does_not(pair, prompt, law_tolerance):
    law, _ = law_above(pair[0], prompt, alpha=1.0, floor=1e-3)
    method = Speculative(particles=200, n_max=2, adaptive=False)
    assert are_frequencies(counts_of(method, pair, prompt, 8), law, law_tolerance)
    lenient = Cascade(particles=200, rule="chow", lenience=0.99)
    assert not are_frequencies(counts_of(lenient, pair, prompt, 1), law, law_tolerance)


def test_drafted_power_smc_estimates_the_evidence_without_bias(embedded, pair, law_tolerance):
    """Behind a problem, where the draft gives likely texts a chance: else no 100 runs would draw them."""
    prompt = prompting.build_prompt(embedded, "Compute 3 + 4 * 5.", Settings()).tokens
    law, omitted = law_above(pair[0], prompt, alpha=1.5, floor=1e-6)
    method = DraftSMC(
        particles=128,
        alpha=1.5,
        ramp=2,
        n_max=1,
        p_min=0.0,
        sharpening=0.0,
        resampling="systematic",
        ess_threshold=0.9,
    )
    evidence = []
    for seed in range(100):
        run = method.start(asked(pair, 3, seed, prompt))
        for _ in run:
            pass
        evidence.append(np.exp(run.log_z))
    sigma = np.std(evidence, ddof=1) / np.sqrt(len(evidence))
    total = sum(law.values())
    assert abs(np.mean(evidence) - total) < 4.5 * sigma + omitted + law_tolerance * total
    assert sigma < 0.01 * np.mean(evidence)


# --- pairs that do not go together ----------------------------------------------------------------


def solve(model, name, **options):
    return localsmc.solve(model, "ab", method=model.method(name, **options), settings=Settings(n_predict=4))


@pytest.mark.parametrize("name", ["speculative", "cascade", "draft-smc"])
def test_another_vocabulary_is_refused(random_llama, name):
    with (
        localsmc.load(draft=random_llama) as model,
        pytest.raises(ConfigError, match="cannot draft for") as got,
    ):
        solve(model, name)
    assert "token" in str(got.value)
    assert "same family" in got.value.hint


def test_a_recurrent_draft_is_refused_where_tokens_are_taken_back(random_llama, random_mamba):
    with localsmc.load(random_llama, draft=random_mamba) as model:
        for name in ("speculative", "cascade"):
            with pytest.raises(ConfigError, match="the draft is recurrent"):
                solve(model, name)
        result = solve(model, "draft-smc", particles=3, p_min=0.0)
    assert result.usage.draft.drafted > 0


def test_a_draft_that_is_no_smaller_is_noticed(random_llama):
    with localsmc.load(random_llama, draft=random_llama) as model:
        with localsmc.start(
            model, "ab", method=model.method("speculative"), settings=Settings(n_predict=4)
        ) as run:
            assert any("a draft model this large saves no time" in notice for notice in run.notices)
            for _ in run:
                pass
            usage = run.result().usage
    assert usage.draft.kept == usage.draft.drafted


def test_without_a_draft_a_model_of_ones_own_is_refused(random_llama):
    with localsmc.load(random_llama) as model, pytest.raises(ConfigError, match="needs a draft model") as got:
        solve(model, "speculative")
    assert "-md" in got.value.hint


def test_vocabularies_may_differ_in_size(random_llama, monkeypatch):
    with localsmc.load(random_llama, draft=random_llama) as model:
        monkeypatch.setattr(LlamaModel, "n_vocab", property(lambda self: 100), raising=True)
        assert shared_tokens(model.llama, model.draft.llama) == 100


def test_the_result_tells_of_both_models(embedded):
    result = solve(embedded, "speculative")
    usage, draft = result.usage, result.usage.draft
    assert result.draft.params < result.model.params
    rows = usage.prompt_tokens + usage.rows, draft.prompt_tokens + draft.rows
    assert usage.flops == 2 * (result.model.params * rows[0] + result.draft.params * rows[1])
    assert 0 < draft.seconds < usage.seconds.decode
    alone = solve(embedded, "sample")
    assert (alone.usage.draft, alone.draft) == (None, None)
    assert alone.usage.flops == 2 * alone.model.params * (alone.usage.prompt_tokens + alone.usage.rows)


@pytest.mark.parametrize("text", ["ab", " ab", "\n\nab", "a b\n", ""])
def test_a_text_goes_on_in_sentencepiece_without_a_blank(tmp_path, text):
    """llama.cpp puts one before every text that is tokenized by itself, a step that crosses as well."""
    with localsmc.load(write_llama(tmp_path / "spm.gguf", sentencepiece=True)) as model:
        assert model.llama.text(model.llama.tokenize("ab", special=False)) == b" ab"
        wording = ModelPrompts(model, "x", Settings())
        assert wording.text(wording.tokens(text)) == text


def test_the_draft_alone_writes_the_same_text_into_another_tokenizer(tmp_path):
    """Row 17, across tokenizers, where steps are cut in the middle of numbers."""
    spm = write_llama(tmp_path / "spm.gguf", sentencepiece=True)
    settings = Settings(n_predict=150, seed=1, n_threads=1, raw=True)
    words = {"pool": "none", "words": "tiny", "particles": 1, "threshold": 0.0, "step_tokens": 7}
    with localsmc.load(spm, draft=localsmc_models.path("tiny")) as model:
        crossed = localsmc.solve(model, "17 * 23", method=model.method("ssr", **words), settings=settings)
    with localsmc.load() as model:
        alone = model.method("sample", temperature=0.6, top_p=0.95)
        whole = localsmc.solve(model, "17 * 23", method=alone, settings=settings)
    assert len(crossed.text) > 20
    assert whole.text.startswith(crossed.text)
