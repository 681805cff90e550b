"""CMU Graphics Lab Motion Capture Database (mocap.cs.cmu.edu): ASF/AMC and BVH files with an index."""

import csv
import lzma
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from hummuss.data.motion import MotionClip
from hummuss.data.readers.asf_amc import AsfSkeleton, parse_amc, parse_asf
from hummuss.data.readers.bvh import parse_bvh
from hummuss.data.readers.cmu_skeletons import CONVENTIONS, fit_body, free_body, h36m_joints, restore_thorax
from hummuss.data.readers.kinematics import CapturedMotion
from hummuss.data.readers.task import FailedFile, RawDataset, ReadTask
from hummuss.errors import InputError

INDEX = "index.csv"
COLUMNS = ("file", "skeleton", "subject", "format", "fps", "frames", "start_frame", "category", "split")


@dataclass(frozen=True)
class CmuEntry:
    """A row of ``index.csv``; see there for the meaning of the columns.

    ``fps`` is the capture rate: headers of some files state another one.
    """

    file: str
    skeleton: str
    subject: str
    format: str
    fps: float
    frames: int
    start_frame: int
    category: str
    split: str


def read_index(raw: Path) -> list[CmuEntry]:
    """Read ``index.csv`` of a folder.

    Raises:
        InputError: no such file, a missing column, an unknown format, or a number that is none; names it.
    """
    path = raw / INDEX
    if not path.is_file():
        raise InputError(f"{path} does not exist: point at the folder that holds the CMU {INDEX} and its archives")
    with open(path, newline="", encoding="utf-8", errors="replace") as file:
        rows = csv.DictReader(file)
        missing = [column for column in COLUMNS if column not in (rows.fieldnames or [])]
        if missing:
            raise InputError(f"{path}: column {missing[0]!r} is missing: restore the file")
        entries = [_parse_row(row, f"{path}, line {rows.line_num}") for row in rows]
    if not entries:
        raise InputError(f"{path} lists no clips: restore the file")
    return entries


def _parse_row(row: dict[str, str | None], place: str) -> CmuEntry:
    absent = [column for column in COLUMNS if row[column] is None]
    if absent:
        raise InputError(f"{place}: the row ends before column {absent[0]!r}: restore the file")
    text = {column: str(row[column]) for column in COLUMNS}
    if text["format"] not in CONVENTIONS:
        raise InputError(f"{place}: format {text['format']!r} is none of {', '.join(CONVENTIONS)}")
    try:
        fps, frames, start = float(text["fps"]), int(text["frames"]), int(text["start_frame"])
    except ValueError as error:
        raise InputError(f"{place}: expected numbers for fps, frames and start_frame: {error}") from error
    if not (0 < fps < np.inf and 0 <= start < frames):
        raise InputError(f"{place}: expected fps > 0 and 0 <= start_frame < frames, found {fps}, {start}, {frames}")
    return CmuEntry(**{**text, "fps": fps, "frames": frames, "start_frame": start})  # type: ignore[arg-type]


class _Folder:
    """Unpacked files."""

    def __init__(self, raw: Path) -> None:
        self.raw = raw

    def fetch(self, name: str) -> bytes:
        try:
            return (self.raw / name).read_bytes()
        except OSError as error:
            raise InputError(f"{self.raw / name}: {error.strerror}: unpack the archive again") from error


class _Archive:
    """A compressed archive, read once from front to back; files asked for out of order wait in memory."""

    def __init__(self, path: Path, wanted: set[str]) -> None:
        self.path, self.wanted = path, wanted
        self._waiting: dict[str, bytes] = {}
        self._members = self._read()
        self._failure: InputError | None = None

    def fetch(self, name: str) -> bytes:
        while name not in self._waiting:
            member = self._advance()
            if member is None:
                raise InputError(f"{self.path} holds no {name}: fetch the archive again")
            if member[0] in self.wanted:
                self._waiting[member[0]] = member[1]
        return self._waiting.pop(name)

    def _advance(self) -> tuple[str, bytes] | None:
        """The next file; None after the last. Damage is permanent: what lies behind it is lost."""
        if self._failure is not None:
            raise self._failure
        try:
            return next(self._members, None)
        except (tarfile.TarError, lzma.LZMAError, EOFError, OSError) as error:
            reason = f"{self.path} is damaged or cut short ({error}): fetch the archive again"
            self._failure = InputError(reason)
            raise self._failure from error

    def _read(self) -> Iterator[tuple[str, bytes]]:
        with tarfile.open(self.path, "r|xz") as archive:
            for member in archive:
                content = archive.extractfile(member)
                if content is not None:
                    yield member.name, content.read()


def _sources(raw: Path, entries: list[CmuEntry]) -> dict[str, _Folder | _Archive]:
    """For each top folder named in the index, the unpacked folder or else its archive."""
    wanted = {name for entry in entries for name in (entry.file, entry.skeleton) if name}
    sources: dict[str, _Folder | _Archive] = {}
    for top in sorted({name.split("/")[0] for name in wanted}):
        archive = raw / f"cmu_{top}.tar.xz"
        if (raw / top).is_dir():
            sources[top] = _Folder(raw)
        elif archive.is_file():
            sources[top] = _Archive(archive, wanted)
        else:
            raise InputError(f"{raw} has neither a folder {top!r} nor {archive.name}: {INDEX} lists files in it")
    return sources


def read_cmu(raw: Path) -> RawDataset:
    """The clips of the CMU database in the order of ``index.csv``, each as a task for some process.

    Args:
        raw: a folder with ``index.csv`` and, next to it, ``cmu_asfamc.tar.xz`` and ``cmu_bvh.tar.xz``, or the
            folders ``asfamc`` and ``bvh`` that they unpack to.

    Raises:
        InputError: the index cannot be used, or both archive and folder are missing. A file that cannot be
            used is yielded as a FailedFile instead.
    """
    entries = read_index(raw)
    return RawDataset(len(entries), _fetch_all(entries, _sources(raw, entries)))


def _fetch_all(entries: list[CmuEntry], sources: dict[str, _Folder | _Archive]) -> Iterator[ReadTask | FailedFile]:
    skeletons: dict[str, bytes | InputError] = {}
    for entry in entries:
        try:
            skeleton = b""
            if entry.skeleton:
                if entry.skeleton not in skeletons:
                    skeletons[entry.skeleton] = _fetch_or_error(sources, entry.skeleton)
                known = skeletons[entry.skeleton]
                if isinstance(known, InputError):
                    raise known
                skeleton = known
            content = sources[entry.file.split("/")[0]].fetch(entry.file)
        except InputError as error:
            yield FailedFile(entry.file, str(error))
            continue
        yield ReadTask(entry.file, partial(_read_clips, entry, content, skeleton))


def _fetch_or_error(sources: dict[str, _Folder | _Archive], name: str) -> bytes | InputError:
    try:
        return sources[name.split("/")[0]].fetch(name)
    except InputError as error:
        return error


@lru_cache(maxsize=4)
def _asf(content: bytes, source: str) -> AsfSkeleton:
    """The skeleton, parsed once for the clips of a subject, which follow one another."""
    return parse_asf(content.decode("utf-8", "replace"), source)


def read_motion(entry: CmuEntry, content: bytes, skeleton: bytes) -> CapturedMotion:
    """The usable frames of a clip, in metres, its convention's quirks repaired.

    Raises:
        InputError: the file cannot be used; names file, line and reason.
    """
    text = content.decode("utf-8", "replace")
    if entry.format == "asf/amc":
        if not entry.skeleton:
            raise InputError(f"{entry.file}: {INDEX} names no ASF skeleton for it, and an AMC file needs one")
        motion = parse_amc(text, _asf(skeleton, entry.skeleton), entry.file)
    else:
        motion = parse_bvh(text, entry.file)
    if entry.format == "bvh-mb2":
        motion = restore_thorax(motion, entry.file)
    if len(motion) != entry.frames:
        raise InputError(
            f"{entry.file}: has {len(motion)} frames, {INDEX} says {entry.frames}: the file is cut short or another one"
        )
    convention = CONVENTIONS[entry.format]
    for name in (
        *convention.segments.values(),
        *(name for own in convention.joints.values() for name in own),
    ):
        motion.tree.index(name, entry.file)
    return motion.since(entry.start_frame).scaled(convention.unit)


def _read_clips(entry: CmuEntry, content: bytes, skeleton: bytes) -> list[MotionClip]:
    """The one clip of a file."""
    motion = read_motion(entry, content, skeleton)
    convention = CONVENTIONS[entry.format]
    positions, _ = motion.tree.forward(motion.rotations, motion.root)
    joints = h36m_joints(positions, motion.tree.joints, convention)
    fit = fit_body(motion, joints, convention)
    pose = Rotation.from_matrix(fit.rotations.reshape(-1, 3, 3)).as_rotvec().reshape(-1, 24, 3)
    stem = Path(entry.file).stem
    clip = MotionClip(
        name=stem,
        # The kind of file stays known: Daz files share one generic skeleton and are scored in rows of their
        # own.
        sequence=f"{entry.format.replace('/', '-')}/{stem}",
        subject=entry.subject,
        split=entry.split,
        label=entry.category or None,
        fps=entry.fps,
        frame="world",
        joints3d=joints.astype(np.float32),
        smpl_pose=pose.astype(np.float32),
        betas=fit.betas.astype(np.float32),
        transl=fit.transl.astype(np.float32),
        body=free_body().name,
    )
    return [clip]
