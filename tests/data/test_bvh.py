"""BVH files: hand-computed joints, an independent slow oracle, and every kind of damage."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hummuss.data.readers.bvh import parse_bvh
from hummuss.errors import InputError

BVH = """HIERARCHY
ROOT Hips
{
\tOFFSET 1 0 0
\tCHANNELS 6 Xposition Yposition Zposition Zrotation Yrotation Xrotation
\tJOINT Leg
\t{
\t\tOFFSET 0 -2 0
\t\tCHANNELS 3 Zrotation Xrotation Yrotation
\t\tEnd Site
\t\t{
\t\t\tOFFSET 0 -3 0
\t\t}
\t}
\tJOINT Spine
\t{
\t\tOFFSET 0 1 0
\t\tEnd Site
\t\t{
\t\t\tOFFSET 0 0 1
\t\t}
\t}
}
MOTION
Frames:\t2
Frame Time:\t.0083333
0 0 0 0 0 0 0 0 0
0 10 0 90 0 0 0 90 0
"""


def matrix(axis: str, degrees: float) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return {
        "X": np.array([[1, 0, 0], [0, c, -s], [0, s, c]]),
        "Y": np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]),
        "Z": np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]),
    }[axis]


def test_hand_computed_positions():
    take = parse_bvh(BVH, "a.bvh")
    assert take.tree.joints == ("Hips", "Leg", "Leg_end", "Spine", "Spine_end")
    positions, _ = take.tree.forward(take.rotations, take.root)
    rest = [[1, 0, 0], [1, -2, 0], [1, -5, 0], [1, 1, 0], [1, 1, 1]]
    np.testing.assert_allclose(positions[0], rest, atol=1e-12)
    # 90 degrees about z turn "down" into "right" (+x); the leg's own 90 about x then points it backward, and
    # z of the turned hips is still z: (0, -3, 0) -> (0, 0, -3).
    turned = [[1, 10, 0], [3, 10, 0], [3, 10, -3], [0, 10, 0], [0, 10, 1]]
    np.testing.assert_allclose(positions[1], turned, atol=1e-12)


@given(st.lists(st.floats(-180, 180), min_size=6, max_size=6), st.permutations("XYZ"), st.permutations("XYZ"))
def test_slow_oracle(angles, first, second):
    angles = [float(f"{angle:.6f}") for angle in angles]
    hips_channels, leg_channels = (" ".join(f"{axis}rotation" for axis in order) for order in (first, second))
    text = BVH.replace("Zposition Zrotation Yrotation Xrotation", f"Zposition {hips_channels}")
    text = text.replace("CHANNELS 3 Zrotation Xrotation Yrotation", f"CHANNELS 3 {leg_channels}")
    text = text.replace("0 10 0 90 0 0 0 90 0", " ".join(map(str, [0, 10, 0, *angles])))
    take = parse_bvh(text, "a.bvh")
    found, _ = take.tree.forward(take.rotations, take.root)
    hips, leg = np.eye(3), np.eye(3)
    for axis, angle in zip(first, angles[:3], strict=True):
        hips = hips @ matrix(axis, angle)
    for axis, angle in zip(second, angles[3:], strict=True):
        leg = leg @ matrix(axis, angle)
    knee = np.array([1, 10, 0]) + hips @ [0, -2, 0]
    np.testing.assert_allclose(found[1, 1:3], [knee, knee + hips @ leg @ [0, -3, 0]], atol=1e-9)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (BVH, "", "ends where 'HIERARCHY' was expected"),
        (BVH, "GIF89a", "line 1: expected 'HIERARCHY'"),
        ("ROOT Hips", "JOINT Hips", "line 2: expected 'ROOT name'"),
        ("OFFSET 0 -2 0", "OFFSET 0 -2", "line 8: expected 'OFFSET x y z'"),
        ("OFFSET 0 -2 0", "OFFSET 0 -2 inf", "line 8: .* found the number inf"),
        ("Zrotation Xrotation Yrotation", "Zrotation Xrotation Wrotation", "line 9: unknown channel"),
        ("Zrotation Xrotation Yrotation", "Zrotation Xrotation Zrotation", "Zrotation comes twice"),
        ("Zrotation Xrotation Yrotation", "Zrotation Xrotation Yposition", "only the root may move"),
        ("CHANNELS 3", "CHANNELS 4", "as many channel names as announced"),
        ("JOINT Spine", "JOINT Leg", "a second joint named 'Leg'"),
        ("Frames:\t2", "Frames: 3", "announces 3 frames and has 2"),
        ("Frames:\t2", "Frames: many", "expected 'Frames: N'"),
        ("0 10 0 90 0 0 0 90 0", "0 10 0 90", "line 28: expected a frame of 9 channel values, found 4"),
        ("0 10 0 90 0 0 0 90 0", "0 10 0 90 0 0 0 90 O", "line 28: expected a frame"),
        ("0 10 0 90 0 0 0 90 0", "", "announces 2 frames and has 1"),
        (BVH[BVH.index("MOTION") :], "", "ends where 'MOTION' was expected"),
        (BVH[BVH.index("JOINT Spine") :], "", "cut short"),
    ],
)
def test_damaged(old, new, reason):
    with pytest.raises(InputError, match=reason) as error:
        parse_bvh(BVH.replace(old, new), "a.bvh")
    assert "a.bvh" in str(error.value)
    assert "\n" not in str(error.value)


def test_nested_beyond_reason():
    joints = "".join(f"JOINT j{i}\n{{\nOFFSET 0 1 0\n" for i in range(5000))
    with pytest.raises(InputError, match="nested more than"):
        parse_bvh("HIERARCHY\nROOT r\n{\nOFFSET 0 0 0\n" + joints, "a.bvh")


@given(
    st.one_of(
        st.integers(0, len(BVH)).map(lambda end: BVH[:end]),
        st.tuples(st.integers(0, len(BVH)), st.integers(0, 40), st.text(max_size=12)).map(
            lambda p: BVH[: p[0]] + p[2] + BVH[p[0] + p[1] :]
        ),
        st.text(),
    )
)
def test_damage_never_raises_anything_else(text):
    try:
        take = parse_bvh(text, "a.bvh")
    except InputError:
        return
    positions, _ = take.tree.forward(take.rotations, take.root)
    assert np.isfinite(positions).all()
