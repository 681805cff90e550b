"""Frame-rate augmentation: at which instants a clip is seen. dt always follows.

Rates are strides of the clip's own frames, whole or fractional (interpolated); frames may be dropped and time stamps
jittered. Spans and irregularity are drawn once per batch, so that batches need no padding and evenly spaced ones can
be convolved; strides are drawn per clip.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from hummuss.errors import InputError

WHISKER = 1e-9  # frames: what sums of fractional strides may be off


class Instants(NamedTuple):
    """When a window's frames are taken.

    Attributes:
        times: seconds on the clip's own clock, increasing.
        dt: seconds since the previous frame kept; the first frame's is the interval to the frame before the window,
            or the second frame's where the clip has none.
        positions: the same instants in the clip's own frames, fractional between them.
    """

    times: Float64[np.ndarray, "F"]
    dt: Float64[np.ndarray, "F"]
    positions: Float64[np.ndarray, "F"]


class Rhythm(NamedTuple):
    """What all clips of a batch share: frames in the window, share of frames dropped, jitter in intervals."""

    frames: int
    dropped: float
    jitter: float


@dataclass(frozen=True)
class FrameRateAugmentation:
    """Random frame rates and spans for training windows.

    Attributes:
        strides: smallest and largest stride, in base frames.
        fractional: probability that a stride is not a whole number.
        min_frames: the window of a batch has this many frames at least; ``frames`` of the dataset at most. None: always
            as many as the dataset says.
        irregular: probability that a batch has dropped frames and jittered time stamps.
        max_dropped: largest share of frames dropped in an irregular batch.
        max_jitter: largest standard deviation of the jitter, in intervals.

    Raises:
        InputError: an empty or non-positive range, a probability outside [0, 1], or a deviation below 0.
    """

    strides: tuple[float, float] = (1.0, 4.0)
    fractional: float = 0.3
    min_frames: int | None = None
    irregular: float = 0.0
    max_dropped: float = 0.5
    max_jitter: float = 0.2

    def __post_init__(self) -> None:
        low, high = self.strides
        if not 1 <= low <= high:
            raise InputError(f"frame-rate strides are {self.strides}: give smallest <= largest, from 1 on")
        if self.min_frames is not None and self.min_frames < 1:
            raise InputError(f"frame-rate augmentation: min_frames is {self.min_frames}, expected 1 or more")
        for name in ("fractional", "irregular", "max_dropped"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"frame-rate augmentation: {name} is {getattr(self, name)}, expected 0 to 1")
        if self.max_jitter < 0:
            raise InputError(f"frame-rate augmentation: max_jitter is {self.max_jitter}, expected 0 or more")

    def rhythm(self, frames: int, rng: np.random.Generator) -> Rhythm:
        """Draw what the clips of one batch share."""
        if self.min_frames is not None:
            frames = int(rng.integers(min(self.min_frames, frames), frames + 1))
        if rng.random() >= self.irregular:
            return Rhythm(frames, 0.0, 0.0)
        return Rhythm(frames, rng.uniform(0, self.max_dropped), rng.uniform(0, self.max_jitter))

    def stride(self, rng: np.random.Generator) -> float:
        """Draw one clip's stride, in base frames."""
        low, high = self.strides
        none_whole = math.ceil(low) > math.floor(high)
        if rng.random() < self.fractional or none_whole:
            return float(rng.uniform(low, high))
        return float(rng.integers(math.ceil(low), math.floor(high) + 1))


def base_stride(times: Float64[np.ndarray, "F"], max_fps: float | None) -> int:
    """Own frames per base frame: the whole factor that thins the clip to ``max_fps`` at most.

    >>> base_stride(np.arange(9) / 120, max_fps=60.0)
    2
    """
    if max_fps is None or len(times) < 2:
        return 1
    own_fps = (len(times) - 1) / (times[-1] - times[0])
    return max(1, math.ceil(own_fps / max_fps - 0.01))  # a whisker of tolerance: 60.2 fps video counts as 60


def random_instants(
    times: Float64[np.ndarray, "F"], stride: float, rhythm: Rhythm, rng: np.random.Generator
) -> Instants:
    """Instants of a window at a random place in a clip.

    A whole stride without jitter lands on the clip's own frames. Where the clip is too short, the window has fewer
    frames than ``rhythm.frames``, but one at least; of them as large a share is dropped.

    Args:
        times: seconds of the clip's own frames.
        stride: own frames per frame of the window, before any are dropped.
        rhythm: frames wanted, share dropped, jitter.
        rng: source of randomness.
    """
    wanted = math.ceil((rhythm.frames + 1) / (1 - rhythm.dropped))
    count = min(wanted, frames_within(len(times) - 1, stride))
    last_start = int(len(times) - 1 - (count - 1) * stride + WHISKER)
    positions = rng.integers(last_start + 1) + stride * np.arange(count)
    if rhythm.jitter > 0:
        # Below half a stride the order stays; the ends stay within the clip.
        positions += np.clip(rng.normal(0, rhythm.jitter, count), -0.45, 0.45) * stride
        positions = np.clip(positions, 0, len(times) - 1)
    if rhythm.dropped > 0:
        kept = min(rhythm.frames + 1, max(1, round(count * (1 - rhythm.dropped))))
        positions = positions[np.sort(rng.choice(count, kept, replace=False))]
    return window_instants(times, positions, rhythm.frames)


def frames_within(length: int | float, stride: float) -> int:
    """How many frames, ``stride`` apart, fit into ``length`` with both ends; all in the clip's own frames.

    >>> frames_within(9, 1.5), frames_within(8.9, 1.5)
    (7, 6)
    """
    return int(length / stride + WHISKER) + 1


def window_instants(times: Float64[np.ndarray, "F"], positions: Float64[np.ndarray, "P"], frames: int) -> Instants:
    """Instants at fractional frame ``positions``; one more than ``frames`` serves as the frame before the window."""
    instants = np.interp(positions, np.arange(len(times)), times)
    gaps = np.diff(instants)
    if len(instants) > frames:
        return Instants(instants[1:], gaps, positions[1:])
    # No frame before the first. A lone frame has no interval at all: its own clip's interval stands in.
    first = gaps[:1] if len(gaps) else np.diff(times[:2])
    return Instants(instants, np.concatenate([first, gaps]), positions)
