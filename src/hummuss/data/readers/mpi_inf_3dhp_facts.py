"""What all files of MPI-INF-3DHP share: frame rates, lengths, cameras, image sizes, splits, and how clips are made."""

import argparse
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from hummuss.body.skeleton import convert_joints, convert_keypoints
from hummuss.data.motion import Camera, MotionClip


class Recording(NamedTuple):
    """A training sequence: its videos' frames, which annotations may outnumber, and their rate."""

    frames: int
    fps: float


# The dataset's mpii_get_sequence_info.m. Its fps of S3 and S5 stands where MATLAB does not run it (before the first
# case of a switch); their lengths, twice the others', agree with it, and P-STMO's data_to_npz_3dhp.py has it too.
RECORDINGS = {
    "S1/Seq1": Recording(6416, 25.0), "S1/Seq2": Recording(12430, 50.0),
    "S2/Seq1": Recording(6502, 25.0), "S2/Seq2": Recording(6081, 25.0),
    "S3/Seq1": Recording(12488, 50.0), "S3/Seq2": Recording(12283, 50.0),
    "S4/Seq1": Recording(6171, 25.0), "S4/Seq2": Recording(6675, 25.0),
    "S5/Seq1": Recording(12820, 50.0), "S5/Seq2": Recording(12312, 50.0),
    "S6/Seq1": Recording(6188, 25.0), "S6/Seq2": Recording(6145, 25.0),
    "S7/Seq1": Recording(6239, 25.0), "S7/Seq2": Recording(6320, 25.0),
    "S8/Seq1": Recording(6468, 25.0), "S8/Seq2": Recording(6054, 25.0),
}  # fmt: skip
# Case 'vnect' of the dataset's mpii_get_camera_set.m: at the height of chest and knee, and two from above.
CAMERAS = (0, 1, 2, 4, 5, 6, 7, 8)
VALIDATION_SUBJECT = "S8"
TRAINING_SIZE = (2048, 2048)
TEST_SIZES = {
    "TS1": (2048, 2048), "TS2": (2048, 2048), "TS3": (2048, 2048), "TS4": (2048, 2048), "TS5": (1920, 1080),
    "TS6": (1920, 1080),
}  # fmt: skip
# No file says it. TS1 to TS4 have 5800 to 6200 frames, as have training sequences of 25 fps; TS5 and TS6 follow them.
ASSUMED_TEST_FPS = 25.0


def _sequence_fps(text: str) -> tuple[str, float]:
    """``TS5=30`` as it comes from the command line."""
    sequence, _, fps = text.partition("=")
    try:
        rate = float(fps)
    except ValueError:
        rate = 0.0
    if sequence not in TEST_SIZES or not 0 < rate < np.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form TS5=30: a test sequence and frames per second")
    return sequence, rate


TEST_FPS_OPTION: dict[str, dict[str, Any]] = {
    "--test-fps": {
        "type": _sequence_fps,
        "nargs": "+",
        "default": (),
        "metavar": "TSn=FPS",
        "help": f"frame rates of test sequences, whose files carry none (assumed: {ASSUMED_TEST_FPS:g} for all six)",
    }
}


def assumed_rate(sequence: str, given: Sequence[tuple[str, float]]) -> float:
    """Frames per second of a test sequence, given or assumed.

    >>> assumed_rate("TS5", [("TS5", 30.0)]), assumed_rate("TS1", [("TS5", 30.0)])
    (30.0, 25.0)
    """
    return dict(given).get(sequence, ASSUMED_TEST_FPS)


def rate_note(given: Sequence[tuple[str, float]]) -> str:
    """What a store's user must know of its test sequences' frame rates."""
    rates = ", ".join(f"{sequence} {assumed_rate(sequence, given):g}" for sequence in TEST_SIZES)
    return f"the test files carry no frame rate: {rates} frames per second are assumed; --test-fps changes it"


def make_clip(
    name: str,
    sequence: str,
    fps: float,
    pixels: Float[np.ndarray, "F J 2"],
    millimetres: Float[np.ndarray, "F J 3"],
    layout: str,
    camera: Camera,
    extras: dict[str, np.ndarray] | None = None,
) -> MotionClip:
    """A clip in its camera, its joints in Human3.6M's order and in metres.

    Args:
        name, sequence, fps: of the clip; the sequence starts with its subject, or is a test sequence.
        pixels: the annotated 2D joints, which have no confidence: it is 1.
        millimetres: camera coordinates, scaled to the universal skeleton as evaluations want them.
        layout: ``mpi_inf_3dhp28`` or ``mpi_inf_3dhp17``, of both.
        camera: where it is seen from.
        extras: further per-frame arrays.
    """
    subject = sequence.split("/")[0]
    split = "test" if sequence in TEST_SIZES else "val" if subject == VALIDATION_SUBJECT else "train"
    keypoints = np.concatenate([pixels, np.ones_like(pixels[..., :1])], -1).astype(np.float32)
    return MotionClip(
        name=name,
        sequence=sequence,
        subject=subject,
        split=split,
        fps=fps,
        frame="camera",
        camera=camera,
        keypoints2d=convert_keypoints(keypoints, layout, "h36m17"),
        joints3d=convert_joints((millimetres / 1000).astype(np.float32), layout, "h36m17"),
        extras=extras or {},
    )
