"""Test moments: which frames of which clips every row of a comparison is scored at."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from hummuss.data.datamodules import MotionDataModule
from hummuss.data.motion import MotionClip
from hummuss.data.transforms.frame_rate import base_stride
from hummuss.data.windows import MotionSource
from hummuss.errors import InputError
from hummuss.evaluation.rates import margins
from hummuss.protocols.base import official_frames

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


class Chosen(NamedTuple):
    """The moments of one dataset, and the clips that they are of."""

    dataset: str
    sources: list[MotionSource]
    moments: list[Moment]


def choose_moments(data: MotionDataModule, split: str, count: int) -> list[Chosen]:
    """Of each dataset of a split ``count`` moments, whose windows every rate can fill.

    Raises:
        InputError: no clip of a dataset is long enough.
    """
    reach = margins((data.frames - 1) // 2)
    return [
        Chosen(dataset, sources, spread_moments(sources, data.max_fps, *reach, count))
        for dataset, sources in datasets(data, split).items()
    ]


def spread_moments(
    sources: Sequence[MotionSource], max_fps: float | None, before: int, after: int, count: int
) -> list[Moment]:
    """Frames at the base rate, far enough from both ends of their clip: as many of each clip, evenly spaced over it.

    Where a clip marks the frames that its official protocol scores, only those are taken. A clip that has fewer than
    its share gives all, and the others more.

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
        centres = centres[official_frames(source)[centres]]
        if len(centres):
            candidates.append((index, stride, centres))
    if not candidates:
        raise InputError(
            f"none of {len(sources)} clips has {before + after + 1} frames at the base rate: "
            "lower data.init_args.frames or give longer clips"
        )
    shares = _shares([len(centres) for _, _, centres in candidates], count)
    moments = []
    for (index, stride, centres), share in zip(candidates, shares, strict=True):
        # The middles of as many equal parts.
        places = ((np.arange(share) + 0.5) * len(centres) / max(share, 1)).astype(int)
        moments += [Moment(index, int(centre), stride) for centre in centres[places]]
    return moments


def _shares(available: Sequence[int], count: int) -> list[int]:
    """How many each gives to ``count``: as equal as what they have allows; of a remainder the larger ones give one."""
    shares, left = [0] * len(available), count
    for rank, place in enumerate(sorted(range(len(available)), key=available.__getitem__)):
        shares[place] = min(available[place], left // (len(available) - rank))
        left -= shares[place]
    return shares


def clips_scored(sources: Sequence[MotionSource], moments: Sequence[Moment]) -> str:
    """Which clips moments are of, for pages: how many of how many, and of whom where they say.

    >>> walk = MotionClip("walk", "walk", "07", "test", fps=50.0, joints3d=np.zeros((9, 17, 3), np.float32))
    >>> clips_scored([walk, replace(walk, name="run")], [Moment(0, 4, 1), Moment(0, 5, 1)])
    '1 of 2 clips (moments: 2 of subject 07); the others have none, being too short or more than there are moments'
    """
    scored = {moment.source for moment in moments}
    named = subjects_of(sources[moment.source] for moment in moments)
    others = "; the others have none, being too short or more than there are moments"
    said = f"{len(scored)} of {len(sources)} clips" + (f" (moments: {named})" if named else "")
    return said + (others if len(scored) < len(sources) else "")


def subjects_of(sources: Iterable[MotionSource]) -> str:
    """Whose these clips are, each as often as it is given, for pages; nothing of clips that do not say.

    >>> walk = MotionClip("walk", "walk", "07", "test", fps=50.0, joints3d=np.zeros((9, 17, 3), np.float32))
    >>> subjects_of([walk, replace(walk, subject="02"), walk])
    '1 of subject 02, 2 of subject 07'
    """
    people = Counter(getattr(source, "subject", "") for source in sources)
    return ", ".join(f"{people[subject]} of subject {subject}" for subject in sorted(people) if subject)


def _joints_alone(source: MotionSource) -> MotionSource:
    """A clip without its body labels: nothing is compared in them, and their rotations take long to interpolate."""
    if not isinstance(source, MotionClip):
        return source
    if source.joints3d is None:
        raise InputError(f"clip {source.name} has no joints3d to score against: leave it out of the split")
    return replace(source, smpl_pose=None, betas=None, transl=None, body=None)
