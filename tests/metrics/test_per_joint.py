"""PCK, AUC and velocities against hand-computed cases, MATLAB's recipe and the laws they obey."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hummuss.metrics import functional, per_joint

quick = settings(max_examples=25, deadline=None)
seeds = st.integers(0, 2**31)


def at_distances(millimetres: list[float], dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, torch.Tensor]:
    """One frame whose joints are so far from their targets, along one axis each."""
    predicted = torch.zeros(1, len(millimetres), 3, dtype=dtype)
    for joint, distance in enumerate(millimetres):
        predicted[0, joint, joint % 3] = distance / 1000
    return predicted, torch.zeros_like(predicted)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_pck_is_strict(dtype):
    predicted, target = at_distances([0, 149.9, 150, 150.1], dtype)
    assert per_joint.correct(predicted, target).tolist() == [[100, 100, 0, 0]]
    assert functional.pck(predicted, target).tolist() == [50]
    assert functional.pck(predicted, target, threshold=0.0).tolist() == [0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_auc_by_hand(dtype):
    predicted, target = at_distances([0, 4.9, 5, 100, 147, 150, 1e9], dtype)
    met = [30, 30, 29, 10, 1, 0, 0]  # how many of 0, 5, ..., 150 are greater
    expected = torch.tensor([[100 * count / 31 for count in met]], dtype=dtype)
    torch.testing.assert_close(per_joint.correct_at_all_thresholds(predicted, target), expected)
    torch.testing.assert_close(functional.auc(predicted, target), expected.mean(-1))


@quick
@given(seed=seeds)
def test_auc_is_the_mean_of_the_pcks_of_the_official_thresholds(seed):
    predicted = 0.1 * torch.randn(3, 17, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    visible = torch.rand(3, 17, generator=torch.Generator().manual_seed(seed)) < 0.8
    target = torch.zeros_like(predicted)
    curve = [functional.pck(predicted, target, visible, threshold) for threshold in np.arange(0, 151, 5.0)]
    assert len(curve) == 31
    torch.testing.assert_close(functional.auc(predicted, target, visible), torch.stack(curve).mean(0))


@quick
@given(seed=seeds, lower=st.floats(0, 400), step=st.floats(0, 400))
def test_pck_rises_with_the_threshold_and_is_numpys_count(seed, lower, step):
    predicted = 0.2 * torch.randn(2, 17, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    target = torch.zeros_like(predicted)
    tight, loose = (functional.pck(predicted, target, threshold=t) for t in (lower, lower + step))
    assert (tight <= loose).all()
    distances = 1000 * np.linalg.norm(predicted, axis=-1)
    np.testing.assert_allclose(tight, 100 * (distances < lower).mean(-1))


def test_what_is_not_a_number_is_neither_hit_nor_miss():
    predicted, target = at_distances([0, 0])
    predicted[0, 1, 0] = math.nan
    for figures in (per_joint.correct, per_joint.correct_at_all_thresholds):
        assert figures(predicted, target)[0].isnan().tolist() == [False, True]
    predicted[0, 1, 0] = math.inf  # lost, but a number: a miss
    assert per_joint.correct(predicted, target).tolist() == [[100, 0]]
    assert per_joint.correct_at_all_thresholds(predicted, target)[0, 1] == 0


@quick
@given(seed=seeds)
def test_velocity_is_exact_for_uniform_motion_at_irregular_times(seed):
    rng = np.random.default_rng(seed)
    dt = rng.uniform(0.005, 0.1, (2, 9))
    time = dt.cumsum(1)[..., None, None]
    start, velocity, true_velocity = rng.normal(size=(3, 2, 1, 17, 3))
    predicted, target = (torch.from_numpy(start + v * time) for v in (velocity, true_velocity))
    errors = functional.mpjve(predicted, target, torch.from_numpy(dt))
    expected = 1000 * np.linalg.norm(velocity - true_velocity, axis=-1).mean(-1).repeat(8, axis=1)
    np.testing.assert_allclose(errors, expected, rtol=1e-9)


def test_velocity_at_a_uniform_rate_is_the_published_figure_times_the_rate():
    rng = np.random.default_rng(0)
    predicted, target = rng.normal(size=(2, 8, 17, 3))
    per_frame = np.linalg.norm(np.diff(predicted, axis=0) - np.diff(target, axis=0), axis=-1).mean(-1)
    dt = torch.full((8,), 0.02, dtype=torch.float64)
    errors = functional.mpjve(torch.from_numpy(predicted), torch.from_numpy(target), dt)
    np.testing.assert_allclose(errors, 1000 * per_frame * 50)
    changed = torch.cat([torch.tensor([9.0], dtype=torch.float64), dt[1:]])
    torch.testing.assert_close(functional.mpjve(torch.from_numpy(predicted), torch.from_numpy(target), changed), errors)


@pytest.mark.parametrize("frames", [0, 1])
def test_velocity_needs_two_frames(frames):
    clip = torch.zeros(2, frames, 17, 3)
    assert functional.mpjve(clip, clip, torch.ones(2, frames)).shape == (2, 0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype):
    predicted, target = torch.rand(2, 5, 17, 3).to(dtype)
    dt = torch.full((5,), 0.04).to(dtype)
    for error, arguments in ((functional.pck, ()), (functional.auc, ()), (functional.mpjve, (dt,))):
        errors = error(predicted, target, *arguments)
        assert errors.dtype == torch.float32
        torch.testing.assert_close(errors, error(predicted.float(), target.float(), *(t.float() for t in arguments)))
