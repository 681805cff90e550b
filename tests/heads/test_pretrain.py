"""The loss of clips with 2D alone, against a direct computation, and the head that has it."""

import numpy as np
import pytest
import torch
from scipy.optimize import least_squares

from hummuss import HumMUSS
from hummuss.heads import PoseHead, PretrainHead
from hummuss.heads.reprojection import reprojection_error

K = torch.tensor([[900.0, 0, 320], [0, 880, 250], [0, 0, 1]], dtype=torch.float64)


def people(batch: int = 2, frames: int = 3, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    joints = torch.randn(batch, frames, 17, 3, generator=generator, dtype=torch.float64)
    return joints * torch.tensor([0.25, 0.45, 0.2], dtype=torch.float64)


def seen(joints: torch.Tensor, seed: int = 1, distance: float = 3.0) -> torch.Tensor:
    """Pixels in the camera K of people at a distance, with random confidences; a joint is missing."""
    generator = torch.Generator().manual_seed(seed)
    place = torch.tensor([0.4, -0.2, distance], dtype=torch.float64)
    pixels = (joints + place) @ K.T
    confidence = 0.2 + 0.8 * torch.rand(*joints.shape[:3], 1, generator=generator, dtype=torch.float64)
    found = torch.cat([pixels[..., :2] / pixels[..., 2:], confidence], -1)
    found[0, 0, 5] = 0
    return found


def flat(joints: torch.Tensor) -> torch.Tensor:
    """As weak perspective sees them: 200 pixels per metre, from (300, 200)."""
    pixels = 200 * joints[..., :2] + torch.tensor([300.0, 200.0], dtype=torch.float64)
    return torch.cat([pixels, seen(joints)[..., 2:]], -1)


def many(camera: torch.Tensor, batch: int = 2) -> torch.Tensor:
    return camera.expand(batch, 3, 3)


NONE = torch.zeros(3, 3, dtype=torch.float64)


def direct(joints: np.ndarray, keypoints: np.ndarray, camera: np.ndarray | None) -> float:
    """One frame's error, written out; the translation by scipy."""
    weight = keypoints[:, 2] / keypoints[:, 2].sum()
    image = keypoints[:, :2]
    if camera is not None:
        image = (np.c_[image, np.ones(len(image))] @ np.linalg.inv(camera).T)[:, :2]
    centre = weight @ image
    extent = np.sqrt(weight @ ((image - centre) ** 2).sum(1))
    if camera is None:
        middle = weight @ joints[:, :2]
        size = np.sqrt(weight @ ((joints[:, :2] - middle) ** 2).sum(1))
        off = (joints[:, :2] - middle) / size - (image - centre) / extent
    else:

        def algebraic(place: np.ndarray) -> np.ndarray:
            moved = joints + place
            return (np.sqrt(weight)[:, None] * (moved[:, :2] - image * moved[:, 2:])).ravel()

        moved = joints + least_squares(algebraic, [0.0, 0.0, 1.0], xtol=1e-15, ftol=1e-15, gtol=1e-15).x
        off = (moved[:, :2] / moved[:, 2:] - image) / extent
    return float(weight @ np.linalg.norm(off, axis=1))


@pytest.mark.parametrize("camera", [K, NONE])
def test_the_error_is_what_it_says(camera: torch.Tensor) -> None:
    joints, true = people(), people()
    joints = joints + 0.05 * people(seed=7)
    keypoints = seen(true)
    error, counted = reprojection_error(joints, keypoints, many(camera))
    assert counted.all()
    for clip in range(2):
        for frame in range(3):
            known = camera.numpy() if camera.any() else None
            expected = direct(joints[clip, frame].numpy(), keypoints[clip, frame].numpy(), known)
            assert float(error[clip, frame]) == pytest.approx(expected, rel=1e-5)
            assert expected > 0.02


def test_the_true_pose_has_none_wherever_the_person_is_and_whatever_their_size() -> None:
    joints = people()
    # Under a known camera at any distance, under weak perspective without one; a joint's confidence weighs nothing.
    for keypoints, camera in ((seen(joints, distance=2.5), K), (flat(joints), NONE)):
        for size in (1.0, 0.3):
            error, counted = reprojection_error(size * joints + 7.0, keypoints, many(camera))
            assert counted.all()
            assert error.abs().max() < 1e-6
    # Strong perspective is an error to a model without a camera.
    assert reprojection_error(joints, seen(joints, distance=2.5), many(NONE))[0].min() > 0.02


def test_what_weak_perspective_cannot_see_and_what_it_can() -> None:
    joints = people().requires_grad_()
    reflected = joints.detach() * torch.tensor([1.0, 1, -1], dtype=torch.float64)
    assert reprojection_error(reflected, flat(joints.detach()), many(NONE))[0].max() < 1e-6
    upside_down = -joints.detach()
    assert reprojection_error(upside_down, flat(joints.detach()), many(NONE))[0].min() > 1
    error, _ = reprojection_error(joints, flat(people(seed=3)), many(NONE))
    error.sum().backward()
    assert (joints.grad[..., 2] == 0).all()
    assert (joints.grad[..., :2] != 0).any()
    # A camera tells front from back where the perspective is strong.
    assert reprojection_error(reflected, seen(joints.detach(), distance=2.5), many(K))[0].min() > 0.02


def test_a_collapsed_prediction_gains_nothing_and_is_drawn_out() -> None:
    small = (1e-3 * people(seed=5)).requires_grad_()
    error, _ = reprojection_error(small, flat(people()), many(NONE))
    assert error.min() > 0.5
    error.sum().backward()
    assert small.grad.isfinite().all()
    nothing = torch.zeros_like(small).requires_grad_()
    for camera, keypoints in ((NONE, flat(people())), (K, seen(people()))):
        error, _ = reprojection_error(nothing, keypoints, many(camera))
        error.sum().backward()
        assert error.isfinite().all()
        assert error.min() > 0.5
        assert nothing.grad.isfinite().all()


@pytest.mark.parametrize("camera", [K, NONE])
def test_gradients(camera: torch.Tensor) -> None:
    joints, keypoints = (people() + 0.05 * people(seed=7)).requires_grad_(), seen(people())
    keypoints[1, 1, 3:] = 0  # three joints: not counted
    assert torch.autograd.gradcheck(lambda p: reprojection_error(p, keypoints, many(camera))[0], joints)


@pytest.mark.parametrize("camera", [K, NONE])
@pytest.mark.parametrize("spread", [0.0, 0.05])
def test_in_single_precision_detections_in_one_place_are_not_counted(camera: torch.Tensor, spread: float) -> None:
    generator = torch.Generator().manual_seed(0)
    joints = people(4, 60).float()
    place = torch.tensor([500.0, 300.0]) + spread * torch.rand(4, 60, 17, 2, generator=generator)
    keypoints = torch.cat([place, 0.1 + torch.rand(4, 60, 17, 1, generator=generator)], -1)
    error, counted = reprojection_error(joints, keypoints, many(camera, 4).float())
    assert not counted.any()
    assert (error == 0).all()


def test_frames_that_say_nothing_are_not_counted() -> None:
    joints, keypoints = people().requires_grad_(), seen(people())
    keypoints[0, 1] = 0
    keypoints[1, 0, 3:] = 0
    keypoints[1, 2, :, :2] = 100.0
    for camera in (K, NONE):
        error, counted = reprojection_error(joints, keypoints, many(camera))
        assert counted.tolist() == [[True, False, True], [False, True, False]]
        assert (error[~counted] == 0).all()
        error.sum().backward()
        assert joints.grad.isfinite().all()
        assert (joints.grad[~counted] == 0).all()


def make_batch() -> dict[str, torch.Tensor]:
    """A clip with 3D, one with 2D alone and one with neither; padding at the end of the second."""
    joints = people(3, 4).float()
    valid = torch.ones(3, 4, dtype=torch.bool)
    valid[1, 3:] = False
    return {
        "keypoints": torch.rand(3, 4, 17, 3), "keypoints2d_px": flat(joints.double()).float(), "valid": valid,
        "camera_k": torch.zeros(3, 3, 3), "joints3d": joints, "dt": torch.full((3, 4), 0.02),
        "has_joints3d": torch.tensor([True, False, False]), "has_2d_target": torch.tensor([False, True, False]),
    }  # fmt: skip


def test_each_sample_counts_with_the_target_it_has() -> None:
    torch.manual_seed(0)
    batch, head, pose = make_batch(), PretrainHead(8, reprojection_weight=2.0), PoseHead(8)
    pose.load_state_dict(head.state_dict())
    representation = torch.randn(3, 4, 17, 8)
    prediction = head(representation, batch)
    losses = head.loss(prediction, batch)
    for name, value in pose.loss(prediction, batch).items():
        assert torch.equal(losses[name], value), name
    error, _ = reprojection_error(prediction["joints"], batch["keypoints2d_px"], batch["camera_k"])
    torch.testing.assert_close(losses["reprojection"], 2 * error[1, :3].mean())
    changed = batch | {"keypoints2d_px": batch["keypoints2d_px"].clone()}
    changed["keypoints2d_px"][[0, 2]] += torch.rand(2, 4, 17, 3)
    changed["keypoints2d_px"][1, 3] += torch.rand(17, 3)
    assert torch.equal(head.loss(prediction, changed)["reprojection"], losses["reprojection"])
    none = batch | {"has_2d_target": torch.zeros(3, dtype=torch.bool)}
    assert float(head.loss(prediction, none)["reprojection"].detach()) == 0


def test_the_head_overfits_clips_with_and_without_3d() -> None:
    torch.manual_seed(0)
    batch = make_batch()
    joints = batch["joints3d"]
    batch["keypoints"] = torch.cat([joints[..., :2], torch.ones(3, 4, 17, 1)], -1)
    backbone, head = HumMUSS(dim=32, depth=1, modes=4), PretrainHead(32, velocity_weight=0.0)
    optimiser = torch.optim.Adam([*backbone.parameters(), *head.parameters()], lr=1e-2)
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.0, total_iters=120)
    for _ in range(120):
        losses = head.loss(head(backbone(batch["keypoints"], batch["dt"], batch["valid"]), batch), batch)
        optimiser.zero_grad()
        sum(losses.values()).backward()
        optimiser.step()
        schedule.step()
    assert float(losses["joints"].detach()) < 0.03
    assert float(losses["reprojection"].detach()) < 0.03
