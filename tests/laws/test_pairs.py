"""Exact tests of the methods with two models, by enumerating every random choice on toy pairs."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from enumeration import outcomes
from test_toy_laws import PROMPT, request, run_to_end, stopped_texts

from localsmc.errors import ConfigError, ContextFull, DecodeFailed, PromptTooLong
from localsmc.lm.toy import ToyModel
from localsmc.methods import METHODS, Cascade, DraftModel, Greedy, Sample, Speculative
from localsmc.methods.sampling.sample import lowest_logit
from localsmc.methods.speculative import deferral_rules
from localsmc.methods.speculative.deferral_rules import RULES, RuleDistribution
from localsmc.methods.speculative.draft_and_verify import SpeculativeDecoder
from localsmc.methods.speculative.speculative_run import best_length
from localsmc.methods.speculative.token_distributions import TokenDistributions
from localsmc.numerics.categorical import RandomSampler

EVERY_RULE = (*RULES, "bild")
WHOLE = pytest.approx(1.0, abs=1e-12)


def pair(n_vocab=3, n_draft=None, **options):
    """A target, and a draft that mostly agrees with it."""
    target = ToyModel(n_vocab, **{"seed": 5, "scale": 1.3, **options})
    draft = ToyModel(n_draft or n_vocab, **{**options, "seed": 5, "scale": 0.9})
    return target, draft


def run_pair(method, models, n_tokens, draw, strings=()):
    target, draft = models
    asked = request(target, n_tokens, draw, strings)
    drafting = DraftModel(model=draft, prompt=asked.prompt, cost=0.25)
    run = method.start(replace(asked, draft=drafting))
    for _ in run:
        pass
    return run


def law_of(method, models, n_tokens, strings=()):
    """The probability of each text, over every outcome of a run with one text."""
    law = defaultdict(float)
    for probability, run in outcomes(lambda draw: run_pair(method, models, n_tokens, draw, strings)):
        [ending] = run.endings()
        law[tuple(ending.tokens.tolist())] += probability
        for sequences in (run.sequences, run.drafts):
            assert sequences.cells_used == len(PROMPT)
    return law


def assert_same_law(found, wanted):
    assert sum(found.values()) == WHOLE
    assert set(found) == {text for text, p in wanted.items() if p > 1e-300}
    for text, p in found.items():
        assert p == pytest.approx(wanted[text], rel=1e-11), text


# id: (options of the method, options of both models, n_tokens, stop strings)
LOSSLESS = {
    "a token a block": ({"n_max": 1}, {}, 3, ()),
    "blocks of two": ({"n_max": 2}, {}, 4, ()),
    "blocks longer than the text": ({"n_max": 8}, {}, 3, ()),
    "one token": ({"n_max": 2}, {}, 1, ()),
    "early end": ({"n_max": 2}, {"eog": (0, 1)}, 4, ()),
    "no end": ({"n_max": 2}, {"eog": ()}, 3, ()),
    "stop string over two tokens": ({"n_max": 3}, {"eog": ()}, 3, ("bc", "cc")),
    "adaptive": ({"n_max": 3, "adaptive": True}, {}, 4, ()),
    "only where the draft is sure": ({"n_max": 3, "p_min": 0.5}, {}, 3, ()),
    "a draft with fewer tokens": ({"n_max": 2}, {"n_vocab": 4, "n_draft": 3}, 3, ()),
    "a draft with more tokens": ({"n_max": 2}, {"n_vocab": 3, "n_draft": 4}, 3, ()),
    "small batches": ({"n_max": 3}, {"n_batch": 2}, 4, ()),
}


def speculative(**options):
    return Speculative(**{"adaptive": False, **options})


@pytest.mark.parametrize("case", LOSSLESS)
def test_speculation_has_the_law_of_the_target(case):
    """Row 14."""
    options, model, n_tokens, strings = LOSSLESS[case]
    models = pair(**model)
    found = law_of(speculative(**options), models, n_tokens, strings)
    assert_same_law(found, stopped_texts(models[0], n_tokens, strings))


TEMPERED = {
    "temperature": {"temperature": 0.5},
    "min-p": {"min_p": 0.4},
    "top-k": {"top_k": 2},
    "top-p at a temperature": {"top_p": 0.8, "temperature": 2.0},
}


@pytest.mark.parametrize("options", TEMPERED.values(), ids=list(TEMPERED))
def test_speculation_has_the_law_of_samples_with_the_same_options(options):
    models, n_tokens = pair(), 3
    wanted = defaultdict(float)
    for probability, run in outcomes(lambda draw: run_to_end(Sample(**options), models[0], n_tokens, draw)):
        wanted[tuple(run.endings()[0].tokens.tolist())] += probability
    assert_same_law(law_of(speculative(n_max=2, **options), models, n_tokens), wanted)


def test_at_temperature_0_it_writes_what_greedy_writes():
    models = pair(n_vocab=5, seed=3)
    draw = RandomSampler(np.random.default_rng(1))
    greedy = run_to_end(Greedy(), models[0], 12, draw)
    [ending] = run_pair(speculative(temperature=0.0), models, 12, draw).endings()
    assert ending.tokens.tolist() == greedy.endings()[0].tokens.tolist()
    assert ending.logp == pytest.approx(greedy.endings()[0].logp, abs=1e-12)


def test_texts_side_by_side_are_independent():
    models, n_tokens = pair(), 2
    alone, joint = stopped_texts(models[0], n_tokens), defaultdict(float)
    for probability, run in outcomes(
        lambda draw: run_pair(speculative(particles=2, n_max=1), models, n_tokens, draw)
    ):
        joint[tuple(tuple(text.tokens) for text in run.texts)] += probability
    for both in itertools.product(alone, repeat=2):
        assert joint[both] == pytest.approx(alone[both[0]] * alone[both[1]], rel=1e-11)


def test_texts_that_do_not_fit_together_come_in_waves():
    target, draft = pair(n_vocab=5, n_seq_max=3)
    run = run_pair(speculative(particles=5), (target, draft), 6, RandomSampler(np.random.default_rng(2)))
    assert sum(ending.count for ending in run.endings()) == 5
    assert run.ess == 5
    assert run.n_drafted >= run.n_kept > 0


# --- cascades -------------------------------------------------------------------------------------


def laws(rng, n_vocab, temperature=1.0):
    """Two random laws (1, V), at a temperature and at 1."""
    tempering = TokenDistributions(temperature, None, n_vocab)
    return [tempering.distribution(rng.normal(size=(1, n_vocab)) * rng.uniform(0.1, 4)) for _ in range(2)]


def induced(rule, q, p, lenience):
    return deferral_rules.bild(q, p, lenience, 0.4) if rule == "bild" else RULES[rule](q, p, lenience)


@pytest.mark.parametrize("temperature", [1.0, 0.5, 0.0])
@pytest.mark.parametrize("rule", EVERY_RULE)
def test_a_rule_gives_a_law_that_rejection_draws_from(rule, temperature):
    """Row 13: accepting with min(1, π/q) and drawing the rest from max(0, π − q) has the law π."""
    rng = np.random.default_rng(4)
    for _ in range(200):
        q, p = laws(rng, 5, temperature)
        pi = induced(rule, q, p, rng.uniform(-0.2, 1.2))[0]
        assert (pi >= 0).all()
        assert pi.sum() == pytest.approx(1.0, abs=1e-14)
        accepted = np.minimum(q.drawn[0], pi)
        residual = np.maximum(pi - q.drawn[0], 0.0)
        total = residual.sum()
        found = accepted + (1 - accepted.sum()) * (residual / total if total else 0)
        np.testing.assert_allclose(found, pi, rtol=0, atol=1e-14)
        distance = np.abs(pi - q.drawn[0]).sum() / 2
        assert accepted.sum() == pytest.approx(1 - distance, abs=1e-14)


def test_the_rules_are_those_of_the_paper():
    """Each rule at one position, worked out by hand: max q = .6, max p = .5, TV = .4."""
    q, p = (RuleDistribution(law, law) for law in (np.array([[0.6, 0.3, 0.1]]), np.array([[0.2, 0.5, 0.3]])))
    for rule, lenience, pi in (
        ("chow", 0.3, p.drawn), ("chow", 0.5, q.drawn), ("diff", -0.2, p.drawn), ("diff", 0.0, q.drawn),
        ("opt", -0.3, p.drawn), ("opt", -0.2, q.drawn),
        ("token-v1", 0.1, [[0.6 + 0.4 * 0.2, 0.4 * 0.5, 0.4 * 0.3]]),
        ("token-v2", 0.25, [[0.6 * 0.2, 0.3 + 0.6 * 0.5, 0.1 + 0.6 * 0.3]]),
        ("token-v3", 0.5, [[0.6 * 0.2, 0.3 + 0.6 * 0.5, 0.1 + 0.6 * 0.3]]),
        ("lossy", 0.5, [[0.4, 0.3 + 0.2 * 0.5, 0.1 + 0.2 * 0.5]]),
        ("lossy", 0.0, p.drawn),
    ):  # fmt: skip
        if rule == "token-v2":
            pi = [[0.6 * 0.2, 0.3 + 0.6 * 0.5, 0.1 + 0.6 * 0.3]]
        np.testing.assert_allclose(RULES[rule](q, p, lenience), pi, rtol=0, atol=1e-12, err_msg=rule)
    np.testing.assert_allclose(deferral_rules.bild(q, p, 10.0, 0.7), p.drawn)
    np.testing.assert_allclose(deferral_rules.bild(q, p, 10.0, 0.5), q.drawn, atol=1e-12)
    kept = [[0.6 * 0.2, 0.3 + 0.6 * 0.5, 0.1 + 0.6 * 0.3]]
    np.testing.assert_allclose(deferral_rules.bild(q, p, -math.log(0.25), 0.5), kept, atol=1e-12)


@pytest.mark.parametrize(
    ("rule", "lenience", "which"),
    [
        ("chow", 64.0, "q"), ("chow", -1.0, "p"), ("diff", 64.0, "q"), ("diff", -2.0, "p"),
        ("opt", 64.0, "q"), ("opt", -64.0, "p"), ("token-v1", 64.0, "q"), ("token-v1", -64.0, "p"),
        ("token-v2", 64.0, "q"), ("token-v2", -64.0, "p"), ("token-v3", 1.0, "q"), ("token-v3", -0.1, "p"),
        ("lossy", 1.0, "q"), ("lossy", 0.0, "p"), ("lossy", -3.0, "p"), ("bild", 64.0, "q"),
        ("bild", -1.0, "p"),
    ],
)  # fmt: skip
def test_a_rule_reaches_both_models_at_its_limits(rule, lenience, which):
    """Row 15. A position where both agree, or nearly, may have OPT on either side of its limit."""
    rng = np.random.default_rng(6)
    for _ in range(50):
        q, p = laws(rng, 6)
        if rule == "bild" and q.plain.max() < 0.4:
            continue
        pi = induced(rule, q, p, lenience)
        np.testing.assert_allclose(pi, (q if which == "q" else p).drawn, rtol=0, atol=1e-13)


def text_law(models, n_tokens, rule, lenience, temperature=1.0):
    """The probability of each text, a token at a time from the rule's law: no draft, no rejection."""
    tempering = TokenDistributions(temperature, None, models[0].n_vocab)
    pending, law = [((), 1.0)], {}
    while pending:
        text, p_text = pending.pop()
        if len(text) == n_tokens or (text and models[0].is_eog[text[-1]]):
            law[text] = p_text
            continue
        known = [min(token, models[1].n_vocab - 1) for token in text]
        p = tempering.distribution(models[0].logits([*PROMPT, *text])[None, :])
        q = tempering.distribution(models[1].logits([*PROMPT, *known])[None, :])
        pi = induced(rule, q, p, lenience)[0]
        pending += [((*text, v), p_text * float(pi[v])) for v in np.flatnonzero(pi).tolist()]
    return law


def cascade(rule, lenience, **options):
    own = {"fallback": 0.4} if rule == "bild" else {}
    own |= {} if options.get("sequential") else {"n_max": 2}
    return Cascade(**{"rule": rule, "lenience": lenience, **own, **options})


@pytest.mark.parametrize("lenience", [0.2, 0.6])
@pytest.mark.parametrize("rule", EVERY_RULE)
def test_a_cascade_has_the_law_of_its_rule_at_every_position(rule, lenience):
    """Row 16: blocks of two, three tokens."""
    models = pair()
    found = law_of(cascade(rule, lenience), models, 3)
    assert_same_law(found, text_law(models, 3, rule, lenience))


@pytest.mark.parametrize("rule", ["opt", "token-v3", "lossy"])
@pytest.mark.parametrize(
    ("options", "model"),
    [
        ({"temperature": 0.5}, {}), ({"n_max": 1}, {"eog": (0, 1)}), ({"n_max": 8}, {}),
        ({}, {"n_vocab": 4, "n_draft": 3}), ({}, {"n_draft": 4}), ({"adaptive": True}, {}),
        ({"p_min": 0.6}, {}),
    ],
)  # fmt: skip
def test_a_cascade_keeps_its_law_with_its_options(rule, options, model):
    models = pair(**model)
    found = law_of(cascade(rule, 0.4, **options), models, 3)
    assert_same_law(found, text_law(models, 3, rule, 0.4, options.get("temperature", 1.0)))


@pytest.mark.parametrize(("rule", "lenience"), [("opt", 4.0), ("token-v3", 0.6)])
def test_a_token_behind_the_block_drawn_from_the_target_would_be_an_error(rule, lenience, monkeypatch):
    """Row 16's common mistake."""
    right = SpeculativeDecoder._pi

    def from_target(self, block, target):
        pi = right(self, block, target).copy()
        pi[len(block.tokens) :] = target.drawn[len(block.tokens) :]
        return pi

    monkeypatch.setattr(SpeculativeDecoder, "_pi", from_target)
    models = pair()
    found, wanted = law_of(cascade(rule, lenience), models, 3), text_law(models, 3, rule, lenience)
    assert sum(abs(found[text] - wanted.get(text, 0.0)) for text in found) / 2 > 0.01


@pytest.mark.parametrize("lenience", [0.3, 0.5])
def test_the_sequential_cascade_has_the_same_law_without_asking_the_target_for_every_token(lenience):
    models = pair()
    found = law_of(cascade("chow", lenience, sequential=True), models, 3)
    assert_same_law(found, text_law(models, 3, "chow", lenience))
    draw = RandomSampler(np.random.default_rng(3))
    run = run_pair(cascade("chow", 0.5, sequential=True, particles=3), pair(n_vocab=6), 12, draw)
    assert 0 < run.sequences.decode_calls < run.drafts.decode_calls
    assert all(ending.logp is None for ending in run.endings())


def test_a_token_of_the_draft_alone_is_never_drafted():
    target, draft = pair(n_vocab=3, n_draft=6)
    run = run_pair(speculative(particles=20), (target, draft), 8, RandomSampler(np.random.default_rng(5)))
    assert max(ending.tokens.max() for ending in run.endings()) < 3


# --- counts, lengths, refusals --------------------------------------------------------------------


@pytest.mark.parametrize("method", [speculative(particles=3), cascade("token-v3", 0.5, particles=3)])
def test_what_was_drafted_is_accounted_for(method):
    run = run_pair(method, pair(n_vocab=6), 14, RandomSampler(np.random.default_rng(7)))
    n_tokens = sum(len(ending.tokens) * ending.count for ending in run.endings())
    assert run.n_kept + run.n_rewritten == n_tokens
    assert run.n_drafted >= run.n_kept > 0
    # Every token but each text's last one was read once, and what was wasted.
    assert run.sequences.rows - run.n_wasted <= n_tokens
    assert run.sequences.rows - run.n_wasted >= n_tokens - 2 * 3


def test_the_log_probabilities_are_those_of_the_target():
    models = pair(n_vocab=6)
    run = run_pair(cascade("diff", 0.1, particles=4), models, 9, RandomSampler(np.random.default_rng(8)))
    for ending in run.endings():
        text = [*PROMPT, *ending.tokens.tolist()]
        steps = range(len(PROMPT), len(text))
        logp = sum(float(models[0].logp(text[:n])[text[n]]) for n in steps)
        assert ending.logp == pytest.approx(logp, abs=1e-10)


def test_every_token_is_told_once_for_a_trace():
    target, draft = pair(n_vocab=6)
    asked = request(target, 10, RandomSampler(np.random.default_rng(9)))
    run = speculative(particles=3).start(replace(asked, draft=DraftModel(model=draft, prompt=asked.prompt)))
    told = [history.node for _ in run for history in run.population()]
    n_tokens = sum(len(ending.tokens) * ending.count for ending in run.endings())
    assert set(told) == set(range(1, n_tokens + 1))
    # The last look has the last token of every text, with how it ended.
    assert {history.node for history in run.population()} >= {text.nodes[-1] for text in run.texts}
    assert all(
        history.state != "live"
        for history in run.population()
        if history.node in {text.nodes[-1] for text in run.texts}
    )


@pytest.mark.parametrize(
    ("accepted", "cost", "length"),
    [(0.9, 0.0, 8), (0.5, 0.5, 1), (0.8, 0.1, 6), (0.99, 0.9, 4), (0.2, 0.2, 1)],
)
def test_the_best_length_is_that_of_theorem_3_8(accepted, cost, length):
    assert best_length(accepted, cost, 8) == length


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_max": 0}, "`n_max` is 0"),
        ({"n_max": 65}, "`n_max` is 65"),
        ({"temperature": 0.001}, "`temperature` is 0.001"),
        ({"p_min": 1.5}, "`p_min` is 1.5"),
        ({"rule": "best"}, "`rule` is `best`"),
        ({"lenience": 100.0}, "`lenience` is 100"),
        ({"fallback": 2.0}, "`fallback` is 2"),
        ({"sequential": True}, "`sequential` cannot be used with `rule=token-v3`"),
        ({"rule": "opt", "fallback": 0.9}, "`fallback` has no effect with `rule=opt`"),
        ({"rule": "chow", "sequential": True, "n_max": 5}, "`n_max` has no effect with `sequential=on`"),
    ],
)
def test_a_value_out_of_range_is_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        Cascade(**options)


@pytest.mark.parametrize("which", ["target", "draft"])
def test_a_model_that_cannot_take_tokens_back_is_refused(which):
    target, draft = pair()
    {"target": target, "draft": draft}[which].can_forget = False
    with pytest.raises(ConfigError, match=f"the {which} is recurrent"):
        run_pair(speculative(), (target, draft), 3, RandomSampler(np.random.default_rng(1)))


def test_a_prompt_beyond_the_drafts_vocabulary_changes_no_law():
    target, draft = pair(n_vocab=5, n_draft=3)
    asked = replace(request(target, 2, None), prompt=np.array([1, 4], dtype=np.int32))
    law = defaultdict(float)

    def program(draw):
        drafting = DraftModel(model=draft, prompt=asked.prompt)
        run = speculative(n_max=1).start(replace(asked, draw=draw, draft=drafting))
        for _ in run:
            pass
        return run

    for probability, run in outcomes(program):
        law[tuple(run.endings()[0].tokens.tolist())] += probability
    for text, logp in target.texts([1, 4], 2):
        assert law[text] == pytest.approx(math.exp(logp), rel=1e-11)


def test_the_sequential_cascade_takes_nothing_back():
    models = pair(n_vocab=6, can_forget=False)
    run_pair(cascade("chow", 0.5, sequential=True), models, 8, RandomSampler(np.random.default_rng(1)))


@pytest.mark.parametrize("name", ["speculative", "cascade"])
def test_without_a_draft_it_is_refused(name):
    target, _ = pair()
    with pytest.raises(ConfigError, match="needs a draft model"):
        METHODS[name]().start(request(target, 3, RandomSampler(np.random.default_rng(1))))


@pytest.mark.parametrize("sizes", [{"n_seq_max": 1}, {"n_cells": 4}])
def test_too_little_memory_is_said_at_the_start(sizes):
    with pytest.raises((ContextFull, PromptTooLong)):
        run_pair(speculative(), pair(**sizes), 4, RandomSampler(np.random.default_rng(1)))


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_logits_that_are_no_numbers_are_said(which, bad):
    models = pair()
    models[which].decode = lambda tokens, *_, **__: np.full((len(tokens), 3), bad)
    with pytest.raises(DecodeFailed, match="not numbers"):
        run_pair(speculative(), models, 3, RandomSampler(np.random.default_rng(1)))


def test_a_truncation_looks_at_the_law_at_temperature_1():
    logits = np.log(np.array([0.5, 0.3, 0.2]))
    assert lowest_logit(logits, 0, 1.0, 0.5) == pytest.approx(math.log(0.25))
