"""Joint layouts and conversions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hummuss.body.skeleton import COCO17, H36M17, LAYOUTS, SMPL24, convert_keypoints, get_layout
from hummuss.errors import InputError


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_layout_is_a_tree_with_an_involutive_mirror(layout) -> None:
    mirror = np.array(layout.mirror)
    assert (mirror[mirror] == np.arange(len(layout))).all()
    assert len(set(layout.joints)) == len(layout.parents) == len(layout)
    assert layout.parents[0] == -1
    assert all(parent < child for child, parent in enumerate(layout.parents))
    for child, parent in enumerate(layout.parents[1:], 1):
        if layout is not COCO17:  # COCO has no midline: its tree hangs both sides on the nose
            assert layout.parents[mirror[child]] == mirror[parent]
    for origins in layout.sources.values():
        assert set(origins) <= set(layout.joints)


def test_sizes_and_order_of_the_field() -> None:
    assert len(H36M17) == 17
    assert H36M17.joints[4:7] == ("left_hip", "left_knee", "left_ankle")
    assert len(SMPL24) == 24
    assert SMPL24.joints[12] == "neck"


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


def test_a_joint_without_source_is_missing() -> None:
    h36m = convert_keypoints(np.ones((24, 3), np.float32), "smpl24", "h36m17")
    missing = [name for name, joint in zip(H36M17.joints, h36m, strict=True) if joint[2] == 0]
    assert missing == ["nose", "head"]


@given(st.sampled_from(sorted(LAYOUTS)), st.sampled_from(sorted(LAYOUTS)), st.integers(0, 10**6))
def test_conversion_commutes_with_reflection(source, target, seed) -> None:
    """Mirroring before or after a conversion is the same, and shared joints survive a round trip."""
    keypoints = np.random.default_rng(seed).uniform(0.1, 1, (len(get_layout(source)), 3)).astype(np.float32)
    converted = convert_keypoints(keypoints, source, target)
    mirrored = convert_keypoints(keypoints[list(get_layout(source).mirror)], source, target)
    np.testing.assert_allclose(converted[list(get_layout(target).mirror)], mirrored, rtol=1e-6)
    back = convert_keypoints(converted, target, source)
    limbs = [i for i, name in enumerate(get_layout(source).joints) if name.endswith(("knee", "wrist"))]
    np.testing.assert_array_equal(back[limbs], keypoints[limbs])


def test_wrong_joint_count_and_unknown_layout_are_refused() -> None:
    with pytest.raises(InputError, match="16 joints given, but layout 'coco17' has 17"):
        convert_keypoints(np.ones((16, 3), np.float32), "coco17", "h36m17")
    with pytest.raises(InputError, match="unknown joint layout 'kinect': choose one of coco17, h36m17, smpl24"):
        get_layout("kinect")
