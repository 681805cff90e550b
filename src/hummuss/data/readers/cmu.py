"""CMU Graphics Lab Motion Capture Database (mocap.cs.cmu.edu): ASF/AMC and BVH files with an index."""

import hashlib
from collections.abc import Iterator
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from hummuss.data.motion import MotionClip
from hummuss.data.readers.asf_amc import AsfSkeleton, parse_amc, parse_asf
from hummuss.data.readers.bvh import parse_bvh
from hummuss.data.readers.cmu_files import OFFICIAL_ZIP, Files, OfficialZip, file_paths, find_files
from hummuss.data.readers.cmu_index import INDEX, CmuEntry, index_text, read_index
from hummuss.data.readers.cmu_skeletons import CONVENTIONS, fit_body, free_body, h36m_joints, restore_thorax
from hummuss.data.readers.fingerprint import fingerprint
from hummuss.data.readers.kinematics import CapturedMotion
from hummuss.data.readers.task import FailedFile, RawDataset, ReadTask
from hummuss.errors import InputError


def read_cmu(raw: Path) -> RawDataset:
    """The clips of the CMU database in the order of ``index.csv``, each as a task for some process.

    Args:
        raw: a folder with ``index.csv`` and, next to it, ``cmu_asfamc.tar.xz`` and ``cmu_bvh.tar.xz``, or the
            folders ``asfamc`` and ``bvh`` that they unpack to; or with the official ``allasfamc.zip``, for which an
            index is written where there is none (see `index_text`).

    Raises:
        InputError: the index cannot be used, or both archive and folder are missing. A file that cannot be
            used is yielded as a FailedFile instead.
    """
    notes = _make_index(raw) if (raw / OFFICIAL_ZIP).is_file() else ()
    entries = read_index(raw)
    decides = hashlib.sha256((raw / INDEX).read_bytes())  # an index made anew is the same: its time says nothing
    decides.update(fingerprint(file_paths(raw, entries)).encode())
    return RawDataset(len(entries), _fetch_all(entries, find_files(raw, entries)), notes, decides.hexdigest()[:12])


def _make_index(raw: Path) -> tuple[str, ...]:
    """Write an index for the official archive where there is none; as long as it is as written, say what it assumes."""
    made = index_text(OfficialZip(raw / OFFICIAL_ZIP).names)
    if not (raw / INDEX).exists():
        (raw / INDEX).write_text(made, encoding="utf-8")
    if (raw / INDEX).read_text(encoding="utf-8", errors="replace") != made:
        return ()
    return (
        f"{raw / INDEX} was made from the names in {OFFICIAL_ZIP}: it takes 120 fps for granted (60 for subjects 60 "
        "and 61), has no categories, and splits subjects by a rule of ours; mend it and prepare again if you know more",
    )


def _fetch_all(entries: list[CmuEntry], sources: dict[str, Files]) -> Iterator[ReadTask | FailedFile]:
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


def _fetch_or_error(sources: dict[str, Files], name: str) -> bytes | InputError:
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
    if entry.frames is not None and len(motion) != entry.frames:
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
