"""Long sequences as models see them: real spans, clips played forwards and backwards in turn, long performances."""

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hummuss.data.datamodules import MotionDataModule
from hummuss.data.motion import MotionClip
from hummuss.data.synthetic_module import SyntheticDataModule
from hummuss.data.transforms.frame_rate import Instants, base_stride
from hummuss.data.windows import EVALUATION_SEED, MotionSource, to_sample
from hummuss.errors import InputError
from hummuss.evaluation.moments import subjects_of
from hummuss.heads.base import root_relative
from hummuss.protocols.base import official_frames

# Longest side of the floor, metres, that a long performance may use: one camera must hold all of it in view, and those
# who walk for minutes would be specks.
ROOM = 4.0


@dataclass(frozen=True)
class Sequences:
    """Sequences of equal length, each seen once, by one camera that holds all of it in view.

    Attributes:
        source: ``capture``, ``ping-pong`` or ``synthetic``.
        subjects: whose clips they are of, see `subjects_of`.
        keypoints: normalised, with confidence.
        dt: seconds since the previous frame.
        target: root-relative joints, metres.
        scored: the frames that count; False where a clip's official protocol leaves a frame out.
    """

    source: str
    subjects: str
    keypoints: Float[Tensor, "N F 17 3"]
    dt: Float[Tensor, "N F"]
    target: Float[Tensor, "N F 17 3"]
    scored: Bool[Tensor, "N F"]

    def __len__(self) -> int:
        """How many."""
        return len(self.dt)

    @property
    def frames(self) -> int:
        """Frames of each."""
        return self.dt.shape[1]

    def pieces(self, frames: int) -> "Sequences":
        """The same frames in sequences of ``frames``, those of one sequence after each other; what is left is cut."""
        covered = self.frames // frames * frames
        return self._each(lambda values: values[:, :covered].unflatten(1, (-1, frames)).flatten(0, 1))

    def begin(self, frames: int) -> "Sequences":
        """The first ``frames`` of each."""
        return self._each(lambda values: values[:, :frames])

    def take(self, count: int) -> "Sequences":
        """The first ``count`` of them."""
        return self._each(lambda values: values[:count])

    def split(self, count: int) -> "Iterator[Sequences]":
        """All of them, ``count`` at a time."""
        parts = (values.split(count) for values in self._arrays)
        return (Sequences(self.source, self.subjects, *part) for part in zip(*parts, strict=True))

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Sequences":
        return Sequences(self.source, self.subjects, *(change(values) for values in self._arrays))

    @property
    def _arrays(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return self.keypoints, self.dt, self.target, self.scored


def real_spans(data: MotionDataModule, sources: Sequence[MotionSource], frames: int, count: int) -> Sequences | None:
    """The middle of each of ``count`` clips, evenly chosen from those of so many base frames; None where none is.

    Args:
        data: its `View` sees the clips.
        sources: clips of one dataset.
        frames: of each span, at the base rate.
        count: most spans.
    """
    fitting = []
    for source in sources:
        stride = base_stride(source.times, data.max_fps)
        before = (len(source.times) - 1 - frames * stride) // 2
        if before >= 0:
            fitting.append((source, before + stride * np.arange(frames + 1)))
    if not fitting:
        return None
    chosen = np.unique(np.linspace(0, len(fitting) - 1, min(count, len(fitting))).round().astype(int))
    spans = [fitting[number] for number in chosen]
    clips = (source.at(source.times[places]) for source, places in spans)
    return _see("capture", subjects_of(source for source, _ in spans), data, clips)


def ping_pongs(data: MotionDataModule, sources: Sequence[MotionSource], frames: int, count: int) -> Sequences:
    """The ``count`` longest clips, each played forwards and backwards in turn for ``frames`` base frames.

    The longest, for a short one would be the same few seconds over and over. Positions never jump, velocities turn
    round at the ends; the detector's errors are drawn afresh for every frame.

    Raises:
        InputError: a clip of one base frame.
    """
    paced = [(source, base_stride(source.times, data.max_fps)) for source in sources]
    longest = sorted(paced, key=lambda own: len(own[0].times) // own[1], reverse=True)[:count]
    clips = (ping_pong(source, stride, frames + 1) for source, stride in longest)
    return _see("ping-pong", subjects_of(source for source, _ in longest), data, clips)


def ping_pong(source: MotionSource, stride: int, frames: int) -> MotionClip:
    """A clip's frames 0, 1, .. last, last - 1, .. 0, 1 and so on, with the true intervals between them.

    Args:
        source: the clip.
        stride: own frames per frame.
        frames: wanted.

    Raises:
        InputError: a clip of one frame at that stride.
    """
    own = source.times[::stride]
    last = len(own) - 1
    if last == 0:
        raise InputError(
            f"clip {getattr(source, 'name', '')} has one frame at the base rate: nothing to play back, leave it out"
        )
    places = last - np.abs(np.arange(frames) % (2 * last) - last)
    times = own[0] + np.cumsum(np.abs(np.diff(own[places], prepend=own[0])))
    clip = source.at(own)
    arrays = {name: array[places] for name, array in clip.frame_arrays()}
    extras = {name: arrays.pop(name) for name in clip.extras}
    return replace(clip, fps=None, timestamps=times, extras=extras, **arrays)


def performances(data: SyntheticDataModule, split: str, frames: int, count: int) -> Sequences:
    """The first ``count`` performances of a split that stay within `ROOM`, each lasting ``frames`` base frames.

    Raises:
        InputError: none of the split's performers stays.
    """
    longer = copy(data)
    fps = data.sources(split)[0].fps
    stride = base_stride(np.arange(9) / fps, data.max_fps)
    longer.duration = (frames + 1) * stride / fps
    clips: list[MotionClip] = []
    for source in longer.sources(split):
        now_and_then = source.at(np.arange(0, longer.duration, 1.0)).joints3d
        assert now_and_then is not None
        if np.ptp(now_and_then[..., [0, 2]], axis=(0, 1)).max() <= ROOM:
            clips.append(source.at(source.times[::stride]))
        if len(clips) == count:
            break
    if not clips:
        raise InputError(
            f"none of {data.clips[split]} {split} performances stays within {ROOM:g} m for {longer.duration:g} s: "
            "give more in data.init_args"
        )
    return _see("synthetic", "", data, iter(clips))


def _see(source: str, subjects: str, data: MotionDataModule, clips: Iterator[MotionClip]) -> Sequences:
    """Clips of one frame more than is shown: the first gives the first interval."""
    rows: list[list[Tensor]] = []
    for number, clip in enumerate(clips):
        clip = replace(clip, smpl_pose=None, betas=None, transl=None, body=None)
        valid = official_frames(clip)
        clip = data.view.see(clip, {}, 0.0, np.random.default_rng([EVALUATION_SEED, number]))
        dt = np.diff(clip.times, prepend=2 * clip.times[0] - clip.times[1])
        instants = Instants(clip.times, dt, np.arange(len(dt), dtype=np.float64))
        sample = to_sample(clip, instants, len(dt), data.view.normalisation, (), (0, 0))
        shown = sample["keypoints"], sample["dt"], root_relative(sample["joints3d"]), torch.from_numpy(valid)
        rows.append([values[1:] for values in shown])
    return Sequences(source, subjects, *(torch.stack(values) for values in zip(*rows, strict=True)))
