"""What 2D pose detectors write: COCO results and AlphaPose, OpenPose, MediaPipe, and what `frame_lists` reads.

- COCO results (cocodataset.org, format-results): a list of objects with ``image_id`` and ``keypoints`` as x, y,
  confidence in turn. AlphaPose (its docs/output.md) writes the same with the image's name as ``image_id`` and, when it
  tracks, the person as ``idx``.
- OpenPose (its doc/02_output.md): a file for each frame with ``people``, each with ``pose_keypoints_2d`` and
  ``person_id``, a list that holds -1 where nobody tracks.
- MediaPipe writes no file of its own. Read is a list of its results (or an object with the list as ``frames``), one for
  each frame: ``pose_landmarks`` as in Python or ``landmarks`` as in JavaScript, a list of people, each a list of
  landmarks x, y (shares of the image's width and height) and visibility; ``timestamp_ms`` where frames have times.
"""

from typing import Any

import numpy as np
from jaxtyping import Float64

from hummuss.data.readers.detected import Detections, Seen, person_of
from hummuss.data.readers.frame_lists import listed_frames, mmpose_frames
from hummuss.data.readers.json_file import check_confidence, frame_number, keypoint_triples
from hummuss.errors import InputError

# MediaPipe's times, in milliseconds, are kept to the microsecond.
MICROSECONDS = 1e6
LATEST_MS = 1e13  # beyond any clock that counts milliseconds since 1970
# Keys of objects that are no file of one person's keypoints.
DETECTIONS = ("frames", "instance_info", "annotations", "people")
KNOWN = (
    "a list of COCO results or of AlphaPose's (image_id, keypoints), mmpose's frames (frame_id, instances), "
    "Ultralytics' people as a list for each frame, MediaPipe's results frame by frame (pose_landmarks or landmarks), "
    "or an object with keypoints of one person"
)


def is_detections(content: Any) -> bool:
    """Whether a JSON file is a detector's, to be read by `parse_detections`, and not one of a person's keypoints."""
    return not isinstance(content, dict) or any(key in content for key in DETECTIONS)


def parse_detections(content: Any, source: str) -> Detections:
    """What a detector's JSON file says.

    Args:
        content: of the file.
        source: its name, for error messages.

    Raises:
        InputError: it is of none of the kinds here and in `frame_lists`, or OpenPose's, or damaged.
    """
    if isinstance(content, dict) and "people" in content:
        raise InputError(
            f"{source} is a frame of OpenPose's: name it as OpenPose does, walk_000000000012_keypoints.json"
        )
    if isinstance(content, dict) and "annotations" in content:
        raise InputError(
            f"{source} is a file of annotations: give what a detector found, such as the list of results (image_id, "
            "keypoints, score) that COCO's evaluation takes; `hummuss prepare posetrack` reads PoseTrack's annotations"
        )
    if isinstance(content, dict) and "instance_info" in content:
        return mmpose_frames(content["instance_info"], source, content.get("meta_info"))
    entries = content["frames"] if isinstance(content, dict) and "frames" in content else content
    if isinstance(entries, list) and entries and isinstance(entries[0], list):
        return listed_frames(entries, source)
    if isinstance(entries, list) and entries and isinstance(entries[0], str):
        raise InputError(f"{source}: its frames are text in JSON: save lists, as Ultralytics' summary() gives them")
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise InputError(f"{source}: expected {KNOWN}, found {type(content).__name__} {content!r:.60}")
    if "image_id" in entries[0]:
        _refuse_several_videos(entries, source)
        return Detections([_coco_result(entry, f"{source}, result {n}") for n, entry in enumerate(entries)])
    if "instances" in entries[0]:
        return mmpose_frames(entries, source)
    if "keypoint_scores" in entries[0] or isinstance(entries[0].get("keypoints"), dict):
        raise InputError(f"{source} has the people of a single image: give a list with such a list for each frame")
    if "pose_landmarks" in entries[0] or "landmarks" in entries[0]:
        return _mediapipe(entries, source)
    raise InputError(f"{source}: expected {KNOWN}, found objects with {', '.join(map(str, entries[0]))[:60]!r}")


def _refuse_several_videos(entries: list[dict[str, Any]], source: str) -> None:
    """Frames are told apart by the numbers in the names of their images, which start anew in each folder."""
    names = (entry.get("image_id") for entry in entries)
    folders = sorted({name.rpartition("/")[0] for name in names if isinstance(name, str)})
    if len(folders) > 1:
        raise InputError(
            f"{source}: its images lie in several folders, {folders[0]!r} and {folders[1]!r} among them: give each "
            "video a file of its own"
        )


def _coco_result(entry: dict[str, Any], place: str) -> Seen:
    keypoints = check_confidence(keypoint_triples(entry.get("keypoints"), place), place)
    return Seen(frame_number(entry.get("image_id"), place), person_of(entry, place), keypoints)


def openpose_frame(content: Any, frame: int, source: str) -> list[Seen]:
    """The people in one of OpenPose's files, which is one frame.

    Raises:
        InputError: it is none, or damaged.
    """
    people = content.get("people") if isinstance(content, dict) else None
    if not isinstance(people, list) or not all(isinstance(person, dict) for person in people):
        raise InputError(f"{source}: expected 'people' as OpenPose writes them, found {content!r:.60}")
    seen = []
    for number, person in enumerate(people):
        place = f"{source}, person {number}"
        keypoints = check_confidence(keypoint_triples(person.get("pose_keypoints_2d"), place), place)
        seen.append(Seen(frame, person_of(person, place), keypoints))
    return seen


def _mediapipe(entries: list[dict[str, Any]], source: str) -> Detections:
    timed = any("timestamp_ms" in entry for entry in entries)
    seen: list[Seen] = []
    shown: dict[int, int] = {}
    for number, entry in enumerate(entries):
        place, frame = f"{source}, frame {number}", number
        if timed:
            time = entry.get("timestamp_ms")
            if not isinstance(time, (int, float)) or not 0 <= time <= LATEST_MS:
                raise InputError(
                    f"{place}: expected a timestamp_ms from 0 to {LATEST_MS:g}, as other frames have, "
                    f"found {time!r:.60}"
                )
            frame = round(time * MICROSECONDS / 1e3)
            if frame in shown:
                raise InputError(f"{place} has the timestamp_ms of frame {shown[frame]}, {time!r:.60}: drop either")
            shown[frame] = number
        people = entry.get("pose_landmarks", entry.get("landmarks"))
        if not isinstance(people or [], list):
            raise InputError(f"{place}: expected a list of people's landmarks, found {people!r:.60}")
        seen += [Seen(frame, None, _landmarks(person, place)) for person in people or []]
    return Detections(seen, MICROSECONDS if timed else None, "blazepose33", shares=True, first=0)


def _landmarks(person: Any, place: str) -> Float64[np.ndarray, "J 3"]:
    if not isinstance(person, list) or not all(isinstance(landmark, dict) for landmark in person):
        raise InputError(f"{place}: expected a person as a list of landmarks, found {person!r:.60}")
    flat = [landmark.get(key) for landmark in person for key in ("x", "y", "visibility")]
    return check_confidence(keypoint_triples(flat, place), place)
