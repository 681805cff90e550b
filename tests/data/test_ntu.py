"""NTU RGB+D from ``.skeleton`` files to a store that its protocol accepts."""

import argparse
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from hummuss.body.skeleton import H36M17, NTU25
from hummuss.cli import prepare as command
from hummuss.data import MotionStore, StoreDataModule
from hummuss.data.readers.ntu import BEYOND, HEIGHT, NO_POSITION, WIDTH, read_missing, read_ntu, recording_clips
from hummuss.data.readers.ntu_persons import BRIEF
from hummuss.data.readers.task import LeftOut
from hummuss.data.readers.tracks import ALONE
from hummuss.errors import InputError
from hummuss.protocols import NTU, TestClips

NAME = "S001C001P003R001A005"


def prepare(dataset: str, raw: Path, out: Path, *options: object) -> tuple[int, MotionStore]:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    words = [dataset, raw, out, "--workers", 1, *options]
    return command.run(parser.parse_args([str(word) for word in words])), MotionStore(out)


def clips(text: str, split: str = "xsub"):
    made = recording_clips(text, NAME, split, 60)
    return [clip for clip in made if not isinstance(clip, LeftOut)], [
        left for left in made if isinstance(left, LeftOut)
    ]


def test_a_person_in_the_camera_frame_with_keypoints_where_a_camera_sees_them(kinect) -> None:
    body = kinect.seen(range(20))
    body.states[3, 6], body.states[4, 6], body.pixels[5, 6] = 1, 0, -np.inf
    [clip], left = clips(kinect.skeleton(20, body))
    assert left == []
    assert (clip.name, clip.label, clip.subject, clip.split, clip.fps) == (NAME, "A005", "P003", "test", 30.0)
    assert (clip.frame, clip.camera.width, clip.camera.height, len(clip)) == ("camera", 1920, 1080, 20)
    wrist = H36M17.joints.index("left_wrist")
    kinects = body.joints[:, NTU25.joints.index("left_wrist")]
    np.testing.assert_allclose(clip.joints3d[:, wrist], kinects * [-1, -1, 1], atol=1e-6)
    # Who faces the camera has the left hand at the right of the picture, and the head up: x right, y down.
    side = H36M17.joints.index
    for array in (clip.joints3d, clip.keypoints2d):
        assert (array[:10, side("left_hip"), 0] > array[:10, side("right_hip"), 0]).all()
        assert (array[:, side("head"), 1] < array[:, side("pelvis"), 1]).all()
    assert clip.keypoints2d[:7, wrist, 2].tolist() == [1, 1, 1, 0.5, 0, 0, 1]
    assert (clip.keypoints2d[4:6, wrist] == 0).all()
    # The fixture's Kinect has a focal length of 1060: pixels and joints are the same person in the same camera.
    projected = 1060 * clip.joints3d[..., :2] / clip.joints3d[..., 2:] + [WIDTH / 2, HEIGHT / 2]
    seen = clip.keypoints2d[..., 2] > 0
    np.testing.assert_allclose(clip.keypoints2d[..., :2][seen], projected[seen], atol=0.05)


def test_two_persons_are_numbered_and_ghosts_are_left_out(kinect) -> None:
    text = kinect.skeleton(
        40,
        kinect.seen(range(40), sway=0.02, name="7"),
        kinect.seen(range(40), at=0.8, sway=0.1, name="8"),
        kinect.seen(range(5), at=-0.8, name="9"),
    )
    made, left = clips(text)
    assert [(clip.name, clip.person) for clip in made] == [(f"{NAME}/person_1", "1"), (f"{NAME}/person_2", "2")]
    assert made[0].joints3d[:, 0, 0].mean() == pytest.approx(-0.8, abs=0.1)  # the one that moves more
    assert left == [LeftOut(f"{NAME}/9", BRIEF)]


def test_who_leaves_and_returns_keeps_the_time_or_goes_on_in_another_part(kinect) -> None:
    frames = [*range(10), *range(14, 20)]  # four frames away
    [clip], _ = clips(kinect.skeleton(20, kinect.seen(frames)))
    np.testing.assert_allclose(clip.times, np.array(frames) / 30)
    frames = [*range(10), *range(25, 40), 60]  # the 25th is 16/30 s after the 9th; the last stands alone
    made, left = clips(kinect.skeleton(61, kinect.seen(frames)))
    assert [(clip.name, len(clip)) for clip in made] == [(NAME, 10), (f"{NAME}/part_2", 15)]
    np.testing.assert_allclose(made[1].times, np.arange(25, 40) / 30)  # on the recording's clock
    assert left == [LeftOut(f"{NAME}/part_3", ALONE)]
    [clip], _ = clips(kinect.skeleton(40, kinect.seen([*range(10), *range(24, 40)])))  # half a second exactly
    assert np.diff(clip.times).max() == pytest.approx(0.5)


def test_frames_without_a_position_are_left_out_and_said(kinect) -> None:
    body = kinect.seen(range(6))
    body.joints[2, 4, 1], body.joints[3], body.joints[4, 20] = np.nan, 0, 0
    [clip], left = clips(kinect.skeleton(6, body))
    np.testing.assert_allclose(clip.times, np.array([0, 1, 5]) / 30)
    assert left == [LeftOut(f"{NAME}/{body.name}, 3 of 6", NO_POSITION)]
    body.joints[:] = np.nan
    with pytest.raises(InputError, match=f"{NAME}.skeleton: no frame has a position of every joint"):
        clips(kinect.skeleton(6, body))


@pytest.fixture
def raw(kinect, tmp_path) -> Path:
    folder = tmp_path / "raw" / "nturgb+d_skeletons"
    folder.mkdir(parents=True)
    pair = (kinect.seen(range(12)), kinect.seen(range(12), at=0.8, name="8"))
    for name, bodies in (
        ("S001C001P001R001A005", pair),
        ("S001C001P003R001A050", pair),
        ("S001C002P003R001A060", pair[:1]),
        ("S001C002P038R001A001", pair[:1]),
        ("S018C001P045R001A061", pair[:1]),
        ("S001C001P003R002A007", ()),
    ):
        (folder / f"{name}.skeleton").write_text(kinect.skeleton(12, *bodies))
    return tmp_path / "raw"


def test_prepare_writes_a_store_that_the_protocol_accepts(raw, tmp_path, capsys) -> None:
    status, store = prepare("ntu", raw, tmp_path / "store")
    assert status == 1
    assert "S001C001P003R002A007.skeleton: nobody is in any frame" in " ".join(capsys.readouterr().out.split())
    assert [(name, store[name].split) for name in store.names()] == [
        ("S001C001P001R001A005/person_1", "train"),
        ("S001C001P001R001A005/person_2", "train"),
        ("S001C001P003R001A050/person_1", "test"),
        ("S001C001P003R001A050/person_2", "test"),
        ("S001C002P003R001A060", "test"),
        ("S001C002P038R001A001", "val"),
    ]
    assert store.source["left_out"] == {BEYOND: ["S018C001P045R001A061"]}
    test = [store[name] for name in store.names("test")]
    NTU("xsub", 60).check(TestClips({"": test}, [f"A{action:03}" for action in range(1, 61)]))


def test_a_prepared_store_feeds_training_with_3d_2d_and_labels(raw, tmp_path) -> None:
    prepare("ntu", raw, tmp_path / "store")
    names = [f"A{action:03}" for action in range(1, 61)]
    data = StoreDataModule(tmp_path / "store", frames=16, batch_size=4, windows_per_epoch=4, flip=0.5, classes=names)
    batch = next(iter(data.train_dataloader()))
    assert batch["has_joints3d"].all()
    assert not (batch["has_smpl"] | batch["has_2d_target"]).any()
    assert batch["label"].tolist() == [4] * 4
    assert batch["valid"].sum(1).tolist() == [12] * 4  # recordings of 12 frames, padded
    # Mirrored or not, what is seen is what stands there: about 1060 pixels of focal length in an image of 1920.
    joints, keypoints = batch["joints3d"][:, :12], batch["keypoints"][:, :12]
    torch.testing.assert_close(keypoints[..., :2], 1060 / 960 * joints[..., :2] / joints[..., 2:], atol=1e-3, rtol=0)


def test_the_benchmark_and_the_list_of_missing_skeletons_are_options(raw, tmp_path) -> None:
    listed = tmp_path / "missing.txt"
    listed.write_text("302 of the captured samples have missing skeletons.\r\n\r\nS001C001P003R002A007\r\n")
    options = ("--split", "xset", "--classes", 120, "--missing", listed)
    status, store = prepare("ntu", raw, tmp_path / "store", *options)
    assert status == 0
    assert store.source["left_out"] == {"listed in missing.txt": ["S001C001P003R002A007"]}
    assert store["S018C001P045R001A061"].split == "train"
    assert store["S001C002P038R001A001"].split == "test"
    with pytest.raises(InputError, match="xset is defined for 120 classes, not for 60"):
        prepare("ntu", raw, tmp_path / "other", "--split", "xset")


def test_the_fingerprint_changes_with_the_files_and_the_list(kinect, raw, tmp_path) -> None:
    listed = tmp_path / "missing.txt"
    listed.write_text("S001C001P003R002A007\n")
    before = [read_ntu(raw).fingerprint, read_ntu(raw, missing=listed).fingerprint]
    assert before == [read_ntu(raw).fingerprint, read_ntu(raw, missing=listed).fingerprint]
    listed.write_text("S001C001P003R002A007\nS001C001P003R001A050\n")
    assert read_ntu(raw).fingerprint == before[0]
    assert read_ntu(raw, missing=listed).fingerprint != before[1]
    next(raw.rglob("*.skeleton")).write_text("1\n0\n")
    assert read_ntu(raw).fingerprint != before[0]


def test_archives_are_read_as_they_are_and_unpacked_files_come_first(kinect, raw, tmp_path) -> None:
    paths = sorted(raw.rglob("*.skeleton"))
    with zipfile.ZipFile(raw / "nturgbd_skeletons_s001_to_s017.zip", "w") as archive:
        archive.writestr(f"nturgb+d_skeletons/{paths[0].name}", kinect.skeleton(9, kinect.seen(range(9))))
        archive.write(paths[1], f"nturgb+d_skeletons/{paths[1].name}")
    unpacked = prepare("ntu", raw, tmp_path / "unpacked")[1]
    assert len(unpacked) == 6
    assert len(unpacked["S001C001P001R001A005/person_1"]) == 12
    for path in paths:
        path.unlink()
    status, store = prepare("ntu", raw, tmp_path / "packed")
    assert status == 0
    assert [(clip.name, len(clip)) for clip in store] == [
        ("S001C001P001R001A005", 9),
        ("S001C001P003R001A050/person_1", 12),
        ("S001C001P003R001A050/person_2", 12),
    ]


def test_what_cannot_be_used_is_named(tmp_path) -> None:
    out = tmp_path / "store"
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty holds no \.skeleton file"):
        prepare("ntu", tmp_path / "empty", out)
    with pytest.raises(InputError, match="nowhere is neither a folder nor a whole zip archive"):
        prepare("ntu", tmp_path / "nowhere", out)
    (tmp_path / "list.txt").write_text("nothing of use\n")
    with pytest.raises(InputError, match=r"list\.txt names no recording"):
        read_missing(tmp_path / "list.txt")
    with pytest.raises(InputError, match=r"none\.txt: No such file"):
        read_missing(tmp_path / "none.txt")
    (tmp_path / "empty" / "walk.skeleton").write_text("1\n0\n")
    with pytest.raises(InputError, match="none of the 1 files"):
        prepare("ntu", tmp_path / "empty", out)
