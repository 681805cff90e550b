"""Acclaim files: hand-computed joints, an independent slow oracle, and every kind of damage."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hummuss.data.readers.asf_amc import parse_amc, parse_asf
from hummuss.errors import InputError

ASF = """# a comment
:version 1.10
:name TEST
:units
  mass 1.0
  length 0.45
  angle deg
:documentation
   words : begin end
:root
   order TX TY TZ RX RY RZ
   axis XYZ
   position 0 0 0
   orientation 0 0 0
:bonedata
  begin
     id 1
     name thigh
     direction 0 -1 0
     length 2
     axis 0 0 90 XYZ
     dof rx ry rz
     limits (-160.0 20.0)
            (-70.0 70.0)
            (-60.0 70.0)
  end
  begin
     id 2
     name shin
     direction 0 -1 0
     length 3
     axis 30 -20 50 XYZ
     dof rx rz
  end
  begin
     id 3
     name sole
     direction 0 0 1
     length 1
     axis 10 20 30 XYZ
  end
:hierarchy
  begin
    root thigh
    thigh shin
    shin sole
  end
"""
AMC = """#!OML:ASF
:FULLY-SPECIFIED
:DEGREES
1
root 1 2 3 0 0 0
thigh 0 0 0
shin 0 0
2
root 0 0 0 0 90 0
shin 10 20
thigh 90 0 0
"""


def motion(amc: str = AMC, asf: str = ASF):
    return parse_amc(amc, parse_asf(asf, "01.asf"), "01_01.amc")


def test_hand_computed_positions():
    take = motion()
    positions, turned = take.tree.forward(take.rotations, take.root)
    assert take.tree.joints == ("root", "thigh", "shin", "sole")
    # At rest the joints hang straight below the root, the sole points along z.
    np.testing.assert_allclose(positions[0], [[1, 2, 3], [1, 0, 3], [1, -3, 3], [1, -3, 4]], atol=1e-12)
    # The thigh's frame stands 90 degrees about z: its 90 degrees about x are 90 about the parent's y, which
    # leave (0, -2, 0) where it is. The root's own 90 about y do likewise.
    np.testing.assert_allclose(positions[1, 1], [0, -2, 0], atol=1e-12)
    np.testing.assert_allclose(turned[1, 1], np.diag([-1.0, 1, -1]), atol=1e-12)


def matrix(axis: str, degrees: float) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return {
        "x": np.array([[1, 0, 0], [0, c, -s], [0, s, c]]),
        "y": np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]),
        "z": np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]),
    }[axis]


def chain(x: float, y: float, z: float) -> np.ndarray:
    return matrix("z", z) @ matrix("y", y) @ matrix("x", x)


@given(st.lists(st.floats(-180, 180), min_size=8, max_size=8))
def test_slow_oracle(angles):
    rx, ry, rz, a, b, c, d, e = (float(f"{angle:.6f}") for angle in angles)
    text = f":DEGREES\n7\nroot 1 2 3 {rx} {ry} {rz}\nthigh {a} {b} {c}\nshin {d} {e}\n"
    take = motion(text)
    found, _ = take.tree.forward(take.rotations, take.root)
    turn, place, expected = chain(rx, ry, rz), np.array([1.0, 2, 3]), [np.array([1.0, 2, 3])]
    for frame, angle, offset in (
        (chain(0, 0, 90), chain(a, b, c), [0, -2, 0]),
        (chain(30, -20, 50), chain(d, 0, e), [0, -3, 0]),
        (chain(10, 20, 30), np.eye(3), [0, 0, 1]),
    ):
        turn = turn @ frame @ angle @ np.linalg.inv(frame)
        place = place + turn @ np.array(offset)
        expected.append(place)
    np.testing.assert_allclose(found[0], expected, atol=1e-9)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (AMC, "", "no frames"),
        (AMC, "\x00\x01 binary", "expected a frame number"),
        (":DEGREES", ":RADIANS", "line 3: expected angles in :DEGREES"),
        ("shin 10 20\n", "", "'shin' is missing"),
        ("shin 10 20", "shin 10", r"expected 2 value\(s\) of 'shin', found 1"),
        ("shin 10 20", "shin 10 2x", "expected 2 value"),
        ("shin 10 20", "shin 10 nan", "found the number nan"),
        ("shin 10 20", "shin 10 1e300", "found the number 1e300"),
        ("shin 10 20", "tail 10 20", "'tail' is not a moving bone"),
        ("shin 10 20", "thigh 0 0 0", "'thigh' comes twice"),
        ("thigh 90 0 0\n", "", "01_01.amc, at its end: frame 2 .* 'thigh' is missing.* cut short"),
        ("\n2\n", "\n3\n", "line 8: expected frame 2, found frame 3"),
    ],
)
def test_damaged_amc(old, new, reason):
    with pytest.raises(InputError, match=reason) as error:
        motion(AMC.replace(old, new))
    assert "01_01.amc" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (ASF, "", "no :root section"),
        (ASF[ASF.index(":hierarchy") :], "", "no :hierarchy section"),
        ("angle deg", "angle rad", "expected 'angle deg'"),
        ("TX TY TZ", "TZ TY TX", "expected the root order"),
        ("position 0 0 0", "position 0 1 0", "expected root position 0 0 0"),
        ("length 3", "length three", "expected a number of 'length'"),
        ("direction 0 0 1", "direction 0 0", r"3 value\(s\) of 'direction'"),
        ("axis 10 20 30 XYZ", "axis 10 20 30 ZYX", "order XYZ"),
        ("dof rx rz", "dof rz rx", "expected dof out of rx ry rz"),
        ("name shin", "name thigh", "a second bone named 'thigh'"),
        ("thigh shin", "thigh knee", "'knee' is not a bone"),
        ("    shin sole\n", "", "'sole' is missing from :hierarchy"),
        ("shin sole", "sole shin", "'sole' has children before"),
    ],
)
def test_damaged_asf(old, new, reason):
    with pytest.raises(InputError, match=reason) as error:
        parse_asf(ASF.replace(old, new), "01.asf")
    assert "01.asf" in str(error.value)


def mutated(text: str) -> st.SearchStrategy[str]:
    """The text cut short, with a piece replaced, or with two lines exchanged."""
    cut = st.integers(0, len(text)).map(lambda end: text[:end])
    pieces = st.tuples(st.integers(0, len(text)), st.integers(0, 40), st.text(max_size=12))
    replaced = pieces.map(lambda p: text[: p[0]] + p[2] + text[p[0] + p[1] :])
    lines = text.splitlines()
    pairs = st.tuples(st.integers(0, len(lines) - 1), st.integers(0, len(lines) - 1))

    def exchange(pair: tuple[int, int]) -> str:
        copy = lines.copy()
        copy[pair[0]], copy[pair[1]] = copy[pair[1]], copy[pair[0]]
        return "\n".join(copy)

    return st.one_of(cut, replaced, pairs.map(exchange), st.text())


@given(mutated(ASF), mutated(AMC))
def test_damage_never_raises_anything_else(asf, amc):
    for text, skeleton in ((amc, ASF), (AMC, asf)):
        try:
            take = motion(text, skeleton)
        except InputError:
            continue
        positions, _ = take.tree.forward(take.rotations, take.root)
        assert np.isfinite(positions).all()
