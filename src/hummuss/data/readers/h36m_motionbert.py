"""Human3.6M from MotionBERT's ``h36m_sh_conf_cam_source_final.pkl``: 2.5D rows in pixels and their factor to mm."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float

from hummuss.data.motion import MotionClip
from hummuss.data.readers.checks import mapping, need, open_file
from hummuss.data.readers.fingerprint import fingerprint
from hummuss.data.readers.h36m_cameras import CAMERAS
from hummuss.data.readers.h36m_depth import FACTOR_TOLERANCE, factor_of_depth, root_depths
from hummuss.data.readers.h36m_facts import FPS, SPLITS, parse_source
from hummuss.data.readers.motionbert_files import DETECTIONS, Shape, arrays_of, h36m_videos, video_clip
from hummuss.data.readers.task import FailedFile, RawDataset, ReadTask
from hummuss.errors import InputError

FILE = "h36m_sh_conf_cam_source_final.pkl"
CONTENTS = f"MotionBERT's {FILE} (see its docs/pose3d.md) with the parts train and test"
FACTOR, TARGET = "2.5d_factor", "joints_2.5d_image"
SHAPES = DETECTIONS | {"joint3d_image": (None, 17, 3)}
TEST_SHAPES: dict[str, Shape] = {FACTOR: (None,), TARGET: (None, 17, 3)}
NAMES = ["source", "camera_name"]


# Frames of one video by key, as they lie in the file.
Rows = dict[str, np.ndarray]


def read_h36m_motionbert(raw: Path) -> RawDataset:
    """Read MotionBERT's pickle, a clip for every video (every run of frames of one ``source``).

    joints3d is joint3d_image * 2.5d_factor / 1000: the network's target in metres. Only the test part has the factor in
    the published file; for training videos it is found from the root's place in the four synchronous images, see
    `h36m_depth`, after the same has been done, as a check, to the test part. Of a clip's camera only the image's size
    is kept: 2.5D rows are no perspective view of anything. S8, which MotionBERT trains on, validates.

    Args:
        raw: the pickle, or the folder it lies in.

    Raises:
        InputError: a file that is missing, damaged or another one.

    Source: MotionBERT (Zhu et al., ICCV 2023), ``lib/data/datareader_h36m.py`` and ``evaluate`` of its ``train.py``.
    """
    path = raw / FILE if raw.is_dir() else raw
    parts = open_file(path, CONTENTS)
    need(parts, ["train", "test"], str(path), CONTENTS)
    videos: dict[str, Rows] = {}
    for part, required in (("train", SHAPES), ("test", SHAPES | TEST_SHAPES)):
        place = f"{path}, {part}"
        rows = mapping(parts[part], place, ", ".join(required))
        for source, own in h36m_videos(rows, arrays_of(rows, required, TEST_SHAPES, NAMES, place), place):
            if (SPLITS[parse_source(source, place).subject] == "test") != (part == "test"):
                raise InputError(f"{place} has {source}: S9 and S11 are the test part, the others train")
            videos[source] = own
    lacking = sum(FACTOR not in rows for rows in videos.values())
    note = f"{lacking} videos have no {FACTOR} in the file: theirs is found from the root's place in several cameras"
    return RawDataset(len(videos), _tasks(videos, path), (note,) if lacking else (), fingerprint([path]))


def _tasks(videos: dict[str, Rows], path: Path) -> Iterator[ReadTask | FailedFile]:
    """Videos in stored order; those without a factor, and without a way to it, as failures."""
    known = {source: rows[FACTOR] for source, rows in videos.items() if FACTOR in rows}
    found: dict[str, np.ndarray | str] = {}
    doubt = ""
    if len(known) < len(videos):
        takes: dict[tuple[str, str, int], dict[str, Rows]] = {}
        for source, rows in videos.items():
            takes.setdefault(parse_source(source, str(path))[:3], {})[source] = rows
        for take in takes.values():
            found |= _factors(take)
        doubt = _doubt(known, found)
    for source, rows in videos.items():
        factor = known[source] if source in known else doubt or found[source]
        if isinstance(factor, str):
            yield FailedFile(source, f"{path} has no {FACTOR} for {source}, and {factor}")
        else:
            yield ReadTask(source, partial(read_video, source, rows | {FACTOR: factor}))


def _factors(take: dict[str, Rows]) -> dict[str, np.ndarray | str]:
    """The factors of one take's videos from the root in all of them, or why there are none."""
    lengths = {len(rows["joint3d_image"]) for rows in take.values()}
    if len(take) < 2 or len(lengths) > 1:
        reason = f"its take has {len(take)} videos of {sorted(lengths)} frames, where two of one length would give it"
        return dict.fromkeys(take, reason)
    views = {source: CAMERAS[parse_source(source, "").view - 1] for source in take}
    subject = parse_source(next(iter(take)), "").subject
    depths = root_depths({views[source]: rows["joint3d_image"][:, 0, :2] for source, rows in take.items()}, subject)
    return {source: factor_of_depth(depths[view], view) for source, view in views.items()}


def _doubt(known: dict[str, np.ndarray], found: dict[str, np.ndarray | str]) -> str:
    """Why factors found from the root can't be trusted; empty where they agree with the known ones."""
    compared = [np.abs(factor / known[source] - 1) for source, factor in found.items()
                if source in known and not isinstance(factor, str)]  # fmt: skip
    if not compared:
        return "no test video is seen by two cameras, so a factor found from the root cannot be checked"
    deviation = float(np.median(np.concatenate(compared)))
    if not deviation <= FACTOR_TOLERANCE:
        return (
            f"factors found from the root differ from the test part's by {100 * deviation:.1f} % (median), expected "
            f"under {100 * FACTOR_TOLERANCE:.0f} %: is the file another release?"
        )
    return ""


def read_video(source: str, rows: Rows) -> list[MotionClip]:
    """The clip of a video.

    Raises:
        InputError: frames that are no numbers.
    """
    extras = {"factor_2_5d": rows[FACTOR].astype(np.float32)}
    if TARGET in rows:
        extras["joints_2_5d_image"] = rows[TARGET].astype(np.float32)
    joints: Float[np.ndarray, "F 17 3"] = rows["joint3d_image"] * rows[FACTOR][:, None, None] / 1000
    return [video_clip(source, FILE, rows, FPS, joints3d=joints.astype(np.float32), extras=extras)]
