"""Every method on tiny random models of recurrent, hybrid and other architectures: it runs, or says why not.

The models are written by support/random_models.py and have the same vocabulary. The draft is a llama, or for
some another draw of the same architecture.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
from random_models import ARCHITECTURES, write_random

import localsmc
from localsmc import METHODS, Settings
from localsmc.engine.conversation import Conversation
from localsmc.engine.solve import Generation
from localsmc.errors import ConfigError, LocalSMCError
from localsmc.llama import ContextOptions, open_context
from localsmc.lm.cache_layout import CacheLayout
from localsmc.numerics.log_math import log_sum_exp

SETTINGS = Settings(n_predict=12, seed=3, n_threads=1, raw=True, box="off", conclude="off")
TEXT = "one two three"

FEW = {"particles": 3}
RUNS = {
    "power-smc": ("power-smc", {"particles": 6, "ramp": 3, "alpha": 1.5}),
    "power-smc systematic": ("power-smc", {"particles": 6, "ramp": 3, "resampling": "systematic"}),
    "power-smc residual": ("power-smc", {"particles": 6, "ramp": 3, "resampling": "residual"}),
    "power-smc chopthin": ("power-smc", {"particles": 6, "ramp": 3, "resampling": "chopthin"}),
    "power-smc moves": (
        "power-smc",
        {"particles": 3, "ramp": 3, "rejuvenate": 1, "resampling": "systematic"},
    ),
    "power-smc rollouts": (
        "power-smc",
        {"particles": 3, "ramp": 3, "rollouts": 2, "block": 4, "resampling": "systematic"},
    ),
    "power-mh": ("power-mh", {"particles": 2, "steps": 4, "block": 4}),
    "power-tempering": ("power-tempering", {"particles": 2, "steps": 3}),
    "sample": ("sample", FEW),
    "greedy": ("greedy", {}),
    "best-of-n": ("best-of-n", FEW),
    "self-consistency": ("self-consistency", FEW),
    "speculative": ("speculative", {"particles": 2}),
    "cascade": ("cascade", {"particles": 2}),
    "draft-smc": ("draft-smc", {"particles": 3, "ramp": 3}),
    "ssr": ("ssr", {"particles": 2, "pool": "none", "words": "tiny", "step_tokens": 6}),
}
FORGETFUL = {"speculative", "cascade", "ssr"}
"""Methods that take tokens back, which a recurrent state cannot."""


OWN_DRAFT = ("mamba2", "qwen35")


def test_every_method_is_here():
    assert {name for name, _ in RUNS.values()} == set(METHODS)


@pytest.fixture(scope="module", params=list(ARCHITECTURES))
def architecture(request):
    return request.param


@pytest.fixture(scope="module")
def model(architecture, tmp_path_factory, load_options, random_llama):
    folder, draft = tmp_path_factory.mktemp(architecture), random_llama
    target = write_random(folder / "target.gguf", architecture)
    if architecture in OWN_DRAFT:
        draft = write_random(folder / "draft.gguf", architecture, seed=4)
    with localsmc.load(target, load_options, draft=draft, draft_options=load_options) as model:
        yield model


def logp_alone(model, prompt, tokens):
    """log p of tokens after a prompt, decoded in a context of one sequence."""
    context = open_context(model.llama, ContextOptions(n_ctx=512, n_seq_max=1, n_threads=1))
    try:
        whole = np.concatenate([prompt, tokens]).astype(np.int64)[:-1]
        n_prompt = len(prompt)
        outputs = np.arange(n_prompt - 1, len(whole))
        logits = context.decode(
            whole, np.arange(len(whole)), np.zeros(len(whole), int), outputs=outputs
        ).astype(np.float64)
        picked = logits[np.arange(len(tokens)), tokens]
        return float(sum(picked - np.array([log_sum_exp(row) for row in logits])))
    finally:
        context.close()


@pytest.mark.parametrize("name", RUNS)
def test_a_method_runs_with_the_models_own_law_or_says_why_not(name, model):
    method_name, options = RUNS[name]
    method = model.method(method_name, **options)
    if model.layout is CacheLayout.SINGLE and method_name != "greedy":
        with pytest.raises(ConfigError, match="several sequences"):
            localsmc.start(model, TEXT, method=method, settings=SETTINGS)
        return
    if method_name in FORGETFUL and not can_forget(model):
        with pytest.raises(LocalSMCError) as caught:
            localsmc.start(model, TEXT, method=method, settings=SETTINGS)
        assert caught.value.hint
        return
    with localsmc.start(model, TEXT, method=method, settings=SETTINGS) as solving:
        for _ in solving:
            pass
        result, endings = solving.result(), solving.endings()
        prompt = solving.prompt
    assert sum(completion.weight for completion in result.completions) == pytest.approx(1.0)
    if method_name != "ssr":
        for ending in endings:
            assert ending.logp == pytest.approx(logp_alone(model, prompt, ending.tokens), abs=0.02)


def can_forget(model):
    context = open_context(model.llama, ContextOptions(n_ctx=256, n_seq_max=1, n_threads=1))
    context.close()
    return context.can_forget


@pytest.mark.parametrize("change", [{"grammar": 'root ::= [a-f]+ "."'}, {"conclude": "on"}], ids=str)
@pytest.mark.parametrize("name", ["power-smc", "power-mh"])
def test_a_grammar_and_a_conclusion(name, change, model):
    if model.layout is CacheLayout.SINGLE:
        name = "greedy"
    method_name, options = RUNS[name]
    method, settings = model.method(method_name, **options), replace(SETTINGS, **change)
    with localsmc.start(model, TEXT, method=method, settings=settings) as solving:
        for _ in solving:
            pass
        result = solving.result()
    assert sum(completion.weight for completion in result.completions) == pytest.approx(1.0)
    if "grammar" in change:
        assert set(result.text) <= set("abcdef.")


def test_a_chat_of_three_turns_says_what_its_prompts_alone_say(model):
    """The prefix cache: a model that cannot forget keeps a prompt only if the next one continues it."""
    settings = replace(SETTINGS, raw=False)
    is_single = model.layout is CacheLayout.SINGLE
    method = model.method("greedy") if is_single else model.method("power-smc", particles=4, ramp=3)
    with Conversation(model) as conversation:
        for text in (TEXT, "four", "five six"):
            with conversation.ask(text, method=method, settings=settings) as solving:
                for _ in solving:
                    pass
                result, endings = solving.result(), solving.endings()
            conversation.keep(solving, result)
            for ending in endings:
                expected = logp_alone(model, solving.prompt, ending.tokens)
                assert ending.logp == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize("layout", [CacheLayout.UNIFIED, CacheLayout.UNIFIED_APART, CacheLayout.STREAMS])
def test_forks_blocks_and_reused_sequences_say_what_a_history_alone_says(layout, model):
    """Random forks, releases and batches of up to three tokens per sequence, past a sliding window of 16."""
    is_apart = not model.layout.mixes_sequences
    if model.layout is CacheLayout.SINGLE or (is_apart and layout.mixes_sequences):
        pytest.skip("the trial load found that it does not work")
    n_seqs, rng = 6, np.random.default_rng(7)
    n_cells = 512 if layout.is_unified else 256 * n_seqs
    options = ContextOptions(n_ctx=n_cells, n_seq_max=n_seqs, n_batch=64, n_threads=1, layout=layout)
    several, alone = (
        open_context(model.llama, one) for one in (options, replace(options, n_seq_max=1, n_ctx=256))
    )
    histories = {0: [5, 7, 6, 8]}
    several.decode(np.array(histories[0]), np.arange(4), np.zeros(4, int), outputs=np.array([3]))
    for _ in range(16):
        while len(histories) < n_seqs and rng.random() < 0.6:
            source, target = int(rng.choice(list(histories))), min({*range(n_seqs)} - {*histories})
            several.copy(source, target)
            histories[target] = list(histories[source])
        while len(histories) > 1 and rng.random() < 0.4:
            gone = int(rng.choice(list(histories)))
            several.remove(gone)
            del histories[gone]
        seqs, n_each = rng.permutation([*histories]), int(rng.integers(1, 4))
        tokens = rng.integers(1, 250, size=(len(seqs), n_each))
        positions = [len(histories[seq]) + i for seq in seqs for i in range(n_each)]
        found = several.decode(tokens.ravel(), np.array(positions), np.repeat(seqs, n_each)).copy()
        for seq, new, row in zip(seqs, tokens, found[n_each - 1 :: n_each], strict=True):
            text = histories[int(seq)] = [*histories[int(seq)], *map(int, new)]
            alone.clear()
            last = np.array([len(text) - 1])
            n = np.arange(len(text))
            [expected] = alone.decode(np.array(text), n, np.zeros_like(n), outputs=last)
            np.testing.assert_allclose(row, expected, rtol=0, atol=0.02)
    assert max(map(len, histories.values())) > 24
    several.close()
    alone.close()


def test_one_sequence_only_refuses_methods_with_several(model, monkeypatch):
    monkeypatch.setattr(model, "layout", CacheLayout.SINGLE)
    for method in (model.method("greedy"), model.method("sample", particles=1)):
        with localsmc.start(model, TEXT, method=method, settings=SETTINGS) as solving:
            for _ in solving:
                pass
            [ending] = solving.endings()
            assert solving.context.n_seq_max == 1
        assert ending.logp == pytest.approx(logp_alone(model, solving.prompt, ending.tokens), abs=0.02)
    for name, options in (run for run in RUNS.values() if run[0] != "greedy"):
        with pytest.raises(ConfigError, match=model.header.architecture) as caught:
            localsmc.start(model, TEXT, method=model.method(name, **options), settings=SETTINGS)
        assert "greedy" in (caught.value.hint or "")


@pytest.mark.parametrize("layout", [CacheLayout.UNIFIED_APART, CacheLayout.STREAMS])
@pytest.mark.parametrize("name", ["power-smc", "power-smc moves", "power-mh", "sample", "draft-smc"])
@pytest.mark.parametrize("architecture", ["qwen35", "gemma3"], indirect=True)
def test_methods_in_other_layouts(name, layout, model, monkeypatch):
    monkeypatch.setattr(model, "layout", layout)
    monkeypatch.setattr(model.require_draft(), "layout", layout)
    test_a_method_runs_with_the_models_own_law_or_says_why_not(name, model)


@pytest.mark.parametrize("architecture", ["qwen35", "gemma3"], indirect=True)
def test_conclusions_and_chats_in_streams(architecture, model, monkeypatch):
    monkeypatch.setattr(model, "layout", CacheLayout.STREAMS)
    test_a_grammar_and_a_conclusion("power-smc", {"conclude": "on"}, model)
    test_a_chat_of_three_turns_says_what_its_prompts_alone_say(model)


@pytest.mark.parametrize("architecture", ["gemma3"], indirect=True)
def test_a_text_is_no_longer_than_its_stream_in_a_context_for_other_methods(architecture, model, monkeypatch):
    monkeypatch.setattr(model, "layout", CacheLayout.STREAMS)
    settings = replace(SETTINGS, n_ctx=4 * 256, n_predict=500)
    options = ContextOptions(n_ctx=settings.n_ctx, n_seq_max=4, n_threads=1, layout=model.layout)
    with closing(open_context(model.llama, options)) as context:
        assert context.n_length == 256
        solving = Generation(model, TEXT, model.method("greedy"), settings, context=context)
        with solving:
            for _ in solving:
                pass
            assert solving.n_tokens == 256 - len(solving.prompt)


def test_streams_are_as_large_as_needed_only_if_each_of_them_is():
    had = ContextOptions(n_ctx=32 * 1024, n_seq_max=32, layout=CacheLayout.STREAMS)
    few = ContextOptions(n_ctx=2 * 3072, n_seq_max=2, layout=CacheLayout.STREAMS)
    assert not had.is_as_large_as(few)
    assert had.is_as_large_as(replace(few, n_ctx=2 * 1024))
    assert replace(had, layout=CacheLayout.UNIFIED).is_as_large_as(few)
    assert not replace(had, n_seq_max=1).is_as_large_as(few)
