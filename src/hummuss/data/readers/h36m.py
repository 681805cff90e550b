"""Human3.6M from VideoPose3D's pair of files: world positions and 2D keypoints of four cameras."""

import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from hummuss.body.skeleton import LAYOUTS, convert_joints, convert_keypoints
from hummuss.data.motion import MotionClip
from hummuss.data.readers.checks import mapping, need, numbers, open_file
from hummuss.data.readers.fingerprint import fingerprint
from hummuss.data.readers.h36m_cameras import CAMERAS, Y_UP_FROM_Z_UP, h36m_camera, project_h36m
from hummuss.data.readers.h36m_facts import ACTIONS, FPS, SPLITS
from hummuss.data.readers.task import FailedFile, RawDataset, ReadTask
from hummuss.errors import InputError

POSITIONS = "data_3d_h36m.npz"
KEYPOINTS = "data_2d_h36m_{}.npz"
SOURCE = "see VideoPose3D's DATASETS.md"
OPTIONS: dict[str, dict[str, Any]] = {
    "--keypoints": {
        "default": "cpn_ft_h36m_dbb",
        "metavar": "KIND",
        "help": "which 2D keypoints: data_2d_h36m_KIND.npz, such as gt or cpn_ft_h36m_dbb (default: %(default)s)",
    }
}
# Once a frame's mean is taken off both (some takes of S9 have drifted 3D positions), detectors miss by 5 to 15 pixels;
# keypoints of another take or in another order by many times that.
FAR_PX = 40.0


def read_h36m(raw: Path, keypoints: str) -> RawDataset:
    """Read ``data_3d_h36m.npz`` and ``data_2d_h36m_KIND.npz``; a file here is one take, seen by four cameras.

    Clips are in camera coordinates; their camera leads back to a world that is y up. 2D arrays may be longer than the
    capture and are cut to it. The image's distortion stays in the keypoints, as everywhere in the field.

    Args:
        raw: folder with both files.
        keypoints: KIND.

    Raises:
        InputError: a file that is missing, damaged or another one.

    Source: VideoPose3D (Pavllo et al., CVPR 2019), ``data/prepare_data_h36m.py`` for the files and ``run.py`` for
    what is done with them.
    """
    file3d, file2d = raw / POSITIONS, raw / KEYPOINTS.format(keypoints)
    if file3d.is_file() and not file2d.is_file():
        kinds = sorted(path.stem.removeprefix("data_2d_h36m_") for path in raw.glob(KEYPOINTS.format("*")))
        raise InputError(f"{file2d} does not exist: choose --keypoints among {', '.join(kinds) or '(there are none)'}")
    stored = open_file(file3d, f"VideoPose3D's positions_3d ({SOURCE})")
    need(stored, ["positions_3d"], str(file3d), f"VideoPose3D's positions_3d ({SOURCE})")
    positions = _takes(stored["positions_3d"], f"{file3d}, positions_3d")
    stored = open_file(file2d, f"VideoPose3D's positions_2d ({SOURCE})")
    need(stored, ["positions_2d", "metadata"], str(file2d), f"VideoPose3D's positions_2d and metadata ({SOURCE})")
    layout = _layout(stored["metadata"], file2d)
    detections = _takes(stored["positions_2d"], f"{file2d}, positions_2d")
    takes = sorted(positions.keys() | detections.keys(), key=lambda take: (int(take[0][1:]), take[1]))
    state = fingerprint([file3d, file2d])
    return RawDataset(len(takes), _tasks(takes, positions, detections, layout, file3d, file2d), (), state)


def _takes(value: Any, place: str) -> dict[tuple[str, str], Any]:
    """(subject, action) -> what is stored for it."""
    subjects = mapping(value, place, "subjects with their actions")
    for subject in subjects:
        if subject not in SPLITS:
            raise InputError(f"{place} has subject {subject!r}: Human3.6M's with poses are {', '.join(SPLITS)}")
    return {
        (subject, action): found
        for subject, actions in subjects.items()
        for action, found in mapping(actions, f"{place}, {subject}", "actions").items()
    }


def _layout(metadata: Any, file: Path) -> str:
    """The layout whose left and right joints are those of the file."""
    symmetry = mapping(metadata, f"{file}, metadata", "num_joints and keypoints_symmetry").get("keypoints_symmetry")
    for name in ("h36m17", "coco17"):
        joints = LAYOUTS[name].joints
        sides = [{i for i, joint in enumerate(joints) if joint.startswith(side)} for side in ("left", "right")]
        if isinstance(symmetry, (list, tuple)) and [set(side) for side in symmetry] == sides:
            return name
    raise InputError(
        f"{file}: its metadata's keypoints_symmetry {symmetry!r} is neither Human3.6M's nor COCO's 17 joints: "
        "choose other --keypoints"
    )


def _tasks(
    takes: list[tuple[str, str]],
    positions: Mapping[tuple[str, str], Any],
    detections: Mapping[tuple[str, str], Any],
    layout: str,
    file3d: Path,
    file2d: Path,
) -> Iterator[ReadTask | FailedFile]:
    for take in takes:
        name = "/".join(take)
        for stored, file in ((positions, file3d), (detections, file2d)):
            if take not in stored:
                yield FailedFile(name, f"{file} has no {name}, the other file has: are they of one release?")
                break
        else:
            yield ReadTask(name, partial(read_take, *take, positions[take], detections[take], layout))


def read_take(subject: str, action: str, positions: Any, detections: Any, layout: str) -> list[MotionClip]:
    """A clip for each camera.

    Args:
        subject, action: as the files name them; actions may end in the number of their take.
        positions: (F, 32, 3) world coordinates, z up, metres.
        detections: for each camera (F or more, 17, 2) pixels, or with confidence as a third number.
        layout: of the detections.

    Raises:
        InputError: an unknown action, arrays of other shapes or lengths, detections of something else.
    """
    place = f"{subject}/{action}"
    label = re.sub(r" \d+$", "", action)
    if label not in ACTIONS.values():
        raise InputError(f"{place}: unknown action {label!r}, the 15 are {', '.join(ACTIONS.values())}: rename it")
    world = numbers(positions, (None, 32, 3), f"{place}, positions_3d").astype(np.float64)
    world = convert_joints(world, "h36m32", "h36m17") @ Y_UP_FROM_Z_UP.T
    if not isinstance(detections, (list, tuple, np.ndarray)) or len(detections) != len(CAMERAS):
        raise InputError(f"{place}: positions_2d should be a list of {len(CAMERAS)} cameras: is it another file?")
    clips = []
    for name, seen in zip(CAMERAS, detections, strict=True):
        camera = h36m_camera(subject, name)
        joints = world @ camera.rotation.T + camera.translation
        keypoints = _keypoints(seen, len(joints), layout, f"{place}/{name}")
        _check_together(keypoints, project_h36m(joints, name), f"{place}/{name}")
        clips.append(
            MotionClip(
                name=f"{place}/{name}",
                sequence=place,
                subject=subject,
                split=SPLITS[subject],
                label=label,
                fps=FPS,
                frame="camera",
                camera=camera,
                keypoints2d=keypoints,
                joints3d=joints.astype(np.float32),
            )
        )
    return clips


def _keypoints(seen: Any, frames: int, layout: str, place: str) -> Float[np.ndarray, "F 17 3"]:
    """A camera's keypoints in Human3.6M's order, with confidence, cut to the capture's length."""
    channels = 3 if np.ndim(seen) == 3 and np.shape(seen)[-1] == 3 else 2
    found = numbers(seen, (None, 17, channels), f"{place}, positions_2d").astype(np.float32)
    if len(found) < frames:
        raise InputError(
            f"{place}: {len(found)} frames of 2D keypoints for {frames} of 3D: they may be more, not fewer: "
            "the 2D file is cut short or of another release"
        )
    found = found[:frames]
    if channels == 2:
        found = np.concatenate([found, np.ones_like(found[..., :1])], -1)
    return found if layout == "h36m17" else convert_keypoints(found, layout, "h36m17")


def _check_together(keypoints: Float[np.ndarray, "F 17 3"], projected: Float[np.ndarray, "F 17 2"], place: str) -> None:
    off = keypoints[..., :2] - projected
    distance = float(np.median(np.linalg.norm(off - off.mean(1, keepdims=True), axis=-1)))
    if not distance < FAR_PX:
        raise InputError(
            f"{place}: the 2D keypoints lie {distance:.0f} pixels (median) from the projected 3D joints, both centred, "
            f"expected under {FAR_PX:.0f}: the two files are no pair, or cameras or joints are in another order"
        )
