"""``.skeleton`` text: what is read, and where a damaged file is said to be damaged."""

import numpy as np
import pytest

from hummuss.data.readers.ntu_skeleton import parse_skeleton
from hummuss.errors import InputError


def test_bodies_by_tracking_id_with_frames_joints_pixels_and_states(kinect) -> None:
    first, second = kinect.seen([0, 1, 3], name="7"), kinect.seen([1, 2], at=0.8, name="72057594037931102")
    first.states[1, 4], first.pixels[2, 5] = 1, np.nan
    bodies = parse_skeleton(kinect.skeleton(5, first, second), "a.skeleton")
    assert [(body.tracking_id, body.frames.tolist()) for body in bodies] == [("7", [0, 1, 3]), (second.name, [1, 2])]
    for body, expected in zip(bodies, (first, second), strict=True):
        np.testing.assert_allclose(body.joints, expected.joints, rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(body.pixels, expected.pixels, rtol=1e-6)
        np.testing.assert_array_equal(body.states, expected.states)


def test_a_file_in_which_nobody_is_seen_has_no_bodies(kinect) -> None:
    assert parse_skeleton(kinect.skeleton(3), "a.skeleton") == []


def test_a_file_cut_short_after_any_line_is_refused(kinect) -> None:
    lines = kinect.skeleton(3, kinect.seen([0, 1, 2]), kinect.seen([1], name="8")).splitlines()
    for count in range(len(lines)):
        with pytest.raises(InputError, match=r"^cut\.skeleton: ends where .* cut short"):
            parse_skeleton("\n".join(lines[:count]), "cut.skeleton")
    assert len(parse_skeleton("\n".join(lines), "cut.skeleton")) == 2


@pytest.mark.parametrize(
    ("line", "text", "message"),
    [
        (1, "1000000000", "line 1: 1000000000|number of frames"),
        (1, "999999999", "ends where number of bodies of frame 3 of 999999999 was expected"),
        (1, "0", "says it has no frames"),
        (1, "1", "line 30: expected the end after the last frame, found '1'"),
        (1, "-2", "line 1: expected number of frames, found '-2'"),
        (1, "²", "line 1: expected number of frames"),
        (1, "9" * 5000, "line 1: expected number of frames"),
        (2, "7", r"line 2: 7 is no number of bodies of frame 1 of 2, 6 at most"),
        (2, "1 1", "line 2: expected number of bodies"),
        (3, "7 0 1 1 1 1 0 0 0", "line 3: expected a body's 10 numbers"),
        (4, "20", "line 4: expected 25 joints"),
        (4, "31", "line 4: 31 is no number of joints"),
        (5, "1 2 3", "line 5: expected 12 numbers of a joint, found 3"),
        (28, "1 2 3 4 5 6 7 8 9 10 11 12 2", "line 28: expected 12 numbers of a joint, found 13"),
        (8, "1 2 x 4 5 6 7 8 9 10 11 2", "line 5 and on: a joint's numbers are none"),
        (9, "1 1e3 3 4 5 6 7 8 9 10 11 2", r"line 9: a joint at \[1.0, 1000.0, 3.0\] metres"),
        (9, "1 2 3 4 5 1e300 7 8 9 10 11 2", "line 9: a joint at .* pixels"),
        (9, "1 2 3 4 5 6 7 8 9 10 11 3", "line 9: expected a tracking state of 0, 1 or 2, found 3"),
        (9, "1 2 3 4 5 6 7 8 9 10 11 nan", "line 9: expected a tracking state"),
    ],
)
def test_damage_is_named_by_file_and_line(kinect, line: int, text: str, message: str) -> None:
    lines = kinect.skeleton(2, kinect.seen([0, 1])).splitlines()
    lines[line - 1] = text
    with pytest.raises(InputError, match=message) as caught:
        parse_skeleton("\n".join(lines), "S001.skeleton")
    assert str(caught.value).startswith("S001.skeleton")


def test_one_body_twice_in_a_frame_is_refused(kinect) -> None:
    text = kinect.skeleton(1, kinect.seen([0]), kinect.seen([0], at=1.0))
    with pytest.raises(InputError, match="line 30: body 72057594037931101 comes twice in frame 1"):
        parse_skeleton(text, "a.skeleton")
