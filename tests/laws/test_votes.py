"""Best-of-n and self-consistency have their closed-form output distributions, also with early stopping."""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from dataclasses import replace

import numpy as np
import pytest
from enumeration import outcomes
from test_toy_laws import PROMPT, request, tempered

from localsmc.lm.toy import ToyModel
from localsmc.methods import BestOfN, Sample, SelfConsistency
from localsmc.methods.base import checked_for
from localsmc.results import Completion
from localsmc.selection import choose
from localsmc.text import refusal

ANSWERS = {0: None, 1: "a", 2: "b"}
"""What a text answers, by its first token."""


def toy(**options):
    return ToyModel(3, **{"seed": 5, "scale": 1.3, **options})


def answer(tokens):
    return ANSWERS[int(tokens[0])]


def is_refusal(tokens):
    return answer(tokens) == refusal.KEY


def completions(run):
    return [
        Completion(
            text=str(ending.tokens.tolist()),
            answer=None if is_refusal(ending.tokens) else answer(ending.tokens),
            is_refused=is_refusal(ending.tokens),
            n_tokens=len(ending.tokens),
            **{name: getattr(ending, name) for name in ("logp", "weight", "finish_reason", "count")},
        )
        for ending in run.endings()
    ]


def run_to_end(method, model, n_tokens, draw):
    run = method.start(replace(request(model, n_tokens, draw), answer=answer))
    for _ in run:
        pass
    return run


def law_of(method, model, n_tokens, told):
    """The law of what `told` makes of the completion that is chosen, and the rows decoded on average."""
    law, rows = defaultdict(float), 0.0
    for probability, run in outcomes(lambda draw: run_to_end(method, model, n_tokens, draw)):
        law[told(choose(method.select, completions(run), np.random.default_rng(0)))] += probability
        rows += probability * run.sequences.rows
    assert sum(law.values()) == pytest.approx(1.0, abs=1e-12)
    return law, rows


def samples(model, n_tokens, temperature):
    """Every text with its log p and its probability as a sample."""
    for text, logp in model.texts(PROMPT, n_tokens):
        steps = [tempered(model, [*PROMPT, *text[:i]], 1 / temperature)[t] for i, t in enumerate(text)]
        yield text, logp, math.prod(steps)


SHAPES = {
    "all at once": {},
    "in waves": {"n_seq_max": 2},
    "no end": {"eog": ()},
    "early end": {"eog": (0, 1)},
}


@pytest.mark.parametrize("early", [True, False], ids=["early", "to the end"])
@pytest.mark.parametrize("mean", [False, True], ids=["sum", "mean"])
@pytest.mark.parametrize("shape", SHAPES)
def test_best_of_n_is_the_maximum_of_independent_samples(shape, mean, early):
    model = toy(**SHAPES[shape])
    method = BestOfN(particles=3, temperature=0.7, mean=mean, early=early)
    law, _ = law_of(method, model, 2, lambda chosen: chosen.text)
    ranked = sorted(
        samples(model, 2, method.temperature),
        key=lambda one: one[1] / (len(one[0]) if mean else 1),
    )
    below = 0.0
    for text, _, probability in ranked:
        expected = (below + probability) ** 3 - below**3
        below += probability
        assert law[str(list(text))] == pytest.approx(expected, abs=1e-12)


def winner(drawn):
    """The rule in words: most votes, then the most probable text; no answer has no vote."""
    votes = Counter(answer(text) for text, _, _ in drawn)
    best = {}
    for text, logp, _ in drawn:
        best[answer(text)] = max(best.get(answer(text), -math.inf), logp)
    named = [one for one in votes if one is not None]
    return max(named, key=lambda one: (votes[one], best[one])) if named else None


@pytest.mark.parametrize("early", [True, False], ids=["early", "to the end"])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_vote_of_n_samples(shape, early):
    assert_voted(shape, early)


@pytest.mark.parametrize("early", [True, False], ids=["early", "to the end"])
def test_refusals_have_votes_like_an_answer(early, monkeypatch):
    monkeypatch.setitem(ANSWERS, 1, refusal.KEY)
    assert_voted("all at once", early)


def assert_voted(shape, early):
    model, n = toy(**SHAPES[shape]), 4
    method = SelfConsistency(particles=n, early=early)
    law, _ = law_of(method, model, 2, refusal.candidate)
    expected = defaultdict(float)
    texts = list(samples(model, 2, 1.0))
    for drawn in itertools.combinations_with_replacement(texts, n):
        orders = math.factorial(n) / math.prod(map(math.factorial, Counter(t for t, _, _ in drawn).values()))
        expected[winner(drawn)] += orders * math.prod(p for _, _, p in drawn)
    for one, probability in expected.items():
        assert law[one] == pytest.approx(probability, abs=1e-12)


@pytest.mark.parametrize(
    "method", [BestOfN(particles=3), BestOfN(particles=3, mean=True), SelfConsistency(particles=3)]
)
def test_stopping_early_decodes_less(method):
    model = toy(laws={PROMPT: (0, 8, 1)})
    rows = [law_of(replace(method, early=early), model, 3, lambda _: 0)[1] for early in (True, False)]
    assert rows[0] < rows[1] - 0.1


def test_a_settled_vote_begins_no_further_wave():
    model = toy(n_seq_max=2, laws={PROMPT: (0, 1, 0)}, eog=(1,))
    for _, run in outcomes(lambda draw: run_to_end(SelfConsistency(particles=7), model, 2, draw)):
        assert run.is_done
        assert sum(ending.count for ending in run.endings()) == run.ess == 4
        assert {ending.finish_reason for ending in run.endings()} == {"stop"}
        assert sum(ending.weight for ending in run.endings()) == pytest.approx(1.0)


@pytest.mark.parametrize("select", ["majority", "best-mean", "draw"])
def test_giving_up_is_left_to_the_methods_own_selector(select):
    """Another selector looks at all samples: what cannot be the most probable may well be the majority."""
    for method in (BestOfN(), BestOfN(mean=True), SelfConsistency()):
        expected = method if select == method.select else replace(method, early=False)
        assert checked_for(method, select) == expected
        assert checked_for(method, None) == method
    assert checked_for(Sample(), select) == Sample()
