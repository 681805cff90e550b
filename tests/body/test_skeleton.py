"""Joint layouts and conversions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hummuss.body.skeleton import (
    COCO17,
    H36M17,
    LAYOUTS,
    NTU25,
    SMPL24,
    convert_joints,
    convert_keypoints,
    get_layout,
)
from hummuss.errors import InputError

LAYOUT_NAMES = st.sampled_from(sorted(LAYOUTS))
# For each layout, the indices whose mean is each of Human3.6M's 17 joints, written down from the official loaders:
# VideoPose3D's h36m_dataset.py (joints it keeps), MotionBERT's coco2h36m, halpe2h36m and posetrack2h36m; MPI-INF-3DHP's
# test order from the project's plan, its training order from the official mpii_get_joint_set.m ('relevant', 1-based).
H36M_FROM = {
    "h36m32": [0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27],
    "coco17": [(11, 12), 12, 14, 16, 11, 13, 15, (11, 12, 5, 6), (5, 6), 0, (1, 2), 5, 7, 9, 6, 8, 10],
    "coco_wholebody133": [(11, 12), 12, 14, 16, 11, 13, 15, (11, 12, 5, 6), (5, 6), 0, (1, 2), 5, 7, 9, 6, 8, 10],
    "openpose18": [(8, 11), 8, 9, 10, 11, 12, 13, (8, 11, 2, 5), (2, 5), 0, (14, 15), 5, 6, 7, 2, 3, 4],
    "body25": [(9, 12), 9, 10, 11, 12, 13, 14, (9, 12, 2, 5), (2, 5), 0, (15, 16), 5, 6, 7, 2, 3, 4],
    "blazepose33": [
        (23, 24), 24, 26, 28, 23, 25, 27, (23, 24, 11, 12), (11, 12), 0, (2, 5), 11, 13, 15, 12, 14, 16,
    ],
    "halpe26": [19, 12, 14, 16, 11, 13, 15, (18, 19), 18, 0, 17, 5, 7, 9, 6, 8, 10],
    "posetrack17": [(11, 12), 12, 14, 16, 11, 13, 15, (11, 12, 1, 1), 1, 0, 2, 5, 7, 9, 6, 8, 10],
    "posetrack15": [(2, 3), 2, 1, 0, 3, 4, 5, (2, 3, 12, 12), 12, 13, 14, 9, 10, 11, 8, 7, 6],
    "ntu25": [0, 16, 17, 18, 12, 13, 14, 1, 20, (2, 3), 3, 4, 5, 6, 8, 9, 10],
    "mpi_inf_3dhp17": [14, 8, 9, 10, 11, 12, 13, 15, 1, 16, 0, 5, 6, 7, 2, 3, 4],
    "mpi_inf_3dhp28": [
        [8, 6, 15, 16, 17, 10, 11, 12, 24, 25, 26, 19, 20, 21, 5, 4, 7][test] - 1
        for test in [14, 8, 9, 10, 11, 12, 13, 15, 1, 16, 0, 5, 6, 7, 2, 3, 4]
    ],
}  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_layout_is_a_tree_with_an_involutive_mirror(layout) -> None:
    mirror = np.array(layout.mirror)
    assert (mirror[mirror] == np.arange(len(layout))).all()
    assert len(set(layout.joints)) == len(layout.parents) == len(layout)
    assert layout.parents.count(-1) == 1
    for child, parent in enumerate(layout.parents):
        assert layout.parents[mirror[child]] == (-1 if parent == -1 else mirror[parent])
        for _ in layout.joints:
            parent = -1 if parent == -1 else layout.parents[parent]
        assert parent == -1, f"{layout.joints[child]} hangs in a circle"
    for origins in layout.sources.values():
        assert set(origins) <= set(layout.joints)


@pytest.mark.parametrize("layout", H36M_FROM)
def test_order_and_trunk_as_the_official_loaders_have_them(layout) -> None:
    joints = np.random.default_rng(0).normal(size=(2, len(get_layout(layout)), 3))
    expected = np.stack([joints[:, np.atleast_1d(origins)].mean(1) for origins in H36M_FROM[layout]], 1)
    np.testing.assert_allclose(convert_joints(joints, layout, "h36m17"), expected, atol=1e-12)
    assert set(H36M_FROM) == set(LAYOUTS) - {"h36m17", "smpl24"}


def test_sizes_and_order_of_the_field() -> None:
    assert len(H36M17) == 17
    assert H36M17.joints[4:7] == ("left_hip", "left_knee", "left_ankle")
    assert len(SMPL24) == 24
    assert SMPL24.joints[12] == "neck"


def test_kinect_as_ntu_numbers_it() -> None:
    # From github.com/shahroudy/NTURGB-D, which counts from 1.
    numbered = {4: "head", 5: "left_shoulder", 9: "right_shoulder", 16: "left_foot", 20: "right_foot"}
    numbered |= {8: "left_hand", 21: "spine_shoulder", 22: "left_hand_tip", 25: "right_thumb"}
    assert {number: NTU25.joints[number - 1] for number in numbered} == numbered


def test_the_whole_bodys_sides_as_mmpose_swaps_them() -> None:
    # The fields swap of mmpose's configs/_base_/datasets/coco_wholebody.py: faces from 23 on, hands from 91 and 112.
    layout = LAYOUTS["coco_wholebody133"]
    face = [*range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, 35, 34, 33, 32, 31, 45, 44, 43, 42, 47, 46, 39, 38]
    face += [37, 36, 41, 40, 54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65]
    swapped = [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15, 20, 21, 22, 17, 18, 19]
    swapped += [23 + point for point in face] + list(range(112, 133)) + list(range(91, 112))
    assert list(layout.mirror) == swapped
    named = {17: "left_big_toe", 22: "right_heel", 91: "left_hand_root", 95: "left_thumb4", 108: "left_pinky_finger1"}
    named |= {112: "right_hand_root", 117: "right_forefinger1", 132: "right_pinky_finger4"}
    assert {number: layout.joints[number] for number in named} == named
    assert [layout.parents[number] for number in (17, 22, 91, 92, 93, 96, 112, 129)] == [15, 16, 9, 91, 92, 91, 10, 112]


def test_coco_to_h36m_takes_midpoints_and_the_smallest_confidence() -> None:
    coco = np.zeros((17, 3), np.float32)
    coco[:, 2] = 0.9
    coco[COCO17.joints.index("left_hip")] = [2, 0, 0.5]
    coco[COCO17.joints.index("right_hip")] = [0, 2, 0.7]
    coco[COCO17.joints.index("left_shoulder")] = [2, 8, 0.6]
    coco[COCO17.joints.index("right_shoulder")] = [0, 10, 0.8]
    h36m = convert_keypoints(coco, "coco17", "h36m17")
    by_name = dict(zip(H36M17.joints, h36m.tolist(), strict=True))
    assert by_name["pelvis"] == pytest.approx([1, 1, 0.5])
    assert by_name["thorax"] == pytest.approx([1, 9, 0.6])
    assert by_name["spine"] == pytest.approx([1, 5, 0.5])
    assert by_name["left_hip"] == pytest.approx([2, 0, 0.5])


def test_an_undetected_source_makes_the_joint_missing() -> None:
    coco = np.ones((17, 3), np.float32)
    coco[COCO17.joints.index("left_eye"), 2] = 0
    h36m = convert_keypoints(coco, "coco17", "h36m17")
    assert (h36m[H36M17.joints.index("head")] == 0).all()
    assert (h36m[H36M17.joints.index("nose")] == 1).all()


def test_where_an_undetected_joint_is_means_nothing() -> None:
    coco = np.ones((17, 3), np.float32)
    expected = convert_keypoints(coco, "coco17", "h36m17")
    coco[COCO17.joints.index("left_ear")] = np.nan, np.inf, 0  # of which Human3.6M takes nothing
    np.testing.assert_array_equal(convert_keypoints(coco, "coco17", "h36m17"), expected)


def test_a_joint_without_source_is_missing() -> None:
    h36m = convert_keypoints(np.ones((24, 3), np.float32), "smpl24", "h36m17")
    missing = [name for name, joint in zip(H36M17.joints, h36m, strict=True) if joint[2] == 0]
    assert missing == ["nose", "head"]


def test_one_name_for_two_places_is_told_apart() -> None:
    """SMPL's head is the base of the skull, MPI-INF-3DHP's is Human3.6M's nose."""
    h36m = np.ones((17, 3), np.float32)
    h36m[:, 0] = np.arange(1, 18)
    by_name = dict(
        zip(LAYOUTS["mpi_inf_3dhp17"].joints, convert_keypoints(h36m, "h36m17", "mpi_inf_3dhp17"), strict=True)
    )
    assert (by_name["head"][0], by_name["head_top"][0], by_name["neck"][0]) == (10, 11, 9)
    smpl = convert_keypoints(h36m, "h36m17", "smpl24")
    assert not smpl[SMPL24.joints.index("head")].any()
    assert smpl[SMPL24.joints.index("neck")][0] == 9


def test_a_joint_that_is_not_used_changes_none() -> None:
    joints = np.random.default_rng(0).normal(size=(2, 25, 3))
    expected = convert_joints(joints, "ntu25", "h36m17")
    joints[:, get_layout("ntu25").joints.index("left_hand_tip")] = np.nan
    np.testing.assert_array_equal(convert_joints(joints, "ntu25", "h36m17"), expected)
    joints[:, get_layout("ntu25").joints.index("left_knee")] = np.nan
    lost = np.isnan(convert_joints(joints, "ntu25", "h36m17")).any((0, 2))
    assert [H36M17.joints[joint] for joint in np.flatnonzero(lost)] == ["left_knee"]


def test_a_position_cannot_be_missing() -> None:
    with pytest.raises(InputError, match="layout 'smpl24' has nothing for nose, head of 'h36m17'"):
        convert_joints(np.zeros((24, 3)), "smpl24", "h36m17")
    with pytest.raises(InputError, match="24 joints given, but layout 'ntu25' has 25"):
        convert_joints(np.zeros((24, 3)), "ntu25", "h36m17")


@given(LAYOUT_NAMES, LAYOUT_NAMES, st.integers(0, 10**6))
def test_conversion_commutes_with_reflection(source, target, seed) -> None:
    """Mirroring before or after a conversion is the same."""
    keypoints = np.random.default_rng(seed).uniform(0.1, 1, (len(get_layout(source)), 3)).astype(np.float32)
    converted = convert_keypoints(keypoints, source, target)
    mirrored = convert_keypoints(keypoints[list(get_layout(source).mirror)], source, target)
    np.testing.assert_allclose(converted[list(get_layout(target).mirror)], mirrored, rtol=1e-6)


@given(LAYOUT_NAMES, LAYOUT_NAMES, st.integers(0, 10**6))
def test_joints_of_both_layouts_survive_a_round_trip(source, target, seed) -> None:
    """What one joint of the source stands for in the target comes back as it was; no limb is lost."""
    first, second = get_layout(source), get_layout(target)
    keypoints = np.random.default_rng(seed).uniform(0.1, 1, (len(first), 3)).astype(np.float32)
    back = convert_keypoints(convert_keypoints(keypoints, source, target), target, source)
    survive = [
        i for i, joint in enumerate(first.joints)
        if (meaning := first.meaning(joint)) is not None
        and first.origins(meaning) == (i,) and len(second.origins(meaning)) == 1
        and second.meaning(second.joints[second.origins(meaning)[0]]) == meaning
    ]  # fmt: skip
    np.testing.assert_array_equal(back[survive], keypoints[survive])
    limbs = {f"{side}_{joint}" for side in ("left", "right") for joint in ("elbow", "wrist", "hip", "knee", "ankle")}
    assert limbs <= {first.joints[i] for i in survive}
    np.testing.assert_array_equal(convert_keypoints(keypoints, source, source), keypoints)


def test_wrong_joint_count_and_unknown_layout_are_refused() -> None:
    with pytest.raises(InputError, match="16 joints given, but layout 'coco17' has 17"):
        convert_keypoints(np.ones((16, 3), np.float32), "coco17", "h36m17")
    with pytest.raises(InputError, match=r"unknown joint layout 'kinect': choose one of .*coco17, .*h36m17, .*smpl24"):
        get_layout("kinect")
