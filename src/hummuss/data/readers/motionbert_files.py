"""The form that MotionBERT's pickles share: parts of frames in a row, each with the name of the video it is of."""

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

import numpy as np

from hummuss.data.motion import Camera, MotionClip
from hummuss.data.readers.checks import need, numbers
from hummuss.data.readers.h36m_cameras import CAMERAS, LENSES
from hummuss.data.readers.h36m_facts import SPLITS, parse_source
from hummuss.errors import InputError

Shape = tuple[int | None, ...]
DETECTIONS: dict[str, Shape] = {"joint_2d": (None, 17, 2), "confidence": (None, 17, 1)}


def arrays_of(
    rows: Mapping[str, Any], required: Mapping[str, Shape], optional: Mapping[str, Shape], names: list[str], place: str
) -> dict[str, np.ndarray]:
    """A part's arrays by name, checked, as they lie in memory.

    Args:
        rows: the part.
        required, optional: arrays and their shapes; confidences may lack their last axis.
        names: lists that must be as long.
        place: what it is, for errors.

    Raises:
        InputError: something is missing, of another shape or length.
    """
    contents = ", ".join([*required, *names])
    need(rows, [*required, *names], place, contents)
    arrays = {}
    for key, shape in {**required, **optional}.items():
        if key in rows:
            flat = key == "confidence" and np.ndim(rows[key]) == 2
            found = numbers(rows[key], shape[:2] if flat else shape, f"{place}, {key}")
            arrays[key] = found[..., None] if flat else found
    frames = len(arrays["joint_2d"])
    for key, values in {**arrays, **{name: rows[name] for name in names}}.items():
        if len(values) != frames:
            raise InputError(f"{place}: {key} has {len(values)} frames, joint_2d {frames}: is the file cut short?")
    return arrays


def h36m_videos(
    rows: Mapping[str, Any], arrays: Mapping[str, np.ndarray], place: str
) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Every run of frames with one ``source``, in stored order, with its share of the arrays.

    Raises:
        InputError: frames of a video that do not follow one another or that ``camera_name`` gives to another camera.
    """
    seen, start, cameras = set(), 0, list(rows["camera_name"])
    for source, run in groupby(rows["source"]):
        end = start + sum(1 for _ in run)
        camera = CAMERAS[parse_source(source, place).view - 1]
        if others := set(cameras[start:end]) - {camera}:
            raise InputError(f"{place}: {source} is camera {camera}, but camera_name says {others.pop()}")
        if source in seen:
            raise InputError(f"{place}: the frames of {source} do not follow one another: is it another file?")
        seen.add(source)
        yield source, {key: array[start:end] for key, array in arrays.items()}
        start = end


def video_clip(source: str, place: str, own: Mapping[str, np.ndarray], fps: float, **fields: Any) -> MotionClip:
    """The clip of one of Human3.6M's videos in camera coordinates, with further ``fields``.

    Raises:
        InputError: a name that is no video's, or frames that are no numbers.
    """
    video = parse_source(source, place)
    lens = LENSES[CAMERAS[video.view - 1]]
    return MotionClip(
        name=source,
        sequence=f"{video.subject}/{video.action} {video.take}",
        subject=video.subject,
        split=SPLITS[video.subject],
        label=video.action,
        fps=fps,
        frame="camera",
        camera=Camera.of_size(lens.width, lens.height),
        keypoints2d=keypoints_of(own),
        **fields,
    )


def keypoints_of(own: Mapping[str, np.ndarray]) -> np.ndarray:
    """Pixels and the detector's own confidence, (F, 17, 3)."""
    return np.concatenate([own["joint_2d"], own["confidence"]], -1).astype(np.float32)
