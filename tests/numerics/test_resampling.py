"""Every resampling scheme is exactly unbiased, by enumeration of all outcomes."""

import numpy as np
import pytest
from enumeration import outcomes

from localsmc.numerics.categorical import RandomSampler
from localsmc.numerics.resampling import CHOPTHIN_RATIO, COUNTING, SCHEMES, apportion, chopthin, thin

RNG = np.random.default_rng(11)
WEIGHTS = {
    "uneven": np.array([0.5, 0.3, 0.15, 0.05]),
    "one alive": np.array([0.0, 1.0, 0.0]),
    "last dead": np.array([0.6, 0.4, 0.0]),
    "whole numbers": np.array([0.25, 0.5, 0.25]),
    "random": RNG.dirichlet(np.ones(5)),
    "almost one": np.array([1 - 1e-13, 1e-13]),
}


def expectation(program):
    total, mean = 0.0, 0.0
    for probability, result in outcomes(program):
        total += probability
        mean = mean + probability * result
    assert total == pytest.approx(1.0, abs=1e-12)
    return mean


@pytest.mark.parametrize("n", [1, 3, 4])
@pytest.mark.parametrize("name", WEIGHTS)
@pytest.mark.parametrize("scheme", COUNTING)
def test_expected_counts(scheme, name, n):
    weights = WEIGHTS[name]
    mean = expectation(lambda draw: COUNTING[scheme](weights, n, draw))
    np.testing.assert_allclose(mean, n * weights, atol=1e-11)


@pytest.mark.parametrize("n", [1, 3, 4])
@pytest.mark.parametrize("name", WEIGHTS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_expected_weights(scheme, name, n):
    weights = WEIGHTS[name]
    mean = expectation(lambda draw: np.prod(SCHEMES[scheme](weights, n, draw), axis=0))
    np.testing.assert_allclose(mean, weights, atol=1e-12)


def test_chopthin_bounds_the_ratio_of_weights_and_leaves_the_middle_as_it_is():
    weights = np.array([0.66, 0.1, 0.1, 0.1, 0.02, 0.02])
    for _, (counts, new) in outcomes(lambda draw: chopthin(weights, 7, draw)):
        assert counts.sum() == 7
        assert new[counts > 0].max() <= CHOPTHIN_RATIO * new[counts > 0].min()
        assert counts[0] in (3, 4)
        np.testing.assert_array_equal(counts[1:4], 1)
        np.testing.assert_allclose(new[1:4], 0.1)


@pytest.mark.parametrize("seed", range(5))
def test_chopthin_holds_its_bound_for_any_weights(seed):
    rng = np.random.default_rng(seed)
    for _ in range(100):
        n, n_histories = int(rng.integers(1, 20)), int(rng.integers(1, 9))
        weights = rng.dirichlet(np.full(n_histories, 10.0 ** rng.uniform(-1.5, 1)))
        weights[rng.random(n_histories) < 0.1] = 0.0
        if not weights.any():
            continue
        counts, new = chopthin(weights / weights.sum(), n, RandomSampler(rng))
        alive = new[counts > 0]
        assert counts.sum() == n
        assert alive.max() <= CHOPTHIN_RATIO * alive.min() * (1 + 1e-9)
        assert (counts * new).sum() ** 2 / (counts * new**2).sum() >= n / 2


@pytest.mark.parametrize("scheme", SCHEMES)
def test_counts_add_up_and_the_dead_stay_dead(scheme):
    rng = np.random.default_rng(2)
    draw = RandomSampler(rng)
    for _ in range(300):
        weights = rng.dirichlet(np.full(6, 0.3))
        weights[rng.integers(6)] = 0
        weights /= weights.sum()
        counts = SCHEMES[scheme](weights, 13, draw).counts
        assert counts.sum() == 13
        assert (counts[weights == 0] == 0).all()


def test_systematic_counts_are_floor_or_ceiling():
    """Row 9."""
    for probability, counts in outcomes(lambda draw: COUNTING["systematic"](WEIGHTS["random"], 7, draw)):
        assert probability > 0
        expected = 7 * WEIGHTS["random"]
        assert ((counts == np.floor(expected)) | (counts == np.ceil(expected))).all()


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_thinning_keeps_each_expected_weight_and_at_most_n(n):
    weights = np.array([0.4, 0.3, 0.1, 0.1, 0.06, 0.04])
    mean = expectation(lambda draw: thin(weights, n, draw))
    np.testing.assert_allclose(mean, weights, atol=1e-12)
    for _, kept in outcomes(lambda draw: thin(weights, n, draw)):
        assert np.count_nonzero(kept) <= n
        assert kept.sum() == pytest.approx(1.0)


def test_thinning_keeps_heavy_histories_for_certain_and_gives_the_others_one_weight():
    weights = np.array([0.7, 0.1, 0.1, 0.05, 0.05])
    for _, kept in outcomes(lambda draw: thin(weights, 3, draw)):
        assert kept[0] == 0.7
        light = kept[1:][kept[1:] > 0]
        np.testing.assert_allclose(light, 0.15)


@pytest.mark.parametrize("n", [4, 5, 7, 100, 20_000])
def test_apportioned_particles_add_up_and_nobody_alive_goes_without(n):
    weights = np.array([0.0, 1e-9, 0.2, 0.0, 0.3, 0.5])
    counts = apportion(weights, n)
    assert counts.sum() == n
    assert ((counts > 0) == (weights > 0)).all()
    assert np.abs(counts - n * weights / weights.sum()).max() <= 2


def test_thinning_leaves_few_histories_alone():
    weights = np.array([0.5, 0.0, 0.5])
    assert thin(weights, 2, None) is weights
