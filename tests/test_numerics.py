"""Log-domain arithmetic: identities, round-off, and the cases that must raise."""

import numpy as np
import pytest

from localsmc import numerics
from localsmc.errors import DecodeFailed
from localsmc.numerics import RowKernel

TOLERANCE = {np.float64: 1e-12, np.float32: 2e-5}


def reference(logits, alpha):
    """log Σ p^α and log Σ exp(logits), in float64 (longdouble where the platform has it)."""
    wide = logits.astype(np.longdouble)
    top = wide.max(axis=1, keepdims=True)
    log_norm = np.log(np.exp(wide - top).sum(axis=1)) + top[:, 0]
    logp = wide - log_norm[:, None]
    peak = logp.max(axis=1)
    log_power = np.log(np.exp(alpha * (logp - peak[:, None])).sum(axis=1)) + alpha * peak
    return log_norm.astype(float), log_power.astype(float)


def all_chunks(logits, alpha):
    kernel = RowKernel(logits.shape[1], logits.dtype)
    found = [(chunk.log_norm, chunk.log_power, chunk.mass.copy()) for chunk in kernel.chunks(logits, alpha)]
    return [np.concatenate(parts) for parts in zip(*found, strict=True)]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("alpha", [1.0, 1.25, 2.0, 4.0, 64.0])
@pytest.mark.parametrize("shape", [(1, 3), (7, 50), (300, 700), (3, 150_001)])
def test_sums_of_a_row(dtype, alpha, shape):
    logits = (np.random.default_rng(1).normal(size=shape) * 6 + 40).astype(dtype)
    before = logits.copy()
    log_norm, log_power, mass = all_chunks(logits, alpha)
    expected_norm, expected_power = reference(logits, alpha)
    np.testing.assert_allclose(log_norm, expected_norm, rtol=0, atol=TOLERANCE[dtype])
    np.testing.assert_allclose(log_power, expected_power, rtol=0, atol=alpha * TOLERANCE[dtype])
    assert mass.max(axis=1) == pytest.approx(1.0)
    np.testing.assert_array_equal(logits, before)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_impossible_tokens_and_far_logits(dtype):
    logits = np.array([[-np.inf, 0, 1], [1e4, -1e4, -np.inf], [-3e4, -3e4, -3e4]], dtype=dtype)
    log_norm, log_power, mass = all_chunks(logits, 64.0)
    expected = [64 * (1 - np.log1p(np.e)), 0.0, -63 * np.log(3)]
    np.testing.assert_allclose(log_power, expected, rtol=0, atol=64 * TOLERANCE[dtype])
    assert mass[0, 0] == 0
    assert np.isfinite(log_norm).all()


@pytest.mark.parametrize(
    "bad", [[np.nan, 0, 1], [np.inf, 0, 1], [-np.inf] * 3], ids=["nan", "inf", "no finite"]
)
def test_rows_that_are_no_distribution_raise(bad):
    logits = np.array([[0.0, 1.0, 2.0], bad])
    with pytest.raises(DecodeFailed):
        all_chunks(logits, 2.0)


def test_alpha_one_is_exactly_neutral():
    _, log_power, _ = all_chunks(np.random.default_rng(0).normal(size=(5, 9)).astype(np.float32), 1.0)
    assert (log_power == 0).all()


@pytest.mark.parametrize("alpha", [0.5, 2.0, 4.0])
def test_renyi_identity(alpha):
    """Row 2: log Σ p^α = (1 − α)·H_α, with H_α from its definition as a limit-free sum."""
    p = np.random.default_rng(2).dirichlet(np.ones(8))
    _, log_power, _ = all_chunks(np.log(p)[None, :], alpha)
    renyi = np.log((p * p ** (alpha - 1)).sum()) / (1 - alpha)
    assert log_power[0] == pytest.approx((1 - alpha) * renyi, abs=1e-12)


def test_increments_are_at_most_zero_above_one():
    logits = np.random.default_rng(3).normal(size=(50, 20)) * 10
    for alpha in (1.0, 1.5, 8.0):
        assert (all_chunks(logits, alpha)[1] <= 1e-12).all()


def test_logp_of_tokens():
    logits = np.random.default_rng(4).normal(size=(4, 6))
    (chunk,) = RowKernel(6, logits.dtype).chunks(logits, 3.0)
    expected = logits - reference(logits, 1.0)[0][:, None]
    rows, tokens = np.array([0, 3, 3]), np.array([5, 0, 2])
    np.testing.assert_allclose(chunk.logp(rows, tokens), expected[rows, tokens], atol=1e-12)


def test_log_sum_exp():
    assert numerics.log_sum_exp(np.array([-1e6, -1e6])) == pytest.approx(-1e6 + np.log(2))
    assert numerics.log_sum_exp(np.array([-np.inf, 3.0])) == 3.0
    assert numerics.log_sum_exp(np.array([-np.inf])) == -np.inf
    assert numerics.log_sum_exp(np.array([])) == -np.inf


def test_normalised_and_all_dead():
    np.testing.assert_allclose(numerics.normalised(np.array([-2000.0, -2000.0 + np.log(3)])), [0.25, 0.75])
    with pytest.raises(ValueError, match="no particle"):
        numerics.normalised(np.array([-np.inf, -np.inf]))


def test_effective_sample_size():
    ess = numerics.effective_sample_size
    assert ess(np.array([-900.0]), np.array([7])) == pytest.approx(7)
    # Three particles of weight 1 and one of weight 3: 6² / 12.
    assert ess(np.log([1.0, 3.0]), np.array([3, 1])) == pytest.approx(36 / 12)
    assert ess(np.array([-np.inf]), np.array([4])) == 0.0
