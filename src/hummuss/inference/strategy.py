"""How a trained model runs over clips of any length: whole, in windows, frame by frame, and mirrored as well.

Whole clips of a causal backbone may be longer than the memory holds at once: it goes on from the state of the frames
before.
"""

import operator
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from hummuss.backbones.inputs import check_valid
from hummuss.body.skeleton import H36M17
from hummuss.data.windows import FRAME_KEYS
from hummuss.errors import InputError
from hummuss.heads.base import Batch, Head, Prediction, mean_over_rows
from hummuss.inference.memory import fits, fits_in_pieces
from hummuss.inference.streaming import goes_on, streamed

# Frames that are computed at once when a clip is cut into windows or pieces: enough to keep any device busy.
FRAMES_AT_ONCE = 2048


@runtime_checkable
class Model(Protocol):
    """A backbone with its heads: `MotionModule`, which would be imported in a circle here."""

    backbone: nn.Module
    heads: dict[str, Head]

    def __call__(self, batch: Batch) -> dict[str, Prediction]: ...

    def decode(self, representation: Tensor, batch: Batch) -> dict[str, Prediction]: ...


@dataclass
class Inference:
    """Predict whole clips, however long.

    Windows overlap. Every window that covers a frame counts the same in the frame's mean, every window of a clip the
    same in what the clip has one of (shape). Rotations are averaged on SO(3): the rotation nearest to the mean of the
    matrices. The last window ends with the clip, so that all are full. Where a batch shows a clip more than once, as
    `ClipSampling.test_clips` asks for, these are windows of it too: what the clip has one of is averaged over them.

    Attributes:
        windows: ``whole`` clips; windows of so many frames; or ``auto``: whole clips, but windows as long as those of
            training for a backbone that has a largest number of frames, and for clips that the memory cannot hold and
            the backbone cannot take piece by piece.
        stride: frames from one window to the next; half a window by default.
        flip: also predict the mirrored clip, mirror that back, and average both.
        stream: run a causal model frame by frame with a carried state; equal to whole clips.

    Raises:
        InputError: a window or stride that is no whole number above 0, a stride that leaves gaps, or windows of a
            stream.

    >>> Inference(windows=81, flip=True)
    Inference(windows=81, stride=None, flip=True, stream=False)
    """

    windows: int | Literal["auto", "whole"] = "auto"
    stride: int | None = None
    flip: bool = False
    stream: bool = False
    # Clips predicted so far, by the frames in their windows; None stands for whole clips.
    used: Counter[int | None] = field(default_factory=Counter, init=False, repr=False, compare=False)

    # How often the data showed one clip, at most.
    shown: int = field(default=1, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.windows not in ("auto", "whole"):
            self.windows = _frames("windows", self.windows, "'auto', 'whole' or ")
        if self.stride is not None:
            self.stride = _frames("stride", self.stride)
        if isinstance(self.windows, int) and self.stride is not None and self.stride > self.windows:
            raise InputError(
                f"inference.stride {self.stride} is longer than the windows of {self.windows} frames: "
                "frames between them would have no prediction"
            )
        if self.stream and self.windows not in ("auto", "whole"):
            raise InputError(f"inference.stream has no windows, but inference.windows is {self.windows}: drop either")

    @torch.inference_mode()
    def predict(self, model: Model, batch: Batch, trained_frames: int) -> dict[str, Prediction]:
        """Every head's prediction for a batch of whole clips.

        Args:
            model: backbone and heads, in eval mode.
            batch: see docs/howto/new_head.md; clips may be padded.
            trained_frames: frames in the windows that the model was trained on.

        Returns:
            What each head's ``forward`` returns; zeros or noise at padding.

        Raises:
            InputError: a stream of a model that is not causal, or a clip longer than the backbone takes in one piece.
        """
        size = None if self.stream else self._window(model.backbone, batch, trained_frames)
        self.used[size] += len(batch["dt"])
        predictions = self._once(model, batch, size)
        if self.flip:
            mirrored = self._once(model, mirror_keypoints(batch), size)
            for name, head in model.heads.items():
                predictions[name] = _halfway(predictions[name], head.mirror(mirrored[name]))
        shown = int(batch["clip"].unique(return_counts=True)[1].max()) if "clip" in batch else 1
        self.shown = max(self.shown, shown)
        if shown > 1:
            predictions = {
                name: predictions[name] | _over_rows(predictions[name], head.clip_outputs, batch["clip"])
                for name, head in model.heads.items()
            }
        if size is None and not self.flip and shown == 1:
            return predictions
        return {name: head.from_mean(predictions[name]) for name, head in model.heads.items()}

    def forget(self) -> None:
        """Begin anew with what `describe` tells of."""
        self.used.clear()
        self.shown = 1

    def describe(self) -> str:
        """How the clips since the last `forget` were predicted, for tables.

        >>> Inference(windows="whole").describe()
        'whole clips'
        >>> Inference(windows=81, flip=True).describe()
        'windows of 81 frames, one every 40, averaged; mirrored and averaged'
        """
        used = self.used or Counter([self.windows if isinstance(self.windows, int) else None])
        ways = [(clips, self._way(size)) for size, clips in sorted(used.items(), key=lambda item: item[0] or 0)]
        text = ways[0][1] if len(ways) == 1 else ", ".join(f"{way} ({clips} clips)" for clips, way in ways)
        text += f"; up to {self.shown} samplings of a clip averaged" if self.shown > 1 else ""
        return text + ("; mirrored and averaged" if self.flip else "")

    def _way(self, size: int | None) -> str:
        if size is None:
            return "whole clips, frame by frame" if self.stream else "whole clips"
        return f"windows of {size} frames, one every {self._stride(size)}, averaged"

    def _stride(self, size: int) -> int:
        return min(self.stride or max(1, size // 2), size)

    def _window(self, backbone: nn.Module, batch: Batch, trained_frames: int) -> int | None:
        """Frames in a window; None for whole clips."""
        if isinstance(self.windows, int):
            return self.windows
        most = getattr(backbone, "max_frames", None)
        persons = "sample" in batch and len(batch["sample"].unique()) < len(batch["sample"])
        if self.windows == "auto" and persons and batch["dt"].shape[1] <= trained_frames:
            return None  # one window, in which a head still sees who belongs together
        if self.windows == "auto" and most is not None:
            # Also for clips that it could take whole: places in a clip that training never showed are untrained.
            return min(most, trained_frames)
        clips, frames = batch["dt"].shape
        if self.windows == "whole" or fits(backbone, clips * frames, batch["dt"]):
            return None
        if goes_on(backbone) and fits_in_pieces(backbone, clips * frames, batch["dt"]):
            return None
        return trained_frames

    def _once(self, model: Model, batch: Batch, size: int | None) -> dict[str, Prediction]:
        """Predictions for whole clips, or means over windows."""
        if self.stream:
            return model.decode(streamed(model.backbone, batch), batch)
        if size is None:
            return _whole(model, batch)
        return _windowed(model, batch, size, self._stride(size))


def _frames(name: str, value: Any, otherwise: str = "") -> int:
    """A setting that is a number of frames, of any type that is a whole number."""
    try:
        frames = operator.index(value)
    except TypeError:
        frames = 0
    if frames < 1:
        raise InputError(f"inference.{name} is {value!r}: give {otherwise}a whole number of frames above 0")
    return frames


def mirror_keypoints(batch: Batch) -> Batch:
    """A batch whose keypoints, normalised about the image's or the box's centre, are mirrored left to right.

    Only what models look at is mirrored: targets and pixels stay.
    """
    keypoints = batch["keypoints"][..., list(H36M17.mirror), :] * batch["keypoints"].new_tensor([-1.0, 1.0, 1.0])
    return batch | {"keypoints": keypoints}


def window_starts(frames: int, size: int, stride: int) -> list[int]:
    """First frames of the windows over a clip; the last window ends with the clip.

    >>> window_starts(frames=100, size=40, stride=25)
    [0, 25, 50, 60]
    >>> window_starts(frames=30, size=40, stride=25)
    [0]
    """
    last = max(0, frames - size)
    return [*range(0, last, stride), last]


def _whole(model: Model, batch: Batch) -> dict[str, Prediction]:
    """In one piece; in several where the memory does not hold one and the backbone goes on from piece to piece."""
    clips, frames = batch["dt"].shape
    if not goes_on(model.backbone) or fits(model.backbone, clips * frames, batch["dt"]):
        return model(batch)
    return model.decode(_in_pieces(model.backbone, batch), batch)


def _in_pieces(backbone: Any, batch: Batch) -> Float[Tensor, "B F J dim_rep"]:
    """The representation of whole clips, of `FRAMES_AT_ONCE` frames of one at a time; zeros at padding.

    Padding stands before or after a clip, not within.
    """
    check_valid(batch["valid"])
    representation: Tensor | None = None
    for clip, valid in enumerate(batch["valid"]):
        state = backbone.init_state(1)
        for frames in valid.nonzero().flatten().split(FRAMES_AT_ONCE):
            keypoints, dt = batch["keypoints"][clip, frames][None], batch["dt"][clip, frames][None]
            piece, state = backbone.advance(keypoints, dt, state)
            if representation is None:
                representation = piece.new_zeros(*batch["valid"].shape, *piece.shape[2:])
            representation[clip, frames] = piece[0]
    assert representation is not None  # `check_valid` has seen a frame
    return representation


def _windowed(model: Model, batch: Batch, size: int, stride: int) -> dict[str, Prediction]:
    """Means over windows of what each head averages; clip by clip."""
    check_valid(batch["valid"])
    sums: dict[str, Prediction] = {name: {} for name in model.heads}
    valid = batch["valid"]
    cover, windows = torch.zeros_like(batch["dt"]), torch.zeros_like(batch["dt"][:, 0])
    for clip in range(len(valid)):
        for places in _places(valid[clip].nonzero().flatten(), size, stride):
            predictions = model(_cut(batch, clip, places))
            cover[clip].index_add_(0, places.flatten(), torch.ones_like(places.flatten(), dtype=cover.dtype))
            windows[clip] += len(places)
            for name, head in model.heads.items():
                for key in head.frame_outputs:
                    values = predictions[name][key].flatten(0, 1)
                    total = sums[name].setdefault(key, values.new_zeros(*valid.shape, *values.shape[1:]))
                    total[clip].index_add_(0, places.flatten(), values)
                for key in head.clip_outputs:
                    values = predictions[name][key]
                    total = sums[name].setdefault(key, values.new_zeros(len(valid), *values.shape[1:]))
                    total[clip] += values.sum(0)
    cover = cover.clamp(min=1)  # padding, which no window covers
    means = {
        name: {
            key: total / _match(cover if key in model.heads[name].frame_outputs else windows, total)
            for key, total in totals.items()
        }
        for name, totals in sums.items()
    }
    for name, head in model.heads.items():
        if head.joins_persons and "sample" in batch:  # each window showed one person alone
            means[name] |= _over_rows(means[name], head.clip_outputs, batch["sample"])
    return means


def _places(frames: Int[Tensor, " valid"], size: int, stride: int) -> Iterator[Int[Tensor, "W N"]]:
    """Frame numbers of the windows over a clip's valid frames, a bounded number of windows at a time."""
    size = min(size, len(frames))
    starts = torch.tensor(window_starts(len(frames), size, stride), device=frames.device)
    yield from frames[starts[:, None] + torch.arange(size, device=frames.device)].split(max(1, FRAMES_AT_ONCE // size))


def _cut(batch: Batch, clip: int, places: Int[Tensor, "W N"]) -> Batch:
    """Windows of one clip as a batch, each a sample of its own."""
    cut = {
        key: value[clip][places] if key in FRAME_KEYS else value[clip].expand(len(places), *value.shape[1:])
        for key, value in batch.items()
    }
    return cut | {"sample": torch.arange(len(places), device=places.device)}


def _match(divisor: Tensor, values: Tensor) -> Tensor:
    return divisor.view(*divisor.shape, *[1] * (values.ndim - divisor.ndim))


def _over_rows(prediction: Prediction, keys: tuple[str, ...], group: Int[Tensor, " B"]) -> Prediction:
    """What a clip has one of, averaged over the rows of a group: those of one clip, or those shown together."""
    return {key: mean_over_rows(prediction[key].flatten(1), group).view_as(prediction[key]) for key in keys}


def _halfway(prediction: Prediction, other: Prediction) -> Prediction:
    """Entry-wise mean of what ``other`` has."""
    return {key: (prediction[key] + value) / 2 for key, value in other.items()}
