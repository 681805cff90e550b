"""Any bytes, and any valid file with something wrong in it, give clips or one InputError that names the file."""

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hummuss.body.skeleton import POSETRACK17
from hummuss.data.motion import MotionClip
from hummuss.data.readers.keypoint_files import keypoint_clips
from hummuss.data.readers.ntu import recording_clips
from hummuss.data.readers.posetrack import annotation_clips
from hummuss.data.readers.task import LeftOut
from hummuss.errors import InputError

pytestmark = pytest.mark.usefixtures("unchecked")  # users have no shape checks that would step in first

POINTS = np.random.default_rng(0).uniform(0.2, 1, (3, 17, 3)).round(2) * [400, 300, 1]
FLAT = [row.ravel().tolist() for row in POINTS]
IMAGES = [{"id": n, "frame_id": n, "vid_id": "1", "width": 640, "height": 480} for n in range(3)]
ANNOTATIONS = [{"image_id": n, "track_id": 1, "keypoints": FLAT[n], "scores": []} for n in range(3)]
LANDMARKS = [{"x": 0.1 * n, "y": 0.5, "visibility": 0.9} for n in range(6)]
FILES: dict[str, Any] = {
    "posetrack": {
        "images": IMAGES, "annotations": ANNOTATIONS, "categories": [{"keypoints": list(POSETRACK17.joints)}],
    },
    "coco": [{"image_id": n, "keypoints": FLAT[n], "score": 1.0} for n in range(3)],
    "alphapose": [{"image_id": f"{n}.jpg", "keypoints": FLAT[n], "idx": 1} for n in range(3)],
    "mmpose": {
        "meta_info": {"dataset_name": "coco"},
        "instance_info": [
            {"frame_id": n, "instances": [{"keypoints": one[:, :2].tolist(), "keypoint_scores": one[:, 2].tolist()}]}
            for n, one in enumerate(POINTS, 1)
        ],
    },
    "ultralytics": [
        [{"name": "person", "track_id": 1, "keypoints": dict(zip(("x", "y", "visible"), one.T.tolist(), strict=True))}]
        for one in POINTS
    ],
    "openpose": {"people": [{"person_id": [-1], "pose_keypoints_2d": FLAT[0]}]},
    "mediapipe": {"frames": [{"pose_landmarks": [LANDMARKS], "timestamp_ms": 40 * n} for n in range(3)]},
    "own": {"keypoints": POINTS.tolist(), "layout": "coco17", "fps": 25, "width": 640, "height": 480},
    "stamped": {"keypoints": POINTS.tolist(), "layout": "coco17", "timestamps": [0, 0.1, 0.3]},
}  # fmt: skip
OPTIONS: dict[str, Any] = {"layout": "coco17", "fps": 25.0, "image_size": [640, 480]}
OWN = {
    "mmpose": {"layout": None, "fps": 5.0},
    "mediapipe": {"layout": None, "fps": None},
    "own": {"layout": None, "fps": None, "image_size": None},
    "stamped": {"layout": None, "fps": None},
}
SCRAPS = [
    "",
    "NaN",
    "-1",
    "1e308",
    "1e999",
    "999999999",
    "null",
    "[]",
    "{}",
    "true",
    '"x"',
    "7 7",
    "[" * 3000,
    "9" * 400,
]
fuzzed = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from([10**400, -1, 1e308]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


def read(kind: str, path: Path) -> list:
    if kind == "posetrack":
        return annotation_clips(path, "clip", 25.0, None, "train")
    untracked = "track" if kind == "mmpose" else "best"
    return keypoint_clips([path], "clip", OPTIONS | OWN.get(kind, {}), "train", untracked)


def name(kind: str) -> str:
    return "walk_000_keypoints.json" if kind == "openpose" else "walk.json"


def holds(made: Callable[[], list], file: str) -> None:
    refused = ""
    try:
        clips = made()
    except InputError as error:
        clips, refused = [], str(error)
    assert clips or file in refused
    assert "\n" not in refused
    assert all(isinstance(clip, (MotionClip, LeftOut)) for clip in clips)


@st.composite
def damaged(draw: st.DrawFn, text: str) -> str:
    """The text with one or two passages cut out, doubled or replaced by a scrap."""
    for _ in range(draw(st.integers(1, 2))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.sampled_from([0, 1, 2, 5, 50, 1000])))
        middle = draw(st.sampled_from([*SCRAPS, text[start:end] * 2]))
        text = text[:start] + middle + text[end:]
    return text


def with_other(draw: st.DrawFn, value: Any) -> Any:
    """A JSON value in which something, at any depth, is anything else or missing."""
    if not isinstance(value, (list, dict)) or not value or draw(st.integers(0, 3)) == 0:
        return draw(anything)
    changed = value.copy()
    key = draw(st.sampled_from(sorted(value) if isinstance(value, dict) else range(len(value))))
    if draw(st.integers(0, 5)) == 0:
        del changed[key]
    else:
        changed[key] = with_other(draw, value[key])
    return changed


@pytest.mark.parametrize("kind", FILES)
def test_the_files_that_are_damaged_here_are_whole(kind: str, tmp_path) -> None:
    path = tmp_path / name(kind)
    path.write_text(json.dumps(FILES[kind]))
    if kind == "mediapipe":  # of six landmarks, to be small; any other number is refused
        with pytest.raises(InputError, match="have 6 joints, layout 'blazepose33' has 33"):
            read(kind, path)
    elif kind == "stamped":  # without an image size, which the fuzzed options give
        assert len(read(kind, path)[0]) == 3
    else:
        [clip] = read(kind, path)
        assert isinstance(clip, LeftOut if kind == "openpose" else MotionClip)


@fuzzed
@given(st.binary(max_size=200))
def test_any_bytes(tmp_path, content: bytes) -> None:
    for kind in ("posetrack", "coco", "openpose", "own"):
        path = tmp_path / name(kind)
        path.write_bytes(content)
        holds(lambda kind=kind, path=path: read(kind, path), path.name)
    stem = "S001C001P001R001A001"
    holds(lambda: recording_clips(content.decode("utf-8", "replace"), stem, "xsub", 60), stem)


@pytest.mark.parametrize("kind", FILES)
@fuzzed
@given(data=st.data())
def test_a_valid_json_file_with_damage(tmp_path, kind: str, data: st.DataObject) -> None:
    path = tmp_path / name(kind)
    path.write_text(data.draw(damaged(json.dumps(FILES[kind]))))
    holds(lambda: read(kind, path), path.name)


@pytest.mark.parametrize("kind", FILES)
@fuzzed
@given(data=st.data())
def test_a_valid_json_file_with_another_value_somewhere(tmp_path, kind: str, data: st.DataObject) -> None:
    path = tmp_path / name(kind)
    path.write_text(json.dumps(with_other(data.draw, FILES[kind])))
    holds(lambda: read(kind, path), path.name)


@fuzzed
@given(data=st.data())
def test_a_skeleton_file_with_damage(kinect, data: st.DataObject) -> None:
    text = kinect.skeleton(3, kinect.seen([0, 1, 2]), kinect.seen([1], at=1.0, name="8"))
    stem = "S001C001P001R001A001"
    holds(lambda: recording_clips(data.draw(damaged(text)), stem, "xsub", 60), stem)


@pytest.mark.parametrize("frames", [999999999, 10**30])
def test_a_header_that_promises_a_billion_frames_costs_nothing(kinect, frames: int) -> None:
    text = kinect.skeleton(3, kinect.seen([0, 1, 2])).replace("3", str(frames), 1)
    tracemalloc.start()
    try:
        with pytest.raises(InputError):
            recording_clips(text, "S001C001P001R001A001", "xsub", 60)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()
