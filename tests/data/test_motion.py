"""Motion clips and their store."""

import json
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation, Slerp

from hummuss.data.motion import Camera, MotionClip
from hummuss.data.store import MotionStore, StoreWriter
from hummuss.errors import InputError


def make(name="02_01", frames=30, **fields) -> MotionClip:
    rng = np.random.default_rng(len(name))
    values = {
        "sequence": "asf-amc/02_01",
        "subject": "02",
        "split": "train",
        "fps": 120.0,
        "joints3d": rng.normal(size=(frames, 17, 3)).astype(np.float32),
        "smpl_pose": rng.normal(size=(frames, 24, 3)).astype(np.float32),
        "betas": rng.normal(size=10).astype(np.float32),
        "transl": rng.normal(size=(frames, 3)).astype(np.float32),
        "body": "free",
    }
    return MotionClip(name=name, **(values | fields))


def assert_same(a: MotionClip, b: MotionClip) -> None:
    assert (a.name, a.fps, a.split, a.label, a.frame) == (b.name, b.fps, b.split, b.label, b.frame)
    assert dict(a.frame_arrays()).keys() == dict(b.frame_arrays()).keys()
    for key, array in a.frame_arrays():
        np.testing.assert_array_equal(array, dict(b.frame_arrays())[key])


def test_store_round_trip(tmp_path) -> None:
    camera = Camera(np.eye(3), np.eye(3), np.ones(3), 640, 480)
    clips = [
        make(label="walk"),
        make(
            "03_01",
            fps=None,
            timestamps=np.cumsum(np.linspace(0.01, 0.02, 30)),
            extras={"factor": np.ones(30)},
        ),
        make("c", keypoints2d=np.ones((30, 17, 3), np.float32), camera=camera, frame="camera", split="test"),
    ]
    with StoreWriter(tmp_path / "store", source={"dataset": "made"}) as writer:
        for clip in clips:
            writer.add(clip)
    as_version_1(tmp_path / "store", tmp_path / "old")
    assert_holds(MotionStore(tmp_path / "store"), clips)
    assert_holds(MotionStore(tmp_path / "old"), clips)


def as_version_1(path: Path, old: Path) -> None:
    """A copy of a store whose index has an object per clip, as the first version wrote it."""
    shutil.copytree(path, old)
    index = json.loads((path / "index.json").read_text())
    columns, entries = index["clips"], []
    for i in range(len(columns["name"])):
        entry = {name: values[i] for name, values in columns.items() if isinstance(values, list)}
        for name in ("camera", "betas"):
            place = columns[name]["clips"][i]
            entry[name] = None if place is None else columns[name]["values"][place]
        entry["offsets"] = {name: rows[i] for name, rows in columns["offsets"].items() if rows[i] is not None}
        entries.append(entry)
    (old / "index.json").write_text(json.dumps(index | {"version": 1, "clips": entries}))


def assert_holds(store: MotionStore, clips: list[MotionClip]) -> None:
    assert len(store) == 3
    assert store.source == {"dataset": "made"}
    assert store.names("train") == ["02_01", "03_01"]
    for clip, position in zip(clips, range(3), strict=True):
        assert_same(store[position], clip)
        assert_same(store[clip.name], clip)
        assert store.seconds(clip.name) == pytest.approx(clip.duration, abs=1 / 100)
    assert [clip.name for clip in store] == ["02_01", "03_01", "c"]
    assert store["03_01"].camera is None
    assert store["c"].camera is not None
    assert store["c"].camera.width == 640
    np.testing.assert_array_equal(store["c"].camera.translation, np.ones(3))
    for clip in clips:
        np.testing.assert_array_equal(store[clip.name].betas, clip.betas)
    with pytest.raises(KeyError, match="no clip named 'd' in"):
        store["d"]
    np.testing.assert_array_equal(store["03_01"].times, clips[1].times)


def test_a_new_store_replaces_an_old_one_but_no_other_folder(tmp_path) -> None:
    for name in ("first", "second"):
        with StoreWriter(tmp_path / "store") as writer:
            writer.add(make(name))
    assert MotionStore(tmp_path / "store").names() == ["second"]
    assert os.listdir(tmp_path) == ["store"]
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").touch()
    with pytest.raises(InputError, match="other exists and is not a prepared store"):
        StoreWriter(tmp_path / "other")


def test_a_store_may_be_a_link_but_no_file_and_no_disk(tmp_path, monkeypatch) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "store").symlink_to(tmp_path / "disk" / "own")
    for name in ("first", "second"):
        with StoreWriter(tmp_path / "store") as writer:
            writer.add(make(name))
    assert (tmp_path / "store").is_symlink()
    assert os.listdir(tmp_path / "disk") == ["own"]
    assert MotionStore(tmp_path / "store").names() == ["second"]
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file is a file: name a folder"):
        StoreWriter(tmp_path / "file")
    monkeypatch.setattr(Path, "is_mount", lambda self: self == tmp_path / "disk")
    with pytest.raises(InputError, match="disk is a mount point, which cannot be replaced as a whole"):
        StoreWriter(tmp_path / "disk")


def test_a_store_is_opened_anew_by_another_process(tmp_path) -> None:
    with StoreWriter(tmp_path / "store") as writer:
        writer.add(make(frames=1000))
    sent = pickle.dumps(MotionStore(tmp_path / "store"))
    assert len(sent) < 1000
    assert_same(pickle.loads(sent)[0], make(frames=1000))


def test_a_failed_writer_leaves_the_old_store(tmp_path) -> None:
    with StoreWriter(tmp_path / "store") as writer:
        writer.add(make("old"))
    with pytest.raises(RuntimeError), StoreWriter(tmp_path / "store") as writer:
        writer.add(make("new"))
        raise RuntimeError
    assert MotionStore(tmp_path / "store").names() == ["old"]
    assert os.listdir(tmp_path) == ["store"]


def _store(path) -> None:
    with StoreWriter(path) as writer:
        writer.add(make())


def test_bad_stores_are_refused_with_their_path_and_remedy(tmp_path) -> None:
    with pytest.raises(InputError, match=r"no prepared store at .*missing: write one with `hummuss prepare"):
        MotionStore(tmp_path / "missing")
    with pytest.raises(InputError, match=r"has no index.json"):
        MotionStore(tmp_path)
    with StoreWriter(tmp_path / "empty"):
        pass
    with pytest.raises(InputError, match="holds no clips"):
        MotionStore(tmp_path / "empty")
    _store(tmp_path / "short")
    (tmp_path / "short" / "joints3d.bin").write_bytes(b"1234")
    with pytest.raises(InputError, match=r"joints3d.bin has 4 bytes, expected 6120"):
        MotionStore(tmp_path / "short")
    _store(tmp_path / "old")
    index = json.loads((tmp_path / "old" / "index.json").read_text())
    (tmp_path / "old" / "index.json").write_text(json.dumps(index | {"version": 0}))
    with pytest.raises(InputError, match="store of version 0"):
        MotionStore(tmp_path / "old")
    (tmp_path / "old" / "index.json").write_text(json.dumps(index | {"clips": "none"}))
    with pytest.raises(InputError, match=r"index.json is damaged"):
        MotionStore(tmp_path / "old")
    (tmp_path / "old" / "index.json").write_text("{")
    with pytest.raises(InputError, match=r"index.json is damaged"):
        MotionStore(tmp_path / "old")


def test_two_clips_of_one_name_are_refused(tmp_path) -> None:
    with (
        pytest.raises(InputError, match="two clips are named '02_01'"),
        StoreWriter(tmp_path / "s") as writer,
    ):
        writer.add(make())
        writer.add(make())


def nan_at(frame: int) -> np.ndarray:
    joints = np.zeros((30, 17, 3), np.float32)
    joints[frame, 4, 1] = np.nan
    return joints


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"joints3d": nan_at(7)}, "clip 02_01: joints3d has a NaN or infinity at frame 7"),
        (
            {"joints3d": np.zeros((30, 16, 3), np.float32)},
            r"joints3d has shape \(30, 16, 3\), expected \(F, 17, 3\)",
        ),
        ({"transl": np.zeros((29, 3), np.float32)}, "transl has 29 frames, other fields 30"),
        ({"fps": 0.0}, "fps is 0.0"),
        ({"fps": -25.0}, "fps is -25.0"),
        ({"timestamps": np.arange(30.0)}, "either fps or timestamps"),
        ({"fps": None, "timestamps": np.r_[0.0, 0.0, 1:29]}, "frame 1 comes 0 s after"),
        ({"fps": None, "timestamps": np.r_[0.0, 2.0, 1.5, 3:30]}, "frame 2 comes -0.5 s after"),
        ({"split": "dev"}, "split 'dev' is none of train, val, test"),
        ({"body": None}, "smpl_pose needs betas, transl and the name of the body"),
        ({"betas": np.full(10, np.nan, np.float32)}, "betas must be 10 finite numbers"),
        ({"frame": "image"}, "frame 'image' must be"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_a_bad_clip_is_refused_by_name_and_reason(fields, message) -> None:
    with pytest.raises(InputError, match=message):
        make(**fields)


def test_at_own_frames_is_a_copy() -> None:
    clip = make()
    for stride in (1, 2, 7):
        seen = clip.at(np.arange(0, 30, stride) / 120)
        for key, array in clip.frame_arrays():
            np.testing.assert_array_equal(dict(seen.frame_arrays())[key], array[::stride])


def test_at_interpolates_positions_linearly_and_rotations_on_the_arc() -> None:
    clip = make()
    times = np.array([0.3, 4.25, 20.9]) / 120
    seen = clip.at(times)
    joints = clip.joints3d
    np.testing.assert_allclose(seen.joints3d[1], 0.75 * joints[4] + 0.25 * joints[5], atol=1e-6)
    for joint in range(24):
        arc = Slerp(clip.times, Rotation.from_rotvec(clip.smpl_pose[:, joint]))
        turn = Rotation.from_rotvec(seen.smpl_pose[:, joint]).inv() * arc(times)
        assert turn.magnitude().max() < 1e-5
    assert seen.times.tolist() == times.tolist()


def test_flags_between_two_frames_are_the_nearer_ones() -> None:
    clip = make(frames=3, extras={"valid_frame": np.array([1, 0, 1], np.uint8)})
    at = clip.at(clip.times[0] + np.array([0.4, 0.6, 1.4, 1.6]) / 120)
    assert at.extras["valid_frame"].tolist() == [1, 0, 0, 1]


def test_a_missing_keypoint_does_not_pull_its_neighbours_to_the_origin() -> None:
    keypoints = np.full((3, 17, 3), 100, np.float32)
    keypoints[..., 2] = [[0.9], [0.5], [0.8]]
    keypoints[1, 4] = 0
    clip = make(frames=3, keypoints2d=keypoints, fps=1.0)
    seen = clip.at(np.array([0.5, 1.0, 2.0])).keypoints2d
    assert (seen[0, 4] == 0).all()
    assert seen[0, 5].tolist() == pytest.approx([100, 100, 0.5])
    assert (seen[1, 4] == 0).all()
    assert seen[2, 4].tolist() == pytest.approx([100, 100, 0.8])


def test_an_instant_outside_the_clip_is_refused() -> None:
    with pytest.raises(InputError, match=r"runs from 0 to 0.241667 s, asked for 0 to 0.25 s"):
        make().at(np.array([0.0, 0.25]))
