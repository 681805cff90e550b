"""Losses against direct computation, masks, baselines, and heads that can learn."""

import numpy as np
import pytest
import roma
import torch

from hummuss import HumMUSS
from hummuss.body.smpl import BodyModel
from hummuss.heads import MeshHead, PoseHead, PretrainHead
from hummuss.heads.base import RunningMean, masked_mean, velocity_error
from hummuss.heads.pose import shown_frames


def make_batch(batch=3, frames=6, seed=0) -> dict[str, torch.Tensor]:
    """Bodies in random poses and their own joints, the last two frames of the first clip being padding."""
    generator = torch.Generator().manual_seed(seed)
    pose = 0.3 * torch.randn(batch, frames, 24, 3, generator=generator)
    betas = torch.randn(batch, 10, generator=generator)
    transl = torch.randn(batch, frames, 3, generator=generator) + torch.tensor([0, 0, 4.0])
    joints = BodyModel()(roma.rotvec_to_rotmat(pose), betas[:, None], transl).joints17
    valid = torch.ones(batch, frames, dtype=torch.bool)
    valid[0, -2:] = False
    return {
        "keypoints": torch.cat([joints[..., :2] / joints[..., 2:], torch.ones(batch, frames, 17, 1)], -1),
        "dt": 0.01 + 0.03 * torch.rand(batch, frames, generator=generator), "valid": valid,
        "joints3d": joints, "smpl_pose": pose, "betas": betas, "transl": transl,
        "has_joints3d": torch.ones(batch, dtype=torch.bool), "has_smpl": torch.ones(batch, dtype=torch.bool),
    }  # fmt: skip


def test_pose_loss_is_what_its_terms_say() -> None:
    torch.manual_seed(0)
    batch, head = make_batch(), PoseHead(8)
    prediction = head(torch.randn(3, 6, 17, 8), batch)
    assert torch.allclose(prediction["joints"][..., 0, :], torch.zeros(()))
    got = {name: float(value.detach()) for name, value in head.loss(prediction, batch).items()}

    predicted = prediction["joints"].detach().double().numpy()
    target = batch["joints3d"].double().numpy()
    target = target - target[:, :, :1]
    joints, scale, velocity = [], [], []
    for clip in range(3):
        dt = batch["dt"][clip].double().numpy()
        for frame in range(6):
            if not batch["valid"][clip, frame]:
                continue
            p, t = predicted[clip, frame], target[clip, frame]
            joints.append(np.linalg.norm(p - t, axis=-1).mean())
            best = (p * t).sum() / (p * p).sum()
            scale.append(np.linalg.norm(best * p - t, axis=-1).mean())
            if frame > 0:
                speed = (p - predicted[clip, frame - 1]) / dt[frame] - (t - target[clip, frame - 1]) / dt[frame]
                mean = dt[1 : int(batch["valid"][clip].sum())].mean()
                velocity.append(np.linalg.norm(speed, axis=-1).mean() * dt[frame] / mean)
    assert got["joints"] == pytest.approx(np.mean(joints), rel=1e-4)
    assert got["scale"] == pytest.approx(0.5 * np.mean(scale), rel=1e-4)
    assert got["velocity"] == pytest.approx(0.4 * np.mean(velocity), rel=1e-4)


def test_velocity_error_at_the_reference_rate_is_twenty_times_the_frame_difference() -> None:
    predicted, target = torch.randn(1, 4, 17, 3), torch.randn(1, 4, 17, 3)
    error = 0.4 * velocity_error(predicted, target, torch.full((1, 4), 1 / 50), torch.ones(1, 3, dtype=torch.bool))
    torch.testing.assert_close(error, 20 * (predicted - target).diff(dim=1))


def test_nearly_coincident_frames_do_not_explode() -> None:
    dt = torch.tensor([[0.02, 1e-9, 0.02, 0.02]])
    pairs = torch.ones(1, 3, dtype=torch.bool)
    assert velocity_error(torch.randn(1, 4, 17, 3), torch.randn(1, 4, 17, 3), dt, pairs).abs().max() < 1000


def test_mesh_loss_is_what_its_terms_say() -> None:
    torch.manual_seed(0)
    batch, head = make_batch(), MeshHead(8, hidden=16, vertex_count=30)
    prediction = head(torch.randn(3, 6, 17, 8), batch)
    got = {name: float(value.detach()) for name, value in head.loss(prediction, batch).items()}

    prediction = {name: value.detach() for name, value in prediction.items()}
    body, hips = BodyModel(), [1, 4]
    true = body(roma.rotvec_to_rotmat(batch["smpl_pose"]), batch["betas"][:, None], batch["transl"])
    mine = body(prediction["rotations"], prediction["betas"][:, None], torch.zeros(3, 6, 3))
    ids, valid = body.vertex_subset(30), batch["valid"]
    centred = [posed.joints17 - posed.joints17[:, :, hips].mean(2, keepdim=True) for posed in (mine, true)]
    surface = [posed.vertices[:, :, ids] - posed.joints17[:, :, hips].mean(2, keepdim=True) for posed in (mine, true)]
    rotations = (prediction["rotations"] - roma.rotvec_to_rotmat(batch["smpl_pose"])).abs()
    assert got["joints"] == pytest.approx(float((centred[0] - centred[1]).abs()[valid].mean()), rel=1e-4)
    assert got["vertices"] == pytest.approx(0.5 * float((surface[0] - surface[1]).abs()[valid].mean()), rel=1e-4)
    assert got["rotations"] == pytest.approx(0.1 * float(rotations[valid].mean()), rel=1e-4)
    betas = (prediction["betas"] - batch["betas"]).abs().mean()
    assert got["betas"] == pytest.approx(0.005 * float(betas), rel=1e-4)


@pytest.mark.parametrize("make", [PoseHead, lambda dim: MeshHead(dim, hidden=16, vertex_count=30)])
def test_padding_and_samples_without_targets_count_nothing(make) -> None:
    torch.manual_seed(0)
    batch, head = make_batch(), make(8)
    representation = torch.randn(3, 6, 17, 8)
    batch["has_joints3d"][1] = batch["has_smpl"][1] = False

    def run(batch):
        prediction = head(representation, batch)
        metrics = head.metrics()
        head.score(metrics, prediction, batch)
        return head.loss(prediction, batch) | {f"metric {k}": v for k, v in metrics.compute().items()}

    before = run(batch)
    changed = {key: value.clone() for key, value in batch.items()}
    for key in ("joints3d", "smpl_pose", "transl"):
        changed[key][0, -2:] += 0.7
        changed[key][1] -= 0.5
    changed["betas"][1] += 1
    for name, value in run(changed).items():
        torch.testing.assert_close(value, before[name], msg=name)


@pytest.mark.parametrize("make", [PoseHead, PretrainHead, lambda dim: MeshHead(dim, hidden=16, vertex_count=30)])
def test_whatever_stands_where_nothing_is_known_no_gradient_feels_it(make) -> None:
    torch.manual_seed(0)
    batch, head = make_batch(), make(8)
    batch |= {"keypoints2d_px": 300 * torch.rand(3, 6, 17, 3), "camera_k": torch.zeros(3, 3, 3)}
    batch["has_2d_target"] = torch.tensor([True, True, False])
    batch["has_joints3d"][1] = batch["has_smpl"][1] = False

    def run(batch):
        representation = torch.randn(3, 6, 17, 8, generator=torch.Generator().manual_seed(1)).requires_grad_()
        sum(losses := head.loss(head(representation, batch), batch).values()).backward()
        return [*(loss.detach() for loss in losses), representation.grad]

    before = run(batch)
    for wrong in (7.0, torch.nan):
        for key in ("joints3d", "smpl_pose", "keypoints2d_px", "dt"):
            batch[key][0, -2:] = wrong
        batch["joints3d"][1] = batch["smpl_pose"][1] = batch["betas"][1] = batch["keypoints2d_px"][2] = wrong
        for value, expected in zip(run(batch), before, strict=True):
            torch.testing.assert_close(value, expected)


@pytest.mark.parametrize("make", [PoseHead, lambda dim: MeshHead(dim, hidden=16, vertex_count=30)])
def test_a_batch_without_any_target_has_zero_loss_and_finite_gradients(make) -> None:
    batch, head = make_batch(), make(8)
    batch["has_joints3d"][:] = batch["has_smpl"][:] = False
    representation = torch.randn(3, 6, 17, 8, requires_grad=True)
    loss = sum(head.loss(head(representation, batch), batch).values())
    loss.backward()
    assert float(loss.detach()) == 0
    assert representation.grad.isfinite().all()


def test_perfect_mesh_prediction_scores_zero() -> None:
    batch, head = make_batch(), MeshHead(8, hidden=16, vertex_count=30)
    rotations = roma.rotvec_to_rotmat(batch["smpl_pose"])
    joints = batch["joints3d"] - batch["joints3d"][:, :, [1, 4]].mean(2, keepdim=True)
    metrics = head.metrics()
    head.score(metrics, {"rotations": rotations, "betas": batch["betas"], "joints": joints}, batch)
    assert all(float(value) < 0.01 for value in metrics.compute().values())


def test_mesh_head_starts_upright_before_the_camera() -> None:
    torch.manual_seed(0)
    batch, head = make_batch(), MeshHead(8, hidden=16)
    joints = head(torch.randn(3, 6, 17, 8), batch)["joints"]
    up = joints[..., 10, :] - joints[..., 0, :]
    assert (up[..., 1] < -0.3).all()  # y down
    assert (joints[..., 11, 0] > joints[..., 14, 0]).all()  # it faces the camera: left is on the image's right


def test_baselines_are_means_over_the_training_data() -> None:
    pose, mesh = PoseHead(8), MeshHead(8, hidden=16, vertex_count=30)
    batches = [make_batch(seed=seed, batch=2 + seed) for seed in range(3)]
    for batch in batches:
        pose.observe(batch)
        mesh.observe(batch)
    joints = torch.cat([(b["joints3d"] - b["joints3d"][:, :, :1])[b["valid"]] for b in batches])
    torch.testing.assert_close(pose.baseline(batches[1])["joints"][0, 0], joints.mean(0), atol=1e-5, rtol=0)
    rotations = torch.cat([roma.rotvec_to_rotmat(b["smpl_pose"])[b["valid"]] for b in batches]).mean(0)
    torch.testing.assert_close(mesh.mean_rotations.value, rotations, atol=1e-5, rtol=0)
    assert roma.is_rotation_matrix(mesh.baseline(batches[1])["rotations"][0, 0], epsilon=1e-4)
    betas = torch.cat([b["betas"] for b in batches]).mean(0)
    torch.testing.assert_close(mesh.baseline(batches[1])["betas"][0], betas, atol=1e-5, rtol=0)


def test_running_mean_ignores_nothing_and_survives_a_checkpoint() -> None:
    mean, again = RunningMean(3), RunningMean(3)
    values = torch.randn(1000, 3) + 5
    for part in values.split(7):
        mean.observe(part)
    mean.observe(values[:0])
    torch.testing.assert_close(mean.value, values.mean(0), atol=1e-5, rtol=0)
    again.load_state_dict(mean.state_dict())
    torch.testing.assert_close(again.value, mean.value)


def test_masked_mean_of_nothing_is_zero() -> None:
    assert masked_mean(torch.ones(2, 3), torch.zeros(2, 3, dtype=torch.bool)) == 0


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(
    ("make", "bound"), [(PoseHead, 12.0), (lambda dim: MeshHead(dim, hidden=64, vertex_count=30), 25.0)]
)
def test_a_head_overfits_a_handful_of_clips(make, bound, seed) -> None:
    torch.manual_seed(seed)
    batch = make_batch(batch=2, frames=4)
    batch["dt"][:] = 0.02
    backbone, head = HumMUSS(dim=32, depth=1, modes=4), make(32)
    optimiser = torch.optim.Adam([*backbone.parameters(), *head.parameters()], lr=5e-3)
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.0, total_iters=250)
    for _ in range(250):
        prediction = head(backbone(batch["keypoints"], batch["dt"], batch["valid"]), batch)
        terms = head.loss(prediction, batch)
        loss = sum(value for name, value in terms.items() if name != "velocity")
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    metrics = head.metrics()
    head.score(metrics, {name: value.detach() for name, value in prediction.items()}, batch)
    assert metrics.compute()["mpjpe"] < bound


def test_panels_show_the_middle_valid_frame() -> None:
    batch = make_batch()
    for head in (PoseHead(8), MeshHead(8, hidden=16, vertex_count=30)):
        panels = head.panels(head(torch.randn(3, 6, 17, 8), batch), batch, 2)
        assert len(panels) == 2
        np.testing.assert_allclose(panels[0].keypoints, batch["keypoints"][0, 1])  # four valid frames
    assert panels[0].true_vertices.shape == panels[0].predicted_vertices.shape == (len(head.body.template), 3)


def test_few_samples_are_shown_at_several_frames() -> None:
    batch = make_batch(batch=2, frames=6)  # the first has four valid frames
    assert shown_frames(batch, 5) == [(0, 0), (0, 1), (0, 3), (1, 1), (1, 4)]
    assert shown_frames(batch, 2) == [(0, 1), (1, 2)]
    assert shown_frames(batch, 100) == [(0, f) for f in range(4)] + [(1, f) for f in range(6)]


def test_panels_of_clips_without_a_truth_have_none() -> None:
    batch = make_batch(batch=1)
    batch["has_joints3d"][:] = batch["has_smpl"][:] = False
    for head in (PoseHead(8), MeshHead(8, hidden=16, vertex_count=30)):
        (panel,) = head.panels(head(torch.randn(1, 6, 17, 8), batch), batch, 1)
        assert panel.true_joints is None
        assert panel.true_vertices is None
        assert "mm" not in panel.title
