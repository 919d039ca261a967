"""Exact tests of early stopping, over every outcome on the toy model.

A run without early stopping is observed to its end: the announced lower bounds must hold at the end.
A run that stops early gets the same draws as the full run.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from enumeration import outcomes
from test_toy_laws import FEARNHEAD_CLIFFORD, PROMPT, request, smc, toy

from localsmc.errors import ConfigError
from localsmc.lm.toy import ToyModel
from localsmc.methods import PowerSMC
from localsmc.methods.smc.early_stopping import EarlyStopping
from localsmc.numerics.categorical import RandomSampler
from localsmc.results import Completion
from localsmc.selection import choose

TINY = 1e-12


def first(tokens):
    """An answer that a text keeps once it has begun."""
    return {0: None, 1: "a", 2: "b"}[int(tokens[0])]


def last(tokens):
    """An answer that a text may think better of."""
    said = [int(token) for token in tokens if token]
    return {1: "a", 2: "b"}[said[-1]] if said else None


def start(method, model, n_tokens, draw, answer, strings=()):
    return method.start(replace(request(model, n_tokens, draw, strings), answer=answer))


def shares(run, answer):
    """The weight of every answer as the run stands, finished texts and all others."""
    found = defaultdict(float)
    for ending in run.endings():
        found[answer(ending.tokens)] += ending.weight
    return found


def watcher(method, answer, name):
    """What is known of one answer, whether it leads or not."""

    def only(tokens):
        return name if answer(tokens) == name else None

    return EarlyStopping(only, alpha=method.alpha, share=0.0, by="bound")


def watched(method, model, n_tokens, draw, answer, strings=()):
    """A run to its end, and what was known on the way of the share of each answer."""
    run = start(method, model, n_tokens, draw, answer, strings)
    watchers = {name: watcher(method, answer, name) for name in "ab"}
    known = defaultdict(list)
    for _ in run:
        for name, one in watchers.items() if run.particles.n_live else ():
            known[name].append(one.lead(run.particles))
    return run, known


# --- the bound -----------------------------------------------------------------------------------

# id: (method, model options, n_tokens, stop strings, what a text answers)
CASES = {
    "ramp over two tokens": (smc(), {}, 3, (), first),
    "no ramp": (smc(ramp=0), {}, 3, (), first),
    "ramp longer than the text": (smc(ramp=9), {}, 3, (), first),
    "three particles": (smc(particles=3, ramp=9), {"eog": (0, 1)}, 2, (), first),
    "three particles on their own": (smc(particles=3, share=False), {"eog": (0, 1)}, 2, (), first),
    "early end of generation": (smc(ramp=4), {"eog": (0, 1)}, 3, (), first),
    "answers that change": (smc(ramp=9), {}, 3, (), last),
    "alpha 1": (smc(alpha=1.0), {}, 3, (), last),
    "large alpha": (smc(alpha=12.0, ramp=5), {"scale": 0.3}, 3, (), first),
    "stop string": (smc(), {}, 3, ("b",), last),
    "optimal with room for all": (
        smc(resampling=FEARNHEAD_CLIFFORD, particles=10_000, ramp=9),
        {},
        3,
        (),
        last,
    ),
}


def assert_bounded(method, options, n_tokens, strings, answer):
    """Every share that was known is kept; returns the greatest one that was known before the end."""
    method = method if method.resampling == FEARNHEAD_CLIFFORD else replace(method, ess_threshold=0.0)
    model, top = toy(**options), 0.0
    for _, (run, known) in outcomes(lambda draw: watched(method, model, n_tokens, draw, answer, strings)):
        assert run.resamples == run.reductions == 0
        final = shares(run, answer)
        for name, path in known.items():
            assert all(low <= high + TINY for low, high in itertools.pairwise([*path, final[name]]))
            top = max(top, *path)
    return top


@pytest.mark.parametrize("case", CASES)
def test_what_is_known_of_an_answer_only_grows_up_to_its_share(case):
    assert assert_bounded(*CASES[case]) > 0.2


def test_forgetting_the_rest_of_the_ramp_would_be_caught(monkeypatch):
    monkeypatch.setattr(
        "localsmc.methods.smc.early_stopping.final_totals", lambda histories, rest: histories.log_totals
    )
    with pytest.raises(AssertionError):
        assert_bounded(*CASES["ramp longer than the text"])


def test_forgetting_the_unfinished_would_be_caught(monkeypatch):
    from localsmc.methods.smc import early_stopping

    def finished_only(histories, rest):
        return np.where(histories.finish == early_stopping.LIVE, -np.inf, histories.logw)

    monkeypatch.setattr(early_stopping, "final_totals", finished_only)
    with pytest.raises((AssertionError, ValueError)):
        assert_bounded(*CASES["three particles"])


def test_with_resampling_to_come_it_is_no_bound():
    """As it is documented: weights at the end are random then."""
    method = smc(particles=3, ramp=0, ess_threshold=1.0, resampling="multinomial")
    lost = [
        max(known[name]) - shares(run, first)[name]
        for _, (run, known) in outcomes(lambda draw: watched(method, toy(eog=(0, 1)), 3, draw, first))
        for name in known
    ]
    assert max(lost) > 0.1


# --- settled runs --------------------------------------------------------------------------------


class Recorder:
    """Passes draws on and keeps them, to be given again in the same order."""

    def __init__(self, draw):
        self._draw, self.drawn = draw, []

    def __call__(self, mass, counts):
        self.drawn.append(self._draw(mass, counts))
        return self.drawn[-1]

    def again(self):
        left = iter(self.drawn)
        return lambda mass, counts: next(left)


def to_its_end(run):
    run.rows = [step.rows for step in run]
    return run


def pairs(method, model, n_tokens, answer):
    """The whole run and the one that may be settled, on the same draws, for every outcome."""

    def program(draw):
        recorder = Recorder(draw)
        never = replace(method, stop_when_decided=0.0, decided_by="bound")
        whole = to_its_end(start(never, model, n_tokens, recorder, answer))
        return whole, to_its_end(start(method, model, n_tokens, recorder.again(), answer))

    return [pair for _, pair in outcomes(program)]


def chosen(run, answer):
    """What the selector `majority` shows."""
    completions = [
        Completion(
            text="",
            answer=answer(ending.tokens),
            n_tokens=len(ending.tokens),
            **{name: getattr(ending, name) for name in ("logp", "weight", "finish_reason", "count")},
        )
        for ending in run.endings()
    ]
    return choose("majority", completions, np.random.default_rng(0)).answer


def told(run):
    return [(ending.tokens.tolist(), ending.weight, ending.count) for ending in run.endings()]


@pytest.mark.parametrize("settle", [0.51, 0.8])
@pytest.mark.parametrize("ramp", [0, 9])
@pytest.mark.parametrize(
    "options",
    [{"ess_threshold": 0.0}, {"resampling": FEARNHEAD_CLIFFORD, "particles": 10_000}],
    ids=["drawn", "all"],
)
def test_a_settled_run_shows_what_the_whole_one_would(options, ramp, settle):
    method = smc(ramp=ramp, stop_when_decided=settle, **options)
    found = pairs(method, toy(scale=2.0), 4, first)
    for whole, run in found:
        assert run.is_done
        if not run.is_decided:
            assert (told(run), run.log_z) == (told(whole), whole.log_z)
            continue
        name = chosen(run, first)
        assert chosen(whole, first) == name
        finished = sum(
            e.weight for e in run.endings() if e.finish_reason == "stop" and first(e.tokens) == name
        )
        assert settle <= finished <= shares(whole, first)[name] + TINY
    if settle == 0.51:
        assert {run.is_decided for _, run in found} >= {True}


def test_a_settled_run_decodes_nothing_more_and_keeps_what_is_unfinished():
    method = smc(ess_threshold=0.0, stop_when_decided=0.51, ramp=9)
    settled = [pair for pair in pairs(method, toy(scale=2.0), 4, first) if pair[1].is_decided]
    assert settled
    for whole, run in settled:
        assert run.rows == [*whole.rows[: run.steps - 1], 0]
        assert run.sequences.rows == sum(run.rows) < whole.sequences.rows
        assert run.log_z is None
        assert {ending.finish_reason for ending in run.endings()} == {"stop", "cancelled"}
        assert {history.state for history in run.population()} == {"stop", "live"}
        assert sum(ending.weight for ending in run.endings()) == pytest.approx(1.0)
        assert sum(ending.count for ending in run.endings()) == method.particles
        with pytest.raises(StopIteration):
            next(run)


def test_watching_for_the_settled_answer_changes_no_draw():
    """Resampling and reductions included: what is looked at is not touched until the end."""
    model = toy(n_seq_max=2, eog=(0, 1))
    for seed in range(40):
        method = smc(particles=6, ramp=5, ess_threshold=0.7, stop_when_decided=1.0)
        plain, watching = (
            to_its_end(
                start(
                    replace(method, stop_when_decided=settle),
                    model,
                    5,
                    RandomSampler(np.random.default_rng(seed)),
                    last,
                )
            )
            for settle in (0.0, 1.0)
        )
        assert not watching.is_decided
        assert told(watching) == told(plain)


def test_it_is_off_unless_asked_for():
    run = start(PowerSMC(), toy(), 3, RandomSampler(np.random.default_rng(0)), pytest.fail)
    assert not to_its_end(run).is_decided


# --- the guess -----------------------------------------------------------------------------------


@pytest.fixture
def always_looking(monkeypatch):
    monkeypatch.setattr("localsmc.methods.smc.early_stopping.CHECK_EVERY", 1)


def by_both(model, n_tokens, answer):
    method = smc(ramp=0, ess_threshold=0.0, stop_when_decided=0.7, alpha=2.0)
    bound = pairs(method, model, n_tokens, answer)
    guess = pairs(replace(method, decided_by="estimate"), model, n_tokens, answer)
    return bound, guess


@pytest.mark.usefixtures("always_looking")
def test_a_guess_settles_earlier_where_texts_keep_their_answers():
    """One text has ended with a, the other has begun with it and goes on."""
    model = ToyModel(3, laws={PROMPT: (0, 1, 0), (*PROMPT, 1): (0.5, 0.5, 0)}, scale=0.5)
    bound, guess = by_both(model, 6, first)
    assert all(chosen(run, first) == chosen(whole, first) == "a" for whole, run in guess)
    saved = [one.steps - other.steps for (_, one), (_, other) in zip(bound, guess, strict=True)]
    assert min(saved) == 0 < max(saved)


@pytest.mark.usefixtures("always_looking")
def test_a_guess_may_be_wrong():
    """The live text gives a now, weighs more than the finished one, and ends with another answer."""
    laws = {PROMPT: (0, 1, 0), (*PROMPT, 1): (0.3, 0.7, 0), (*PROMPT, 1, 1): (0, 0, 1)}
    _, guess = by_both(ToyModel(3, laws=laws), 3, last)
    wrong = [run for whole, run in guess if chosen(run, last) != chosen(whole, last)]
    assert wrong
    assert all(run.is_decided for run in wrong)


@pytest.mark.usefixtures("always_looking")
def test_a_guess_shows_the_answer_that_it_is_about():
    """Of a and b, finished and equally heavy, the likelier b would be shown where a live text gives a."""
    laws = {PROMPT: (0, 0.4, 0.6), (*PROMPT, 1): (0.5, 0.5, 0), (*PROMPT, 2): (0.5, 0, 0.5)}
    method = smc(
        particles=3, ramp=0, alpha=2.0, ess_threshold=0.0, stop_when_decided=0.6, decided_by="estimate"
    )
    settled = [run for _, run in pairs(method, ToyModel(3, laws=laws), 3, first) if run.is_decided]
    assert settled
    assert all(shares(run, first)[chosen(run, first)] >= method.stop_when_decided for run in settled)


@pytest.mark.usefixtures("always_looking")
def test_a_guess_needs_a_finished_text_that_leads():
    """Unfinished texts alone settle nothing, however sure: there is no text to show."""
    method = smc(particles=1, ess_threshold=0.0, stop_when_decided=0.6, decided_by="estimate")
    assert not any(run.is_decided for _, run in pairs(method, toy(), 3, first))


# --- mistakes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [-0.1, 0.3, 0.5, 1.01, float("nan")])
def test_a_share_that_settles_nothing(share):
    with pytest.raises(ConfigError, match="`stop_when_decided` is") as caught:
        PowerSMC(stop_when_decided=share)
    assert caught.value.hint


def test_another_way_and_several_islands_are_refused():
    with pytest.raises(ConfigError, match="`decided_by` is `hope`"):
        PowerSMC(stop_when_decided=0.9, decided_by="hope")
    with pytest.raises(ConfigError, match="`decided_by` has no effect without `stop_when_decided`"):
        PowerSMC(decided_by="estimate")
    with pytest.raises(ConfigError, match="one island"):
        PowerSMC(stop_when_decided=0.9, islands=2)
    PowerSMC(islands=2)
