"""Whose detections are whose, where no tracker has said it."""

import json

import numpy as np
import pytest

from hummuss.data.readers.detected import Seen
from hummuss.data.readers.keypoint_files import keypoint_clips
from hummuss.data.readers.people import find_tracks
from hummuss.data.readers.task import LeftOut
from hummuss.data.readers.tracking import SHORT, pose_distances
from hummuss.errors import InputError

FPS = 25.0
# Somebody of 100 x 300 pixels, 17 joints within.
FIGURE = np.random.default_rng(0).uniform([0, 0], [100, 300], (17, 2))


def walk(x: np.ndarray, y: float, confidence: float = 0.9) -> np.ndarray:
    """(F, 17, 3): the figure moves to each x in turn, its arms swing, the detector errs a little."""
    frames = np.arange(len(x))
    pose = np.repeat(FIGURE[None], len(x), 0) + np.random.default_rng(1).normal(0, 2, (len(x), 17, 2))
    pose[:, 9:11, 0] += 30 * np.sin(frames / 4)[:, None] * [1, -1]
    pose += np.stack([x, np.full(len(x), y)], -1)[:, None]
    return np.concatenate([pose, np.full((len(x), 17, 1), confidence)], -1)


def seen(people: dict[str, np.ndarray], frames: range | None = None) -> list[Seen]:
    """Frame by frame as a detector lists them: in an order that changes, and without their names."""
    count = len(next(iter(people.values())))
    order = np.random.default_rng(2)
    return [
        Seen(frame, None, people[str(name)][frame])
        for frame in frames or range(count)
        for name in order.permutation(list(people))
    ]


def crossing() -> dict[str, np.ndarray]:
    """Two people walk past each other, one 200 pixels farther down the image, six pixels a frame."""
    x = 100 + 6.0 * np.arange(120)
    return {"right": walk(x, 100), "left": walk(x[::-1], 300)}


def test_two_people_who_pass_each_other_stay_themselves() -> None:
    people = crossing()
    tracks = find_tracks(seen(people), "track", FPS, "a.json")
    assert list(tracks) == ["1", "2"]
    starts = {name: pose[0, 0, 0] for name, pose in people.items()}
    for frames, keypoints in tracks.values():
        [name] = [name for name, start in starts.items() if start == keypoints[0, 0, 0]]
        np.testing.assert_array_equal(frames, np.arange(120))
        np.testing.assert_array_equal(keypoints, people[name])


@pytest.mark.parametrize(("absent", "persons"), [(11, ["1"]), (13, ["1", "2"])])
def test_who_is_away_for_longer_than_half_a_second_comes_back_as_another(absent: int, persons: list[str]) -> None:
    pose = walk(np.full(60, 200.0), 100)
    kept = [Seen(frame, None, pose[frame]) for frame in range(60) if not 20 <= frame < 20 + absent - 1]
    tracks = find_tracks(kept, "track", FPS, "a.json")
    assert list(tracks) == persons
    assert sum(len(frames) for frames, _ in tracks.values()) == 61 - absent
    if len(persons) > 1:
        assert tracks["1"][0][-1] == 19
        assert tracks["2"][0][0] == 32


def test_at_one_frame_a_second_a_pause_is_one_and_a_half_of_its_steps() -> None:
    pose = walk(np.full(9, 200.0), 100)
    assert list(find_tracks(seen({"0": pose}), "track", 1.0, "a.json")) == ["1"]
    assert list(find_tracks(seen({"0": pose}, range(0, 9, 3)), "track", 1.0, "a.json")) == ["1"]


def test_who_appears_far_from_everybody_is_new_and_takes_nobodys_place() -> None:
    pose, other = walk(np.full(20, 200.0), 100), walk(np.full(20, 900.0), 100)
    detected = [Seen(frame, None, (other if frame == 10 else pose)[frame]) for frame in range(20)]
    tracks = find_tracks(detected, "track", FPS, "a.json")
    assert {person: list(frames) for person, (frames, _) in tracks.items()} == {
        "1": [*range(10), *range(11, 20)], "2": [10],
    }  # fmt: skip


def test_who_comes_far_off_as_another_leaves_exchanges_nobody() -> None:
    gone, comes = walk(np.full(20, 200.0), 100), walk(np.full(20, 1500.0), 100)
    stays = walk(np.repeat([300.0, 260.0], 10), 100)
    detected = seen({"0": gone, "1": stays}, range(10)) + seen({"1": stays, "2": comes}, range(10, 20))
    tracks = find_tracks(detected, "track", FPS, "a.json")
    assert sorted(len(frames) for frames, _ in tracks.values()) == [10, 10, 20]
    [kept] = [keypoints for frames, keypoints in tracks.values() if len(frames) == 20]
    np.testing.assert_array_equal(kept, stays)


def test_a_trackers_own_numbers_stay_unless_some_have_none() -> None:
    pose = walk(np.full(20, 200.0), 100)
    numbered = [Seen(frame, "7", pose[frame]) for frame in range(20)]
    assert list(find_tracks(numbered, "track", FPS, "a.json")) == ["7"]
    mixed = [one if one.frame % 2 else one._replace(person=None) for one in numbered]
    assert list(find_tracks(mixed, "track", FPS, "a.json")) == ["1"]
    with pytest.raises(InputError, match=r"some have none: .* or all anew with --untracked track"):
        find_tracks(mixed, "best", FPS, "a.json")


def test_the_surest_of_each_frame_must_be_one_person() -> None:
    people = crossing()
    people["right"][30:50, :, 2] = 0.5
    people["left"][:, :, 2] = 0.7
    message = r"jumps from one to another 2 times, first from frame 29 to 30: follow everybody with --untracked track"
    with pytest.raises(InputError, match=message):
        find_tracks(seen(people), "best", FPS, "a.json")
    people["right"][30:50, :, 2] = 0.8
    [(_, keypoints)] = find_tracks(seen(people), "best", FPS, "a.json").values()
    np.testing.assert_array_equal(keypoints, people["right"])
    # Somebody else near by, at a third of the surest one's size.
    beside = {"0": walk(np.full(20, 200.0), 100), "1": walk(np.full(20, 305.0), 100, 0.5)}
    beside["1"][7, :, 2] = 1
    with pytest.raises(InputError, match="2 times, first from frame 6 to 7"):
        find_tracks(seen(beside), "best", FPS, "a.json")


def test_who_walks_fast_or_was_away_for_long_has_not_jumped() -> None:
    running, other = walk(40.0 * np.arange(20), 100), walk(np.full(20, 900.0), 600, 0.5)
    [(_, keypoints)] = find_tracks(seen({"0": running, "1": other}), "best", FPS, "a.json").values()
    np.testing.assert_array_equal(keypoints, running)
    back = Seen(40, None, other[0] + np.array([0, 0, 0.4]))
    both = [*seen({"0": running, "1": other}, range(5)), back]
    assert len(find_tracks(both, "best", FPS, "a.json")[None][0]) == 6


def test_distances_are_shares_of_the_larger_ones_size() -> None:
    first = np.array([[[0, 0, 1.0], [30, 40, 1.0]], [[0, 0, 0.0], [10, 0, 1.0]]])
    second = np.array([[[0, 10, 1.0], [30, 70, 0.5]], [[5, 5, 1.0], [0, 0, 0.0]]])
    # Sizes 50, 1 (a lone joint) and 67.08, 1; 10 and half of 30 pixels are 16.67 of a joint's weight.
    expected = [
        [(10 + 15) / 1.5 / np.hypot(30, 60), np.hypot(5, 5) / 50],
        [np.hypot(20, 70) / np.hypot(30, 60), np.inf],
    ]
    np.testing.assert_allclose(pose_distances(first, second), expected)


def test_clips_of_those_followed_and_who_was_followed_too_shortly_is_told(tmp_path) -> None:
    people = crossing()
    results = [{"image_id": one.frame, "keypoints": one.keypoints.ravel().tolist()} for one in seen(people, range(60))]
    ghost = walk(np.full(60, 1200.0), 700)
    results += [{"image_id": frame, "keypoints": ghost[frame].ravel().tolist()} for frame in range(30, 36)]
    path = tmp_path / "walk.json"
    path.write_text(json.dumps(results))
    options = {"layout": "coco17", "fps": FPS, "image_size": [1280, 1024]}
    made = keypoint_clips([path], "walk", options, "test", "track")
    assert [(clip.name, len(clip), clip.person) for clip in made[:2]] == [
        ("walk/person_1", 60, "1"), ("walk/person_2", 60, "2"),
    ]  # fmt: skip
    assert made[2:] == [LeftOut("walk/person_3", SHORT)]
