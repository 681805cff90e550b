"""Whole clips in windows of a fixed number of frames, as action recognition needs them; dt follows."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from hummuss.data.transforms.frame_rate import Instants, base_stride, window_instants
from hummuss.errors import InputError


@dataclass(frozen=True)
class ClipSampling:
    """Frames spread evenly over the clip: in training over a random span of most of it, in evaluation over all of it.

    The span is cut into as many equal segments as the window has frames, and every segment gives one instant: its
    centre in evaluation, in training a place in it that all segments share. pyskl and MotionBERT draw a place for each
    segment and round to frames. Here the instants stay evenly spaced and lie between frames where they fall between
    them (see `MotionClip.at`), for every clip of a batch can then be convolved; uneven intervals would need the scan.
    Which part of the motion is seen still varies, by the span and the shared place. A span that has no more base
    frames than the window keeps all of them as they are, and the window is padded: nothing is repeated, so dt > 0.

    Attributes:
        cover: smallest and largest share of a clip's duration that a training window spans; the range is ours.
        test_clips: windows per test clip, whose places lie evenly in the segments; their predictions are averaged.

    Raises:
        InputError: a share outside (0, 1], or no window.

    Source: segments as `UniformSample` of pyskl (Duan et al., "Revisiting Skeleton-based Action Recognition", CVPR
    2022) and MotionBERT's `resample` (lib/utils/utils_data.py); several clips per test video as the former.
    """

    cover: tuple[float, float] = (0.8, 1.0)
    test_clips: int = 1

    def __post_init__(self) -> None:
        low, high = self.cover
        if not 0 < low <= high <= 1:
            raise InputError(f"clip sampling: cover is {self.cover}, expected smallest <= largest share, above 0 to 1")
        if self.test_clips < 1:
            raise InputError(f"clip sampling: test_clips is {self.test_clips}, expected a number above 0")

    def training(
        self, times: Float64[np.ndarray, "F"], frames: int, max_fps: float | None, rng: np.random.Generator
    ) -> Instants:
        """Instants of a training window of at most ``frames`` of a clip whose frames are at ``times`` (seconds)."""
        whole = times[-1] - times[0]
        length = rng.uniform(*self.cover) * whole
        start = times[0] + rng.uniform(0, 1) * (whole - length)
        return spread(times, (start, start + length), frames, base_stride(times, max_fps), rng.uniform(0, 1))

    def evaluation(self, times: Float64[np.ndarray, "F"], frames: int, max_fps: float | None) -> list[Instants]:
        """Instants of the `test_clips` windows over a whole clip; one only where it keeps all base frames."""
        stride = base_stride(times, max_fps)
        windows = 1 if len(range(0, len(times), stride)) <= frames else self.test_clips
        span = (float(times[0]), float(times[-1]))
        return [spread(times, span, frames, stride, (number + 0.5) / windows) for number in range(windows)]


def spread(
    times: Float64[np.ndarray, "F"], span: tuple[float, float], frames: int, stride: int, place: float
) -> Instants:
    """At most ``frames`` instants, one in each of as many equal segments of a span.

    Args:
        times: seconds of the clip's own frames.
        span: first and last second.
        frames: in the window.
        stride: own frames per base frame. A span of no more base frames than ``frames`` gives these.
        place: of the instants in their segments, 0 to 1.

    >>> spread(np.arange(9) / 2, (0.0, 4.0), frames=2, stride=1, place=0.5)
    Instants(times=array([1., 3.]), dt=array([2., 2.]), positions=array([2., 6.]))
    """
    start, end = span
    # A hair's breadth inside: where the span ends on a frame, rounding must not lose it.
    first, after = np.searchsorted(times, (start - 1e-9, end + 1e-9))
    first = min(int(first), len(times) - 1)
    own = np.arange(first, max(int(after), first + 1), stride, dtype=np.float64)
    if len(own) <= frames:
        before = [own[0] - stride] if own[0] >= stride else []
        return window_instants(times, np.array([*before, *own]), len(own))
    step = (end - start) / frames
    instants = start + (np.arange(frames) + place) * step
    return Instants(instants, np.full(frames, step), np.interp(instants, times, np.arange(len(times))))
