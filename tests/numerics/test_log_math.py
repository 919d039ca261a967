"""Log-domain arithmetic: identities, rounding, and the cases that must raise."""

import numpy as np
import pytest

from localsmc.numerics import log_math


def test_log_sum_exp():
    assert log_math.log_sum_exp(np.array([-1e6, -1e6])) == pytest.approx(-1e6 + np.log(2))
    assert log_math.log_sum_exp(np.array([-np.inf, 3.0])) == 3.0
    assert log_math.log_sum_exp(np.array([-np.inf])) == -np.inf
    assert log_math.log_sum_exp(np.array([])) == -np.inf


def test_normalised_and_all_dead():
    np.testing.assert_allclose(log_math.normalised(np.array([-2000.0, -2000.0 + np.log(3)])), [0.25, 0.75])
    with pytest.raises(ValueError, match="no particle"):
        log_math.normalised(np.array([-np.inf, -np.inf]))


def test_effective_sample_size():
    ess = log_math.effective_sample_size
    assert ess(np.array([-900.0]), np.array([7])) == pytest.approx(7)
    # Three particles of weight 1 and one of weight 3: 6² / 12.
    assert ess(np.log([1.0, 3.0]), np.array([3, 1])) == pytest.approx(36 / 12)
    assert ess(np.array([-np.inf]), np.array([4])) == 0.0
