"""SMPL labels beside detected keypoints: MotionBERT's ``mesh_det_h36m.pkl`` and ``mesh_det_coco.pkl``."""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from hummuss.body.smpl import FREE_BODY
from hummuss.data.motion import Camera, MotionClip
from hummuss.data.posing import posed_joints
from hummuss.data.readers.body_files import BODY_OPTIONS, NO_BODY, open_body
from hummuss.data.readers.checks import mapping, need, open_file
from hummuss.data.readers.fingerprint import fingerprint
from hummuss.data.readers.motionbert_files import DETECTIONS, Shape, arrays_of, h36m_videos, keypoints_of, video_clip
from hummuss.data.readers.task import RawDataset, ReadTask
from hummuss.errors import InputError

H36M_FILE, COCO_FILE = "mesh_det_h36m.pkl", "mesh_det_coco.pkl"
LABELS: dict[str, Shape] = {"smpl_pose": (None, 72), "smpl_shape": (None, 10)}
CAPTURED: dict[str, Shape] = {"joint_cam": (None, 17, 3)}
H36M_OPTIONS: dict[str, dict[str, Any]] = BODY_OPTIONS | {
    "--fps": {
        "type": float,
        "default": 10.0,
        "help": "frames per second, which the file does not tell; it has 312188 frames of training videos that have "
        "1559752 at 50 fps: every fifth of each (default: %(default)g)",
    }
}
# MotionBERT normalises COCO's keypoints by this size.
COCO_SIZE = (640, 640)
# A photograph has no rate: it is shown as a person who holds still for two frames of this one.
STILL_FPS, STILL_FRAMES = 30.0, 2
STILLS_PER_TASK = 500


def read_h36m_mesh(raw: Path, body: Path | None, regressor: Path | None, fps: float) -> RawDataset:
    """Read Human3.6M's SMPL labels, a clip for every video (every run of frames of one ``source``).

    Poses are in camera coordinates; joints3d are those of the posed body, which is what MotionBERT trains on and
    compares with. The pelvis is put where the file's own joints (``joint_cam``) have it. A video's shape is the mean of
    its frames'. S8 validates.

    Args:
        raw: the pickle, or the folder it lies in.
        body: neutral SMPL file; None poses the free body and drops betas.
        regressor: the body's regressor to Human3.6M's joints, where its file has none.
        fps: frames per second.

    Raises:
        InputError: a file that is missing, damaged or another one.

    Source: MotionBERT (Zhu et al., ICCV 2023), ``lib/data/dataset_mesh.py``; Skeleton-in-Context (CVPR 2024), which
    reads the same file, for the shapes and names of its arrays.
    """
    path, parts = _open(raw, H36M_FILE)
    if not 0 < fps < np.inf:
        raise InputError(f"--fps is {fps:g}: give frames per second above 0")
    videos: dict[str, dict[str, np.ndarray]] = {}
    for part in ("train", "test"):
        place, names = f"{path}, {part}", ["source", "camera_name"]
        rows = mapping(parts[part], place, "arrays and lists of frames")
        arrays = arrays_of(rows, DETECTIONS | LABELS | CAPTURED, {}, names, place)
        videos |= dict(h36m_videos(rows, arrays, place))
    files = (
        ReadTask(source, partial(read_video, source, own, body, regressor, fps), captured=False)
        for source, own in videos.items()
    )
    return RawDataset(len(videos), files, _notes(body, regressor), fingerprint([path]))


def read_coco_mesh(raw: Path, body: Path | None, regressor: Path | None) -> RawDataset:
    """Read SMPL labels of COCO's photographs, each a clip of a person who holds still for `STILL_FRAMES` frames.

    Nothing places the people in space: their pelvis is at the origin, so only what is relative to the root or the hips
    means anything. The file's test part validates, as COCO is no benchmark of meshes.

    Args:
        raw: the pickle, or the folder it lies in.
        body, regressor: as in `read_h36m_mesh`.

    Raises:
        InputError: a file that is missing, damaged or another one.

    Source: as `read_h36m_mesh`, where COCO's clips have one frame.
    """
    path, parts = _open(raw, COCO_FILE)
    stills = {}
    for part, split in (("train", "train"), ("test", "val")):
        place = f"{path}, {part}"
        rows = mapping(parts[part], place, "arrays of photographs")
        stills[split] = arrays_of(rows, DETECTIONS | LABELS, {}, [], place)

    def tasks() -> Iterator[ReadTask]:
        for split, arrays in stills.items():
            for first in range(0, len(arrays["joint_2d"]), STILLS_PER_TASK):
                own = {key: array[first : first + STILLS_PER_TASK] for key, array in arrays.items()}
                read = partial(read_stills, split, first, own, body, regressor)
                yield ReadTask(f"{split} from {first}", read, captured=False)

    total = sum(-(-len(arrays["joint_2d"]) // STILLS_PER_TASK) for arrays in stills.values())
    note = f"photographs are shown as {STILL_FRAMES} equal frames at {STILL_FPS:g} fps, their pelvis at the origin"
    return RawDataset(total, tasks(), (*_notes(body, regressor), note), fingerprint([path]))


def _open(raw: Path, name: str) -> tuple[Path, dict[str, Any]]:
    path = raw / name if raw.is_dir() else raw
    contents = f"MotionBERT's {name} (see its docs/mesh.md) with the parts train and test"
    parts = open_file(path, contents)
    need(parts, ["train", "test"], str(path), contents)
    return path, parts


def _notes(body: Path | None, regressor: Path | None) -> tuple[str, ...]:
    """Opens the body too, so that one that can't be used is refused before anything is read."""
    return (NO_BODY,) if open_body(body, regressor).name == FREE_BODY else ()


def read_video(
    source: str, own: Mapping[str, np.ndarray], body: Path | None, regressor: Path | None, fps: float
) -> list[MotionClip]:
    """The clip of a video.

    Raises:
        InputError: frames that are no numbers, or joints of another unit than mm or metres.
    """
    pelvis = own["joint_cam"][:, 0] * _metres(own["joint_cam"], source)
    labels = _labels(own, own["smpl_shape"].mean(0), pelvis, body, regressor)
    return [video_clip(source, H36M_FILE, own, fps, **labels)]


def read_stills(
    split: str, first: int, own: Mapping[str, np.ndarray], body: Path | None, regressor: Path | None
) -> list[MotionClip]:
    """A clip for each photograph.

    Raises:
        InputError: a photograph whose numbers are none.
    """
    clips = []
    for i in range(len(own["joint_2d"])):
        still = {key: np.repeat(array[i : i + 1], STILL_FRAMES, 0) for key, array in own.items()}
        name = f"{split}/{first + i:06}"
        clips.append(
            MotionClip(
                name=name,
                sequence=name,
                subject="",
                split=split,
                fps=STILL_FPS,
                frame="camera",
                camera=Camera.of_size(*COCO_SIZE),
                keypoints2d=keypoints_of(still),
                **_labels(still, still["smpl_shape"][0], np.zeros((STILL_FRAMES, 3)), body, regressor),
            )
        )
    return clips


def _metres(joints: Float[np.ndarray, "F 17 3"], place: str) -> float:
    """What the joints must be multiplied with: a thigh is 0.3 to 0.6 m long."""
    thigh = float(np.median(np.linalg.norm(joints[:, [2, 5]] - joints[:, [1, 4]], axis=-1)))
    for factor in (0.001, 1.0):
        if 0.3 <= thigh * factor <= 0.6:
            return factor
    raise InputError(
        f"{place}: thighs in joint_cam are {thigh:g} long, neither in mm nor in metres: is it another file?"
    )


def _labels(
    own: Mapping[str, np.ndarray],
    shape: Float[np.ndarray, "10"],
    pelvis: Float[np.ndarray, "F 3"],
    body: Path | None,
    regressor: Path | None,
) -> dict[str, Any]:
    """Body labels and the joints of the body they pose, its pelvis (Human3.6M's) where it should be, in metres."""
    posed = open_body(body, regressor)
    pose = own["smpl_pose"].reshape(-1, 24, 3).astype(np.float32)
    betas = (np.zeros(10) if posed.name == FREE_BODY else shape).astype(np.float32)
    joints = posed_joints(posed, pose, betas, np.zeros((len(pose), 3), np.float32))
    transl = (pelvis - joints[:, 0]).astype(np.float32)
    return {
        "joints3d": joints + transl[:, None],
        "smpl_pose": pose,
        "betas": betas,
        "transl": transl,
        "body": posed.name,
    }
