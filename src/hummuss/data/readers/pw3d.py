"""3D Poses in the Wild (von Marcard et al., ECCV 2018): the pickles of ``sequenceFiles``."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import roma
import torch
from jaxtyping import Bool, Float32, Float64
from scipy.spatial.transform import Rotation

from hummuss.body.skeleton import convert_keypoints
from hummuss.body.smpl import FREE_BODY, BodyModel, transform_body
from hummuss.body.unpickle import load_pickle
from hummuss.data.motion import Camera, MotionClip
from hummuss.data.posing import posed_joints
from hummuss.data.readers.body_files import NO_BODY, open_body
from hummuss.data.readers.checks import checked_array
from hummuss.data.readers.fingerprint import fingerprint
from hummuss.data.readers.task import LeftOut, RawDataset, ReadTask
from hummuss.data.readers.tracks import ALONE, stretches
from hummuss.errors import InputError

# Folder of the official split -> ours.
SPLITS = {"train": "train", "validation": "val", "test": "test"}
FPS = 30.0
PEOPLE_KEYS = ("poses", "betas", "poses2d", "jointPositions", "campose_valid", "genders")
KEYS = ("cam_poses", "cam_intrinsics", *PEOPLE_KEYS)
GENDERS = {"f": 0, "m": 1}  # of the protocol PW3D
LONG_SIDE, SHORT_SIDE = 1920, 1080


def read_pw3d(raw: Path, body: Path | None = None, regressor: Path | None = None) -> RawDataset:
    """The people of every sequence, each a clip in the coordinates of the moving camera.

    A clip is one person through one sequence (name ``sequence/person``). Training and validation clips are cut where
    ``campose_valid`` says that the camera does not fit the image (``sequence/person/first frame``), since their labels
    would be wrong there; test clips stay whole and say it in ``extras["valid_frame"]``, which the protocol
    `hummuss.protocols.PW3D` reads, as it reads ``extras["gender"]``, 0 female and 1 male.

    - Body parameters pose ``body``. The camera's motion turns the root, and the pelvis is put where the file's
      ``jointPositions`` have it: ``trans`` places the body of the person's gender, whose rest pelvis is another.
    - joints3d are those of the posed body, by its regressor. Betas are what the file gives: fitted to the body of the
      person's gender.
    - 2D keypoints are the 18 of ``poses2d``, converted. Those outside the image (the files hold some far away) and
      those of no confidence are missing; confidences above 1 count as 1.
    - The files do not tell the image's size. It is 1920 x 1080, or upright 1080 x 1920 where the principal point
      lies lower than it lies to the right; one that is not near the middle of that image is refused.

    Args:
        raw: the folder that holds ``sequenceFiles``, or that folder itself.
        body: neutral SMPL file; None poses the free body and drops betas.
        regressor: the body's regressor to Human3.6M's joints, where its file has none.

    Raises:
        InputError: no pickle under ``raw``, or a body file that cannot be used.

    Source: the ``readme.txt`` that comes with the files; SPIN's datasets/preprocess/pw3d.py (first 10 betas,
    campose_valid); WHAM's lib/eval/evaluate_3dpw.py (the principal point is the image's middle).
    """
    root = raw / "sequenceFiles" if (raw / "sequenceFiles").is_dir() else raw
    files = [(split, file) for split in SPLITS for file in sorted((root / split).glob("*.pkl"))]
    if not files:
        raise InputError(
            f"{raw} holds no sequenceFiles/{{{','.join(SPLITS)}}}/*.pkl: unpack 3DPW's sequenceFiles.zip there"
        )
    posed = open_body(body, regressor)
    notes = [
        NO_BODY
        if posed.name == FREE_BODY
        else f"poses and joints are those of the body {posed.name}; betas were fitted to bodies of each one's gender"
    ]
    notes += [f"there is no {split} split: {root / split} has no *.pkl" for split in SPLITS if split not in dict(files)]
    notes.append("training and validation clips are cut where campose_valid is 0; stretches of one frame are left out")
    notes.append("joints that poses2d has outside the image are missing (confidence 0); confidences above 1 are 1")

    def tasks() -> Iterator[ReadTask]:
        for split, file in files:
            read = partial(_read_people, file, SPLITS[split], body, regressor)
            yield ReadTask(f"{split}/{file.name}", read, captured=False)

    return RawDataset(len(files), tasks(), tuple(notes), fingerprint(file for _, file in files))


@dataclass(frozen=True)
class _Person:
    """One person through a sequence: the file's arrays, checked.

    Attributes:
        pelvis: (F, 3) metres, in the world.
        pose: (F, 24, 3) axis-angle.
        betas: (10,).
        poses2d: (F, 18, 3) pixels and confidence.
        valid: (F,) whether the camera fits the image.
        gender: of `GENDERS`.
    """

    pelvis: Float64[np.ndarray, "F 3"]
    pose: Float64[np.ndarray, "F 24 3"]
    betas: Float64[np.ndarray, "10"]
    poses2d: Float64[np.ndarray, "F 18 3"]
    valid: Bool[np.ndarray, "F"]
    gender: str


def _read_people(file: Path, split: str, body: Path | None, regressor: Path | None) -> list[MotionClip | LeftOut]:
    """The clips of one pickle."""
    content = load_pickle(file)
    if not isinstance(content, dict):
        raise InputError(f"{file} holds a {type(content).__name__}, expected the dict of a 3DPW sequence")
    missing = [key for key in KEYS if key not in content]
    if missing:
        raise InputError(f"{file} is no 3DPW sequence: it lacks {', '.join(missing)}: get sequenceFiles again")
    people = {key: len(content[key]) if np.iterable(content[key]) else 0 for key in PEOPLE_KEYS}
    if len(set(people.values())) > 1 or not people["poses"]:
        raise InputError(f"{file}: expected as many of each as there are people, found {people}: get it again")
    camera, cameras = _camera(file, content["cam_intrinsics"]), _camera_poses(file, content["cam_poses"])
    posed = open_body(body, regressor)
    clips: list[MotionClip | LeftOut] = []
    for number in range(people["poses"]):
        person = _person(file, {key: content[key][number] for key in PEOPLE_KEYS}, number, len(cameras))
        clip = _clip(file, split, number, person, camera, cameras, posed)
        clips += [clip] if split == "test" else _valid_stretches(clip)
    if not any(isinstance(clip, MotionClip) for clip in clips):
        raise InputError(f"{file}: campose_valid is 0 throughout: no frame can be used")
    return clips


def _camera(file: Path, intrinsics: Any) -> Camera:
    """The camera of a sequence; it moves, so where it stands is in the clips' coordinates alone."""
    matrix = checked_array(file, "cam_intrinsics", intrinsics, (3, 3))
    centre, focal = matrix[:2, 2], matrix[[0, 1], [0, 1]]
    width, height = (SHORT_SIDE, LONG_SIDE) if centre[1] > centre[0] else (LONG_SIDE, SHORT_SIDE)
    if (np.abs(2 * centre - (width, height)) > 0.1 * SHORT_SIDE).any() or (focal <= 0).any():
        raise InputError(
            f"{file}: cam_intrinsics has its principal point at ({centre[0]:g}, {centre[1]:g}) and focal lengths "
            f"{focal[0]:g} and {focal[1]:g}: expected the middle of a {LONG_SIDE} x {SHORT_SIDE} image, either way up, "
            "and lengths above 0"
        )
    return Camera(matrix, np.eye(3), np.zeros(3), width, height)


def _camera_poses(file: Path, poses: Any) -> Float64[np.ndarray, "F 4 4"]:
    """World to camera, frame by frame; rotations without the file's rounding errors."""
    cameras = checked_array(file, "cam_poses", poses, (None, 4, 4)).copy()
    if len(cameras) < 2:
        raise InputError(f"{file}: cam_poses has {len(cameras)} frames, at least 2 are needed: get it again")
    turns = cameras[:, :3, :3]
    off = np.abs(turns @ turns.transpose(0, 2, 1) - np.eye(3)).max((1, 2))
    broken = ~((off < 1e-3) & (np.linalg.det(turns) > 0))
    if broken.any():
        raise InputError(f"{file}: cam_poses has no rotation at frame {int(broken.argmax())}: get it again")
    cameras[:, :3, :3] = Rotation.from_matrix(turns).as_matrix()
    return cameras


def _person(file: Path, own: dict[str, Any], number: int, frames: int) -> _Person:
    """The arrays of one person, checked."""

    def array(key: str, *shape: int | None) -> Float64[np.ndarray, "..."]:
        return checked_array(file, f"{key} of person {number}", own[key], shape)

    gender = str(own["genders"])
    if gender not in GENDERS:
        raise InputError(f"{file}: gender of person {number} is {gender!r}, expected 'm' or 'f'")
    betas = array("betas", *[None] * np.ndim(own["betas"]))
    if betas.size < 10 or betas.size != len(betas):
        raise InputError(f"{file}: betas of person {number} have shape {betas.shape}, expected 10 for the sequence")
    return _Person(
        pelvis=array("jointPositions", frames, 72)[:, :3],
        pose=array("poses", frames, 72).reshape(-1, 24, 3),
        betas=betas.reshape(-1)[:10],
        poses2d=array("poses2d", frames, 3, 18).transpose(0, 2, 1),
        valid=array("campose_valid", frames) != 0,
        gender=gender,
    )


def _clip(
    file: Path,
    split: str,
    number: int,
    person: _Person,
    camera: Camera,
    cameras: Float64[np.ndarray, "F 4 4"],
    body: BodyModel,
) -> MotionClip:
    """One person through the whole sequence, in camera coordinates."""
    betas = np.zeros(10) if body.name == FREE_BODY else person.betas
    rest_pelvis = body.rest_joints(torch.from_numpy(betas).float())[0].double()
    root, transl = transform_body(
        torch.from_numpy(cameras[:, :3, :3]),
        torch.from_numpy(cameras[:, :3, 3]),
        roma.rotvec_to_rotmat(torch.from_numpy(person.pose[:, 0])),
        torch.from_numpy(person.pelvis) - rest_pelvis,
        rest_pelvis,
    )
    pose = np.concatenate([roma.rotmat_to_rotvec(root).numpy()[:, None], person.pose[:, 1:]], 1)
    labels = [array.astype(np.float32) for array in (pose, betas, transl.numpy())]
    name = f"{file.stem}/{number}"
    return MotionClip(
        name=name,
        sequence=file.stem,
        person=str(number),
        subject=name,  # the files do not say who it is
        split=split,
        fps=FPS,
        frame="camera",
        camera=camera,
        keypoints2d=_keypoints(file, person, number, camera),
        joints3d=posed_joints(body, *labels),
        smpl_pose=labels[0],
        betas=labels[1],
        transl=labels[2],
        body=body.name,
        extras={
            "gender": np.full(len(pose), GENDERS[person.gender], np.int8),
            "valid_frame": person.valid.astype(np.uint8),
        },
    )


def _keypoints(file: Path, person: _Person, number: int, camera: Camera) -> Float32[np.ndarray, "F 17 3"]:
    """Detections in Human3.6M's order; what lies outside the image is missing."""
    points, confidence = person.poses2d[..., :2], person.poses2d[..., 2:]
    if (confidence < 0).any():
        frame, joint, _ = np.argwhere(confidence < 0)[0]
        raise InputError(
            f"{file}: poses2d of person {number} has confidence {confidence[frame, joint, 0]:g} at frame {frame}, "
            f"joint {joint}: expected 0 or above"
        )
    inside = ((points >= 0) & (points < (camera.width, camera.height))).all(-1, keepdims=True)
    detected = np.concatenate([points, np.minimum(confidence, 1)], -1) * inside
    return convert_keypoints(detected, "openpose18", "h36m17").astype(np.float32)


def _valid_stretches(clip: MotionClip) -> list[MotionClip | LeftOut]:
    """The clip's stretches of at least two frames whose camera fits the image; itself if that is all of it.

    They keep the sequence's clock, which says who was seen together.
    """
    valid = clip.extras["valid_frame"] > 0
    if valid.all():
        return [clip]
    edges = np.flatnonzero(np.diff(np.concatenate([[False], valid, [False]])))
    if not len(edges):
        return [LeftOut(clip.name, "campose_valid is 0 throughout")]
    parts: list[MotionClip | LeftOut] = []
    for first, end in edges.reshape(-1, 2):
        if end - first < 2:
            parts.append(LeftOut(f"{clip.name}/{first}", ALONE))
        else:
            arrays: dict[str, Any] = {key: array[first:end] for key, array in clip.frame_arrays()}
            extras = {key: arrays.pop(key) for key in clip.extras}
            (stretch,) = stretches(np.arange(first, end), FPS, origin=0)
            parts.append(replace(clip, name=f"{clip.name}/{first}", extras=extras, **arrays | stretch.times()))
    return parts
