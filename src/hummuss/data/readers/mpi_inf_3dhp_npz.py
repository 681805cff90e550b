"""MPI-INF-3DHP from P-STMO's pair of files, ``data_train_3dhp.npz`` and ``data_test_3dhp.npz``."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from hummuss.data.motion import Camera, MotionClip
from hummuss.data.readers.checks import mapping, need, numbers, open_file
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
from hummuss.data.readers.task import FailedFile, RawDataset, ReadTask
from hummuss.errors import InputError

TRAINING, TEST = "data_train_3dhp.npz", "data_test_3dhp.npz"
OPTIONS = TEST_FPS_OPTION


def read_mpi_inf_3dhp_npz(raw: Path, test_fps: Sequence[tuple[str, float]]) -> RawDataset:
    """Read both files; a file here is a sequence, and its clips those of its cameras.

    Clips are those of the official files (`mpi_inf_3dhp`), without their cameras. P-STMO trains on S8 too; here it
    validates. Every official sequence that a file lacks is named.

    Args:
        raw: folder of both files; one of them may be missing.
        test_fps: frame rates of test sequences.

    Raises:
        InputError: neither file is there, or one is damaged or another one.

    Source: P-STMO (Shan et al., ECCV 2022), ``data_to_npz_3dhp.py``, ``data_to_npz_3dhp_test.py`` and
    ``common/load_data_3dhp_mae.py``.
    """
    if not any((raw / name).is_file() for name in (TRAINING, TEST)):
        raise InputError(f"{raw} holds neither {TRAINING} nor {TEST}: see the section MPI-INF-3DHP of P-STMO's README")
    state = fingerprint([raw / TRAINING, raw / TEST])
    return RawDataset(len(RECORDINGS) + len(TEST_SIZES), _tasks(raw, test_fps), (rate_note(test_fps),), state)


def _tasks(raw: Path, test_fps: Sequence[tuple[str, float]]) -> Iterator[ReadTask | FailedFile]:
    """One file after the other, so that only one is in memory."""
    for file, names in ((raw / TRAINING, list(RECORDINGS)), (raw / TEST, list(TEST_SIZES))):
        try:
            stored = _open(file)
        except InputError as error:
            yield FailedFile(file.name, str(error))
            continue
        sequences = {name.replace(" ", "/"): value for name, value in stored.items()}
        for name in (*names, *(name for name in sequences if name not in names)):
            if name not in names:
                yield FailedFile(name, f"{file} has {name}, which is no sequence of MPI-INF-3DHP: is it another file?")
            elif name not in sequences:
                yield FailedFile(name, f"{file} has no {name}: is it cut short or of another making?")
            elif name in TEST_SIZES:
                yield ReadTask(name, partial(read_test, name, sequences[name], assumed_rate(name, test_fps)))
            else:
                yield ReadTask(name, partial(read_training, name, sequences[name]))


def _open(file: Path) -> dict[str, Any]:
    contents = f"P-STMO's {file.name} with one dict called data"
    stored = open_file(file, contents)
    need(stored, ["data"], str(file), contents)
    return mapping(stored["data"], f"{file}, data", "a dict of sequences")


def read_training(sequence: str, stored: Any) -> list[MotionClip]:
    """The clips of one training sequence: stored as [camera -> arrays, frames per second].

    Raises:
        InputError: another structure, other shapes, or another frame rate than the dataset's own.
    """
    if not isinstance(stored, (list, tuple, np.ndarray)) or len(stored) != 2:
        raise InputError(f"{sequence}: expected a list of cameras and frames per second: is it another file?")
    cameras, fps = mapping(stored[0], sequence, "a dict of cameras"), RECORDINGS[sequence].fps
    if stored[1] != fps:
        raise InputError(f"{sequence} is said to have {stored[1]} frames per second, the dataset's list says {fps:g}")
    need(cameras, [str(number) for number in CAMERAS], f"{sequence}, cameras", "the eight cameras 0, 1, 2 and 4 to 8")
    return [_clip(f"{sequence}/{number}", sequence, fps, cameras[str(number)]) for number in CAMERAS]


def read_test(sequence: str, stored: Any, fps: float) -> list[MotionClip]:
    """The clip of one test sequence.

    Raises:
        InputError: another structure or other shapes.
    """
    return [_clip(sequence, sequence, fps, stored)]


def _clip(name: str, sequence: str, fps: float, stored: Any) -> MotionClip:
    keys = ["data_2d", "data_3d", *(["valid"] if sequence in TEST_SIZES else [])]
    arrays = mapping(stored, name, f"a dict of {', '.join(keys)}")
    need(arrays, keys, name, ", ".join(keys))
    pixels = numbers(arrays["data_2d"], (None, 17, 2), f"{name}, data_2d")
    joints = numbers(arrays["data_3d"], (len(pixels), 17, 3), f"{name}, data_3d")
    extras = {}
    if "valid" in keys:
        extras["valid_frame"] = numbers(arrays["valid"], (len(pixels),), f"{name}, valid").astype(np.uint8)
    camera = Camera.of_size(*TEST_SIZES.get(sequence, TRAINING_SIZE))
    return make_clip(name, sequence, fps, pixels, joints, "mpi_inf_3dhp17", camera, extras)
