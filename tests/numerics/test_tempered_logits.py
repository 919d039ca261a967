"""Reduced logits agree with full ones: sums up to a stated bound, sampled distributions exactly."""

import itertools
import os
import threading

import numpy as np
import pytest
from enumeration import outcomes

from localsmc.errors import DecodeFailed
from localsmc.numerics import folded_rows, tempered_logits, threads
from localsmc.numerics.categorical import RandomSampler
from localsmc.numerics.fearnhead_clifford import fearnhead_clifford
from localsmc.numerics.folded_rows import COLUMNS, FOLDED_FROM
from localsmc.numerics.tempered_logits import TemperedLogits

ALPHAS = [1.0, 1.25, 2.0, 4.0, 64.0]
BOUND = {np.float64: 1e-12, np.float32: 300 * 2.0**-24}
"""Of a sum's relative error; no column below has more tokens."""


@pytest.fixture
def folds(monkeypatch):
    """Vocabularies of 4 tokens and more are folded into 3 columns."""
    for module in (folded_rows, tempered_logits):
        monkeypatch.setattr(module, "COLUMNS", 3)
    monkeypatch.setattr(tempered_logits, "FOLDED_FROM", 4)


def reference(logits, alpha):
    """log Σ exp(logits) and log Σ p^α, in longdouble."""
    wide = logits.astype(np.longdouble)
    top = wide.max(axis=1, keepdims=True)
    log_norm = np.log(np.exp(wide - top).sum(axis=1)) + top[:, 0]
    logp = wide - log_norm[:, None]
    peak = logp.max(axis=1)
    log_power = np.log(np.exp(alpha * (logp - peak[:, None])).sum(axis=1)) + alpha * peak
    return log_norm.astype(float), log_power.astype(float)


SHAPES = [(1, 3), (7, 50), (300, 700), (2, FOLDED_FROM - 1), (2, FOLDED_FROM), (5, 5 * COLUMNS + 1)]
SHAPES += [(3, 150_001), (2, 300 * COLUMNS)]


@pytest.mark.parametrize("spread", [1.0, 12.0])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("shape", SHAPES)
def test_sums_are_right_to_the_stated_bound(dtype, alpha, shape, spread):
    """A spread of 12 puts logits of a large vocabulary 100 apart: what is squared would be denormal."""
    logits = (np.random.default_rng(1).normal(size=shape) * spread + 40).astype(dtype)
    before = logits.copy()
    found = TemperedLogits(logits, alpha)
    log_norm, log_power = reference(logits, alpha)
    # Subtracting the top rounds a logit far from it to its own last bit, of float32.
    rounding = np.finfo(dtype).eps * 64
    np.testing.assert_allclose(found.log_norm, log_norm, rtol=0, atol=BOUND[dtype] + rounding)
    np.testing.assert_allclose(found.log_power, log_power, rtol=0, atol=alpha * (BOUND[dtype] + rounding))
    np.testing.assert_array_equal(logits, before)


@pytest.mark.parametrize("n_vocab", [3, FOLDED_FROM + 1])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_impossible_tokens_and_far_logits(dtype, n_vocab):
    logits = np.full((3, n_vocab), -np.inf, dtype)
    logits[:, :3] = [[-np.inf, 0, 1], [1e4, -1e4, -np.inf], [-3e4, -3e4, -3e4]]
    found = TemperedLogits(logits, 64.0)
    expected = [64 * (1 - np.log1p(np.e)), 0.0, -63 * np.log(3)]
    np.testing.assert_allclose(found.log_power, expected, rtol=0, atol=64 * BOUND[dtype])
    drawn = found.sample(RandomSampler(np.random.default_rng(0)), np.full(3, 100))
    assert np.isfinite(logits[drawn.rows, drawn.tokens]).all()
    assert drawn.counts.sum() == 300


@pytest.mark.parametrize("n_vocab", [3, FOLDED_FROM])
@pytest.mark.parametrize(
    "bad", [[np.nan, 0, 1], [np.inf, 0, 1], [-np.inf] * 3], ids=["nan", "inf", "no finite"]
)
def test_rows_that_are_no_distribution_raise(bad, n_vocab):
    logits = np.full((2, n_vocab), -np.inf)
    logits[:, -3:] = [[0.0, 1.0, 2.0], bad]
    with pytest.raises(DecodeFailed):
        TemperedLogits(logits, 2.0)


def test_alpha_one_is_exactly_neutral():
    for n_vocab in (9, FOLDED_FROM):
        logits = np.random.default_rng(0).normal(size=(5, n_vocab)).astype(np.float32)
        assert (TemperedLogits(logits, 1.0).log_power == 0).all()


@pytest.mark.parametrize("alpha", [0.5, 2.0, 4.0])
def test_renyi_identity(alpha):
    """Row 2: log Σ p^α = (1 − α)·H_α, with H_α from its definition as a limit-free sum."""
    p = np.random.default_rng(2).dirichlet(np.ones(8))
    renyi = np.log((p * p ** (alpha - 1)).sum()) / (1 - alpha)
    assert TemperedLogits(np.log(p)[None, :], alpha).log_power[0] == pytest.approx(
        (1 - alpha) * renyi, abs=1e-12
    )


@pytest.mark.parametrize("n_vocab", [20, FOLDED_FROM + 9])
def test_increments_are_at_most_zero_above_one(n_vocab):
    logits = np.random.default_rng(3).normal(size=(50, n_vocab)) * 10
    for alpha in (1.0, 1.5, 8.0):
        assert (TemperedLogits(logits, alpha).log_power <= 1e-12).all()


@pytest.mark.parametrize("n_vocab", [6, FOLDED_FROM + 6])
def test_logp_of_tokens_and_the_likeliest(n_vocab):
    logits = np.random.default_rng(4).normal(size=(4, n_vocab))
    expected = logits - reference(logits, 1.0)[0][:, None]
    rows, tokens = np.array([0, 2, 2]), np.array([5, 0, n_vocab - 1])
    found = TemperedLogits(logits, 3.0).take(np.array([0, 1, 3]))
    np.testing.assert_allclose(found.logp(rows, tokens), expected[[0, 3, 3], tokens], atol=1e-12)
    np.testing.assert_array_equal(found.argmax(), logits.argmax(axis=1)[[0, 1, 3]])


def test_threads_change_no_bit():
    logits = np.random.default_rng(2).normal(size=(7, 40_000)).astype(np.float32) * 3
    for alpha in ALPHAS:
        alone, together = TemperedLogits(logits, alpha, 1), TemperedLogits(logits, alpha, 4)
        for name in ("top", "log_norm", "log_power", "totals"):
            np.testing.assert_array_equal(getattr(alone, name), getattr(together, name))


def test_nobody_works_on_after_an_error():
    """The memory of the logits is llama.cpp's, which may free it next."""
    at_work, failed = [], []

    def work(rows):
        for row in rows:
            at_work.append(row)
            if threading.current_thread() is threading.main_thread():
                raise MemoryError
            time_to_fail.wait(10)
            assert not failed
            at_work.remove(row)

    time_to_fail = threading.Event()
    threading.Timer(0.05, time_to_fail.set).start()
    with pytest.raises(MemoryError):
        threads.map_rows(work, 500, 3)
    failed.append(True)
    assert len(at_work) == 1


def test_threads_are_as_many_as_cores_whatever_the_rows():
    before = threading.active_count()
    logits = np.zeros((9, 40_000), np.float32)
    for n in range(1, 10):
        TemperedLogits(logits[:n], 2.0, 64)
    assert threading.active_count() - before <= (os.cpu_count() or 1)


def test_an_error_in_another_thread_is_not_lost():
    logits = np.zeros((4, 40_000), np.float32)
    logits[3] = np.nan
    with pytest.raises(DecodeFailed):
        TemperedLogits(logits, 2.0, 4)


# --- laws ---------------------------------------------------------------------------------------


def law_of_two_draws(logits, alpha, barred=((), ())):
    """The probability of every multiset of two tokens from row 0 and one from row 1."""
    law = {}

    def program(draw):
        rows = TemperedLogits(logits, alpha).masked(*(np.array(part, dtype=np.int64) for part in barred))
        found = rows.take(np.array([1, 0])).sample(draw, np.array([1, 2]))
        return tuple(zip(*(part.tolist() for part in found), strict=True))

    for probability, outcome in outcomes(program):
        law[outcome] = law.get(outcome, 0.0) + probability
    return law


@pytest.mark.parametrize("barred", [((), ()), ((0, 0, 1), (1, 4, 6))], ids=["whole", "without some"])
@pytest.mark.parametrize("n_vocab", [4, 6, 7])
@pytest.mark.parametrize("alpha", [1.0, 1.7, 2.0, 4.0])
def test_every_draw_has_the_law_of_its_row(folds, alpha, n_vocab, barred):
    rng = np.random.default_rng(n_vocab)
    logits = rng.normal(size=(2, n_vocab))
    logits[1, 2] = -np.inf
    known = [(row, token) for row, token in zip(*barred, strict=True) if token < n_vocab]
    barred = tuple(zip(*known, strict=True)) or ((), ())
    p = np.exp(alpha * logits)
    p[barred] = 0.0
    p /= p.sum(axis=1, keepdims=True)
    law = law_of_two_draws(logits, alpha, barred)
    expected = {}
    for one, two, other in itertools.product(range(n_vocab), repeat=3):
        pair = [(1, token, 1 + (one == two)) for token in sorted({one, two})]
        key = ((0, other, 1), *pair)
        expected[key] = expected.get(key, 0.0) + p[0, one] * p[0, two] * p[1, other]
    expected = {key: value for key, value in expected.items() if value}
    assert law.keys() == expected.keys()
    for key, value in expected.items():
        assert law[key] == pytest.approx(value, abs=1e-14)


@pytest.mark.parametrize("n_vocab", [3, 7])
def test_draws_above_a_bar_have_the_law_that_is_cut_there(folds, n_vocab):
    logits = np.random.default_rng(n_vocab).normal(size=(2, n_vocab))
    bars = np.sort(logits, axis=1)[:, -2]
    law = np.zeros(logits.shape)

    def program(draw):
        return TemperedLogits(logits, 1.7).sample(draw, np.array([1, 1]), bars)

    for probability, found in outcomes(program):
        law[found.rows, found.tokens] += probability
    p = np.where(logits >= bars[:, None], np.exp(1.7 * logits), 0.0)
    np.testing.assert_allclose(law, p / p.sum(axis=1, keepdims=True), atol=1e-14)


def test_tokens_above_a_bar_are_found_in_folds(folds):
    logits = np.random.default_rng(5).normal(size=(4, 11))
    bars = np.array([-1.0, 0.5, logits[2, 7], 9.0])
    rows, tokens = TemperedLogits(logits, 2.0).above(bars)
    found = np.zeros(logits.shape, dtype=bool)
    found[rows, tokens] = True
    np.testing.assert_array_equal(found, logits >= bars[:, None])
    assert (np.diff(rows) >= 0).all()


def weights_after_branching(logits, live, finished, n):
    """Expected weight of every child and of every finished history, over all outcomes."""
    children, ended = np.zeros(logits.shape), np.zeros(len(finished))

    def program(draw):
        return fearnhead_clifford(TemperedLogits(logits, 1.5), live, finished, n, draw)

    for probability, found in outcomes(program):
        np.add.at(children, (found.rows, found.tokens), probability * np.exp(found.logw))
        ended += probability * np.exp(found.finished)
    return children, ended


@pytest.mark.parametrize("n", [1, 2, 3, 30])
def test_branching_is_unbiased_where_the_vocabulary_is_folded(folds, n):
    """Every child's expected weight is its own, whatever is thinned."""
    rng = np.random.default_rng(3)
    logits, live = rng.normal(size=(2, 7)) * 2, np.log(np.array([0.5, 0.3]))
    finished = np.log(np.array([0.2, 0.001]))
    children, ended = weights_after_branching(logits, live, finished, n)
    log_norm = np.log(np.exp(logits).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(children, np.exp(live[:, None] + 1.5 * (logits - log_norm)), atol=1e-13)
    np.testing.assert_allclose(ended, np.exp(finished), atol=1e-13)
