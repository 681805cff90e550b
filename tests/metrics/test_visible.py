"""Hidden joints, and degenerate frames of visible ones: one joint, none, a line, a mirrored body."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from hummuss.metrics import functional, per_joint

FRAME_ERRORS = [functional.mpjpe, functional.n_mpjpe, functional.pa_mpjpe, functional.pck, functional.auc]
quick = settings(max_examples=25, deadline=None)


def bodies(seed: int, *shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, 3, dtype=torch.float64, generator=generator) * torch.tensor([0.25, 0.5, 0.2])


def turns(seed: int, count: int) -> torch.Tensor:
    return torch.from_numpy(Rotation.random(count, rng=np.random.default_rng(seed)).as_matrix())


def some_visible(seed: int, *shape: int) -> torch.Tensor:
    """At least four joints of every frame, the first among the hidden ones."""
    visible = torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) < 0.5
    visible[..., 0], visible[..., 3:7] = False, True
    return visible


@pytest.mark.parametrize("filler", [0.0, 1e6, math.nan, math.inf])
@pytest.mark.parametrize("error", FRAME_ERRORS)
def test_a_frame_with_hidden_joints_is_the_frame_without_them(error, filler):
    target, visible = bodies(0, 30, 17), some_visible(1, 30, 17)
    predicted = target + 0.2 * bodies(2, 30, 17)
    kept = [error(x[v], y[v]) for x, y, v in zip(predicted, target, visible, strict=True)]
    predicted[~visible], target[~visible] = filler, filler
    torch.testing.assert_close(error(predicted, target, visible), torch.stack(kept))


@quick
@given(seed=st.integers(0, 2**31), scale=st.floats(0.1, 10), shift=st.floats(-10, 10))
def test_pa_mpjpe_of_visible_joints_ignores_any_similarity(seed, scale, shift):
    target, visible = bodies(seed, 5, 17), some_visible(seed, 5, 17)
    predicted = target + 0.2 * bodies(seed + 1, 5, 17)
    moved = scale * predicted @ turns(seed, 5) + shift
    before, after = (functional.pa_mpjpe(x, target, visible) for x in (predicted, moved))
    torch.testing.assert_close(after, before)


def test_hidden_joints_are_carried_along_by_the_alignment():
    target, visible = bodies(3, 5, 17), some_visible(4, 5, 17)
    moved = functional.procrustes_align(3 * target @ turns(5, 5) - 2, target, visible)
    torch.testing.assert_close(moved, target)


def test_joints_are_compared_at_their_true_distance_from_the_camera():
    target, visible = bodies(6, 50, 17), some_visible(7, 50, 17)
    predicted = target + 0.1 * bodies(8, 50, 17)
    far = [(points + torch.tensor([0.0, 0.0, 20.0])).float() for points in (predicted, target)]
    errors = functional.pa_mpjpe(*far, visible).double()
    exact = functional.pa_mpjpe(*(points.double() for points in far), visible)
    torch.testing.assert_close(errors, exact, rtol=0, atol=2e-4)


def test_one_visible_joint():
    visible = torch.arange(17).eq(4)[None]
    predicted, target = bodies(9, 1, 17), bodies(10, 1, 17)
    x, y = predicted[0, 4], target[0, 4]
    assert functional.mpjpe(predicted, target, visible).item() == pytest.approx(1000 * (x - y).norm().item())
    assert functional.pa_mpjpe(predicted, target, visible).item() == pytest.approx(0, abs=1e-9)
    # The best scale leaves the part of the target across the predicted direction.
    across = (y - (x @ y) / (x @ x) * x).norm().item()
    assert functional.n_mpjpe(predicted, target, visible).item() == pytest.approx(1000 * across)
    torch.testing.assert_close(functional.procrustes_align(predicted, target, visible), y.expand(1, 17, 3))


@pytest.mark.parametrize("error", FRAME_ERRORS)
def test_no_visible_joint_has_no_figure_and_leaves_the_others_alone(error):
    predicted, target, visible = bodies(11, 3, 17), bodies(12, 3, 17), some_visible(13, 3, 17)
    clean = error(predicted, target, visible)
    visible[1] = False
    errors = error(predicted, target, visible)
    assert errors[1].isnan()
    torch.testing.assert_close(errors[[0, 2]], clean[[0, 2]])


def test_no_visible_joint_has_no_alignment():
    predicted, target = bodies(14, 2, 17), bodies(15, 2, 17)
    visible = torch.tensor([[True], [False]]).expand(2, 17)
    aligned = functional.procrustes_align(predicted, target, visible)
    assert aligned[0].isfinite().all()
    assert aligned[1].isnan().all()


LINE = torch.linspace(0, 1, 17, dtype=torch.float64)[:, None] * torch.tensor([0.2, 0.5, 0.1])


def test_visible_joints_in_a_point_or_on_a_line():
    body, visible = bodies(16, 1, 17), some_visible(17, 1, 17)
    shown = visible[0]
    spread = 1000 * (body[0, shown] - body[0, shown].mean(0)).norm(dim=-1).mean()
    point = torch.full_like(body, 3.0)
    torch.testing.assert_close(functional.pa_mpjpe(point, body, visible)[0], spread)
    assert functional.pa_mpjpe(body, point, visible).item() < 1e-9
    turned = 2 * LINE @ turns(18, 1)[0] + 1
    assert functional.pa_mpjpe(turned[None], LINE[None], visible).item() < 1e-9
    # A line and its reverse are one line turned by half.
    assert functional.pa_mpjpe(-LINE[None], LINE[None], visible).item() < 1e-9


def test_a_mirrored_body_costs_and_a_mirrored_plane_does_not():
    body, visible = bodies(19, 4, 17), some_visible(20, 4, 17)
    mirror = torch.tensor([-1.0, 1.0, 1.0], dtype=torch.float64)
    assert (functional.pa_mpjpe(body * mirror, body, visible) > 30).all()
    flat = body * torch.tensor([1.0, 1.0, 0.0])
    assert (functional.pa_mpjpe(flat * mirror, flat, visible) < 1e-9).all()


def test_motion_needs_a_joint_in_every_frame_of_the_run():
    predicted, target = bodies(21, 6, 2), bodies(22, 6, 2)
    dt = torch.tensor([0.1, 0.2, 0.1, 0.3, 0.1, 0.1], dtype=torch.float64)
    visible = torch.ones(6, 2, dtype=torch.bool)
    visible[2, 1] = visible[5] = False
    velocity = per_joint.velocity_errors(predicted, target, dt)
    expected = torch.stack(
        [velocity[0].mean(), velocity[1, 0], velocity[2, 0], velocity[3].mean(), torch.tensor(math.nan)]
    )
    torch.testing.assert_close(functional.mpjve(predicted, target, dt, visible), expected, equal_nan=True)
    acceleration = per_joint.acceleration_errors(predicted, target, dt)
    expected = torch.cat([acceleration[:3, 0], torch.tensor([math.nan], dtype=torch.float64)])
    computed = functional.acceleration_error(predicted, target, dt, visible)
    torch.testing.assert_close(computed, expected, equal_nan=True)
    per_frame = functional.acceleration_error_per_frame(predicted, target, visible)
    expected = functional.acceleration_error_per_frame(predicted[:, :1], target[:, :1])
    torch.testing.assert_close(per_frame[:3], expected[:3])
