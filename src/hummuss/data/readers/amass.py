"""AMASS (Mahmood et al., ICCV 2019): the npz files of every generation, SMPL+H and SMPL-X."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import roma
import torch
from jaxtyping import Float64

from hummuss.body.smpl import FREE_BODY, transform_body
from hummuss.body.unpickle import load_npz
from hummuss.data.motion import MotionClip
from hummuss.data.posing import posed_joints
from hummuss.data.readers.body_files import NO_BODY, open_body
from hummuss.data.readers.checks import checked_array
from hummuss.data.readers.fingerprint import fingerprint
from hummuss.data.readers.task import RawDataset, ReadTask
from hummuss.errors import InputError

# The recommended lists, each subset under all its folder names, in lower case and without underscores: those of
# SMPL+H archives, of SMPL-X archives, and of BABEL.
SPLITS = {
    "train": (
        "cmu", "mpilimits", "poseprior", "totalcapture", "eyesjapandataset", "kit", "bml", "biomotionlabntroje",
        "bmlrub", "ekut", "tcdhandmocap", "tcdhands", "accad",
    ),
    "val": ("humaneva", "mpihdm05", "hdm05", "sfu", "mpimosh", "mosh"),
    "test": ("transitionsmocap", "transitions", "ssmsynced", "ssm"),
}  # fmt: skip
SPLIT_OF = {subset: split for split, subsets in SPLITS.items() for subset in subsets}
RATES = ("mocap_framerate", "mocap_frame_rate")
KEYS = ("poses", "root_orient", "pose_body", "pose_jaw", "trans", "betas", "surface_model_type", *RATES)
# Joint rotations of a frame, three numbers each -> the model they belong to; both begin with the root and SMPL's
# 21 joints up to the wrists.
MODELS = {156: "smplh", 165: "smplx"}
BODY_JOINTS = 21
Y_UP_FROM_Z_UP = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])


def read_amass(raw: Path, body: Path | None = None, regressor: Path | None = None) -> RawDataset:
    """Every motion file below a folder, each a clip in a world that is y up, named by its path.

    - Poses are the root and 21 joints that SMPL+H and SMPL-X share with SMPL; SMPL's two hand joints stay at rest.
    - Body parameters pose ``body``, and joints3d are its regressor's. Betas are kept from SMPL+H files, fitted to
      the body of the person's gender; those of SMPL-X files are dropped (zeros): its shape space is another.
    - Splits are the recommended ones: validation HumanEva, MPI_HDM05 (HDM05), SFU and MPI_mosh (MoSh), test
      Transitions_mocap (Transitions) and SSM_synced (SSM). Everything else is training data, subsets that came after
      the lists too, which a note names. The subset is the folder's name, or ``raw``'s own.
    - Shape files (``shape.npz``, ``*_stagei.npz``) hold no motion; a note counts them.

    Args:
        raw: a folder with the unpacked archives, or with one subset's.
        body: neutral SMPL file; None poses the free body and drops betas.
        regressor: the body's regressor to Human3.6M's joints, where its file has none.

    Raises:
        InputError: no npz below ``raw``, or a body file that cannot be used.

    Source: the splits, and that training grows with the dataset: amass/README.md in nghorbani/amass, whose README.md
    says that the parameters of its SMPL+H bodies also animate SMPL.
    """
    found = sorted(raw.rglob("*.npz"))
    files = [file for file in found if not _is_shape(file)]
    if not files:
        raise InputError(f"{raw} holds no motion (*.npz in SUBSET/SUBJECT): unpack AMASS's archives there")
    posed = open_body(body, regressor)
    notes = [
        NO_BODY
        if posed.name == FREE_BODY
        else f"poses and joints are those of the body {posed.name}; betas of SMPL-X files are dropped (zeros), "
        "those of SMPL+H files were fitted to bodies of each one's gender"
    ]
    if len(found) > len(files):
        notes.append(f"{len(found) - len(files)} shape files (shape.npz, *_stagei.npz) hold no motion and are left out")
    later = sorted({name for name in (_subset(raw, file) for file in files) if _plain(name) not in SPLIT_OF})
    if later:
        notes.append(f"in no recommended list, and so training data: {', '.join(later)}")

    def tasks() -> Iterator[ReadTask]:
        for file in files:
            read = partial(_read_motion, raw, file, body, regressor)
            yield ReadTask(file.relative_to(raw).as_posix(), read, captured=False)

    return RawDataset(len(files), tasks(), tuple(notes), fingerprint(files))


def _is_shape(file: Path) -> bool:
    return file.name == "shape.npz" or file.name.endswith("_stagei.npz")


def _subset(raw: Path, file: Path) -> str:
    """The subset's folder, at any depth; of a subset in no list, the folder above its subjects."""
    folders = file.relative_to(raw).parts[:-1]
    own = raw.resolve().name
    listed = [name for name in (*folders, own) if _plain(name) in SPLIT_OF]
    return listed[0] if listed else folders[0] if len(folders) > 1 else own


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def _read_motion(raw: Path, file: Path, body: Path | None, regressor: Path | None) -> list[MotionClip]:
    """The one clip of a file."""
    content = load_npz(file, KEYS)
    pose, model = _pose(file, content)
    if len(pose) < 2:
        raise InputError(f"{file} has {len(pose)} frames, at least 2 are needed: leave it out")
    transl = _field(file, content, "trans", (len(pose), 3))
    fps, posed = _frame_rate(file, content), open_body(body, regressor)
    keeps_shape = model == "smplh" and posed.name != FREE_BODY
    betas = _betas(file, content) if keeps_shape else np.zeros(10)
    turn, rest_pelvis = torch.from_numpy(Y_UP_FROM_Z_UP), posed.rest_joints(torch.from_numpy(betas).float())[0].double()
    root = roma.rotvec_to_rotmat(torch.from_numpy(pose[:, 0]))
    root, moved = transform_body(turn, torch.zeros(3).double(), root, torch.from_numpy(transl), rest_pelvis)
    pose[:, 0] = roma.rotmat_to_rotvec(root).numpy()
    labels = [array.astype(np.float32) for array in (pose, betas, moved.numpy())]
    subset, subject = _subset(raw, file), file.parent.name
    return [
        MotionClip(
            name=file.relative_to(raw).with_suffix("").as_posix(),
            sequence=f"{subset}/{subject}/{file.stem}",
            subject=f"{subset}/{subject}",
            split=SPLIT_OF.get(_plain(subset), "train"),
            fps=fps,
            frame="world",
            joints3d=posed_joints(posed, *labels),
            smpl_pose=labels[0],
            betas=labels[1],
            transl=labels[2],
            body=posed.name,
        )
    ]


def _pose(file: Path, content: dict[str, Any]) -> tuple[Float64[np.ndarray, "F 24 3"], str]:
    """SMPL's rotations, hands at rest, and which model the file is of."""
    if "poses" in content:
        width = np.shape(content["poses"])[-1] if np.ndim(content["poses"]) == 2 else 0
        if width not in MODELS:
            raise InputError(
                f"{file}: poses has shape {np.shape(content['poses'])}, expected (F, 156) of SMPL+H or (F, 165) of "
                "SMPL-X: get AMASS in either"
            )
        rotations = _field(file, content, "poses", (None, width))
        model = MODELS[width]
    elif "root_orient" in content:
        root = _field(file, content, "root_orient", (None, 3))
        rotations = np.concatenate([root, _field(file, content, "pose_body", (len(root), 3 * BODY_JOINTS))], 1)
        model = "smplx" if "pose_jaw" in content else "smplh"
    else:
        raise InputError(f"{file} is no AMASS motion: it has neither poses nor root_orient: leave it out")
    if "surface_model_type" in content:
        model = np.asarray(content["surface_model_type"]).astype(str).item()
    pose = np.zeros((len(rotations), 24, 3))
    pose[:, : 1 + BODY_JOINTS] = rotations[:, : 3 + 3 * BODY_JOINTS].reshape(-1, 1 + BODY_JOINTS, 3)
    return pose, model


def _frame_rate(file: Path, content: dict[str, Any]) -> float:
    """Frames per second under either name."""
    rates = {float(_field(file, content, key, ())) for key in RATES if key in content}
    if len(rates) != 1 or not min(rates) > 0:
        raise InputError(
            f"{file}: expected one frame rate above 0 as {' or '.join(RATES)}, found {sorted(rates) or 'none'}"
        )
    return rates.pop()


def _betas(file: Path, content: dict[str, Any]) -> Float64[np.ndarray, "10"]:
    """The first ten, which are SMPL's."""
    betas = _field(file, content, "betas", (None,))
    if len(betas) < 10:
        raise InputError(f"{file}: betas has {len(betas)} numbers, expected 10 or more")
    return betas[:10]


def _field(file: Path, content: dict[str, Any], key: str, shape: tuple[int | None, ...]) -> Float64[np.ndarray, "..."]:
    if key not in content:
        raise InputError(f"{file} is no AMASS motion: it has no {key}: leave it out, or get it again")
    return checked_array(file, key, content[key], shape)
