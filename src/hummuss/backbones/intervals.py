"""The time axis of a batch: which frames count, how far apart they are, and what the backward direction sees."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from hummuss.backbones.inputs import check_valid
from hummuss.backbones.ssm import Kept, convolution_chunk
from hummuss.errors import InputError

# Time stamps of real video are never bit-uniform; up to this relative deviation a clip counts as evenly spaced.
UNIFORM_TOLERANCE = 1e-4
# Clips whose mean intervals differ by less, which is rounding, share one kernel.
SHARED_TOLERANCE = 1e-6


class Intervals(NamedTuple):
    """Seconds between frames, prepared once per forward pass.

    Attributes:
        forward: interval that ends at each frame.
        backward: interval between each frame and the next, in the order of time.
        valid: False at padding, or None where nothing is padded.
        even: where every clip is evenly spaced, so that the SSM may convolve: each clip's interval, or one for all.
        chunk: frames in a chunk of the convolution or of the scan; None leaves each layer to find its own.
        kept: what the convolutions of earlier passes made of the same intervals and parameters, see `Memory`.
        carried: of each causal block the state before the first frame, which the block replaces by that after the last;
            None where clips begin.
    """

    forward: Float[Tensor, "B L"]
    backward: Float[Tensor, "B L"]
    valid: Bool[Tensor, "B L"] | None
    even: Float[Tensor, "G"] | None
    chunk: int | None = None
    kept: Kept | None = None
    carried: dict[nn.Module, Tensor] | None = None


def prepare_intervals(dt: Float[Tensor, "B L"], valid: Bool[Tensor, "B L"] | None = None) -> Intervals:
    """Check dt and decide, once for the batch, between convolution and scan (docs/mathematics.md).

    A clip is evenly spaced if max |dt - mean| <= 1e-4 mean over its valid frames; its mean then replaces every dt. So
    the time stamp of a later frame moves a causal model's earlier outputs too, by about as little.
    Clips whose means agree to rounding share one. Otherwise padding frames get the clip's mean interval, and the last
    valid frame's backward interval is the first valid frame's.

    Raises:
        InputError: a dt that is not positive and finite at a valid frame, or a clip with no valid frame.
    """
    counted = torch.ones_like(dt, dtype=torch.bool) if valid is None else valid
    check_dt(dt, counted)
    check_valid(counted)
    if valid is not None and bool(valid.all()):
        valid = None
    mean = dt.where(counted, 0).sum(-1, keepdim=True) / counted.sum(-1, keepdim=True)
    filled = torch.where(counted, dt, mean)
    if bool(((filled - mean).abs() <= UNIFORM_TOLERANCE * mean).all()):
        even = mean.mean(0) if bool((mean.max() - mean.min()) <= SHARED_TOLERANCE * mean.min()) else mean[:, 0]
        chunk = None if dt.is_cuda else convolution_chunk(dt.shape[-1])  # a GPU has ways without chunks
        return Intervals(filled, filled, valid, even, chunk)
    frames = torch.arange(dt.shape[-1], device=dt.device)
    last = torch.where(counted, frames, -1).amax(-1, keepdim=True)
    first = torch.where(counted, frames, dt.shape[-1]).amin(-1, keepdim=True)
    backward = torch.where(frames == last, filled.gather(-1, first), filled.roll(-1, -1))
    return Intervals(filled, backward, valid, even=None)


def index_intervals(keypoints: Float[Tensor, "*B J 3"]) -> Intervals:
    """Intervals of the joint axis, which is no time: steps of one, for an SSM whose reference rate is 1."""
    even = keypoints.new_ones(1, keypoints.shape[-2])
    return Intervals(even, even, None, even[:, 0])


def check_dt(dt: Float[Tensor, "B *L"], counted: Bool[Tensor, "B *L"]) -> None:
    """Refuse intervals, of whole clips or of one frame each, that are no durations.

    Raises:
        InputError: a dt that is not positive and finite where it counts.
    """
    bad = counted & ~((dt > 0) & dt.isfinite())
    if bool(bad.any()):
        clip, *frame = bad.nonzero()[0].tolist()
        place = f"frame {frame[0]} of clip {clip} in the batch" if frame else f"the next frame of clip {clip}"
        raise InputError(
            f"dt is {float(dt[clip, *frame]):g} s at {place}: "
            "it must be the positive number of seconds since the previous frame"
        )
