"""Your own 2D keypoints as a dataset: a file or a folder of files, of any kind that `keypoints` and `detections` know.

A ``.npz``, ``.npy`` or ``.json`` is a recording each; OpenPose's files of one video are one recording together. Clips
are named by their place in the folder, people who are tracked with ``/person_N`` behind it.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from hummuss.body.skeleton import LAYOUTS, convert_keypoints, get_layout
from hummuss.data.keypoints import check_pixels
from hummuss.data.motion import Camera, MotionClip
from hummuss.data.readers.detected import Detections
from hummuss.data.readers.detections import is_detections, openpose_frame, parse_detections
from hummuss.data.readers.fingerprint import fingerprint
from hummuss.data.readers.json_file import load_json
from hummuss.data.readers.keypoints import SUFFIXES, read_keypoints_among_others
from hummuss.data.readers.people import find_tracks
from hummuss.data.readers.task import LeftOut, RawDataset, ReadTask
from hummuss.data.readers.tracking import SHORT, SHORTEST_TRACK
from hummuss.data.readers.tracks import ALONE, part_of_folder, stretches, track_clips
from hummuss.errors import InputError

OPENPOSE = re.compile(r"(.*?)_?([0-9]{1,15})_keypoints\.json")
OPTIONS: dict[str, dict[str, Any]] = {
    "--layout": {
        "choices": sorted(LAYOUTS),
        "metavar": "NAME",
        "help": f"joint order, where files do not say it: {', '.join(sorted(LAYOUTS))}",
    },
    "--fps": {"type": float, "help": "frames per second, where files say neither that nor time stamps"},
    "--image-size": {"type": int, "nargs": 2, "metavar": ("W", "H"), "help": "pixels, where files do not say"},
    "--split": {
        "choices": ("train", "val", "test"),
        "default": "test",
        "help": "of files that are in no folder of that name (default: %(default)s)",
    },
    "--untracked": {
        "choices": ("refuse", "best", "track"),
        "default": "refuse",
        "help": "of several people in a frame that no tracker has told apart: none (default), the surest, or all, "
        "followed from frame to frame",
    },
}


def read_keypoint_files(
    raw: Path,
    layout: str | None = None,
    fps: float | None = None,
    image_size: list[int] | None = None,
    split: str = "test",
    untracked: str = "refuse",
) -> RawDataset:
    """The recordings of a folder by name, each as a task for some process.

    Args:
        raw: a file, or a folder with some at any depth; files of other kinds in it are nobody's business.
        layout, fps, image_size: what files do not say themselves.
        split: of files that are in no folder ``train``, ``val`` or ``test``.
        untracked: see `find_tracks`.

    Raises:
        InputError: no such file in the folder, or an fps or size that is none.
    """
    if fps is not None and not 0 < fps < np.inf:
        raise InputError(f"--fps is {fps}, expected frames per second above 0")
    if image_size is not None and not all(0 < length <= 10**6 for length in image_size):
        raise InputError(f"--image-size is {image_size}, expected width and height in pixels")
    recordings = _recordings(raw)
    if not recordings:
        raise InputError(f"{raw} holds no {', '.join(SUFFIXES)}: point at keypoints, or a folder of them")
    options = {"layout": layout, "fps": fps, "image_size": image_size}
    files = [path for paths in recordings.values() for path in paths]
    tasks = _tasks(raw, recordings, options, split, untracked)
    return RawDataset(len(recordings), tasks, fingerprint=fingerprint(files))


def _recordings(raw: Path) -> dict[str, list[Path]]:
    """Name -> the file, or OpenPose's files of one video."""
    if not raw.is_dir():
        return {raw.stem: [raw]}
    found: dict[tuple[str, str], list[Path]] = {}
    for path in sorted(path for path in raw.rglob("*") if path.suffix in SUFFIXES):
        frame, own = OPENPOSE.fullmatch(path.name), path.relative_to(raw)
        if frame is None:
            found[own.with_suffix("").as_posix(), path.suffix] = [path]
        else:
            # A video without a name of its own is named as its folder is.
            video = own.with_name(frame[1]) if frame[1] else own.parent
            found.setdefault((raw.name if video == Path() else video.as_posix(), ".openpose"), []).append(path)
    names = [name for name, _ in found]
    return {name + kind * (names.count(name) > 1): paths for (name, kind), paths in found.items()}


def _tasks(
    raw: Path, recordings: dict[str, list[Path]], options: dict[str, Any], split: str, untracked: str
) -> Iterator[ReadTask]:
    for name, paths in recordings.items():
        part = part_of_folder(paths[0], raw, split)
        yield ReadTask(name, partial(keypoint_clips, paths, name, options, part, untracked))


def keypoint_clips(
    paths: list[Path], name: str, options: dict[str, Any], part: str, untracked: str
) -> list[MotionClip | LeftOut]:
    """The clips of one recording. Who is not seen in a frame has no such frame; see `tracks`.

    Args:
        paths: its files, several of OpenPose's.
        name: of the recording.
        options: layout, fps and image_size, None where not given.
        part: train, val or test.
        untracked: see `find_tracks`.

    Raises:
        InputError: a file that cannot be used, or that needs an option.
    """
    path = paths[0]
    if OPENPOSE.fullmatch(path.name):
        frames = [(*_numbered(path), str(path)) for path in paths]
        seen = [one for frame in frames for one in openpose_frame(*frame)]
        detections = Detections(seen, first=min(number for _, number, _ in frames))
        source = f"{path}{f' and {len(paths) - 1} more' if len(paths) > 1 else ''}"
        return _clips(detections, source, name, options, part, untracked)
    if path.suffix == ".json":
        content = load_json(path)
        if is_detections(content):
            return _clips(parse_detections(content, str(path)), str(path), name, options, part, untracked)
    width, height = options["image_size"] or (None, None)
    clip = read_keypoints_among_others(path, layout=options["layout"], fps=options["fps"], width=width, height=height)
    if clip.camera is None:
        raise InputError(f"{path} does not say how large its images are: give --image-size W H")
    return [LeftOut(name, ALONE) if len(clip) < 2 else replace(clip, name=name, sequence=name, split=part)]


def _numbered(path: Path) -> tuple[Any, int]:
    """Content and frame of one of OpenPose's files."""
    named = OPENPOSE.fullmatch(path.name)
    if named is None:
        raise InputError(f"{path} is not named as OpenPose names a frame of the same video: move it")
    return load_json(path), int(named[2])


def _clips(
    detections: Detections, source: str, name: str, options: dict[str, Any], part: str, untracked: str
) -> list[MotionClip | LeftOut]:
    layout = detections.layout or options["layout"]
    fps, image_size = options["fps"], options["image_size"]
    if layout is None:
        raise InputError(f"{source} does not name the joints' order: give --layout")
    if image_size is None:
        raise InputError(f"{source} does not say how large its images are: give --image-size W H")
    if detections.rate is None and fps is None:
        raise InputError(f"{source} does not say when frames were taken: give --fps")
    width, height = image_size
    rate, seen = detections.rate or fps, detections.seen
    if detections.shares:
        seen = [one._replace(keypoints=one.keypoints * [width, height, 1]) for one in seen]
    followed = untracked == "track" and any(one.person is None for one in seen)
    made: list[MotionClip | LeftOut] = list(detections.left_out)
    first = min((one.frame for one in seen), default=0) if detections.first is None else detections.first
    for person, (frames, keypoints) in find_tracks(seen, untracked, rate, source).items():
        _check_joints(keypoints.shape[1], layout, detections.layout is None, source)
        own = name if person is None else f"{name}/person_{person}"
        if followed and frames[-1] - frames[0] < SHORTEST_TRACK * rate:
            made.append(LeftOut(own, SHORT))
            continue
        try:
            check_pixels(keypoints, width, height)
        except InputError as error:
            raise InputError(f"{source}: {error}") from error
        detected = (keypoints * (keypoints[..., 2:] > 0)).astype(np.float32)
        made += track_clips(
            own,
            stretches(frames, rate, first),
            {"keypoints2d": convert_keypoints(detected, layout, "h36m17")},
            sequence=name,
            subject="",
            person=person,
            split=part,
            frame="camera",
            camera=Camera.of_size(width, height),
        )
    return made


def _check_joints(joints: int, layout: str, given: bool, source: str) -> None:
    expected = len(get_layout(layout))
    if joints == expected:
        return
    fitting = [name for name, other in LAYOUTS.items() if len(other) == joints]
    remedy = f": give --layout {' or '.join(fitting)}" if given and fitting else ""
    raise InputError(f"{source}: its people have {joints} joints, layout {layout!r} has {expected}{remedy}")
