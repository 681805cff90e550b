"""2D-only clips from annotations in PoseTrack's style: one clip for each person's track.

A JSON object of ``images`` (``id``, ``frame_id`` or ``file_name``, ``vid_id``), ``annotations`` (``image_id``,
``track_id``, ``keypoints`` as x, y, visible in turn, perhaps ``scores``) and ``categories``, whose ``keypoints`` name
the joints: PoseTrack 2018's 17, two of them never annotated, or PoseTrack 2017's 15 (github.com/anDoer/PoseTrack21,
doc/dataset_structure.md). It says neither frame rate nor, mostly, image size.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from hummuss.body.skeleton import LAYOUTS, convert_keypoints
from hummuss.data.keypoints import LARGEST_POSITION
from hummuss.data.motion import Camera, MotionClip
from hummuss.data.readers.fingerprint import fingerprint
from hummuss.data.readers.json_file import frame_number, keypoint_triples, load_json
from hummuss.data.readers.task import LeftOut, RawDataset, ReadTask
from hummuss.data.readers.tracks import part_of_folder, stretches, track_clips
from hummuss.errors import InputError

UNSEEN = "annotations in which no keypoint is visible"
OPTIONS: dict[str, dict[str, Any]] = {
    "--fps": {"type": float, "required": True, "help": "frames per second of the videos, which the files do not say"},
    "--image-size": {
        "type": int, "nargs": 2, "metavar": ("W", "H"), "help": "pixels, where the files' images have no width, height",
    },
    "--split": {
        "choices": ("train", "val", "test"), "default": "train",
        "help": "of files that are in no folder of that name (default: %(default)s)",
    },
}  # fmt: skip


def read_posetrack(raw: Path, fps: float, image_size: list[int] | None = None, split: str = "train") -> RawDataset:
    """The files of a folder, each as a task for some process.

    Args:
        raw: a JSON file, or a folder with some at any depth.
        fps: frames per second of the videos.
        image_size: width and height in pixels, for images that do not say.
        split: of files that are in no folder ``train``, ``val`` or ``test``.

    Raises:
        InputError: no JSON file, or an fps or size that is none.
    """
    if not 0 < fps < np.inf:
        raise InputError(f"--fps is {fps}, expected frames per second above 0")
    paths = sorted(raw.rglob("*.json")) if raw.is_dir() else [raw]
    if not paths:
        raise InputError(f"{raw} holds no .json file: point at PoseTrack's annotations")
    return RawDataset(len(paths), _tasks(raw, paths, fps, image_size, split), fingerprint=fingerprint(paths))


def _tasks(raw: Path, paths: list[Path], fps: float, image_size: list[int] | None, split: str) -> Iterator[ReadTask]:
    for path in paths:
        part = part_of_folder(path, raw, split)
        name = (path.relative_to(raw) if raw.is_dir() else Path(path.name)).with_suffix("").as_posix()
        yield ReadTask(str(path), partial(annotation_clips, path, name, fps, image_size, part))


def annotation_clips(
    path: Path, name: str, fps: float, image_size: list[int] | None, part: str
) -> list[MotionClip | LeftOut]:
    """The clips of one file: ``name/person_T``, or ``name/video/person_T`` where it has several videos.

    Frames in which a person is not annotated are no frames of the clip: where every fourth is, it has a quarter of
    the frame rate, and otherwise time stamps; after more than half a second without, it goes on as ``/part_2``.
    Confidence is the file's score of a visible joint, or 1.

    Args:
        path: the file.
        name: of the file among others, such as its place in their folder.
        fps, image_size: see `read_posetrack`.
        part: train, val or test.

    Raises:
        InputError: something in the file is not as the head of this module says.
    """
    content = load_json(path)
    images = _images(path, _entries(path, content, "images"))
    annotations = _entries(path, content, "annotations")
    layout = _layout(path, content.get("categories"))
    tracks: dict[tuple[str, str], dict[int, np.ndarray]] = {}
    left: list[MotionClip | LeftOut] = []
    for number, annotation in enumerate(annotations):
        place = f"{path}, annotation {number}"
        video, frame, _ = _of(images, annotation.get("image_id"), place)
        track = annotation.get("track_id")
        if not isinstance(track, (int, str)):
            raise InputError(f"{place}: expected a track_id that says whose it is, found {track!r:.60}")
        keypoints = _keypoints(annotation, layout, place)
        if not keypoints[:, 2].any():
            left.append(LeftOut(place, UNSEEN))
        elif frame in tracks.setdefault((video, str(track)), {}):
            raise InputError(f"{place}: track {track} comes twice in frame {frame}")
        else:
            tracks[video, str(track)][frame] = keypoints
    if not tracks:
        raise InputError(f"{path}: nobody is annotated in it: leave it out")
    several = len({video for video, _ in tracks}) > 1
    sizes = {video: size for video, _, size in images.values()}
    first = {video: min(frame for own, frame, _ in images.values() if own == video) for video in sizes}
    for (video, track), frames in tracks.items():
        numbers = np.array(sorted(frames))
        keypoints = np.stack([frames[frame] for frame in numbers.tolist()]).astype(np.float32)
        sequence = f"{name}/{video}" if several else name
        width, height = sizes[video] or _given(path, image_size)
        left += track_clips(
            f"{sequence}/person_{track}",
            stretches(numbers, fps, first[video]),
            {"keypoints2d": convert_keypoints(keypoints, layout, "h36m17")},
            sequence=sequence,
            subject=track,
            person=track,
            split=part,
            frame="camera",
            camera=Camera.of_size(width, height),
        )
    return left


Image = tuple[str, int, tuple[int, int] | None]  # video, number of the frame, size


def _entries(path: Path, content: Any, key: str) -> list[dict[str, Any]]:
    entries = content.get(key) if isinstance(content, dict) else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise InputError(f"{path}: expected a list {key!r} of objects, as PoseTrack's files have it")
    return entries


def _images(path: Path, entries: list[dict[str, Any]]) -> dict[Any, Image]:
    images: dict[Any, Image] = {}
    for number, entry in enumerate(entries):
        place = f"{path}, image {number}"
        name = entry.get("id")
        if not isinstance(name, (int, str)) or name in images:
            raise InputError(f"{place}: expected an id of its own, found {name!r:.60}")
        frame = frame_number(entry.get("frame_id", entry.get("file_name")), place)
        images[name] = (str(entry.get("vid_id", "")), frame, _size(entry, place))
    return images


def _size(entry: dict[str, Any], place: str) -> tuple[int, int] | None:
    size = (entry.get("width"), entry.get("height"))
    if size == (None, None):
        return None
    if not all(isinstance(length, int) and 0 < length <= LARGEST_POSITION for length in size):
        raise InputError(f"{place}: expected width and height in pixels, found {size!r:.60}")
    return size  # type: ignore[return-value]


def _given(path: Path, image_size: list[int] | None) -> tuple[int, int]:
    if image_size is None:
        raise InputError(f"{path} does not say how large its images are: give --image-size W H")
    if not all(0 < length <= LARGEST_POSITION for length in image_size):
        raise InputError(f"--image-size is {image_size}, expected width and height in pixels")
    return image_size[0], image_size[1]


def _of(images: dict[Any, Image], name: Any, place: str) -> Image:
    if not isinstance(name, (int, str)) or name not in images:
        raise InputError(f"{place}: its image_id {name!r:.60} is no image of the file")
    return images[name]


def _layout(path: Path, categories: Any) -> str:
    """The layout whose joints the first category names."""
    first = categories[0] if isinstance(categories, list) and categories else None
    names = first.get("keypoints") if isinstance(first, dict) else None
    for layout in LAYOUTS.values():
        if isinstance(names, list) and list(layout.joints) == names:
            return layout.name
    raise InputError(
        f"{path}: expected categories whose keypoints are PoseTrack's 17 or 15 joints by name, found {names!r:.60}"
    )


def _keypoints(annotation: dict[str, Any], layout: str, place: str) -> np.ndarray:
    """(J, 3) pixels and confidence, zeros where a joint is not visible."""
    count = len(LAYOUTS[layout])
    if annotation.get("keypoints") in (None, []):
        return np.zeros((count, 3))
    keypoints = keypoint_triples(annotation["keypoints"], place)
    if len(keypoints) != count:
        raise InputError(f"{place}: has {len(keypoints)} keypoints, the file's category names {count}")
    scores = annotation.get("scores") or [1.0] * count
    given = isinstance(scores, list) and len(scores) == count and all(isinstance(one, (int, float)) for one in scores)
    if not given or not all(0 <= one <= 1 for one in scores):
        raise InputError(f"{place}: expected {count} scores from 0 to 1, found {scores!r:.60}")
    keypoints[:, 2] = np.where(keypoints[:, 2] > 0, scores, 0)
    return keypoints * (keypoints[:, 2:] > 0)
