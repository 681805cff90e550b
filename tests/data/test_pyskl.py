"""pyskl's pickles of NTU RGB+D, 2D and 3D."""

import argparse
import pickle
from pathlib import Path

import numpy as np
import pytest

from hummuss.body.skeleton import H36M17
from hummuss.cli import prepare as command
from hummuss.data import MotionStore
from hummuss.data.readers.ntu import BEYOND, NO_POSITION
from hummuss.data.readers.pyskl import UNLISTED, annotation_clips, read_pyskl
from hummuss.data.readers.task import LeftOut
from hummuss.errors import InputError
from hummuss.protocols import NTU, TestClips

NAME = "S001C001P003R001A005"


def detected(name: str = NAME, persons: int = 1, frames: int = 12, **changes) -> dict:
    """An annotation of ntu60_hrnet.pkl."""
    rng = np.random.default_rng(0)
    return {
        "frame_dir": name,
        "label": int(name[-3:]) - 1,
        "img_shape": (1080, 1920),
        "original_shape": (1080, 1920),
        "total_frames": frames,
        "keypoint": rng.uniform(100, 900, (persons, frames, 17, 2)).astype(np.float16),
        "keypoint_score": rng.uniform(0.2, 1.1, (persons, frames, 17)).astype(np.float16),
    } | changes


def posed(kinect, name: str = NAME, persons: int = 1, frames: int = 12, **changes) -> dict:
    """An annotation of ntu60_3danno.pkl."""
    bodies = [kinect.seen(range(frames), at=at).joints for at in (0.0, 0.8)[:persons]]
    keypoint = np.stack(bodies).astype(np.float16)
    return {"frame_dir": name, "label": int(name[-3:]) - 1, "keypoint": keypoint, "total_frames": frames} | changes


def dump(path: Path, annotations: list, **split: list) -> Path:
    path.write_bytes(pickle.dumps({"split": split, "annotations": annotations}))
    return path


def prepare(raw: Path, out: Path, *options: object) -> tuple[int, MotionStore]:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    words = ["ntu-pyskl", raw, out, "--workers", 1, *options]
    return command.run(parser.parse_args([str(word) for word in words])), MotionStore(out)


def test_detections_keep_pixels_and_their_confidence_stops_at_one() -> None:
    annotation = detected()
    annotation["keypoint_score"][0, 3, 10] = 1.1
    [clip] = annotation_clips(annotation, NAME, "test")
    assert (clip.name, clip.label, clip.subject, clip.fps, clip.frame) == (NAME, "A005", "P003", 30.0, "camera")
    assert (clip.camera.width, clip.camera.height, clip.joints3d) == (1920, 1080, None)
    wrist, own = H36M17.joints.index("right_wrist"), 10
    np.testing.assert_array_equal(clip.keypoints2d[:, wrist, :2], annotation["keypoint"][0, :, own])
    np.testing.assert_array_equal(clip.keypoints2d[:, wrist, 2], np.minimum(annotation["keypoint_score"][0, :, own], 1))
    assert clip.keypoints2d[3, wrist, 2] == 1


def test_joints_stay_in_the_kinects_upright_space(kinect) -> None:
    [clip] = annotation_clips(posed(kinect), NAME, "test")
    assert (clip.frame, clip.camera, clip.keypoints2d) == ("world", None, None)
    side = H36M17.joints.index
    np.testing.assert_allclose(clip.joints3d[:, side("left_wrist")], kinect.seen(range(12)).joints[:, 6], atol=2e-3)
    assert (clip.joints3d[:, side("head"), 1] > clip.joints3d[:, side("pelvis"), 1]).all()


@pytest.mark.parametrize("kind", ["2d", "3d"])
def test_who_is_absent_is_left_out_of_those_frames(kinect, kind: str) -> None:
    annotation = detected(persons=2) if kind == "2d" else posed(kinect, persons=2)
    for key in ("keypoint", "keypoint_score"):
        if key in annotation:
            annotation[key][1, 4:6] = 0
    first, second = annotation_clips(annotation, NAME, "test")
    assert (first.name, first.fps, len(first)) == (f"{NAME}/person_1", 30.0, 12)
    assert second.name == f"{NAME}/person_2"
    np.testing.assert_allclose(second.times, np.array([0, 1, 2, 3, 6, 7, 8, 9, 10, 11]) / 30)
    for key in ("keypoint", "keypoint_score"):
        if key in annotation:
            annotation[key][0] = 0
    [alone] = annotation_clips(annotation, NAME, "test")
    assert alone.name == NAME


def test_frames_in_which_a_joint_has_no_position_are_left_out_and_said(kinect) -> None:
    annotation = posed(kinect, persons=2)
    annotation["keypoint"][1, 4, 20] = 0
    annotation["keypoint"][1, 5, 3, 2] = np.nan
    annotation["keypoint"][1, 9:] = 0  # gone, which is no fault
    left, first, second = annotation_clips(annotation, NAME, "test")
    assert left == LeftOut(f"{NAME}/1, 2 of 9", NO_POSITION)
    assert len(first) == 12
    np.testing.assert_allclose(second.times, np.array([0, 1, 2, 3, 6, 7, 8]) / 30)
    annotation["keypoint"][:, :, 7] = 0
    with pytest.raises(InputError, match="no frame has a position of every joint"):
        annotation_clips(annotation, NAME, "test")


def test_a_store_by_names_and_by_the_files_own_lists(tmp_path, capsys) -> None:
    names = ["S001C001P001R001A005", "S001C001P038R001A006", "S001C001P003R001A050", "S018C001P045R001A061"]
    annotations = [detected(name, persons=2 if name.endswith("50") else 1) for name in names]
    raw = dump(tmp_path / "ntu60_hrnet.pkl", annotations, xsub_train=names[:2], xsub_val=names[3:])
    status, store = prepare(raw, tmp_path / "names")
    assert status == 0
    parts = {name: store[name].split for name in store.names()}
    test = {f"{names[2]}/person_1": "test", f"{names[2]}/person_2": "test"}
    assert parts == {names[0]: "train", names[1]: "val"} | test
    assert store.source["left_out"] == {BEYOND: names[3:]}
    NTU("xsub", 60).check(TestClips({"": [store[name] for name in test]}, [f"A{n:03}" for n in range(1, 61)]))

    status, store = prepare(raw, tmp_path / "lists", "--classes", 120, "--lists", "file")
    assert {name: store[name].split for name in store.names()} == {
        names[0]: "train", names[1]: "train", names[3]: "test",
    }  # fmt: skip
    assert store.source["left_out"] == {UNLISTED: [names[2]]}
    with pytest.raises(InputError, match="has no list 'xset_train'"):
        read_pyskl(raw, "xset", 120, "file")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"keypoint": None}, "expected its keypoint as an array"),
        ({"keypoint": np.zeros((1, 12, 17), np.float16)}, "expected its keypoint as an array"),
        ({"keypoint": np.zeros((3, 12, 17, 2))}, "has 3 persons, expected 2 at most"),
        ({"keypoint": np.zeros((1, 12, 18, 2))}, r"found \(1, 12, 18, 2\) and \(1, 12, 17\)"),
        ({"keypoint_score": None}, "and None"),
        ({"keypoint_score": np.zeros((1, 12, 17))}, "nobody is in any frame"),
        ({"keypoint_score": np.full((1, 12, 17), np.nan)}, "a keypoint_score is no number from 0 on: nan"),
        ({"keypoint_score": np.full((1, 12, 17), -1.0)}, "a keypoint_score is no number from 0 on: -1"),
        ({"img_shape": None}, "expected an img_shape of height and width, found None"),
        ({"img_shape": (1080.0, 1920.0)}, "expected an img_shape"),
        ({"total_frames": 11}, "its total_frames is 11, expected 12"),
        ({"label": 5}, "its label is 5, expected 4"),
        ({"label": np.arange(2)}, "its label is array"),
    ],
)
def test_an_annotation_that_cannot_be_used_is_named(changes: dict, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        annotation_clips(detected(**changes), NAME, "test")
    assert str(caught.value).startswith(NAME)


def test_a_file_that_is_none_of_pyskls_is_named(tmp_path) -> None:
    with pytest.raises(InputError, match=r"none\.pkl is no file"):
        read_pyskl(tmp_path / "none.pkl")
    (tmp_path / "list.pkl").write_bytes(pickle.dumps([1, 2]))
    with pytest.raises(InputError, match=r"list\.pkl holds no 'annotations'"):
        read_pyskl(tmp_path / "list.pkl")
    raw = dump(tmp_path / "part.pkl", [None, detected(), {"frame_dir": "walk"}])
    (tmp_path / "cut.pkl").write_bytes(raw.read_bytes()[:200])
    with pytest.raises(InputError, match=r"cut\.pkl is a damaged pickle"):
        read_pyskl(tmp_path / "cut.pkl")
    status, store = prepare(raw, tmp_path / "store")
    assert (status, store.names()) == (1, [NAME])
    assert [name for name, _ in store.source["failed"]] == ["annotation 0", "annotation 2"]
