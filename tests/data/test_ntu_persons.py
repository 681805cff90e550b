"""Ghosts and persons: the rules of SGN's preprocessing, case by case."""

import numpy as np
import pytest

from hummuss.data.readers.ntu_persons import BRIEF, THIRD, WIDE, _motion, find_persons
from hummuss.data.readers.ntu_skeleton import parse_skeleton


@pytest.fixture
def bodies(kinect):
    """Bodies of a recording, each named by its letter."""

    def make(**settings):
        return parse_skeleton(kinect.skeleton(100, *(kinect.seen(**s, name=n) for n, s in settings.items())), "a")

    return make


def names(found) -> list[str]:
    return ["".join(body.tracking_id for body in person) for person in found.persons]


def left(found) -> list[tuple[str, str]]:
    return [(body.tracking_id, reason) for body, reason in found.others]


def test_a_lone_body_is_a_person_however_short_and_wide(bodies) -> None:
    found = find_persons(bodies(a={"frames": range(3), "wide": 5.0}))
    assert (names(found), left(found)) == (["a"], [])


def test_bodies_of_eleven_frames_are_ghosts_and_of_twelve_are_not(bodies) -> None:
    found = find_persons(bodies(a={"frames": range(50)}, b={"frames": range(11)}, c={"frames": range(20, 32)}))
    assert (names(found), left(found)) == (["a", "c"], [("b", BRIEF)])


def test_of_short_bodies_alone_the_longest_stays(bodies) -> None:
    found = find_persons(bodies(a={"frames": range(4)}, b={"frames": range(9)}))
    assert (names(found), left(found)) == (["b"], [("a", BRIEF)])


def test_wide_bodies_are_ghosts_beside_others_and_the_least_odd_always_stays(bodies) -> None:
    # 0.54 m of 1.6 m: 2.4 times as wide is 0.81 of the height, 2.3 times is 0.776.
    found = find_persons(bodies(a={"frames": range(50)}, b={"frames": range(50), "wide": 2.4}))
    assert (names(found), left(found)) == (["a"], [("b", WIDE)])
    found = find_persons(bodies(a={"frames": range(50)}, b={"frames": range(50), "wide": 2.3}))
    assert len(found.persons) == 2
    found = find_persons(bodies(a={"frames": range(50), "wide": 3.0}, b={"frames": range(50), "wide": 3.0}))
    assert len(found.persons) == 2


def test_a_body_odd_in_some_frames_moves_as_much_as_in_the_others(bodies) -> None:
    [body] = bodies(a={"frames": range(40), "sway": 0.3})
    assert _motion(body) == pytest.approx(body.joints.reshape(-1, 3).var(0).sum())
    odd = body.joints.copy()
    odd[:10] *= [3, 1, 1]
    shown = body.__class__(body.tracking_id, body.frames, odd, body.pixels, body.states)
    assert _motion(shown) == pytest.approx(body.joints[10:].reshape(-1, 3).var(0).sum(), rel=1e-5)


def test_two_that_move_most_are_kept_the_first_is_the_one_that_moves_more(bodies) -> None:
    found = find_persons(
        bodies(
            a={"frames": range(60), "sway": 0.01},
            b={"frames": range(60), "sway": 0.2, "at": 1.0},
            c={"frames": range(60), "sway": 0.1, "at": -1.0},
        )
    )
    assert (names(found), left(found)) == (["b", "c"], [("a", THIRD)])


def test_bodies_that_follow_one_another_are_one_person_in_order_of_time(bodies) -> None:
    found = find_persons(
        bodies(
            a={"frames": range(30), "sway": 0.1},
            b={"frames": range(100), "sway": 0.05, "at": 1.0},
            c={"frames": range(32, 100), "sway": 0.2},
        )
    )
    assert (names(found), left(found)) == (["ac", "b"], [])
    frames = np.concatenate([body.frames for body in found.persons[0]])
    assert (np.diff(frames) > 0).all()
    overlapping = find_persons(bodies(a={"frames": range(30)}, c={"frames": range(29, 100)}))
    assert len(overlapping.persons) == 2
