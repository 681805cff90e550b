"""Findings of one clip: a sound one has none, and each fault, put into it, is found by its own check."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from hummuss.body.skeleton import H36M17
from hummuss.body.smpl import BodyModel
from hummuss.data import Camera, MotionClip, RandomCamera
from hummuss.data.clip_checks import check_clip
from hummuss.data.pose_geometry import height, knees_ahead
from hummuss.data.synthetic import SyntheticMotion
from hummuss.data.transforms.camera import to_camera

BODY = BodyModel()
MIRROR = list(H36M17.mirror)


@pytest.fixture(scope="module")
def world() -> MotionClip:
    motion = SyntheticMotion(3, "train", body=BODY, duration=2.0)
    return replace(motion.at(np.arange(60) / 30), name="c", timestamps=None, fps=30.0)


@pytest.fixture(scope="module")
def seen(world) -> MotionClip:
    camera = RandomCamera().draw(world.joints3d, np.random.default_rng(0))
    return to_camera(world, camera, BODY.rest_joints(torch.from_numpy(world.betas))[0].numpy())


def changed(clip, **fields) -> MotionClip:
    return replace(clip, **{key: np.ascontiguousarray(value, np.float32) for key, value in fields.items()})


def found(clip) -> dict[str, tuple]:
    return {finding.check: finding for finding in check_clip(clip)}


def test_sound_clips_have_no_findings(world, seen) -> None:
    assert found(world) == {}
    assert found(seen) == {}
    for index in range(12):  # all twelve procedural actions
        motion = SyntheticMotion(index, "test", body=BODY, duration=3.0)
        assert found(motion.at(np.arange(90) / 30)) == {}, index


@pytest.mark.parametrize(("factor", "unit"), [(1000, "millimetres"), (100, "centimetres"), (39.37, "inches")])
def test_units_are_guessed(world, factor, unit) -> None:
    finding = found(changed(world, joints3d=world.joints3d * factor))["units"]
    assert finding.clip == "c"
    assert finding.frame is None
    assert finding.remedy.startswith(f"looks like {unit}")
    assert finding.value == f"height {height(world.joints3d) * factor:.3g} m"


@pytest.mark.parametrize("which", ["labels", "axis"])
def test_mirrored_people_are_found_in_world_and_camera(world, seen, which) -> None:
    for clip in (world, seen):
        joints = clip.joints3d[:, MIRROR] if which == "labels" else clip.joints3d * [-1, 1, 1]
        bare = replace(clip, smpl_pose=None, keypoints2d=None)
        finding = found(changed(bare, joints3d=joints))["mirrored"]
        assert finding.expected == "ahead of it"


def test_knees_ahead_by_hand() -> None:
    """Somebody facing +z (y up), whose left is +x: knees bent forward by 0.1 m in legs of 2 * 0.4123 m."""
    joints = np.zeros((1, 17, 3))
    places = {"thorax": (0, 0.5, 0), "left_shoulder": (0.2, 0.5, 0), "right_shoulder": (-0.2, 0.5, 0)}
    for side, x in (("left", 0.1), ("right", -0.1)):
        places |= {f"{side}_hip": (x, 0, 0), f"{side}_knee": (x, -0.4, 0.1), f"{side}_ankle": (x, -0.8, 0)}
    for name, place in places.items():
        joints[0, H36M17.joints.index(name)] = place
    expected = 0.1 / (2 * np.hypot(0.4, 0.1))
    assert knees_ahead(joints)[0] == pytest.approx(expected)
    assert knees_ahead(joints[:, MIRROR])[0] == pytest.approx(-expected)


@given(st.integers(0, 10**6), st.floats(0.01, 1000))
def test_knees_ahead_depends_on_no_pose_of_the_camera_and_no_unit(seed, scale) -> None:
    rng = np.random.default_rng(seed)
    joints = rng.normal(size=(4, 17, 3))
    moved = (joints @ Rotation.random(random_state=seed).as_matrix().T + rng.normal(size=3)) * scale
    np.testing.assert_allclose(knees_ahead(moved), knees_ahead(joints), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("turn", [[np.pi, 0, 0], [np.pi / 2, 0, 0], [0, 0, np.pi / 2]])
def test_another_axis_pointing_up_is_found(world, turn) -> None:
    turned = world.joints3d @ Rotation.from_rotvec(turn).as_matrix().T
    assert "y up in the world frame" in found(changed(world, joints3d=turned))["upright"].expected


def test_speed_names_the_frame_of_a_jump(world) -> None:
    joints = world.joints3d.copy()
    joints[40:] += [2, 0, 0]
    finding = found(changed(world, joints3d=joints))["speed"]
    assert finding.frame == 40
    assert "(1 frames)" in finding.value


def test_sides_that_change_for_a_while(seen) -> None:
    joints, keypoints = seen.joints3d.copy(), seen.keypoints2d.copy()
    joints[20:30] = joints[20:30, MIRROR]
    finding = found(changed(seen, joints3d=joints))["changed sides"]
    assert finding.frame == 20
    assert "in 3D (2 frames)" in finding.value
    keypoints[::2] = keypoints[::2, MIRROR]
    assert "in 2D" in found(changed(seen, keypoints2d=keypoints))["changed sides"].value
    slow = replace(changed(seen, joints3d=joints), fps=4.0)
    assert "changed sides" not in found(slow)


def test_order_of_joints_and_stretching(world) -> None:
    rolled = found(changed(world, joints3d=np.roll(world.joints3d, 1, 1)))
    assert "limb lengths" in rolled
    joints = world.joints3d.copy()
    joints[10:25, H36M17.joints.index("left_wrist")] += [0, 0.5, 0]
    finding = found(changed(world, joints3d=joints))["stretching"]
    assert 10 <= finding.frame < 25
    assert "left forearm" in finding.value


def test_times(world) -> None:
    assert "1000 fps" in found(replace(world, fps=1000.0))["frame rate"].value
    times = np.arange(60) / 30
    times[33:] += 4
    finding = found(replace(world, fps=None, timestamps=times))["frame rate"]
    assert finding.frame == 33
    assert finding.value.startswith("4.03 s")
    repeated = changed(world, joints3d=np.repeat(world.joints3d[::2], 2, 0))
    assert found(repeated)["repeated frames"].value.startswith("51%")
    assert "repeated frames" not in found(changed(world.at(world.times[:2]), joints3d=world.joints3d[[0, 0]]))
    assert found(world.at(world.times[:1]))["frame rate"].value == "one frame"


def test_camera_and_keypoints(seen) -> None:
    behind = seen.joints3d - [0, 0, 20]
    assert found(changed(seen, joints3d=behind))["depth"].expected == "above 0, in front of the camera"
    away = seen.keypoints2d + np.float32([0.2 * seen.camera.width, 0, 0])
    assert "pixels beside the keypoints" in found(changed(seen, keypoints2d=away))["reprojection"].value
    shares = seen.keypoints2d / np.float32([seen.camera.width, seen.camera.height, 1])
    assert found(changed(seen, keypoints2d=shares))["inside image"].remedy.startswith("give pixels")
    tenfold = seen.keypoints2d * np.float32([10, 10, 1])
    assert "of 1000 x 1000" in found(changed(seen, keypoints2d=tenfold))["inside image"].value


@pytest.mark.parametrize(("change", "value"), [
    ((slice(None), slice(None), 2, 1.5), "confidence 1.5"),
    ((slice(None), slice(None), 2, 0.0), "no joint in any frame"),
    ((7, 3, 2, 0.0), "missing joint 3 at ["),
])  # fmt: skip
def test_confidences(seen, change, value) -> None:
    keypoints = seen.keypoints2d.copy()
    keypoints[change[:3]] = change[3]
    finding = found(changed(seen, keypoints2d=keypoints))["confidence"]
    assert finding.value.startswith(value)
    assert finding.frame in (None, 0, 7)


def test_body_parameters(world) -> None:
    degrees = changed(world, smpl_pose=np.rad2deg(world.smpl_pose))
    assert found(degrees)["body"].remedy == "give axis-angle in radians"
    apart = changed(world, transl=world.transl + np.float32([0, 0, 5]))
    assert "different frames or units" in found(apart)["body"].remedy
    assert "betas up to 30" in found(replace(world, betas=np.full(10, 30, np.float32)))["body"].value


def test_frames_that_no_protocol_scores_do_not_count(seen) -> None:
    joints, valid = seen.joints3d.copy(), np.ones(60, np.uint8)
    joints[30:], valid[30:] = 0, 0
    partly = replace(changed(seen, joints3d=joints), extras={"valid_frame": valid}, smpl_pose=None)
    assert set(found(partly)) <= {"repeated frames", "stretching", "limb lengths", "units"}


def test_two_and_a_half_dimensions_are_no_places_in_front_of_a_camera(seen) -> None:
    bare = replace(seen, smpl_pose=None)
    flat = changed(bare, joints3d=seen.joints3d - seen.joints3d[:, :1])
    assert set(found(flat)) == {"depth", "reprojection"}
    assert set(found(changed(bare, joints3d=seen.joints3d + np.float32([1, 0, 0])))) == {"reprojection"}
    unknown = replace(flat, camera=Camera.of_size(seen.camera.width, seen.camera.height))  # as of photographs
    assert found(unknown) == {}
    assert found(replace(flat, extras={"factor_2_5d": np.ones(60, np.float32)})) == {}
