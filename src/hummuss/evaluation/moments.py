"""Test moments: which frames of which clips every row of a comparison is scored at."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from hummuss.data.datamodules import MotionDataModule
from hummuss.data.motion import MotionClip
from hummuss.data.transforms.frame_rate import base_stride
from hummuss.data.windows import MotionSource
from hummuss.errors import InputError
from hummuss.protocols.base import VALID

# Groups of a test split that have rows of their own, and how those are marked; all other groups are one dataset.
APART = {"bvh-daz": "daz"}


class Moment(NamedTuple):
    """One scored frame.

    Attributes:
        source: number of its clip.
        centre: the frame, in the clip's own frames.
        stride: the clip's own frames per base frame.
    """

    source: int
    centre: int
    stride: int


def datasets(data: MotionDataModule, split: str) -> dict[str, list[MotionSource]]:
    """Clips by what tables call their dataset.

    Synthetic test motion is ``synthetic``; other data have their own name and the split, as ``cmu-test``, and groups
    that are reported apart their mark after it, as ``cmu-test-daz``.
    """
    name = data.dataset if (data.dataset, split) == ("synthetic", "test") else f"{data.dataset}-{split}"
    found: dict[str, list[MotionSource]] = {}
    for group, sources in data.groups(split).items():
        mark = APART.get(group.rpartition("/")[2])  # of a mixture, its part stands before
        dataset = f"{name}-{mark}" if mark else name
        found.setdefault(dataset, []).extend(_joints_alone(source) for source in sources)
    return found


def spread_moments(
    sources: Sequence[MotionSource], max_fps: float | None, before: int, after: int, count: int
) -> list[Moment]:
    """Frames at the base rate that lie evenly spaced over all clips, far enough from both ends of theirs.

    Where a clip marks the frames that its official protocol scores, only those are taken.

    Args:
        sources: the clips.
        max_fps: see `base_stride`.
        before, after: base frames that the clip must have on either side.
        count: moments wanted; all there are where that is fewer.

    Raises:
        InputError: no clip is long enough.
    """
    candidates: list[tuple[int, int, np.ndarray]] = []
    for index, source in enumerate(sources):
        stride = base_stride(source.times, max_fps)
        centres = np.arange(before * stride, len(source.times) - after * stride, stride)
        extras = source.extras if isinstance(source, MotionClip) else {}
        if VALID in extras:
            centres = centres[extras[VALID][centres].reshape(-1).astype(bool)]
        candidates.append((index, stride, centres))
    total = sum(len(centres) for _, _, centres in candidates)
    if not total:
        raise InputError(
            f"none of {len(sources)} clips has {before + after + 1} frames at the base rate: "
            "lower data.init_args.frames or give longer clips"
        )
    chosen = np.unique(np.linspace(0, total - 1, min(count, total)).round().astype(int))
    moments, first = [], 0
    for index, stride, centres in candidates:
        own = chosen[(chosen >= first) & (chosen < first + len(centres))] - first
        moments += [Moment(index, int(centre), stride) for centre in centres[own]]
        first += len(centres)
    return moments


def _joints_alone(source: MotionSource) -> MotionSource:
    """A clip without its body labels: nothing is compared in them, and their rotations take long to interpolate."""
    if not isinstance(source, MotionClip):
        return source
    if source.joints3d is None:
        raise InputError(f"clip {source.name} has no joints3d to score against: leave it out of the split")
    return replace(source, smpl_pose=None, betas=None, transl=None, body=None)
