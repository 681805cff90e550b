"""Annotations in PoseTrack's style: tracks, gaps, confidence, sizes, and one line for what cannot be used."""

import argparse
import copy
import json

import numpy as np
import pytest

from hummuss.body.skeleton import H36M17, POSETRACK15, POSETRACK17
from hummuss.cli import prepare as command
from hummuss.data import MotionStore
from hummuss.data.readers.posetrack import UNSEEN, annotation_clips, read_posetrack
from hummuss.data.readers.task import LeftOut
from hummuss.errors import InputError


def points(track: int, frame: int, joints: int = 17) -> list[float]:
    """Pixels that tell track, frame and joint, all visible but the ears."""
    rows = [[100 * track + joint, 10 * frame + joint, 1] for joint in range(joints)]
    for ear in (3, 4) if joints == 17 else ():
        rows[ear] = [0, 0, 0]
    return [number for row in rows for number in row]


def file(tracks: dict[int, list[int]], frames: int = 40, layout=POSETRACK17, **image) -> dict:
    """A PoseTrack 2018 file in which each track is annotated in the frames given."""
    return {
        "images": [
            {
                "id": 10003420000 + frame, "frame_id": 10003420000 + frame, "vid_id": "000342", "nframes": frames,
                "file_name": f"images/val/000342_mpii_test/{frame:06}.jpg", "is_labeled": True,
            } | image
            for frame in range(frames)
        ],
        "annotations": [
            {
                "id": number, "image_id": 10003420000 + frame, "track_id": track, "category_id": 1, "scores": [],
                "keypoints": points(track, frame, len(layout)), "bbox": [0, 0, 10, 10], "bbox_head": [],
            }
            for number, (track, frame) in enumerate((t, f) for f in range(frames) for t in tracks if f in tracks[t])
        ],
        "categories": [{"id": 1, "name": "person", "keypoints": list(layout.joints)}],
    }  # fmt: skip


@pytest.fixture
def clips(tmp_path):
    def read(content: object, size=(1280, 720)):
        path = tmp_path / "000342_mpii_test.json"
        path.write_text(json.dumps(content))
        return annotation_clips(path, path.stem, 25.0, list(size) if size else None, "val")

    return read


def test_a_clip_for_each_track_with_joints_where_they_belong(clips) -> None:
    first, second = clips(file({0: list(range(10)), 3: list(range(2, 8))}))
    assert [clip.name for clip in (first, second)] == [f"000342_mpii_test/person_{track}" for track in (0, 3)]
    assert (first.fps, len(first), len(second)) == (25.0, 10, 6)
    np.testing.assert_allclose(second.times, np.arange(2, 8) / 25, err_msg="since the video began")
    assert (first.split, first.frame, first.camera.width, first.camera.height) == ("val", "camera", 1280, 720)
    assert first.joints3d is None
    wrist = H36M17.joints.index("right_wrist")
    np.testing.assert_array_equal(second.keypoints2d[:, wrist], [[310, 10 * frame + 10, 1] for frame in range(2, 8)])
    np.testing.assert_array_equal(second.keypoints2d[:, 10, 0], np.full(6, 302))  # head: the head's top
    np.testing.assert_array_equal(second.keypoints2d[:, 8, 0], np.full(6, 301))  # thorax: the head's bottom


def test_posetrack_2017s_order_is_known_by_its_names(clips) -> None:
    [clip] = clips(file({2: [0, 1]}, layout=POSETRACK15))
    assert clip.keypoints2d[0, H36M17.joints.index("right_ankle")].tolist() == [200, 0, 1]


def test_gaps_are_time_or_part_a_clip(clips) -> None:
    [clip] = clips(file({0: [0, 4, 8, 12]}))  # every fourth frame, as in PoseTrack's validation videos
    assert (clip.fps, clip.timestamps) == (25 / 4, None)
    [clip] = clips(file({0: [0, 1, 5, 6]}))
    np.testing.assert_allclose(clip.times, np.array([0, 1, 5, 6]) / 25)
    first, second, alone = clips(file({0: [0, 1, 20, 21, 22, 39]}))
    assert [(clip.name[-8:], len(clip)) for clip in (first, second)] == [("person_0", 2), ("0/part_2", 3)]
    assert isinstance(alone, LeftOut)


def test_invisible_joints_are_missing_and_scores_are_confidence(clips) -> None:
    content = file({0: [0, 1, 2]})
    first, second, third = content["annotations"]
    first["keypoints"][3 * 9 + 2] = 0  # the left wrist
    second["scores"] = [0.25] * 17
    third["keypoints"] = []
    left, clip = clips(content)
    assert left.reason == UNSEEN
    assert left.file.endswith("annotation 2")
    wrist, elbow = H36M17.joints.index("left_wrist"), H36M17.joints.index("left_elbow")
    assert (clip.keypoints2d[0, wrist] == 0).all()
    assert clip.keypoints2d[:, elbow, 2].tolist() == [1, 0.25]


def test_videos_of_one_file_are_kept_apart_and_their_own_sizes_are_used(clips) -> None:
    content, other = (file({0: [0, 1, 2]}, frames=3, width=width, height=480) for width in (640, 800))
    for image, annotation in zip(other["images"], other["annotations"], strict=True):
        image["id"] = annotation["image_id"] = f"b{image['id']}"
        image["vid_id"] = "b"
    content["images"] += other["images"]
    content["annotations"] += other["annotations"]
    made = clips(content, size=None)
    assert [(clip.name, clip.camera.width) for clip in made] == [
        ("000342_mpii_test/000342/person_0", 640), ("000342_mpii_test/b/person_0", 800),
    ]  # fmt: skip


def test_a_folder_to_a_store(tmp_path) -> None:
    folders = ("train", "val", "more")
    for folder in folders:
        (tmp_path / "raw" / folder).mkdir(parents=True)
        (tmp_path / "raw" / folder / "video.json").write_text(json.dumps(file({1: [0, 1, 2]})))
    (tmp_path / "raw" / "more" / "broken.json").write_text("{")
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    words = ["posetrack", tmp_path / "raw", tmp_path / "store", "--fps", 25, "--image-size", 1280, 720, "--workers", 1]
    assert command.run(parser.parse_args([str(word) for word in words])) == 1
    store = MotionStore(tmp_path / "store")
    assert {clip.name: clip.split for clip in store} == {
        f"{folder}/video/person_1": split for folder, split in zip(folders, ("train", "val", "train"), strict=True)
    }  # fmt: skip
    [[name, reason]] = store.source["failed"]
    assert name.endswith("broken.json")
    assert "broken.json is no JSON file, or a damaged one" in reason


def edited(*place: object, value: object) -> dict:
    content = file({0: [0, 1, 2]})
    *outer, last = place
    inner = content
    for key in outer:
        inner = inner[key]
    inner[last] = copy.deepcopy(value)
    return content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "expected a list 'images' of objects"),
        ({"images": []}, "expected a list 'annotations' of objects"),
        (file({}), "nobody is annotated in it"),
        (edited("images", 3, "id", value=[1]), "image 3: expected an id of its own"),
        (edited("images", 3, "id", value=10003420000), "image 3: expected an id of its own, found 10003420000"),
        (edited("images", 3, "frame_id", value=-1), "image 3: expected a frame's number"),
        (edited("images", 3, "frame_id", value="first.jpg"), "image 3: expected a frame's number, or an image name"),
        (edited("images", 3, "width", value="wide"), "image 3: expected width and height in pixels"),
        (edited("annotations", 1, "image_id", value=7), "annotation 1: its image_id 7 is no image of the file"),
        (edited("annotations", 1, "image_id", value={}), "annotation 1: its image_id {} is no image"),
        (edited("annotations", 1, "track_id", value=None), "annotation 1: expected a track_id"),
        (edited("annotations", 1, "image_id", value=10003420000), "annotation 1: track 0 comes twice in frame 100034"),
        (edited("annotations", 1, "keypoints", value=[1, 2]), "annotation 1: expected keypoints x, y, confidence"),
        (
            edited("annotations", 1, "keypoints", value=[1, 2, float("nan")]),
            "annotation 1: joint 0 has confidence nan, expected",
        ),
        (
            edited("annotations", 1, "keypoints", value=[10**400, 2, 1]),
            r"annotation 1: joint 0 has x 10+, expected a number",
        ),
        (edited("annotations", 1, "keypoints", value=[1, 2, 1]), "annotation 1: has 1 keypoints, .* names 17"),
        (edited("annotations", 1, "scores", value=[1]), "annotation 1: expected 17 scores from 0 to 1"),
        (edited("annotations", 1, "scores", value=[2] * 17), "annotation 1: expected 17 scores from 0 to 1"),
        (edited("categories", value=[]), "expected categories whose keypoints are PoseTrack's 17 or 15 joints"),
        (edited("categories", 0, "keypoints", value=["nose"]), "expected categories .* found .'nose'."),
    ],
)
def test_what_cannot_be_used_is_named(clips, content: object, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        clips(content)
    assert "000342_mpii_test.json" in str(caught.value)


def test_options_that_cannot_be_used_are_named(clips, tmp_path) -> None:
    with pytest.raises(InputError, match="does not say how large its images are: give --image-size"):
        clips(file({0: [0, 1]}), size=None)
    with pytest.raises(InputError, match=r"--image-size is \[0, 720\]"):
        clips(file({0: [0, 1]}), size=(0, 720))
    with pytest.raises(InputError, match=r"--fps is 0\.0, expected"):
        read_posetrack(tmp_path, 0.0)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty holds no \.json file"):
        read_posetrack(tmp_path / "empty", 25.0)
