"""Windows of motion as model inputs: source -> instants -> camera -> flip -> noise -> normalisation -> sample."""

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float64
from torch import Tensor
from torch.utils.data import Dataset

from hummuss.body.smpl import BodyModel
from hummuss.data.motion import MotionClip
from hummuss.data.recordings import within
from hummuss.data.transforms.clip_sampling import ClipSampling
from hummuss.data.transforms.frame_rate import (
    WHISKER,
    FrameRateAugmentation,
    Instants,
    base_stride,
    frames_within,
    random_instants,
    window_instants,
)
from hummuss.data.transforms.normalise import normalise
from hummuss.data.transforms.occlusion import Occlusion
from hummuss.data.transforms.random_move import RandomMove
from hummuss.data.view import View
from hummuss.errors import InputError

Sample = dict[str, Tensor]
EVALUATION_SEED = 20240417
# What a sample has one of for every frame; of all else it has one for the clip.
FRAME_KEYS = (
    "keypoints", "keypoints2d_px", "dt", "valid", "joints3d", "smpl_pose", "transl", "frame_index",
)  # fmt: skip


@runtime_checkable
class MotionSource(Protocol):
    """Motion that can be seen at any instant: a stored clip, or a procedural performance."""

    @property
    def times(self) -> Float64[np.ndarray, "F"]: ...

    def at(self, times: Float64[np.ndarray, "T"]) -> MotionClip: ...


def see_recording(
    sources: Sequence[MotionSource],
    places: Sequence[int],
    instants: Instants,
    view: View,
    bodies: Mapping[str, BodyModel],
    flip: float,
    rng: np.random.Generator,
) -> list[tuple[int, MotionClip, Instants]]:
    """The clips at ``places`` as one camera sees them: place, clip and its own instants.

    The first clip is seen at all of ``instants``; the others at those they have, or left out where they have none.
    """
    others = ((place, within(instants, sources[place].times)) for place in places[1:])
    there = [(places[0], instants), *((place, own) for place, own in others if own is not None)]
    clips = view.see_together([sources[place].at(taken.times) for place, taken in there], bodies, flip, rng)
    return [(place, clip, taken) for (place, taken), clip in zip(there, clips, strict=True)]


def to_sample(
    clip: MotionClip,
    instants: Instants,
    frames: int,
    normalisation: str,
    classes: Sequence[str],
    ids: tuple[int, int],
    hidden: Bool[np.ndarray, "F 17"] | None = None,
) -> Sample:
    """Arrays of a clip in its camera -> one entry of a batch (docs/howto/new_head.md), padded to ``frames``.

    Args:
        clip: keypoints2d in pixels, targets in camera coordinates where it has them.
        instants: the clip's times and intervals.
        frames: length of the window; shorter clips are followed by padding with valid False.
        normalisation: see `normalise`.
        classes: label names; an unknown or absent label gives -1.
        ids: index of the sample and of the clip.
        hidden: joints that the model does not get to see; its targets keep them.
    """
    count, padding = len(clip), frames - len(clip)
    size = (clip.camera.width, clip.camera.height) if clip.camera else None
    assert clip.keypoints2d is not None
    try:
        keypoints = normalise(clip.keypoints2d, instants.times, size, normalisation, hidden)
    except InputError as error:
        raise InputError(f"clip {clip.name}: {error}") from error
    label = classes.index(clip.label) if clip.label in classes else -1
    intrinsics = clip.camera.intrinsics if clip.camera else np.zeros((3, 3))

    def padded(array: np.ndarray | None, *shape: int, fill: float = 0.0) -> Tensor:
        values = np.zeros((count, *shape)) if array is None else array
        filler = np.full((padding, *shape), fill)
        return torch.from_numpy(np.concatenate([values, filler]).astype(np.float32))

    return {
        "keypoints": padded(keypoints, 17, 3),
        "keypoints2d_px": padded(clip.keypoints2d, 17, 3),
        "dt": padded(instants.dt, fill=float(instants.dt.mean())),
        "valid": torch.arange(frames) < count,
        "joints3d": padded(clip.joints3d, 17, 3),
        "smpl_pose": padded(clip.smpl_pose, 24, 3),
        "betas": torch.zeros(10) if clip.betas is None else torch.from_numpy(clip.betas).float(),
        "transl": padded(clip.transl, 3),
        "label": torch.tensor(label),
        "has_joints3d": torch.tensor(clip.joints3d is not None),
        "has_smpl": torch.tensor(clip.smpl_pose is not None),
        "has_label": torch.tensor(label >= 0),
        "has_2d_target": torch.tensor(clip.joints3d is None),
        "camera_k": torch.from_numpy(intrinsics).float(),
        "sample": torch.tensor(ids[0]),
        "clip": torch.tensor(ids[1]),
        "frame_index": padded(instants.positions.round()).long(),
    }


def _times(source: MotionSource, place: int) -> Float64[np.ndarray, "F"]:
    """Seconds of a clip's frames, of which an interval needs two."""
    times = source.times
    if len(times) < 2:
        raise InputError(f"clip {getattr(source, 'name', place)} has one frame, which gives no interval: leave it out")
    return times


class TrainingWindows(Dataset[Sample]):
    """Endless random windows. Item n is a function of the seed and n alone, in any process and any order.

    Args:
        sources: motion to draw from, in proportion to ``shares``.
        shares: how often each source is drawn, relative to the others; its seconds, as a rule.
        frames: most frames in a window.
        batch_size: consecutive items that share a rhythm (see `FrameRateAugmentation`).
        frame_rate: the augmentation; None keeps every base frame.
        max_fps: base rate at most, frames per second.
        flip: probability of mirroring.
        occlusion: hides joints; None hides none.
        view, bodies, classes: see `View` and `to_sample`.
        seed: of every random choice.
        sampling: spreads the window over a clip; None takes consecutive frames by ``frame_rate``.
        labels: class of each source or recording, for ``clips_per_class``.
        clips_per_class: so many consecutive items are of one class, all classes equally often; 1 draws by ``shares``
            alone.
        move: moves the picture, which then carries no 3D; None leaves it.
        recordings: places of the sources that a draw shows together, the first of which ``shares`` is of; by default
            each alone.
    """

    def __init__(
        self,
        sources: Sequence[MotionSource],
        shares: Sequence[float],
        frames: int,
        batch_size: int,
        frame_rate: FrameRateAugmentation | None,
        max_fps: float | None,
        flip: float,
        occlusion: Occlusion | None,
        view: View,
        bodies: Mapping[str, BodyModel],
        classes: Sequence[str],
        seed: int,
        sampling: ClipSampling | None = None,
        move: RandomMove | None = None,
        labels: Sequence[str | None] = (),
        clips_per_class: int = 1,
        recordings: Sequence[Sequence[int]] | None = None,
    ) -> None:
        self.sources, self.frames, self.batch_size = sources, frames, batch_size
        self.sampling, self.recordings = sampling, recordings or [[place] for place in range(len(sources))]
        self.cumulative = np.cumsum(np.asarray(shares, np.float64))
        self.clips_per_class = clips_per_class
        members = [[place for place, label in enumerate(labels) if label == name] for name in classes]
        totals = [(own, np.cumsum(np.asarray(shares, np.float64)[own])) for own in members]
        self.members = [(own, cumulative) for own, cumulative in totals if own and cumulative[-1] > 0]
        self.frame_rate = frame_rate or FrameRateAugmentation(strides=(1.0, 1.0), fractional=0.0)
        self.max_fps, self.flip, self.view, self.bodies = max_fps, flip, view, bodies
        self.occlusion, self.move, self.classes, self.seed = occlusion, move, classes, seed

    def __getitem__(self, draw: int) -> Sample:
        """The first row of a draw."""
        return self.rows(draw)[0]

    def rows(self, draw: int) -> list[Sample]:
        """One sample: the windows of all clips that a draw shows together, at the same instants."""
        shared = np.random.default_rng([self.seed, 0, draw // self.batch_size])
        rng = np.random.default_rng([self.seed, 1, draw])
        rhythm = self.frame_rate.rhythm(self.frames, shared)
        chosen = self._choose(draw, rng)
        first = self.recordings[chosen][0]
        times = _times(self.sources[first], first)
        if self.sampling:
            instants = self.sampling.training(times, rhythm.frames, self.max_fps, rng)
        else:
            stride = self.frame_rate.stride(rng) * base_stride(times, self.max_fps)
            instants = random_instants(times, stride, rhythm, rng)
        seen = see_recording(self.sources, self.recordings[chosen], instants, self.view, self.bodies, self.flip, rng)
        clips = [clip for _, clip, _ in seen]
        if self.move:
            clips = self.move.apply(clips, rng)
        rows = []
        for (place, _, own), clip in zip(seen, clips, strict=True):
            hidden = self.occlusion.hidden(own.times, rng) if self.occlusion else None
            ids = (draw, place)
            rows.append(to_sample(clip, own, rhythm.frames, self.view.normalisation, self.classes, ids, hidden))
        return rows

    def _choose(self, draw: int, rng: np.random.Generator) -> int:
        """Place of the recording that a draw shows."""
        if self.clips_per_class == 1:
            return int(np.searchsorted(self.cumulative, rng.uniform(0, self.cumulative[-1]), side="right"))
        of_class = np.random.default_rng([self.seed, 2, draw // self.clips_per_class])
        own, cumulative = self.members[of_class.integers(len(self.members))]
        return own[int(np.searchsorted(cumulative, rng.uniform(0, cumulative[-1]), side="right"))]


class EvaluationWindows(Dataset[Sample]):
    """Every base frame of every source once, in windows that follow each other; the last of a clip is padded.

    Of persons who are shown together the longest clip says when: others are shown while it lasts, see `together`.

    Cameras and noise depend on the window's number alone: runs with any seed are scored on the same inputs. A camera
    holds all of its window in view, a whole clip too.

    Args:
        sources: motion to evaluate on.
        frames: length of a window; None makes a window of every clip, as long as it is.
        max_windows: evenly spaced choice of that many windows; None for all.
        max_fps, view, bodies, classes, sampling, recordings: as in `TrainingWindows`; ``sampling`` makes one sample of
            a whole clip, of one row for each of its windows.
        stride: base frames from one frame to the next; between two frames motion is interpolated.
    """

    def __init__(
        self,
        sources: Sequence[MotionSource],
        frames: int | None,
        max_windows: int | None,
        max_fps: float | None,
        view: View,
        bodies: Mapping[str, BodyModel],
        classes: Sequence[str],
        sampling: ClipSampling | None = None,
        recordings: Sequence[Sequence[int]] | None = None,
        stride: float = 1.0,
    ) -> None:
        self.sources, self.frames, self.view, self.stride = sources, frames, view, stride
        self.bodies, self.classes, self.max_fps = bodies, classes, max_fps
        self.sampling, self.recordings = sampling, recordings or [[place] for place in range(len(sources))]
        windows: list[tuple[int, float]] = []  # a recording, and where a window of it begins
        for index, source in enumerate(sources):
            _times(source, index)
        for number, places in enumerate(self.recordings):
            times = sources[places[0]].times
            covered = len(times) if frames is None or sampling else frames * stride * base_stride(times, max_fps)
            windows += [(number, float(first)) for first in np.arange(0, len(times) - 1 + WHISKER, covered)]
        if max_windows is not None and max_windows < len(windows):
            chosen = np.linspace(0, len(windows) - 1, max_windows).round().astype(int)
            windows = [windows[i] for i in chosen]
        self.windows = windows

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, item: int) -> Sample:
        """The first row of a sample."""
        return self.rows(item)[0]

    def rows(self, item: int) -> list[Sample]:
        """One sample: the windows of all clips seen together, at the same instants.

        Further windows of the same clips, which test-time averaging asks for, follow as samples of their own; they
        carry no label, for a clip is scored once.
        """
        number, first = self.windows[item]
        places = self.recordings[number]
        rows: list[Sample] = []
        for window, instants in enumerate(self._instants(self.sources[places[0]].times, first)):
            rng = np.random.default_rng([EVALUATION_SEED, item])
            frames, number = self.frames or len(instants.times), item + window * len(self)
            seen = see_recording(self.sources, places, instants, self.view, self.bodies, 0.0, rng)
            for place, clip, own in seen:
                row = to_sample(clip, own, frames, self.view.normalisation, self.classes, (number, place))
                rows.append(row | {"has_label": torch.tensor(False)} if window else row)
        return rows

    def _instants(self, times: Float64[np.ndarray, "F"], first: float) -> list[Instants]:
        if self.sampling is not None and self.frames is not None:
            return self.sampling.evaluation(times, self.frames, self.max_fps)
        stride = self.stride * base_stride(times, self.max_fps)
        fitting = frames_within(len(times) - 1 - first, stride)
        count = fitting if self.frames is None else min(self.frames, fitting)
        before = 1 if first >= stride else 0
        positions = np.minimum(first + stride * np.arange(-before, count), len(times) - 1)
        return [window_instants(times, positions, count)]
