"""Is a prepared store sound? Counts, units and findings over all of its clips, read one at a time."""

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from hummuss.data.clip_checks import check_clip
from hummuss.data.findings import Finding
from hummuss.data.motion import MotionClip
from hummuss.data.official_counts import OFFICIAL_COUNTS, ClipFacts
from hummuss.data.pose_geometry import height, limb_lengths, valid_frames
from hummuss.data.store import MotionStore
from hummuss.errors import InputError


@dataclass
class StoreReport:
    """What a check found.

    Attributes:
        facts: of every readable clip.
        findings: in the order of the clips; those about the whole store last.
        lengths: limb or height -> its median in each clip, metres.
        rates: frame rate -> clips that have it, ``time stamps`` for those with irregular ones.
        confidences: least, median and greatest confidence of each clip's detected joints, and the share not detected.
        official: what was counted, how many there are, how many there should be, where that is written.
    """

    facts: list[ClipFacts] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    lengths: dict[str, list[float]] = field(default_factory=dict)
    rates: Counter[str] = field(default_factory=Counter)
    confidences: list[tuple[float, float, float, float]] = field(default_factory=list)
    official: list[tuple[str, int, tuple[int, ...], str]] = field(default_factory=list)


def check_store(store: MotionStore, on_clip: Callable[[], None] = lambda: None) -> StoreReport:
    """Read every clip of a store and look for what may be wrong with it.

    Args:
        store: an open store.
        on_clip: called after each clip.
    """
    report = StoreReport()
    seen: dict[bytes, str] = {}
    splits: dict[str, tuple[str, str]] = {}
    for name in store.names():
        on_clip()
        try:
            clip = store[name]
        except InputError as error:
            remedy = "mend the raw file or the reader, and prepare again"
            report.findings.append(Finding("unreadable", name, None, str(error), "a clip that can be opened", remedy))
            continue
        _count(report, clip)
        report.findings.extend(check_clip(clip))
        twin = seen.setdefault(_content(clip), name)
        if twin != name:
            same = f"every number equals clip {twin}'s"
            report.findings.append(Finding("duplicate", name, None, same, "each clip once", "leave one of the two out"))
        split, first = splits.setdefault(clip.sequence, (clip.split, name))
        if split != clip.split:
            value = f"sequence {clip.sequence} is in {clip.split}, and in {split} as {first}"
            remedy = "put all of a sequence into one split: the test would see what was trained on"
            report.findings.append(Finding("split", name, None, value, "one split", remedy))
    for problem in store.verify():
        value, _, remedy = problem.rpartition(": ")
        report.findings.append(Finding("checksum", store.path.name, None, value, "files as they were written", remedy))
    _compare(report, str(store.source.get("dataset")))
    return report


def _count(report: StoreReport, clip: MotionClip) -> None:
    valid = int(valid_frames(clip).sum())
    report.facts.append(
        ClipFacts(clip.name, clip.sequence, clip.subject, clip.split, clip.label, len(clip), valid, clip.duration)
    )
    report.rates["time stamps" if clip.fps is None else f"{clip.fps:g} fps"] += 1
    if clip.keypoints2d is not None:
        confidence = clip.keypoints2d[..., 2]
        seen = confidence[confidence > 0]
        if len(seen):
            range_ = (float(seen.min()), float(np.median(seen)), float(seen.max()))
            report.confidences.append((*range_, 1 - len(seen) / confidence.size))
    if clip.joints3d is not None:
        report.lengths.setdefault("height", []).append(height(clip.joints3d))
        for limb, lengths in limb_lengths(clip.joints3d).items():
            report.lengths.setdefault(limb, []).append(float(np.median(lengths)))


def _content(clip: MotionClip) -> bytes:
    """A digest of a clip's arrays and camera."""
    digest = hashlib.blake2b(digest_size=16)
    for _, array in clip.frame_arrays():
        digest.update(array.tobytes())
    if clip.camera is not None:
        digest.update(np.concatenate([clip.camera.rotation.ravel(), clip.camera.translation]).tobytes())
    return digest.digest()


def _compare(report: StoreReport, dataset: str) -> None:
    """Against the official counts of the dataset."""
    for official in OFFICIAL_COUNTS:
        if dataset not in official.datasets:
            continue
        count = official.count(report.facts)
        report.official.append((official.what, count, official.expected, official.source))
        if count not in official.expected:
            expected = f"{' or '.join(f'{number:,}' for number in official.expected)} ({official.source})"
            remedy = "see which files the summary of `hummuss prepare` names; nothing to do if a part was meant"
            report.findings.append(Finding("official count", official.what, None, f"{count:,}", expected, remedy))
