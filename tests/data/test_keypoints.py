"""Own keypoint files: what is read, and one line for everything that cannot be."""

import json
from pathlib import Path

import numpy as np
import pytest

from hummuss import clip_from_keypoints
from hummuss.data import read_keypoints
from hummuss.errors import InputError

RNG = np.random.default_rng(0)
POINTS = np.concatenate([RNG.uniform(100, 500, (6, 17, 2)), RNG.uniform(0.2, 1, (6, 17, 1))], -1)


def fields(**changes) -> dict:
    values = {"keypoints": POINTS, "layout": "coco17", "fps": 25.0, "width": 640, "height": 480} | changes
    return {name: value for name, value in values.items() if value is not None}


def write(folder: Path, **changes) -> Path:
    np.savez(folder / "walk.npz", **fields(**changes))
    return folder / "walk.npz"


def changed(value: float, *place: int) -> np.ndarray:
    points = POINTS.copy()
    points[place] = value
    return points


def test_npz_json_and_npy_say_the_same(tmp_path) -> None:
    clip = read_keypoints(write(tmp_path))
    assert (clip.name, clip.frame, clip.fps, len(clip)) == ("walk", "camera", 25.0, 6)
    assert (clip.camera.width, clip.camera.height) == (640, 480)
    assert clip.keypoints2d.shape == (6, 17, 3)
    right_wrist = POINTS[:, 10].astype(np.float32)  # COCO's eleventh joint is Human3.6M's last
    np.testing.assert_array_equal(clip.keypoints2d[:, 16], right_wrist)
    pelvis = clip.keypoints2d[:, 0]
    np.testing.assert_allclose(pelvis[:, :2], POINTS[:, 11:13, :2].mean(1), rtol=1e-6)
    np.testing.assert_allclose(pelvis[:, 2], POINTS[:, 11:13, 2].min(1), rtol=1e-6)

    values = fields(keypoints=POINTS.tolist())
    (tmp_path / "walk.json").write_text(json.dumps(values))
    np.save(tmp_path / "walk.npy", POINTS)
    options = {name: value for name, value in fields().items() if name != "keypoints"}
    for other in (read_keypoints(tmp_path / "walk.json"), read_keypoints(tmp_path / "walk.npy", **options)):
        np.testing.assert_array_equal(other.keypoints2d, clip.keypoints2d)
        assert (other.fps, other.camera.width) == (clip.fps, clip.camera.width)


def test_time_stamps_image_size_and_confidence_may_be_absent(tmp_path) -> None:
    times = np.array([0, 0.03, 0.1, 0.12, 0.2, 0.25])
    path = write(tmp_path, keypoints=POINTS[..., :2], fps=None, timestamps=times, width=None, height=None)
    clip = read_keypoints(path, fps=None)
    np.testing.assert_array_equal(clip.times, times)
    assert clip.camera is None
    assert (clip.keypoints2d[:, 16, 2] == 1).all()


def test_missing_joints_are_zeros_wherever_they_are_said_to_be(tmp_path) -> None:
    points = changed(0, 2, 10, 2)  # the right wrist's confidence
    points[2, 10, :2] = np.nan
    points[3, 10] = (1e30, -np.inf, 0)
    points[4, 10] = (0, 0, 0.4)  # Ultralytics' way to say so
    clip = read_keypoints(write(tmp_path, keypoints=points))
    assert (clip.keypoints2d[2:5, 16] == 0).all()
    assert (clip.keypoints2d[5, 16] > 0).all()
    assert np.isfinite(clip.keypoints2d).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layout": None}, r"has no layout: name the joints' order \(--layout\), one of blazepose33, body25, coco17"),
        ({"layout": "coco18"}, "unknown joint layout 'coco18'"),
        ({"layout": "smpl24"}, "17 joints given, but layout 'smpl24' has 24"),
        ({"fps": None}, "has neither fps nor timestamps"),
        ({"timestamps": np.arange(6) / 25}, "give either fps or timestamps"),
        ({"fps": 0.0}, "fps is 0.0, expected frames per second above 0"),
        ({"fps": np.nan}, "fps is nan"),
        ({"fps": 0.1}, "frames are 10 s apart on average"),
        ({"fps": "fast"}, "fps is not an array of numbers"),
        ({"fps": None, "timestamps": np.array([0, 1, 2, 2, 4, 5]) / 25}, "frame 3 comes 0 s after the one before it"),
        (
            {"fps": None, "timestamps": np.arange(6) * 40.0},
            "frames are 40 s apart on average: give timestamps in seconds",
        ),
        (
            {"fps": None, "timestamps": np.arange(6)},
            "frames are 1 s apart on average: give timestamps in seconds, below",
        ),
        ({"fps": None, "timestamps": np.arange(5) / 25}, "there are 5 timestamps for 6 frames: give one for each"),
        ({"fps": None, "timestamps": np.zeros((6, 1))}, r"timestamps has shape \(6, 1\), expected 1 dimensions"),
        ({"width": None}, "has height alone: give width and height"),
        ({"width": 0}, "the image is 0 x 480, expected whole numbers of pixels"),
        ({"width": 640.5}, r"the image is 640\.5 x 480"),
        ({"person": "me"}, "unknown field 'person': a keypoint file has keypoints, layout, fps"),
        ({"keypoints": None}, "has no keypoints, only layout"),
        ({"keypoints": POINTS[0]}, r"keypoints have shape \(17, 3\), expected \(frames, joints, 2 or 3\)"),
        ({"keypoints": np.zeros((6, 17, 4))}, r"keypoints have shape \(6, 17, 4\)"),
        ({"keypoints": np.zeros((0, 17, 3))}, r"keypoints have shape \(0, 17, 3\)"),
        ({"fps": None, "timestamps": np.array([0, 0.1, np.inf, np.inf, 1, 2])}, "time stamp 2 is not a finite number"),
        ({"width": np.inf}, "the image is inf x 480"),
        ({"keypoints": changed(1e300, 4, 2, 1)}, r"a keypoint lies beyond 1e\+06 pixels"),
        ({"keypoints": changed(np.nan, 4, 2, 1)}, "keypoints2d has a NaN or infinity at frame 4"),
        ({"keypoints": changed(87.0, 3, 1, 2)}, "joint 1 of frame 3 has confidence 87, expected 0 to 1"),
        ({"keypoints": changed(np.nan, 3, 1, 2)}, "NaN or infinity at frame 3"),
        ({"keypoints": POINTS * (1, 1, 0)}, "every joint of every frame has confidence 0"),
        ({"keypoints": POINTS / (640, 480, 1)}, "all keypoints lie within 2 pixels of the image's corner"),
        (
            {"keypoints": POINTS / (640, 480, 1), "width": None, "height": None},
            "all keypoints lie within 2 pixels of the image's corner",
        ),
        (
            {"keypoints": POINTS * (1, 1.2, 1) + (0, 650, 0), "width": 1280, "height": 720},
            "of the joints lie outside of the image of 1280 x 720 pixels, but all inside 720 x 1280: are width and",
        ),
        ({"keypoints": np.delete(changed(0, 1, 5), 2, -1)}, r"joint 5 of frame 1 is at \(0, 0\)"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_what_cannot_be_used_is_named(tmp_path, changes: dict, message: str) -> None:
    path = write(tmp_path, **changes)
    with pytest.raises(InputError, match=message) as caught:
        read_keypoints(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_arrays_in_memory_give_the_clip_of_the_file(tmp_path) -> None:
    expected = read_keypoints(write(tmp_path))
    for points in (POINTS, POINTS.tolist()):
        clip = clip_from_keypoints(points, "coco17", fps=25.0, image_size=(640, 480), name="walk")
        np.testing.assert_array_equal(clip.keypoints2d, expected.keypoints2d)
        assert (clip.name, clip.frame, clip.fps, clip.split) == ("walk", "camera", 25.0, "test")
        assert (clip.camera.width, clip.camera.height) == (640, 480)
    whole = clip_from_keypoints((POINTS[:2, :, :2] + 1).astype(int), "coco17", timestamps=[5, 5.1])
    np.testing.assert_array_equal(whole.times, [5, 5.1])
    np.testing.assert_array_equal(
        whole.keypoints2d[:, 16], [(*point, 1) for point in POINTS[:2, 10, :2].astype(int) + 1]
    )
    assert whole.camera is None


@pytest.mark.parametrize(
    ("points", "options", "message"),
    [
        (POINTS, {"fps": 25.0, "image_size": (640, 0)}, "^the image is 640 x 0, expected whole numbers of pixels"),
        (POINTS, {"fps": 25.0, "image_size": (640, 480, 3)}, r"^image_size is \[640.0, 480.0, 3.0\], expected"),
        (POINTS, {"fps": 25.0, "image_size": 640}, r"^image_size has shape \(\), expected 1 dimensions"),
        (POINTS, {}, "^clip clip: give either fps or timestamps, in seconds"),
        (POINTS / (640, 480, 1), {"fps": 25.0}, "^all keypoints lie within 2 pixels of the image's corner"),
        (POINTS, {"timestamps": np.arange(5.0)}, "^there are 5 timestamps for 6 frames"),
        (POINTS[:, None], {"fps": 25.0}, r"those of one person, .* such as keypoints\[:, 0\]"),
        (POINTS[0], {"fps": 25.0}, r"^keypoints have shape \(17, 3\), expected \(frames, joints, 2 or 3\)"),
        (changed(87.0, 0, 1, 2)[:1], {"fps": 25.0}, "^joint 1 has confidence 87, expected 0 to 1"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_what_cannot_be_used_in_memory_is_named(points: np.ndarray, options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        clip_from_keypoints(points, "coco17", **options)


def test_an_image_size_is_doubted_where_its_exchange_would_mend_it_or_nothing_does() -> None:
    def clip(points: np.ndarray, width: int, height: int) -> None:
        clip_from_keypoints(points, "coco17", fps=25.0, image_size=(width, height))

    upright = POINTS * (1, 3, 1)  # x from 100 to 500, y from 300 to 1500
    clip(upright, 720, 1600)
    with pytest.raises(InputError, match="are width and height exchanged"):
        clip(upright, 1600, 720)
    clip(upright * (1, 1, 0.2), 1600, 720)  # no joint is sure
    with pytest.raises(
        InputError, match=r"% of the joints lie outside of the image of 1400 x 720 pixels, as far as \("
    ):
        clip(upright, 1400, 720)  # joints lie outside of 720 x 1400 as well
    some_low = upright * (1, 0.6, 1)  # and fewer than half of them do
    clip(some_low, 1400, 720)
    for below, near, refused in ((4, 700, False), (5, 700, True), (4, 790, False), (4, 800, True)):
        some = upright * (1, 1, 0) + (0, 0, 1)
        some[:, :below, 1], some[:, below:, 1] = 1400, near  # a quarter of 17 joints, and 10 % of 720 pixels
        if not refused:
            clip(some, 1600, 720)
            continue
        with pytest.raises(InputError, match="are width and height exchanged"):
            clip(some, 1600, 720)
    sideways = POINTS * (3, 1, 1)
    clip(sideways, 1600, 720)
    with pytest.raises(InputError, match="are width and height exchanged"):
        clip(sideways, 720, 1600)


def test_files_that_cannot_be_read_are_named(tmp_path) -> None:
    (tmp_path / "empty.npz").touch()
    (tmp_path / "damaged.npz").write_bytes(b"PK\x03\x04 and then nothing")
    (tmp_path / "broken.json").write_text('{"keypoints": [[')
    (tmp_path / "list.json").write_text("[1, 2]")
    (tmp_path / "ragged.json").write_text(json.dumps(fields(keypoints=[[[1, 2]], [[1, 2], [3, 4]]])))
    (tmp_path / "huge.json").write_text(json.dumps(fields(keypoints=POINTS.tolist(), fps=10**400)))
    (tmp_path / "deep.json").write_text("[" * 100_000)
    (tmp_path / "walk.csv").write_text("1,2")
    np.save(tmp_path / "objects.npy", np.array([{}, {}]), allow_pickle=True)
    for name, message in (
        ("empty.npz", "is empty"),
        ("damaged.npz", "cannot be read"),
        ("broken.json", "is no JSON file, or a damaged one"),
        ("list.json", "holds a list, expected an object with keypoints"),
        ("ragged.json", "keypoints is not an array of numbers"),
        ("huge.json", "fps is not an array of numbers"),
        ("deep.json", "is no JSON file, or a damaged one"),
        ("walk.csv", "ends in '.csv': give keypoints as .npz, .npy, .json"),
        ("objects.npy", "cannot be read"),
        ("nowhere.npz", "no keypoints at"),
        ("nowhere", "no keypoints at"),
    ):
        with pytest.raises(InputError, match=message) as caught:
            read_keypoints(tmp_path / name)
        assert name in str(caught.value)
    with pytest.raises(InputError, match=r"has fps 25\.0, and 30 is given beside it: drop either"):
        read_keypoints(write(tmp_path), fps=30)
    with pytest.raises(InputError, match="unknown field 'rate'"):
        read_keypoints(write(tmp_path), rate=30)
