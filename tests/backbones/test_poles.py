"""Initial poles of a state space layer, against HiPPO's definition and the distribution they are drawn from."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from hummuss.backbones.ssm import DiagonalSSM, initial_poles, random_poles


@pytest.mark.parametrize("init", ["legs", "lin", "inv"])
def test_initial_poles_are_stable_and_of_positive_frequency(init: str) -> None:
    poles = initial_poles(16, init)
    assert (poles.real == -0.5).all()
    assert (poles.imag.diff() > 0).all()
    assert poles.imag[0] >= 0


def test_legs_poles_are_those_of_hippo() -> None:
    """HiPPO-LegS plus the rank-one term P P^T that makes it normal, built from its definition."""
    size = 8
    A = np.zeros((size, size))
    for n in range(size):
        for k in range(size):
            A[n, k] = -math.sqrt((2 * n + 1) * (2 * k + 1)) if n > k else -(n + 1) if n == k else 0
    P = np.sqrt(np.arange(size) + 0.5)
    values = np.linalg.eigvals(A + np.outer(P, P))
    np.testing.assert_allclose(values.real, -0.5, atol=1e-12)
    positive = np.sort(values.imag[values.imag > 0])
    np.testing.assert_allclose(initial_poles(size // 2, "legs").imag, positive, rtol=1e-6)


def test_random_poles_are_log_normal_and_every_channels_own() -> None:
    torch.manual_seed(0)
    poles = random_poles(1000, 20)
    assert (poles.imag.diff() > 0).all()
    for values in (-poles.real, poles.imag):
        assert stats.kstest(values.flatten().numpy(), stats.lognorm(1).cdf).pvalue > 0.01
    assert abs(np.corrcoef(-poles.real[:, 0], poles.imag[:, 0])[0, 1]) < 0.1
    layer = DiagonalSSM(3, init="random")
    assert (layer.poles[0] != layer.poles[1]).all()


def test_unknown_init_is_refused() -> None:
    with pytest.raises(ValueError, match="'hippo' is none of legs, lin, inv, random"):
        DiagonalSSM(2, init="hippo")
