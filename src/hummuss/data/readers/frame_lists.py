"""What mmpose and Ultralytics make of a video: the people of one frame after the other.

- mmpose's ``MMPoseInferencer`` with ``pred_out_dir`` (its apis/inferencers/base_mmpose_inferencer.py): a list of
  objects with ``frame_id``, from 0, and ``instances``. Its demos (demo/topdown_demo_with_mmdet.py) count from 1 and
  write the list as ``instance_info`` beside ``meta_info``, whose ``dataset_name`` says the joints' order. An instance
  (structures/utils.py, split_instances) has ``keypoints``, an x and a y each, and ``keypoint_scores``; it has a
  ``track_id`` where somebody has added one.
- Ultralytics (engine/results.py, ``Results.summary``, which ``to_json`` writes as text): the list of an image's people,
  each with ``keypoints`` as lists x, y and, of most models, visible, and with ``track_id`` from ``model.track``. It
  writes no file of a video: read is the list of its frames' lists.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64

from hummuss.data.readers.detected import Detections, Seen, person_of
from hummuss.data.readers.json_file import check_confidence, frame_number, keypoint_triples
from hummuss.data.readers.task import LeftOut
from hummuss.errors import InputError

# The names of mmpose's configs/_base_/datasets.
MMPOSE_LAYOUTS = {
    "coco": "coco17", "coco_wholebody": "coco_wholebody133", "halpe26": "halpe26", "posetrack18": "posetrack17",
}  # fmt: skip
UNCONFIRMED = "seen in frames in which the tracker that numbered the others numbered nobody"


def mmpose_frames(frames: Any, source: str, meta: Any = None) -> Detections:
    """The people of mmpose's frames.

    Args:
        frames: ``frame_id`` and ``instances`` of each.
        source: the file's name, for error messages.
        meta: what stands beside them as ``meta_info``.

    Raises:
        InputError: one is no such frame, or damaged.
    """
    if not isinstance(frames, list) or not all(isinstance(frame, dict) for frame in frames):
        raise InputError(f"{source}: expected mmpose's frames, each with frame_id and instances, found {frames!r:.60}")
    seen, numbers = [], []
    for index, frame in enumerate(frames):
        place = f"{source}, frame {index}"
        number = frame_number(frame.get("frame_id"), place)
        seen += _people(number, frame.get("instances"), place)
        numbers.append(number)
    dataset = meta.get("dataset_name") if isinstance(meta, dict) else None
    layout = MMPOSE_LAYOUTS.get(dataset) if isinstance(dataset, str) else None
    return Detections(seen, layout=layout, first=min(numbers, default=None))


def listed_frames(frames: Sequence[Any], source: str) -> Detections:
    """The people of frames that are nothing but lists of people, Ultralytics' or mmpose's.

    Raises:
        InputError: one is no such list, or damaged.
    """
    seen = [one for number, people in enumerate(frames) for one in _people(number, people, f"{source}, frame {number}")]
    if not any(one.person is not None for one in seen):
        return Detections(seen, first=0)
    # Ultralytics leaves a frame as it was detected where its tracker has confirmed nobody (trackers/track.py).
    left = [LeftOut(f"{source}, frame {one.frame}", UNCONFIRMED) for one in seen if one.person is None]
    return Detections([one for one in seen if one.person is not None], first=0, left_out=left)


def _people(frame: int, people: Any, place: str) -> list[Seen]:
    if not isinstance(people, list) or not all(isinstance(person, dict) for person in people):
        raise InputError(f"{place}: expected a list of people, found {people!r:.60}")
    seen = []
    for number, person in enumerate(people):
        own = f"{place}, person {number}"
        if "keypoints" not in person:
            raise InputError(f"{own}: has no keypoints, only {', '.join(person)[:60]!r}: let a model of poses detect")
        keypoints = person["keypoints"]
        triples = _by_axis(keypoints, own) if isinstance(keypoints, dict) else _by_joint(person, own)
        seen.append(Seen(frame, person_of(person, own), triples))
    return seen


def _by_joint(person: dict[str, Any], place: str) -> Float64[np.ndarray, "J 3"]:
    """mmpose's. Its scores have no upper end (of SimCC models such as RTMPose), and where they are 0 or less its
    decoder has found nothing (codecs/utils, get_simcc_maximum).
    """
    keypoints, scores = person["keypoints"], person.get("keypoint_scores")
    pairs = isinstance(keypoints, list) and all(isinstance(one, list) and len(one) == 2 for one in keypoints)
    if not pairs or not isinstance(scores, list) or len(scores) != len(keypoints):
        raise InputError(
            f"{place}: expected keypoints of two numbers each, as a 2D model finds them, and as many keypoint_scores, "
            f"found {str(keypoints)[:40]} and {str(scores)[:40]}"
        )
    flat = [value for where, score in zip(keypoints, scores, strict=True) for value in (*where, score)]
    triples = keypoint_triples(flat, place)
    triples[:, 2] = triples[:, 2].clip(0, 1)
    return triples


def _by_axis(keypoints: dict[str, Any], place: str) -> Float64[np.ndarray, "J 3"]:
    """Ultralytics'."""
    x, y = keypoints.get("x"), keypoints.get("y")
    visible = keypoints.get("visible", [1.0] * len(x) if isinstance(x, list) else None)
    axes = [axis for axis in (x, y, visible) if isinstance(axis, list)]
    if len(axes) < 3 or len({len(axis) for axis in axes}) > 1:
        raise InputError(
            f"{place}: expected keypoints as lists x, y and visible of one length, found {keypoints!r:.60}"
        )
    triples = keypoint_triples([value for joint in zip(*axes, strict=True) for value in joint], place)
    return check_confidence(triples, place)
