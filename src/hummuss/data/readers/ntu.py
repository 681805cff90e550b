"""NTU RGB+D 60 and 120 from the official ``.skeleton`` files, unpacked or in their archives."""

import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float32

from hummuss.body.skeleton import convert_joints, convert_keypoints
from hummuss.data.motion import Camera, MotionClip
from hummuss.data.readers.fingerprint import fingerprint
from hummuss.data.readers.ntu_persons import find_persons
from hummuss.data.readers.ntu_skeleton import KinectBody, parse_skeleton
from hummuss.data.readers.ntu_splits import Split, check_benchmark, ntu_split, recording
from hummuss.data.readers.task import FailedFile, LeftOut, RawDataset, ReadTask
from hummuss.data.readers.tracks import stretches, track_clips
from hummuss.errors import InputError

FPS = 30.0  # of a Kinect v2's body stream; the files carry no times
WIDTH, HEIGHT = 1920, 1080
NAME = re.compile(r"S\d{3}C\d{3}P\d{3}R\d{3}A\d{3}")
# Real recordings have 10 MB at most.
LARGEST_FILE = 200_000_000
BEYOND = "of a class beyond those of --classes"
NO_POSITION = "frames in which a joint has no position"

OPTIONS: dict[str, dict[str, Any]] = {
    "--split": {
        "choices": ("xsub", "xview", "xset", "oneshot"),
        "default": "xsub",
        "help": "the benchmark that says what is trained on (default: %(default)s); performers 35 and 38 validate",
    },
    "--classes": {"type": int, "choices": (60, 120), "default": 60, "help": "A001 to A060 or to A120 (default: 60)"},
    "--missing": {
        "type": Path,
        "metavar": "FILE",
        "help": "the official list of samples with missing skeletons, which are left out",
    },
}

Source = tuple[Path, str | None]  # a file, or an archive and the name of one in it


def read_ntu(raw: Path, split: Split = "xsub", classes: int = 60, missing: Path | None = None) -> RawDataset:
    """The recordings of NTU RGB+D by name, each as a task for some process.

    Args:
        raw: a folder with ``.skeleton`` files and the official zip archives of them, at any depth, or one such
            archive. What is both unpacked and in an archive is read unpacked.
        split, classes: the benchmark.
        missing: a text file with a recording's name on each line; other lines are taken for its heading.

    Raises:
        InputError: ``raw`` has no recordings, a broken archive, or a file ``missing`` that names none.
    """
    check_benchmark(split, classes)
    unwanted = read_missing(missing)
    sources = _find(raw)
    reason = f"listed in {missing.name}" if missing else ""
    files = {path for path, _ in sources.values()} | ({missing} if missing else set())
    tasks = _tasks(sources, split, classes, unwanted, reason)
    return RawDataset(len(sources), tasks, fingerprint=fingerprint(sorted(files)))


def read_missing(path: Path | None) -> set[str]:
    """Names of the recordings that a list of samples with missing skeletons holds.

    Raises:
        InputError: no such file, or one that names no recording.
    """
    if path is None:
        return set()
    try:
        text = path.read_text("utf-8", "replace")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}: point --missing at the list of missing skeletons") from error
    names = {line.strip().removesuffix(".skeleton") for line in text.splitlines()}
    named = {name for name in names if NAME.fullmatch(name)}
    if not named:
        raise InputError(f"{path} names no recording: expected lines like S001C002P005R002A008")
    return named


def _find(raw: Path) -> dict[str, Source]:
    """Stem of every recording's file -> where it is, by name."""
    if raw.is_dir():
        unpacked, archives = list(raw.rglob("*.skeleton")), sorted(raw.rglob("*.zip"))
    else:
        unpacked, archives = [], [raw]
    found: dict[str, Source] = {}
    for archive in archives:
        for member in _archive(archive).namelist():
            if member.endswith(".skeleton"):
                found[PurePosixPath(member).stem] = (archive, member)
    found |= {path.stem: (path, None) for path in unpacked}
    if not found:
        raise InputError(f"{raw} holds no .skeleton file: point at the folder of nturgb+d_skeletons, or at its zip")
    return dict(sorted(found.items()))


@lru_cache(maxsize=4)
def _archive(path: Path) -> zipfile.ZipFile:
    """An archive, opened once in every process."""
    try:
        return zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} is neither a folder nor a whole zip archive ({error}): get it again") from error


def _tasks(
    sources: dict[str, Source], split: Split, classes: int, unwanted: set[str], reason: str
) -> Iterator[ReadTask | FailedFile | LeftOut]:
    for stem, source in sources.items():
        if not NAME.fullmatch(stem):
            yield FailedFile(f"{stem}.skeleton", "expected a name SsssCcccPpppRrrrAaaa: is this file of NTU RGB+D?")
        elif stem in unwanted:
            yield LeftOut(stem, reason)
        elif recording(stem).action > classes:
            yield LeftOut(stem, BEYOND)
        else:
            yield ReadTask(f"{stem}.skeleton", partial(_read_recording, source, stem, split, classes))


def _fetch(path: Path, member: str | None) -> str:
    try:
        size = path.stat().st_size if member is None else _archive(path).getinfo(member).file_size
        if size > LARGEST_FILE:
            raise InputError(f"{path}: {size} bytes are more than any recording has: is it one?")
        content = path.read_bytes() if member is None else _archive(path).read(member)
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise InputError(f"{path}{f', {member}' if member else ''} cannot be read ({error}): get it again") from error
    return content.decode("utf-8", "replace")


def _read_recording(source: Source, stem: str, split: Split, classes: int) -> list[MotionClip | LeftOut]:
    return recording_clips(_fetch(*source), stem, split, classes)


def recording_clips(text: str, stem: str, split: Split, classes: int) -> list[MotionClip | LeftOut]:
    """The clips of one recording: one person is named as the recording is, several have ``/person_1`` and ``/person_2``
    behind it; who was away for longer than half a second goes on as ``/part_2``.

    Joints are in the frame of a camera that looks where the Kinect does. A Kinect's images are mirrored, and its x
    grows to its left (who faces it has the left shoulder at the smaller x and further left in the picture: the sample
    in issue 48 of github.com/shahroudy/NTURGB-D). So x and y change sign, and pixels are counted from the other side:
    a left hand is then where a camera sees a left hand. Confidence is half the tracking state: 1 tracked, 0.5
    inferred, 0 neither or without a place in the colour image.

    Args:
        text: the ``.skeleton`` file's content.
        stem: its name without suffix.
        split, classes: the benchmark.

    Raises:
        InputError: the file is damaged, or nobody is in it.
    """
    file = f"{stem}.skeleton"
    bodies = parse_skeleton(text, file)
    if not bodies:
        raise InputError(f"{file}: nobody is in any frame: leave out the samples with missing skeletons (--missing)")
    made: list[MotionClip | LeftOut] = []
    seen = []
    for body in bodies:
        whole = whole_frames(body.joints)
        if not whole.all():
            made.append(LeftOut(f"{stem}/{body.tracking_id}, {int((~whole).sum())} of {len(body)}", NO_POSITION))
        if whole.any():
            seen.append(_rows(body, whole))
    if not seen:
        raise InputError(f"{file}: no frame has a position of every joint: the file is damaged")
    found = find_persons(seen)
    made += [LeftOut(f"{stem}/{body.tracking_id}", reason) for body, reason in found.others]
    said = recording(stem)
    for number, person in enumerate(found.persons, start=1):
        joints, keypoints = _in_camera(
            *(np.concatenate([getattr(body, key) for body in person]) for key in ("joints", "pixels", "states"))
        )
        made += track_clips(
            stem if len(found.persons) == 1 else f"{stem}/person_{number}",
            stretches(np.concatenate([body.frames for body in person]), FPS, origin=0),
            {"joints3d": joints, "keypoints2d": keypoints},
            sequence=stem,
            subject=f"P{said.performer:03}",
            person=str(number),
            split=ntu_split(stem, split, classes),
            label=f"A{said.action:03}",
            frame="camera",
            camera=Camera.of_size(WIDTH, HEIGHT),  # its intrinsics are nowhere recorded
        )
    return made


def whole_frames(joints: Float[np.ndarray, "*T 25 3"]) -> Bool[np.ndarray, "*T"]:
    """Whether every joint of a frame has a position: one of zeros alone, the Kinect's own place, is none."""
    return np.asarray((np.isfinite(joints).all(-1) & (joints != 0).any(-1)).all(-1))


def _rows(body: KinectBody, chosen: np.ndarray) -> KinectBody:
    return replace(body, **{key: getattr(body, key)[chosen] for key in ("frames", "joints", "pixels", "states")})


def _in_camera(
    joints: Float32[np.ndarray, "F 25 3"], pixels: Float32[np.ndarray, "F 25 2"], states: np.ndarray
) -> tuple[Float32[np.ndarray, "F 17 3"], Float32[np.ndarray, "F 17 3"]]:
    """Kinect's joints and mirrored pixels -> our 17 joints in camera coordinates, and keypoints with confidence."""
    seen = np.isfinite(pixels).all(-1) & (states > 0)
    across, down = np.where(seen, WIDTH - pixels[..., 0], 0), np.where(seen, pixels[..., 1], 0)
    keypoints = np.stack([across, down, np.where(seen, states / 2, 0)], -1).astype(np.float32)
    turned = joints * np.array([-1, -1, 1], np.float32)
    return convert_joints(turned, "ntu25", "h36m17"), convert_keypoints(keypoints, "ntu25", "h36m17")
