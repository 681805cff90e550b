"""Skeletool's text files of camera calibrations, ``camera.calibration`` of MPI-INF-3DHP."""

from pathlib import Path

import numpy as np

from hummuss.data.motion import Camera
from hummuss.errors import InputError

HEADER = "Skeletool Camera Calibration File"
# What a camera needs, and how many numbers each has.
FIELDS = {"size": 2, "intrinsic": 16, "extrinsic": 16}


def read_calibration(path: Path) -> dict[str, Camera]:
    """Read every camera of a file, by its name there.

    MPI-INF-3DHP's world is y up, as a clip's; translations are in mm there, in metres here.

    Raises:
        InputError: a file that can't be read, has another header, or lacks a field or a number of a camera.

    Source: the format as its writers and MPI-INF-3DHP's readers have it (README.txt of the dataset names the file
    only): a header line; then per camera ``name`` and lines of a key and numbers, matrices 4 x 4 and row by row,
    ``extrinsic`` from world to camera.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}: get it again") from error
    if not lines or not lines[0].startswith(HEADER):
        raise InputError(f"{path} does not begin with {HEADER!r}: is it cut short or another file?")
    cameras: dict[str, dict[str, np.ndarray]] = {}
    fields: dict[str, np.ndarray] = {}
    for number, line in enumerate(lines[1:], 2):
        key, *values = line.split() or [""]
        if key == "name":
            fields = cameras.setdefault(" ".join(values), {})
        elif key in FIELDS:
            fields[key] = _numbers(values, FIELDS[key], f"{path}, line {number}: {key}")
    return {name: _camera(fields, f"{path}: camera {name}") for name, fields in cameras.items()}


def _numbers(values: list[str], count: int, place: str) -> np.ndarray:
    try:
        found = np.array([float(value) for value in values])
    except ValueError as error:
        raise InputError(f"{place} holds no numbers ({error}): get the file again") from error
    if len(found) != count or not np.isfinite(found).all():
        raise InputError(f"{place} has {len(found)} numbers, expected {count} finite ones: get the file again")
    return found


def _camera(fields: dict[str, np.ndarray], place: str) -> Camera:
    missing = [key for key in FIELDS if key not in fields]
    if missing:
        raise InputError(f"{place} lacks {', '.join(missing)}: the file is cut short, get it again")
    extrinsic = fields["extrinsic"].reshape(4, 4)
    rotation = extrinsic[:3, :3]
    if not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-3):
        raise InputError(f"{place}: the upper left of its extrinsic is no rotation: get the file again")
    width, height = fields["size"].astype(int).tolist()
    intrinsics = fields["intrinsic"].reshape(4, 4)[:3, :3]
    return Camera(intrinsics, rotation, extrinsic[:3, 3] / 1000, width, height)
