"""The SMPL-format body against smplx, a slow reference, and bodies under rigid motions."""

from pathlib import Path

import numpy as np
import pytest
import roma
import smplx
import torch

from hummuss.body import smpl as smpl_module
from hummuss.body.skeleton import H36M17, SMPL24, flip_pose
from hummuss.body.smpl import BodyModel, transform_body
from hummuss.body.smpl_file import load_through_smplx
from hummuss.body.unpickle import load_npz

FREE = Path(smpl_module.__file__).with_name("free_body.npz")


def random_pose(*lead: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    vectors = 0.5 * torch.randn(*lead, 24, 3, generator=generator)
    return (
        roma.rotvec_to_rotmat(vectors),
        torch.randn(*lead, 10, generator=generator),
        torch.randn(*lead, 3, generator=generator),
    )


def smpl_arrays(posedirs_std: float = 0.0) -> dict[str, np.ndarray]:
    """What an SMPL file holds, here with the free body's mesh."""
    arrays = dict(load_npz(FREE))
    shape = (len(arrays["v_template"]), 3, 207)
    arrays["posedirs"] = np.random.default_rng(0).normal(0, posedirs_std, shape).astype(np.float32)
    # SMPL's files write the root's parent as an unsigned -1.
    arrays["kintree_table"] = arrays["kintree_table"].astype(np.uint32)
    return arrays


def slow_reference(arrays, rotations, betas, transl) -> tuple[np.ndarray, np.ndarray]:
    """One pose in float64, joint by joint and vertex sums written out."""
    model = {key: np.asarray(value, np.float64) for key, value in arrays.items() if value.dtype.kind in "fiu"}
    shaped = model["v_template"] + model["shapedirs"][..., :10] @ betas
    rest = model["J_regressor"] @ shaped
    if "posedirs" in model:
        feature = (rotations[1:] - np.eye(3)).reshape(207)
        shaped = shaped + model["posedirs"] @ feature
    turns, joints = [rotations[0]], [rest[0]]
    for joint in range(1, 24):
        parent = SMPL24.parents[joint]
        turns.append(turns[parent] @ rotations[joint])
        joints.append(joints[parent] + turns[parent] @ (rest[joint] - rest[parent]))
    posed = np.zeros_like(shaped)
    for joint in range(24):
        moved = (shaped - rest[joint]) @ turns[joint].T + joints[joint]
        posed += model["weights"][:, joint : joint + 1] * moved
    return posed + transl, np.stack(joints) + transl


@pytest.mark.parametrize("posedirs_std", [0.0, 0.01])
def test_agrees_with_smplx_and_with_a_slow_reference(tmp_path, posedirs_std: float) -> None:
    arrays = smpl_arrays(posedirs_std)
    np.savez(tmp_path / "SMPL_NEUTRAL.npz", **arrays)
    body = BodyModel(str(tmp_path / "SMPL_NEUTRAL.npz"))
    assert body.name == "SMPL_NEUTRAL"
    rotations, betas, transl = random_pose(3)
    posed = body(rotations, betas, transl)
    model = load_through_smplx(arrays, FREE)
    assert isinstance(model, smplx.SMPL)
    theirs = model(
        betas=betas, body_pose=rotations[:, 1:], global_orient=rotations[:, :1], transl=transl, pose2rot=False
    )
    torch.testing.assert_close(posed.vertices, theirs.vertices, atol=1e-5, rtol=0)
    torch.testing.assert_close(posed.joints24, theirs.joints[:, :24], atol=1e-5, rtol=0)
    vertices, joints = slow_reference(arrays, *(x[1].double().numpy() for x in (rotations, betas, transl)))
    np.testing.assert_allclose(posed.vertices[1], vertices, atol=1e-5)
    np.testing.assert_allclose(posed.joints24[1], joints, atol=1e-5)
    np.testing.assert_allclose(posed.joints17[1], arrays["h36m_regressor"] @ vertices, atol=1e-5)


@pytest.mark.parametrize("posedirs_std", [0.0, 0.01])
@pytest.mark.parametrize("chunk", [2**24, 12 * 300 * 3])
def test_subsets_chunks_and_shapes_that_broadcast_change_nothing(tmp_path, monkeypatch, posedirs_std, chunk) -> None:
    """Every way through skinning against the plain one: each pose alone, with all vertices."""
    np.savez(tmp_path / "body.npz", **smpl_arrays(posedirs_std))
    body = BodyModel(str(tmp_path / "body.npz"))
    ids = body.vertex_subset(50)
    rotations, betas, transl = random_pose(2, 5)
    monkeypatch.setattr(smpl_module, "CHUNK_VALUES", chunk)
    for shapes in (betas[0, 0], betas[:, :1], betas[:1, :1], betas[:1], betas[0], betas):
        part = body(rotations, shapes, transl, ids)
        none = body(rotations, shapes, transl, torch.zeros(0, dtype=torch.long))
        assert none.vertices.shape == (2, 5, 0, 3)
        for clip, frame in ((0, 0), (1, 0), (1, 4)):
            own = shapes.expand(2, 5, 10)[clip, frame]
            alone = body(rotations[clip, frame], own, transl[clip, frame])
            close = {"atol": 1e-5, "rtol": 0}
            torch.testing.assert_close(part.vertices[clip, frame], alone.vertices[ids], **close)
            for output in (part, none):
                torch.testing.assert_close(output.joints24[clip, frame], alone.joints24, **close)
                torch.testing.assert_close(output.joints17[clip, frame], alone.joints17, **close)


def test_a_clip_without_frames_has_no_poses() -> None:
    posed = BodyModel()(torch.zeros(0, 24, 3, 3), torch.zeros(10), torch.zeros(0, 3))
    assert posed.joints17.shape == (0, 17, 3)
    assert posed.vertices.shape[0] == 0


def test_vertex_subset_is_fixed_and_spread() -> None:
    body = BodyModel()
    ids = body.vertex_subset(400)
    assert len(set(ids.tolist())) == 400
    assert torch.equal(ids, body.vertex_subset(400))
    nearest = torch.cdist(body.template, body.template[ids]).amin(1)
    assert nearest.max() < 0.08


def test_gradients_reach_pose_shape_and_translation() -> None:
    body = BodyModel()
    inputs = [x.requires_grad_() for x in random_pose(2)]
    posed = body(*inputs, body.vertex_subset(20))
    (posed.vertices.square().sum() + posed.joints17.square().sum()).backward()
    assert all(x.grad is not None and x.grad.abs().sum() > 0 for x in inputs)


def test_rest_pose_stands_upright_with_left_at_plus_x() -> None:
    body = BodyModel()
    eye = torch.eye(3).expand(24, 3, 3)
    posed = body(eye, torch.zeros(10), torch.zeros(3))
    by_name = dict(zip(H36M17.joints, posed.joints17, strict=True))
    assert by_name["left_wrist"][0] > 0.5
    assert by_name["right_wrist"][0] < -0.5
    assert by_name["head"][1] > by_name["nose"][1] > by_name["thorax"][1] > by_name["spine"][1]
    assert by_name["left_ankle"][1] < by_name["left_knee"][1] < by_name["left_hip"][1]
    toes = posed.joints24[SMPL24.joints.index("left_foot")] - posed.joints24[SMPL24.joints.index("left_ankle")]
    assert toes[2] > 0.08  # facing +z
    assert 1.6 < (posed.vertices[:, 1].max() - posed.vertices[:, 1].min()) < 2.0


def test_more_of_the_first_shape_direction_is_taller() -> None:
    body = BodyModel()
    eye = torch.eye(3).expand(24, 3, 3)
    heights = [body(eye, torch.eye(10)[0] * beta, torch.zeros(3)).vertices[:, 1].max() for beta in (-2.0, 0.0, 2.0)]
    assert heights[0] < heights[1] < heights[2]


def test_regressed_joints_follow_the_bodys_own_in_any_pose() -> None:
    """Limb joints regressed from the skin stay near the joints the skin turns about."""
    body = BodyModel()
    rotations, betas, transl = random_pose(40, seed=3)
    posed = body(rotations, betas, transl, torch.zeros(0, dtype=torch.long))
    for name in ("left_knee", "right_knee", "left_ankle", "right_elbow", "left_wrist", "right_shoulder"):
        own, regressed = (
            posed.joints24[:, SMPL24.joints.index(name)],
            posed.joints17[:, H36M17.joints.index(name)],
        )
        assert (own - regressed).norm(dim=-1).mean() < 0.015


def test_flipped_pose_mirrors_the_body() -> None:
    body = BodyModel()
    vectors = 0.4 * torch.randn(6, 24, 3, generator=torch.Generator().manual_seed(1))
    betas, transl = random_pose(6)[1], torch.zeros(6, 3)
    posed = body(roma.rotvec_to_rotmat(vectors), betas, transl)
    flipped = body(roma.rotvec_to_rotmat(flip_pose(vectors)), betas, transl)
    mirror = torch.tensor([-1.0, 1.0, 1.0])
    for layout, joints, mirrored in (
        (SMPL24, posed.joints24, flipped.joints24),
        (H36M17, posed.joints17, flipped.joints17),
    ):
        torch.testing.assert_close(mirrored, joints[:, list(layout.mirror)] * mirror, atol=1e-5, rtol=0)


def test_transformed_parameters_pose_the_transformed_body() -> None:
    body = BodyModel().double()
    rotations, betas, transl = (x.double() for x in random_pose(4))
    turn, shift = roma.random_rotmat(dtype=torch.float64), torch.randn(3, dtype=torch.float64)
    before = body(rotations, betas, transl)
    moved = rotations.clone()
    transls = transl.clone()
    for i in range(4):
        pelvis = body.rest_joints(betas[i])[0]
        moved[i, 0], transls[i] = transform_body(turn, shift, rotations[i, 0], transl[i], pelvis)
    after = body(moved, betas, transls)
    for got, want in ((after.vertices, before.vertices), (after.joints17, before.joints17)):
        torch.testing.assert_close(got, want @ turn.T + shift, atol=1e-5, rtol=0)


def test_a_moving_camera_turns_each_frame_its_own_way() -> None:
    turns, shifts = roma.random_rotmat(4, dtype=torch.float64), torch.randn(4, 3, dtype=torch.float64)
    rotations, betas, transl = (x.double() for x in random_pose(4))
    pelvis = BodyModel().double().rest_joints(betas[0])[0]
    roots, transls = transform_body(turns, shifts, rotations[:, 0], transl, pelvis)
    for i in range(4):
        alone = transform_body(turns[i], shifts[i], rotations[i, 0], transl[i], pelvis)
        torch.testing.assert_close((roots[i], transls[i]), alone)


def test_nothing_of_the_body_enters_a_checkpoint() -> None:
    assert BodyModel().state_dict() == {}
