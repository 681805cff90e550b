"""NTU RGB+D as pyskl distributes it: ``ntu60_hrnet.pkl``, ``ntu120_hrnet.pkl`` (2D), ``ntu60_3danno.pkl``,
``ntu120_3danno.pkl`` (3D).

A pickle of a dict: ``split``, lists of recordings by name, and ``annotations``, for each recording ``frame_dir``,
``label``, ``total_frames``, ``keypoint`` (M, T, V, C) of M persons in T frames, and in 2D ``keypoint_score`` (M, T, V)
and ``img_shape`` (height, width) (tools/data/README.md of github.com/kennymckormick/pyskl). Positions are float16:
beyond 1024 pixels they are whole numbers, beyond 2 m steps of 2 mm. A person who is not in a frame is zeros there.
Frames without anybody were dropped when the 3D files were made, and a body that left and returned was counted on (its
tools/data/ntu_preproc.py): such gaps are lost, and the raw files have them.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32

from hummuss.body.skeleton import convert_joints, convert_keypoints
from hummuss.body.unpickle import load_pickle
from hummuss.data.motion import Camera, MotionClip
from hummuss.data.readers.fingerprint import fingerprint
from hummuss.data.readers.ntu import BEYOND, FPS, NAME, NO_POSITION, whole_frames
from hummuss.data.readers.ntu import OPTIONS as NTU_OPTIONS
from hummuss.data.readers.ntu_persons import PERSONS
from hummuss.data.readers.ntu_splits import Split, check_benchmark, ntu_split, recording
from hummuss.data.readers.task import FailedFile, LeftOut, RawDataset, ReadTask
from hummuss.data.readers.tracks import stretches, track_clips
from hummuss.errors import InputError

UNLISTED = "in neither of the file's own lists"
OPTIONS: dict[str, dict[str, Any]] = {
    "--split": NTU_OPTIONS["--split"],
    "--classes": NTU_OPTIONS["--classes"],
    "--lists": {
        "choices": ("names", "file"),
        "default": "names",
        "help": "what divides train from test: the recordings' names, as for the raw files, with performers 35 and 38 "
        "for validation, or the file's own lists, which have no validation part (default: %(default)s)",
    },
}


def read_pyskl(raw: Path, split: Split = "xsub", classes: int = 60, lists: str = "names") -> RawDataset:
    """The recordings of one of pyskl's pickles in stored order, each as a task for some process.

    Args:
        raw: the pickle.
        split, classes: the benchmark.
        lists: ``names`` divides by `ntu_split`, ``file`` by the pickle's own lists (its val is our test).

    Raises:
        InputError: no such file, not one of pyskl's, or it has no lists for this benchmark.
    """
    check_benchmark(split, classes)
    if not raw.is_file():
        raise InputError(f"{raw} is no file: name one of pyskl's, as ntu60_hrnet.pkl")
    content = load_pickle(raw)
    if not isinstance(content, dict) or not isinstance(content.get("annotations"), list):
        raise InputError(f"{raw} holds no 'annotations': expected one of pyskl's pickles, as ntu60_hrnet.pkl")
    parts = None if lists == "names" else _listed(raw, content.get("split"), split)
    annotations = content["annotations"]
    return RawDataset(len(annotations), _tasks(annotations, split, classes, parts), fingerprint=fingerprint([raw]))


def _listed(raw: Path, given: Any, split: Split) -> dict[str, str]:
    """Recording -> part of the benchmark, as the file's own lists say."""
    parts: dict[str, str] = {}
    for key, part in ((f"{split}_train", "train"), (f"{split}_val", "test")):
        names = given.get(key) if isinstance(given, dict) else None
        if not isinstance(names, list):
            known = ", ".join(map(str, given)) if isinstance(given, dict) else "none"
            raise InputError(f"{raw} has no list {key!r} (it has {known}): drop --lists file, or take another --split")
        parts |= {str(name): part for name in names}
    return parts


def _tasks(
    annotations: list[Any], split: Split, classes: int, parts: dict[str, str] | None
) -> Iterator[ReadTask | FailedFile | LeftOut]:
    for number, annotation in enumerate(annotations):
        stem = annotation.get("frame_dir") if isinstance(annotation, dict) else None
        if not isinstance(stem, str) or not NAME.fullmatch(stem):
            found = repr(stem)[:60]
            yield FailedFile(f"annotation {number}", f"expected a frame_dir SsssCcccPpppRrrrAaaa, found {found}")
        elif recording(stem).action > classes:
            yield LeftOut(stem, BEYOND)
        elif parts is not None and stem not in parts:
            yield LeftOut(stem, UNLISTED)
        else:
            part = ntu_split(stem, split, classes) if parts is None else parts[stem]
            yield ReadTask(stem, partial(annotation_clips, annotation, stem, part))


def annotation_clips(annotation: dict[str, Any], stem: str, part: str) -> list[MotionClip | LeftOut]:
    """The clips of one annotation, named as those of the raw files.

    2D keypoints are HRNet's on the videos, which are mirrored as all Kinect images are: the left hand it reports is the
    performer's right one. HRNet's confidence is the height of a peak that may pass 1, and counts as 1 there. 3D
    joints, which have no image, stay in the Kinect's own right-handed, y-up space (frame ``world``): a virtual camera
    looks at them. Frames in which one of them has no position are left out, and said.

    Args:
        annotation: of the pickle.
        stem: the recording's name.
        part: train, val or test.

    Raises:
        InputError: an array that is missing or of another shape, a label that contradicts the name, nobody in it.
    """
    keypoint = annotation.get("keypoint")
    if not isinstance(keypoint, np.ndarray) or keypoint.dtype.kind != "f" or keypoint.ndim != 4:
        raise InputError(f"{stem}: expected its keypoint as an array (persons, frames, joints, 2 or 3) of numbers")
    if len(keypoint) > PERSONS:
        raise InputError(f"{stem}: has {len(keypoint)} persons, expected {PERSONS} at most")
    said = recording(stem)
    for key, expected in (("total_frames", keypoint.shape[1]), ("label", said.action - 1)):
        if not _whole(annotation.get(key)) or annotation[key] != expected:
            raise InputError(f"{stem}: its {key} is {annotation.get(key)!r}, expected {expected}: is the file pyskl's?")
    found = _in_3d(keypoint) if keypoint.shape[2:] == (25, 3) else _in_2d(annotation, keypoint, stem)
    arrays, there, present, camera = found
    persons = np.flatnonzero(present.any(1))
    if not len(persons):
        reason = "no frame has a position of every joint" if there.any() else "nobody is in any frame"
        raise InputError(f"{stem}: {reason}")
    made: list[MotionClip | LeftOut] = [
        LeftOut(f"{stem}/{person}, {lacking} of {there[person].sum()}", NO_POSITION)
        for person, lacking in enumerate((there & ~present).sum(1))
        if lacking
    ]
    for number, person in enumerate(persons, start=1):
        rows = np.flatnonzero(present[person])
        made += track_clips(
            stem if len(persons) == 1 else f"{stem}/person_{number}",
            stretches(rows, FPS, origin=0),
            {key: array[person][rows] for key, array in arrays.items()},
            sequence=stem,
            subject=f"P{said.performer:03}",
            person=str(number),
            split=part,
            label=f"A{said.action:03}",
            frame="world" if camera is None else "camera",
            camera=camera,
        )
    return made


def _whole(value: Any) -> bool:
    return isinstance(value, (int, np.integer))


# By name; in which frames a person is there, and in which all of them has a place; who sees it.
Arrays = tuple[
    dict[str, Float32[np.ndarray, "M T 17 3"]], Bool[np.ndarray, "M T"], Bool[np.ndarray, "M T"], Camera | None
]


def _in_3d(keypoint: np.ndarray) -> Arrays:
    joints = keypoint.astype(np.float32)
    there = np.asarray((joints != 0).any((2, 3)))
    return {"joints3d": convert_joints(joints, "ntu25", "h36m17")}, there, whole_frames(joints), None


def _in_2d(annotation: dict[str, Any], keypoint: np.ndarray, stem: str) -> Arrays:
    score, shape = annotation.get("keypoint_score"), annotation.get("img_shape")
    if keypoint.shape[2:] != (17, 2) or not isinstance(score, np.ndarray) or score.shape != keypoint.shape[:3]:
        raise InputError(
            f"{stem}: expected keypoint (persons, frames, 17, 2) and keypoint_score (persons, frames, 17), or keypoint "
            f"(persons, frames, 25, 3), found {keypoint.shape} and {getattr(score, 'shape', None)}"
        )
    if not isinstance(shape, (tuple, list)) or len(shape) != 2 or not all(map(_whole, shape)):
        raise InputError(f"{stem}: expected an img_shape of height and width, found {shape!r}")
    confidence = score.astype(np.float32)
    if not (confidence >= 0).all():
        raise InputError(f"{stem}: a keypoint_score is no number from 0 on: {confidence.min():g}")
    detected = np.concatenate([keypoint.astype(np.float32), np.minimum(confidence, 1)[..., None]], -1)
    camera = Camera.of_size(width=int(shape[1]), height=int(shape[0]))
    there = np.asarray((confidence > 0).any(-1))
    return {"keypoints2d": convert_keypoints(detected, "coco17", "h36m17")}, there, there, camera
