"""Intervals, tests and scores agree with published values and with exhaustive counting."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from localsmc.numerics import statistics


@pytest.mark.parametrize(
    ("n_right", "n", "low", "high"),
    [
        # Newcombe, Statistics in Medicine 17 (1998), 857-872, table I, method 3.
        pytest.param(81, 263, 0.2553, 0.3662, id="81/263"),
        pytest.param(15, 148, 0.0624, 0.1605, id="15/148"),
        pytest.param(0, 20, 0.0, 0.1611, id="none of 20"),
        pytest.param(1, 29, 0.0061, 0.1718, id="1/29"),
        pytest.param(20, 20, 0.8389, 1.0, id="all of 20"),
        pytest.param(0, 0, 0.0, 1.0, id="no trial"),
    ],
)
def test_wilson(n_right, n, low, high):
    assert statistics.wilson(n_right, n) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(
    ("both", "ours", "theirs", "neither", "expected"),
    [
        # Fagerland, Lydersen and Laake, Statistics in Medicine 33 (2014), 2850-2875: 21 children.
        pytest.param(1, 1, 7, 12, (-0.286, -0.508, -0.013), id="published"),
        pytest.param(1, 7, 1, 12, (0.286, 0.013, 0.508), id="the other way"),
        # Nobody differs: (1 + 1) / 12 over 12, and an interval all the same.
        pytest.param(5, 0, 0, 5, (0.0, -0.231, 0.231), id="no difference"),
    ],
)
def test_paired(both, ours, theirs, neither, expected):
    first = [True] * both + [True] * ours + [False] * theirs + [False] * neither
    second = [True] * both + [False] * ours + [True] * theirs + [False] * neither
    assert statistics.paired(first, second) == pytest.approx(expected, abs=6e-4)
    assert statistics.mean_difference(first, second, 1) == statistics.paired(first, second)


@pytest.mark.parametrize(
    ("wins", "losses", "p"),
    [
        # 2 (1 + 8) / 2⁸, by hand.
        (1, 7, 0.0703125),
        (7, 1, 0.0703125),
        (0, 0, 1.0),
        (3, 3, 1.0),
        (0, 5, 0.0625),
    ],
)
def test_mcnemar(wins, losses, p):
    assert statistics.mcnemar(wins, losses) == pytest.approx(p)


def test_mcnemar_counts_every_toss():
    for wins, losses in itertools.product(range(5), repeat=2):
        n = wins + losses
        tosses = [sum(toss) for toss in itertools.product((0, 1), repeat=n)]
        extreme = sum(abs(2 * heads - n) >= abs(wins - losses) for heads in tosses)
        assert statistics.mcnemar(wins, losses) == pytest.approx(extreme / 2**n)


def test_mcnemar_of_thousands():
    assert statistics.mcnemar(1000, 1100) == pytest.approx(math.erfc(99 / math.sqrt(2 * 2100)), rel=0.01)


def test_resampled_intervals():
    values = np.random.default_rng(5).normal(3.0, 2.0, 400)
    mean, low, high = statistics.resampled(len(values), lambda some: float(values[some].mean()))
    assert mean == pytest.approx(values.mean())
    # The normal interval of a mean of 400 values, which the percentiles come close to.
    half = 1.96 * values.std() / 20
    assert (low, high) == pytest.approx((mean - half, mean + half), abs=0.03)
    assert statistics.resampled(400, lambda some: float(values[some].mean())) == (mean, low, high)
    assert statistics.resampled_mean(values) == pytest.approx((mean, low, high), abs=0.03)
    assert statistics.resampled_mean(values) == statistics.resampled_mean(list(values))


def test_resampled_mean_is_the_percentile_interval_of_all_resamples():
    values = [0.0, 0.0, 0.5, 1.0]
    means = sorted(sum(some) / 4 for some in itertools.product(values, repeat=4))
    low, high = means[math.floor(0.025 * 256)], means[math.ceil(0.975 * 256) - 1]
    assert statistics.resampled_mean(values) == pytest.approx((0.375, low, high), abs=0.01)


def test_resampling_in_blocks_changes_the_law_by_nothing(monkeypatch):
    values = np.random.default_rng(2).random(50)
    whole = statistics.resampled_mean(values)
    monkeypatch.setattr(statistics, "RESAMPLED_AT_ONCE", 100)
    assert statistics.resampled_mean(values) == pytest.approx(whole, abs=1e-12)


def test_seeds_of_a_problem_are_no_problems_of_their_own():
    once = statistics.mean_share([0.0, 1.0] * 20, 1)
    assert once == pytest.approx((0.5, *statistics.wilson(20, 40)))
    # Three seeds that always agree say as much as one, and three that never do say more.
    assert statistics.mean_share([0.0, 1.0] * 20, 3) == pytest.approx((0.5, 0.35, 0.65), abs=0.03)
    assert statistics.mean_share([0.5] * 40, 2) == (0.5, 0.5, 0.5)
    assert statistics.mean_share([1.0] * 40, 3) == pytest.approx((1.0, *statistics.wilson(40, 40)))


def test_a_difference_that_never_varies_is_not_certain():
    mean, low, high = statistics.mean_difference([1.0] * 20, [1.0] * 20, 3)
    assert mean == 0
    assert low < 0 < high
    assert statistics.mean_difference([0.5, 1.0], [0.0, 0.5], 2) == (0.5, 0.5, 0.5)


@pytest.mark.parametrize(("n", "n_right"), [(5, 0), (5, 1), (5, 3), (5, 5), (4, 2)])
def test_pass_at_k_counts_every_choice(n, n_right):
    samples = [True] * n_right + [False] * (n - n_right)
    for k in range(1, n + 1):
        chosen = list(itertools.combinations(samples, k))
        assert statistics.pass_at_k(n, n_right, k) == pytest.approx(sum(map(any, chosen)) / len(chosen))


def test_pass_at_k_is_unbiased():
    # Over all outcomes of five tosses, the mean is the chance of two more: 1 − 0.7².
    chances = [math.comb(5, c) * 0.3**c * 0.7 ** (5 - c) for c in range(6)]
    mean = sum(chance * statistics.pass_at_k(5, c, 2) for c, chance in enumerate(chances))
    assert mean == pytest.approx(1 - 0.7**2)


def test_calibration_bins_by_hand():
    weights, rights = [0.0, 0.05, 0.85, 0.8, 1.0, 1.0], [0, 1, 1, 1, 1, 0]
    bins = statistics.calibration_bins(weights, rights, ["a", "b", "c", "c", "d", "e"])
    assert [(one.low, one.n, one.n_problems) for one in bins] == [(0.0, 2, 2), (0.8, 2, 1), (0.9, 2, 2)]
    assert [one.weight for one in bins] == pytest.approx([0.025, 0.825, 1.0])
    assert [one.right for one in bins] == [0.5, 1.0, 0.5]
    assert bins[1].interval == statistics.wilson(1, 1)
    expected = (2 * 0.475 + 2 * 0.175 + 2 * 0.5) / 6
    assert statistics.calibration_error(bins) == pytest.approx(expected)
    squares = [0.0, 0.95**2, 0.15**2, 0.2**2, 0.0, 1.0]
    assert statistics.brier(weights, rights) == pytest.approx(sum(squares) / 6)


def test_what_is_calibrated_has_no_error():
    rng = np.random.default_rng(3)
    weights = rng.random(20_000)
    bins = statistics.calibration_bins(weights, rng.random(20_000) < weights, range(20_000))
    # Each bin has 2,000: its share has a standard error of at most 0.011.
    assert statistics.calibration_error(bins) < 0.03
    assert statistics.brier(weights, rng.random(20_000) < weights) == pytest.approx(1 / 6, abs=0.01)


def test_pareto_front_against_comparing_all():
    rng = np.random.default_rng(4)
    for _ in range(50):
        costs, values = rng.integers(0, 5, 8).tolist(), rng.integers(0, 5, 8).tolist()
        front = statistics.pareto(costs, values)
        beaten = [
            any(
                (c <= costs[i] and v >= values[i]) and (c, v) != (costs[i], values[i])
                for c, v in zip(costs, values, strict=True)
            )
            for i in range(8)
        ]
        assert {(costs[i], values[i]) for i in front} == {
            (costs[i], values[i]) for i in range(8) if not beaten[i]
        }
        assert [costs[i] for i in front] == sorted({costs[i] for i in front})
