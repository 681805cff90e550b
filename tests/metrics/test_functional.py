"""Per-frame errors against scipy, hand-computed cases and the invariances that define them."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import orthogonal_procrustes
from scipy.spatial import procrustes
from scipy.spatial.transform import Rotation

from hummuss.metrics import functional

POSE_ERRORS = [functional.mpjpe, functional.n_mpjpe, functional.pa_mpjpe]
seeds = st.integers(0, 2**32 - 1)
quick = settings(max_examples=25, deadline=None)


def poses(seed: int, *shape: int, spread: tuple[float, ...] = (0.25, 0.5, 0.2)) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(*shape, 3)) * spread


def rotations(seed: int, count: int) -> np.ndarray:
    return Rotation.random(count, rng=np.random.default_rng(seed)).as_matrix()


def aligned_by_scipy(predicted: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Align one frame by scipy's orthogonal Procrustes; a reflection is undone along the weakest axis."""
    centre, predicted_centre = target.mean(0), predicted.mean(0)
    p, t = predicted - predicted_centre, target - centre
    rotation, _ = orthogonal_procrustes(p, t)
    if np.linalg.det(rotation) < 0:
        _, axes = np.linalg.eigh(rotation.T @ p.T @ t)  # symmetric, eigenvalues ascending
        rotation = rotation @ (np.eye(3) - 2 * np.outer(axes[:, 0], axes[:, 0]))
    scale = np.trace(rotation.T @ p.T @ t) / np.square(p).sum()
    return scale * p @ rotation + centre


def test_mpjpe_by_hand():
    target = torch.zeros(2, 3, 2, 3)
    predicted = target.clone()
    predicted[1, 2] = torch.tensor([[0.003, 0.004, 0.0], [0.0, 0.0, 0.001]])
    expected = torch.zeros(2, 3)
    expected[1, 2] = 3.0  # the mean of 5 mm and 1 mm
    torch.testing.assert_close(functional.mpjpe(predicted, target), expected)
    torch.testing.assert_close(functional.mpve(predicted, target), expected)


@pytest.mark.parametrize("distance", [0.0, 5.0, 20.0])
@pytest.mark.parametrize("spread", [(0.25, 0.5, 0.2), (0.02, 0.5, 0.01), (1e-4, 0.5, 1e-4)])
def test_pa_mpjpe_in_float32_agrees_with_scipy(distance, spread):
    target = poses(1, 200, 17, spread=spread)
    turned = target @ rotations(2, 200)
    predicted = (turned + 0.05 * poses(3, 200, 17, spread=(1, 1, 1)) + [0.1, 0.2, distance]).astype(np.float32)
    target = (target + np.array([0.3, -0.1, distance])).astype(np.float32)
    reference = np.stack(
        [aligned_by_scipy(*pair) for pair in zip(predicted.astype(float), target.astype(float), strict=True)]
    )
    expected = 1000 * np.linalg.norm(reference - target, axis=-1).mean(-1)

    errors = functional.pa_mpjpe(torch.from_numpy(predicted), torch.from_numpy(target))
    np.testing.assert_allclose(errors, expected, rtol=0, atol=2e-4)
    aligned = functional.procrustes_align(torch.from_numpy(predicted), torch.from_numpy(target))
    np.testing.assert_allclose(aligned, reference, atol=1e-5)


def test_procrustes_align_has_scipys_disparity():
    predicted, target = poses(4, 1, 17), poses(5, 1, 17)
    _, _, disparity = procrustes(target[0], predicted[0])
    aligned = functional.procrustes_align(torch.from_numpy(predicted), torch.from_numpy(target))
    spread = np.square(target - target.mean(1, keepdims=True)).sum()
    rotation, _ = orthogonal_procrustes(predicted[0] - predicted[0].mean(0), target[0] - target[0].mean(0))
    assert np.linalg.det(rotation) > 0, "scipy's procrustes allows reflections: choose a seed without one"
    np.testing.assert_allclose(np.square(aligned.numpy() - target).sum() / spread, disparity, rtol=1e-10)


@quick
@given(seed=seeds, scale=st.floats(0.1, 10), shift=st.floats(-10, 10))
def test_pa_mpjpe_ignores_any_similarity(seed, scale, shift):
    predicted, target = poses(seed, 4, 17), poses(seed + 1, 4, 17)
    moved = scale * predicted @ rotations(seed, 4) + shift
    before, after = (functional.pa_mpjpe(torch.from_numpy(x), torch.from_numpy(target)) for x in (predicted, moved))
    torch.testing.assert_close(after, before)


@quick
@given(seed=seeds, shift=st.floats(-10, 10), scale=st.floats(0.1, 10))
def test_mpjpe_ignores_a_common_translation_and_n_mpjpe_a_scale(seed, shift, scale):
    predicted, target = (torch.from_numpy(poses(seed + k, 4, 17)) for k in (0, 1))
    torch.testing.assert_close(functional.mpjpe(predicted + shift, target + shift), functional.mpjpe(predicted, target))
    torch.testing.assert_close(functional.n_mpjpe(scale * predicted, target), functional.n_mpjpe(predicted, target))


@quick
@given(seed=seeds, factor=st.sampled_from([0.99, 1.01]))
def test_n_mpjpe_scale_is_the_least_squares_one(seed, factor):
    predicted, target = (torch.from_numpy(poses(seed + k, 1, 17)) for k in (0, 1))
    predicted = target + 0.1 * predicted
    scale, *_ = np.linalg.lstsq(predicted.reshape(-1, 1), target.reshape(-1), rcond=None)
    expected = functional.mpjpe(predicted * float(scale[0]), target)
    torch.testing.assert_close(functional.n_mpjpe(predicted, target), expected)
    assert not torch.allclose(functional.mpjpe(predicted * float(scale[0]) * factor, target), expected, rtol=1e-9)


def test_a_reflection_is_not_aligned_away():
    target = torch.from_numpy(poses(6, 3, 17))
    assert (functional.pa_mpjpe(target * torch.tensor([-1.0, 1.0, 1.0]), target) > 50).all()


POINT = np.zeros((17, 3))
LINE = np.outer(np.linspace(0, 1, 17), [0.2, 0.5, 0.1])
PLANE = poses(7, 17, spread=(0.3, 0.5, 0.0))
SHAPES = {"point": POINT, "line": LINE, "plane": PLANE, "body": poses(8, 17)}


@pytest.mark.parametrize("target", SHAPES)
@pytest.mark.parametrize("predicted", SHAPES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_degenerate_frames_have_a_finite_optimum(predicted, target, dtype):
    x, y = (torch.from_numpy(SHAPES[name] + 3.0).to(dtype)[None] for name in (predicted, target))
    aligned = functional.procrustes_align(x, y)
    assert aligned.isfinite().all()
    # No similarity found by a coarse random search beats it.
    turned = torch.from_numpy(rotations(9, 200)).to(dtype)
    p, t = x - x.mean(-2, keepdim=True), y - y.mean(-2, keepdim=True)
    candidates = torch.stack([scale * (p @ turned) for scale in (0.0, 0.3, 1.0, 3.0)])
    assert (aligned - y).square().sum() <= (candidates - t).square().sum((-2, -1)).min() + 1e-6


def test_degenerate_frames_by_definition():
    body = torch.from_numpy(SHAPES["body"] + 3.0)[None]
    point = torch.full_like(body, -2.0)
    centroid = body.mean(1, keepdim=True)
    torch.testing.assert_close(functional.procrustes_align(point, body), centroid.expand_as(body))
    torch.testing.assert_close(functional.procrustes_align(body, point), point)
    torch.testing.assert_close(functional.n_mpjpe(0 * body, body), functional.mpjpe(0 * body, body))
    for shape in (LINE, PLANE):  # moved onto themselves although the best rotation is not unique
        target = torch.from_numpy(shape)[None]
        moved = 2 * target @ torch.from_numpy(rotations(10, 1)) + 1
        assert functional.pa_mpjpe(moved, target).item() < 1e-6


@pytest.mark.parametrize("error", POSE_ERRORS)
def test_nan_stays_in_its_frame(error):
    predicted, target = (torch.from_numpy(poses(k, 3, 17)) for k in (11, 12))
    clean = error(predicted, target)
    predicted[1, 4, 2] = torch.nan
    errors = error(predicted, target)
    assert errors[1].isnan()
    torch.testing.assert_close(errors[[0, 2]], clean[[0, 2]])


@pytest.mark.parametrize("error", [*POSE_ERRORS, functional.mpve, functional.acceleration_error_per_frame])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(error, dtype):
    predicted, target = (torch.from_numpy(poses(k, 5, 17)).to(dtype) for k in (13, 14))
    errors = error(predicted, target)
    assert errors.dtype == torch.float32
    torch.testing.assert_close(errors, error(predicted.float(), target.float()))


@pytest.mark.parametrize("shape", [(0, 17), (2, 0, 17), (2, 3, 4, 17)])
@pytest.mark.parametrize("error", POSE_ERRORS)
def test_leading_dimensions_are_kept(error, shape):
    assert error(torch.ones(*shape, 3), torch.ones(*shape, 3)).shape == shape[:-1]


@quick
@given(seed=seeds)
def test_acceleration_is_exact_for_parabolas_at_irregular_times(seed):
    rng = np.random.default_rng(seed)
    dt = rng.uniform(0.005, 0.1, (2, 9))
    time = dt.cumsum(1)[..., None, None]
    start, velocity, acceleration = rng.normal(size=(3, 2, 1, 17, 3))
    predicted = torch.from_numpy(start + velocity * time + 0.5 * acceleration * time**2)
    errors = functional.acceleration_error(predicted, torch.zeros_like(predicted), torch.from_numpy(dt))
    expected = np.linalg.norm(acceleration, axis=-1).mean(-1).repeat(7, axis=1)
    np.testing.assert_allclose(errors, expected, rtol=1e-6)


def test_acceleration_error_ignores_what_both_share_and_the_first_interval():
    predicted, target = (torch.from_numpy(poses(k, 6, 17)) for k in (15, 16))
    dt = torch.rand(6, dtype=torch.float64) + 0.01
    errors = functional.acceleration_error(predicted, target, dt)
    first_changed = torch.cat([torch.tensor([9.0], dtype=torch.float64), dt[1:]])
    torch.testing.assert_close(functional.acceleration_error(predicted, target, first_changed), errors)
    torch.testing.assert_close(functional.acceleration_error(predicted + 5, target + 5, dt), errors)


def test_acceleration_per_frame_is_numpys_second_difference():
    predicted, target = poses(17, 2, 8, 17), poses(18, 2, 8, 17)
    difference = np.diff(predicted, 2, axis=1) - np.diff(target, 2, axis=1)
    errors = functional.acceleration_error_per_frame(torch.from_numpy(predicted), torch.from_numpy(target))
    np.testing.assert_allclose(errors, 1000 * np.linalg.norm(difference, axis=-1).mean(-1))
    at_25_fps = functional.acceleration_error(
        torch.from_numpy(predicted), torch.from_numpy(target), torch.full((2, 8), 0.04, dtype=torch.float64)
    )
    np.testing.assert_allclose(at_25_fps, errors / 1000 * 25**2)


@pytest.mark.parametrize("frames", [0, 1, 2])
def test_acceleration_needs_three_frames(frames):
    clip = torch.zeros(2, frames, 17, 3)
    assert functional.acceleration_error(clip, clip, torch.ones(2, frames)).shape == (2, 0)
    assert functional.acceleration_error_per_frame(clip, clip).shape == (2, 0)
