"""What 2D pose detectors write: COCO results and AlphaPose, OpenPose, MediaPipe.

- COCO results (cocodataset.org, format-results): a list of objects with ``image_id`` and ``keypoints`` as x, y,
  confidence in turn. AlphaPose (its docs/output.md) writes the same with the image's name as ``image_id`` and, when it
  tracks, the person as ``idx``.
- OpenPose (its doc/02_output.md): a file for each frame with ``people``, each with ``pose_keypoints_2d`` and
  ``person_id``, a list that holds -1 where nobody tracks.
- MediaPipe writes no file of its own. Read is a list of its results (or an object with the list as ``frames``), one for
  each frame: ``pose_landmarks`` as in Python or ``landmarks`` as in JavaScript, a list of people, each a list of
  landmarks x, y (shares of the image's width and height) and visibility; ``timestamp_ms`` where frames have times.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from hummuss.data.readers.json_file import check_confidence, frame_number, keypoint_triples
from hummuss.errors import InputError

# MediaPipe's times, in milliseconds, are kept to the microsecond.
MICROSECONDS = 1e6
PERSON_KEYS = ("track_id", "idx", "person_id")
KNOWN = (
    "a list of COCO results or of AlphaPose's (image_id, keypoints), MediaPipe's results frame by frame "
    "(pose_landmarks or landmarks), or an object with keypoints of one person"
)


class Seen(NamedTuple):
    """One person in one frame; ``person`` is None where nobody tracked."""

    frame: int
    person: str | None
    keypoints: Float64[np.ndarray, "J 3"]


@dataclass(frozen=True)
class Detections:
    """What a recording's detector saw.

    Attributes:
        seen: in the order of the file.
        rate: frame numbers per second where the file says it.
        layout: of the joints where the file says it.
        shares: x and y are shares of the image's width and height instead of pixels.
    """

    seen: list[Seen]
    rate: float | None = None
    layout: str | None = None
    shares: bool = False


def parse_detections(content: Any, source: str) -> Detections:
    """What a detector's JSON file says.

    Args:
        content: of the file.
        source: its name, for error messages.

    Raises:
        InputError: it is of none of the kinds above but OpenPose's, or damaged.
    """
    entries = content["frames"] if isinstance(content, dict) and "frames" in content else content
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise InputError(f"{source}: expected {KNOWN}, found {type(content).__name__} {content!r:.60}")
    if "image_id" in entries[0]:
        _refuse_several_videos(entries, source)
        return Detections([_coco_result(entry, f"{source}, result {n}") for n, entry in enumerate(entries)])
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
    return Seen(frame_number(entry.get("image_id"), place), _person(entry, place), keypoints)


def _person(entry: dict[str, Any], place: str) -> str | None:
    for key in PERSON_KEYS:
        values = _flat(entry.get(key))
        # AlphaPose counts from 1 where it tracks, writes 0 where it does not, and both numbers of poses it has merged.
        if (
            not values
            or values[0] in (None, -1)
            or values != values[:1] * len(values)
            or (key, values[0]) == ("idx", 0)
        ):
            continue
        value = values[0]
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, (int, str)):
            raise InputError(f"{place}: expected {key} to be a whole number or a name, found {entry[key]!r:.60}")
        return str(value)
    return None


def _flat(value: Any) -> list[Any]:
    """A value, or those of a list of any depth."""
    return [one for part in value for one in _flat(part)] if isinstance(value, list) else [value]


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
        seen.append(Seen(frame, _person(person, place), keypoints))
    return seen


def _mediapipe(entries: list[dict[str, Any]], source: str) -> Detections:
    timed = "timestamp_ms" in entries[0]
    seen: list[Seen] = []
    for number, entry in enumerate(entries):
        place, frame = f"{source}, frame {number}", number
        if timed:
            time = entry.get("timestamp_ms")
            if not isinstance(time, (int, float)) or not 0 <= time <= 1e11:
                raise InputError(
                    f"{place}: expected a timestamp_ms from 0 on, as other frames have, found {time!r:.60}"
                )
            frame = round(time * MICROSECONDS / 1e3)
        people = entry.get("pose_landmarks", entry.get("landmarks"))
        if not isinstance(people or [], list):
            raise InputError(f"{place}: expected a list of people's landmarks, found {people!r:.60}")
        seen += [Seen(frame, None, _landmarks(person, place)) for person in people or []]
    return Detections(seen, MICROSECONDS if timed else None, "blazepose33", shares=True)


def _landmarks(person: Any, place: str) -> Float64[np.ndarray, "J 3"]:
    if not isinstance(person, list) or not all(isinstance(landmark, dict) for landmark in person):
        raise InputError(f"{place}: expected a person as a list of landmarks, found {person!r:.60}")
    flat = [landmark.get(key) for landmark in person for key in ("x", "y", "visibility")]
    return check_confidence(keypoint_triples(flat, place), place)


def find_tracks(
    seen: list[Seen], untracked: str, source: str
) -> dict[str | None, tuple[Int64[np.ndarray, "F"], Float64[np.ndarray, "F J 3"]]]:
    """Frames and keypoints of every person; of the one person None where nobody tracked.

    Args:
        seen: of a recording.
        untracked: of several people in a frame that nobody tracked, ``best`` keeps the one of highest mean confidence,
            ``refuse`` none.
        source: the file's name, for error messages.

    Raises:
        InputError: nobody was seen, people whom nobody tracked (``refuse``), tracked and untracked ones, somebody
            twice in a frame, or joints that differ in number.
    """
    seen = [one for one in seen if one.keypoints[:, 2].any()]
    if not seen:
        raise InputError(f"{source}: nobody was detected in any frame")
    tracked = {one.person is not None for one in seen}
    if len(tracked) > 1:
        raise InputError(f"{source}: some people have a number and some have none: track all of them, or none")
    counts = sorted({len(one.keypoints) for one in seen})
    if len(counts) > 1:
        raise InputError(f"{source}: some people have {counts[0]} joints, some {counts[-1]}: keep one kind")
    people: dict[str | None, dict[int, Seen]] = {}
    for one in seen:
        frames = people.setdefault(one.person, {})
        other = frames.get(one.frame)
        if other is None:
            frames[one.frame] = one
        elif one.person is not None:
            raise InputError(f"{source}: person {one.person} comes twice in frame {one.frame}")
        elif untracked == "best":
            frames[one.frame] = max(other, one, key=lambda person: float(person.keypoints[:, 2].mean()))
        else:
            raise InputError(
                f"{source}: frame {one.frame} has several people and no tracker has told them apart: let the detector "
                "track them, or keep the surest of each frame with --untracked best"
            )
    return {
        person: (np.array(sorted(frames)), np.stack([frames[frame].keypoints for frame in sorted(frames)]))
        for person, frames in people.items()
    }
