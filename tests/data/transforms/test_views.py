"""Camera, flip, noise and normalisation of a clip."""

from dataclasses import replace

import numpy as np
import pytest
import roma
import torch

from hummuss.body.skeleton import H36M17
from hummuss.body.smpl import BodyModel
from hummuss.data.motion import Camera, MotionClip
from hummuss.data.transforms.camera import RandomCamera, project, to_camera
from hummuss.data.transforms.flip import flip_clip
from hummuss.data.transforms.noise import DetectionNoise, person_size
from hummuss.data.transforms.normalise import normalise
from hummuss.data.view import View
from hummuss.errors import InputError


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return BodyModel()


def pose_clip(clip: MotionClip, body: BodyModel):
    """Joints and vertices of a clip's body parameters."""
    rotations = roma.rotvec_to_rotmat(torch.from_numpy(np.array(clip.smpl_pose)))
    return body(rotations, torch.from_numpy(clip.betas)[None], torch.from_numpy(np.array(clip.transl)))


@pytest.fixture
def clip(body: BodyModel) -> MotionClip:
    """A posed body in the world; its joints are the body's own."""
    generator = torch.Generator().manual_seed(0)
    pose = 0.3 * torch.randn(6, 24, 3, generator=generator)
    betas, transl = torch.randn(10, generator=generator), torch.randn(6, 3, generator=generator) * 0.2
    posed = body(roma.rotvec_to_rotmat(pose), betas[None], transl)
    return MotionClip(
        name="c", sequence="c", subject="1", split="train", fps=50.0, joints3d=posed.joints17.numpy(),
        smpl_pose=pose.numpy(), betas=betas.numpy(), transl=transl.numpy(), body="free",
    )  # fmt: skip


def rest_pelvis(clip: MotionClip, body: BodyModel) -> np.ndarray:
    return body.rest_joints(torch.from_numpy(clip.betas))[0].numpy()


@pytest.mark.parametrize("seed", range(5))
def test_body_parameters_follow_into_the_camera(clip, body, seed) -> None:
    camera = RandomCamera().draw(clip.joints3d, np.random.default_rng(seed))
    seen = to_camera(clip, camera, rest_pelvis(clip, body))
    before, after = pose_clip(clip, body), pose_clip(seen, body)
    expected = before.vertices.double().numpy() @ camera.rotation.T + camera.translation
    np.testing.assert_allclose(after.vertices, expected, atol=1e-5)
    np.testing.assert_allclose(after.joints17, seen.joints3d, atol=1e-5)


@pytest.mark.parametrize("seed", range(20))
def test_random_camera_is_upright_in_front_and_sees_everything(clip, seed) -> None:
    camera = RandomCamera(roll=0.0).draw(clip.joints3d, np.random.default_rng(seed))
    np.testing.assert_allclose(camera.rotation @ camera.rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(camera.rotation) == pytest.approx(1)
    up_in_camera = camera.rotation @ [0, 1, 0]
    assert up_in_camera[0] == pytest.approx(0, abs=1e-12)
    assert up_in_camera[1] < -0.8  # y down
    joints = clip.joints3d @ camera.rotation.T + camera.translation
    assert joints[..., 2].min() > 0.5
    assert (project(joints, camera)[..., 2] == 1).all()


def test_cameras_look_from_above_as_often_as_asked(clip) -> None:
    camera = RandomCamera(elevation=(30.0, 30.0), roll=0.0).draw(clip.joints3d, np.random.default_rng(0))
    position = -camera.rotation.T @ camera.translation
    centre = (clip.joints3d.min((0, 1)) + clip.joints3d.max((0, 1))) / 2
    away = position - centre
    assert np.degrees(np.arcsin(away[1] / np.linalg.norm(away))) == pytest.approx(30)


def test_projection_by_hand() -> None:
    camera = Camera(np.array([[500.0, 0, 320], [0, 400.0, 240], [0, 0, 1]]), np.eye(3), np.zeros(3), 640, 480)
    points = np.array([[[1.0, -1, 5], [0, 0, 2], [10, 0, 2], [0, 0, -1]]])
    pixels = project(points, camera)
    np.testing.assert_allclose(pixels[0, :2], [[420, 160, 1], [320, 240, 1]])
    assert (pixels[0, 2:] == 0).all()  # outside the image, behind the camera


def test_flip_mirrors_joints_keypoints_and_body_alike(clip, body) -> None:
    pelvis = rest_pelvis(clip, body)
    camera = RandomCamera().draw(clip.joints3d, np.random.default_rng(3))
    seen = to_camera(clip, camera, pelvis)
    flipped = flip_clip(seen, pelvis)
    left, right = H36M17.joints.index("left_wrist"), H36M17.joints.index("right_wrist")
    np.testing.assert_allclose(flipped.joints3d[:, left], seen.joints3d[:, right] * [-1, 1, 1])
    np.testing.assert_allclose(pose_clip(flipped, body).joints17, flipped.joints3d, atol=0.004)
    # The mirrored scene projects to the mirrored image.
    np.testing.assert_allclose(project(flipped.joints3d, flipped.camera), flipped.keypoints2d, atol=0.01)
    twice = flip_clip(flipped, pelvis)
    for key, array in seen.frame_arrays():
        np.testing.assert_allclose(dict(twice.frame_arrays())[key], array, atol=2e-4)


def test_flip_keeps_missing_joints_missing(clip, body) -> None:
    camera = RandomCamera().draw(clip.joints3d, np.random.default_rng(3))
    seen = to_camera(clip, camera, rest_pelvis(clip, body))
    seen.keypoints2d[:, H36M17.joints.index("left_knee")] = 0
    flipped = flip_clip(seen, rest_pelvis(clip, body))
    assert (flipped.keypoints2d[:, H36M17.joints.index("right_knee")] == 0).all()


def test_noise_has_the_size_asked_for_and_confidence_falls_with_error(clip, body) -> None:
    camera = RandomCamera().draw(clip.joints3d, np.random.default_rng(0))
    seen = to_camera(clip, camera, rest_pelvis(clip, body))
    size = person_size(seen.keypoints2d)
    noise = DetectionNoise(scale=(0.01, 0.01), gross=0.0, missed=0.0)
    errors, confidences = [], []
    for seed in range(200):
        noisy = noise.apply(seen, np.random.default_rng(seed)).keypoints2d
        errors.append(noisy[..., :2] - seen.keypoints2d[..., :2])
        confidences.append(noisy[..., 2])
    assert np.std(errors) == pytest.approx(0.01 * size, rel=0.02)
    lengths = np.linalg.norm(errors, axis=-1).ravel()
    assert np.corrcoef(lengths, np.ravel(confidences))[0, 1] < -0.3


def test_missed_joints_become_zeros_at_their_rate(clip, body) -> None:
    camera = RandomCamera().draw(clip.joints3d, np.random.default_rng(0))
    seen = to_camera(clip, camera, rest_pelvis(clip, body))
    noise = DetectionNoise(missed=0.3)
    noisy = np.stack([noise.apply(seen, np.random.default_rng(seed)).keypoints2d for seed in range(100)])
    missing = noisy[..., 2] == 0
    assert missing.mean() == pytest.approx(0.3, abs=0.02)
    assert (noisy[missing] == 0).all()


def test_image_normalisation_by_hand() -> None:
    keypoints = np.array([[[0, 0, 1], [640, 480, 0.5], [320, 240, 0.9], [0, 0, 0]]], np.float32)
    keypoints = np.repeat(keypoints, 2, 0)
    got = normalise(keypoints, np.array([0.0, 0.1]), (640, 480), "image")
    np.testing.assert_allclose(got[0], [[-1, -0.75, 1], [1, 0.75, 0.5], [0, 0, 0.9], [0, 0, 0]], atol=1e-6)


def test_box_normalisation_looks_only_at_the_first_half_second() -> None:
    rng = np.random.default_rng(0)
    keypoints = rng.uniform(100, 200, (30, 17, 3)).astype(np.float32)
    keypoints[..., 2] = 1
    times = np.arange(30) / 25
    whole = normalise(keypoints, times, None, "box")
    changed = keypoints.copy()
    changed[14:] *= 3
    np.testing.assert_array_equal(normalise(changed, times, None, "box")[:14], whole[:14])
    assert np.abs(whole[:13, :, :2]).max() == pytest.approx(1, abs=0.05)


def test_the_box_waits_for_someone_to_come_into_view() -> None:
    rng = np.random.default_rng(0)
    keypoints = rng.uniform(100, 200, (40, 17, 3)).astype(np.float32)
    keypoints[..., 2] = 1
    times = np.arange(70) / 25
    late = np.concatenate([np.zeros((30, 17, 3), np.float32), keypoints])
    late[30, 1:] = 0  # the first frame shows a single joint
    expected = normalise(late[30:], times[30:], None, "box")
    got = normalise(late, times, None, "box")
    np.testing.assert_array_equal(got[30:], expected)
    assert (got[:30] == 0).all()


def test_frame_normalisation_is_blind_to_place_and_size_of_what_is_seen() -> None:
    rng = np.random.default_rng(0)
    keypoints = rng.uniform(100, 200, (4, 17, 3)).astype(np.float32)
    keypoints[..., 2], times = 0.5, np.arange(4) / 25
    keypoints[1, 3] = 0  # missing
    keypoints[2, 1:] = 0  # a single joint
    keypoints[3] = 0
    got = normalise(keypoints, times, None, "frame")
    np.testing.assert_allclose(got[:2, :, :2].sum(1), 0, atol=1e-5)
    np.testing.assert_allclose((got[:2, :, :2] ** 2).sum((1, 2)) / [17, 16], 1, rtol=1e-5)
    assert (got[1, 3] == 0).all()
    np.testing.assert_array_equal(got[2], np.eye(17)[[0]].T * [0, 0, 0.5])
    assert (got[3] == 0).all()
    moved = keypoints.copy()
    moved[:, :, :2] = 3 * keypoints[..., :2] + [50, -20]
    np.testing.assert_allclose(normalise(moved, times, None, "frame"), got, atol=1e-5)
    hidden = np.zeros((4, 17), bool)
    hidden[0, :5] = True
    gone = keypoints * ~hidden[..., None]
    expected = normalise(gone, times, None, "frame")
    np.testing.assert_array_equal(normalise(keypoints, times, None, "frame", hidden), expected)
    early = normalise(keypoints, times, None, "box", hidden)  # the box stays that of all detections
    np.testing.assert_array_equal(early[0, 5:], normalise(keypoints, times, None, "box")[0, 5:])
    assert (early[0, :5] == 0).all()


def test_normalisation_errors_say_what_to_do() -> None:
    keypoints, times = np.zeros((3, 17, 3), np.float32), np.arange(3.0)
    with pytest.raises(InputError, match="'image' needs the image's width and height"):
        normalise(keypoints, times, None, "image")
    with pytest.raises(InputError, match=r"found no joint from 3\.00 s to 5\.00 s: cut the clip where"):
        normalise(keypoints, times + 3, None, "box")
    with pytest.raises(InputError, match="'clip' is none of image, box, frame"):
        normalise(keypoints, times, (1, 1), "clip")
    with pytest.raises(InputError, match="normalisation is 'clip', expected one of image, box, frame"):
        View(normalisation="clip")


def test_mirroring_leaves_unknown_intrinsics_unknown() -> None:
    """Zeros mean that nobody knows them; with a principal point of its own the matrix would be taken for a camera."""
    keypoints = np.ones((2, 17, 3), np.float32)
    clip = MotionClip(
        name="c", sequence="c", subject="1", split="train", fps=50.0, frame="camera", keypoints2d=keypoints,
        camera=Camera.of_size(640, 480),
    )  # fmt: skip
    assert not flip_clip(clip).camera.intrinsics.any()
    assert (flip_clip(clip).keypoints2d[..., 0] == 639).all()


@pytest.mark.parametrize("mode", ["box", "frame"])
def test_without_an_image_size_normalised_keypoints_are_mirrored_alike(mode: str) -> None:
    points = np.random.default_rng(0).uniform(10, 400, (3, 17, 3)).astype(np.float32)
    points[..., 2] = 1
    points[1, 4] = 0
    clip = MotionClip("c", "c", "1", "train", fps=50.0, frame="camera", keypoints2d=points)
    sized, without = (
        normalise(flip_clip(replace(clip, camera=camera)).keypoints2d, clip.times, None, mode)
        for camera in (Camera.of_size(640, 480), None)
    )
    np.testing.assert_allclose(without, sized, atol=1e-5)
    assert not np.allclose(without, normalise(points, clip.times, None, mode))
