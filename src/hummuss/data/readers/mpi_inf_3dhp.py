"""MPI-INF-3DHP from its official files: a training sequence's ``annot.mat``, a test sequence's ``annot_data.mat``."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import scipy.io

from hummuss.data.motion import Camera, MotionClip
from hummuss.data.readers.checks import need, numbers
from hummuss.data.readers.fingerprint import fingerprint
from hummuss.data.readers.mpi_inf_3dhp_facts import (
    CAMERAS,
    RECORDINGS,
    TEST_FPS_OPTION,
    TEST_SIZES,
    TRAINING_SIZE,
    assumed_rate,
    make_clip,
    rate_note,
)
from hummuss.data.readers.skeletool import read_calibration
from hummuss.data.readers.task import FailedFile, RawDataset, ReadTask
from hummuss.errors import InputError

TRAINING, TEST, CALIBRATION = "annot.mat", "annot_data.mat", "camera.calibration"
TRAINING_KEYS = ("annot2", "univ_annot3", "cameras")
TEST_KEYS = ("annot2", "univ_annot3", "valid_frame", "activity_annotation")
OPTIONS = TEST_FPS_OPTION


def read_mpi_inf_3dhp(raw: Path, test_fps: Sequence[tuple[str, float]]) -> RawDataset:
    """Read ``S1/Seq1/annot.mat`` ... and ``TS1/annot_data.mat`` ..., a clip for each camera of a sequence.

    Training clips are of the eight cameras that evaluations train on; annotations beyond a video's length are left out,
    as the dataset's README advises. Joints are ``univ_annot3``, in camera coordinates: people are scaled to one height,
    so that they project onto ``annot2`` only roughly. Where ``camera.calibration`` lies beside ``annot.mat``, a clip
    has its camera, otherwise the image's size.

    Args:
        raw: folder of S1 ... S8 and TS1 ... TS6; the latter may lie in ``mpi_inf_3dhp_test_set``.
        test_fps: frame rates of test sequences.

    Raises:
        InputError: there is none of the files.

    Source: Mehta et al., 3DV 2017; README.txt of the training and of the test set.
    """
    training = {name: raw / name / TRAINING for name in RECORDINGS}
    inside = raw / "mpi_inf_3dhp_test_set"
    test = {name: (inside if inside.is_dir() else raw) / name / TEST for name in TEST_SIZES}
    if not any(path.is_file() for path in (training | test).values()):
        raise InputError(
            f"{raw} holds neither S1/Seq1/{TRAINING} nor TS1/{TEST} nor another of MPI-INF-3DHP's sequences: "
            "point at the folder of S1 ... S8 and mpi_inf_3dhp_test_set"
        )
    groups = [paths for paths in (training, test) if any(path.is_file() for path in paths.values())]
    total, state = sum(map(len, groups)) + 2 - len(groups), fingerprint((training | test).values())
    return RawDataset(total, _tasks(training, test, test_fps), (rate_note(test_fps),), state)


def _tasks(
    training: dict[str, Path], test: dict[str, Path], test_fps: Sequence[tuple[str, float]]
) -> Iterator[ReadTask | FailedFile]:
    for paths in (training, test):
        if not any(path.is_file() for path in paths.values()):
            first, last = (name.split("/")[0] for name in (next(iter(paths)), list(paths)[-1]))
            yield FailedFile(f"{first} ... {last}", "none of their files is there: the store is without them")
            continue
        for name, path in paths.items():
            file = f"{name}/{path.name}"
            if not path.is_file():
                yield FailedFile(file, f"{path} does not exist: get it with the dataset's own script")
            elif paths is training:
                yield ReadTask(file, partial(read_training, path, name))
            else:
                yield ReadTask(file, partial(read_test, path, name, assumed_rate(name, test_fps)))


def read_training(path: Path, sequence: str) -> list[MotionClip]:
    """The clips of one training sequence.

    Raises:
        InputError: a file that is no MATLAB v5 file, lacks arrays, or has them of other shapes.
    """
    contents = f"MPI-INF-3DHP's {TRAINING} with {', '.join(TRAINING_KEYS)}"
    try:
        arrays = scipy.io.loadmat(path, variable_names=TRAINING_KEYS)
    except Exception as error:  # a damaged file can raise anything at all
        raise InputError(f"{path} can't be read as MATLAB v5 ({error}): expected {contents}: get it again") from error
    need(arrays, TRAINING_KEYS, str(path), contents)
    cameras = read_calibration(path.with_name(CALIBRATION)) if path.with_name(CALIBRATION).is_file() else {}
    stored = np.ravel(arrays["cameras"]).tolist()
    clips = []
    for number in CAMERAS:
        place = f"{path}, camera {number}"
        if number not in stored:
            raise InputError(f"{place} is missing, the file has {stored}: is it another file?")
        frames = RECORDINGS[sequence].frames
        pixels = _cell(arrays["annot2"], stored.index(number), 2, f"{place}, annot2")[:frames]
        joints = _cell(arrays["univ_annot3"], stored.index(number), 3, f"{place}, univ_annot3")[:frames]
        if len(pixels) != len(joints):
            raise InputError(f"{place}: annot2 has {len(pixels)} frames, univ_annot3 {len(joints)}: get the file again")
        if cameras and str(number) not in cameras:
            raise InputError(f"{path.with_name(CALIBRATION)} has no camera {number}, only {', '.join(cameras)}")
        camera = cameras.get(str(number), Camera.of_size(*TRAINING_SIZE))
        name, fps = f"{sequence}/{number}", RECORDINGS[sequence].fps
        clips.append(make_clip(name, sequence, fps, pixels, joints, "mpi_inf_3dhp28", camera))
    return clips


def _cell(cells: Any, index: int, dimensions: int, place: str) -> np.ndarray:
    """One camera's joints (F, 28, dimensions) of a MATLAB cell array with a row of numbers for each frame."""
    flat = np.ravel(cells)
    if flat.dtype != object or index >= len(flat):
        raise InputError(f"{place} is no cell array with a cell for each camera: is it another file?")
    return numbers(flat[index], (None, 28 * dimensions), place).reshape(-1, 28, dimensions)


def read_test(path: Path, sequence: str, fps: float) -> list[MotionClip]:
    """The clip of one test sequence; ``extras`` say which frames are scored, and their activity (1 to 7).

    Raises:
        InputError: a file that is no MATLAB v7.3 file (HDF5), lacks arrays, or has them of other shapes.
    """
    contents = f"MPI-INF-3DHP's {TEST} with {', '.join(TEST_KEYS)}"
    try:
        with h5py.File(path, "r") as file:
            need(file, TEST_KEYS, str(path), contents)
            arrays = {key: np.asarray(file[key]) for key in TEST_KEYS}
    except InputError:
        raise
    except Exception as error:  # a damaged file can raise anything at all
        raise InputError(
            f"{path} can't be read as MATLAB v7.3 (HDF5) ({error}): expected {contents}: get it again"
        ) from error
    pixels, joints = (
        numbers(arrays[key], (None, 1, 17, size), f"{path}, {key}")[:, 0]
        for key, size in (("annot2", 2), ("univ_annot3", 3))
    )
    extras = {
        name: np.ravel(arrays[key]).astype(np.uint8)
        for name, key in (("valid_frame", "valid_frame"), ("activity", "activity_annotation"))
    }
    lengths = {len(array) for array in (pixels, joints, *extras.values())}
    if len(lengths) > 1:
        raise InputError(
            f"{path}: {', '.join(TEST_KEYS)} have {sorted(lengths)} frames, expected one number: get it again"
        )
    camera = Camera.of_size(*TEST_SIZES[sequence])
    return [make_clip(sequence, sequence, fps, pixels, joints, "mpi_inf_3dhp17", camera, extras)]
