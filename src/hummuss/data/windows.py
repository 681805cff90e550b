"""Windows of motion as model inputs: source -> instants -> camera -> flip -> noise -> normalisation -> sample."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float64
from torch import Tensor
from torch.utils.data import Dataset

from hummuss.body.skeleton import H36M17
from hummuss.body.smpl import BodyModel
from hummuss.data.motion import MotionClip
from hummuss.data.transforms.camera import RandomCamera, to_camera
from hummuss.data.transforms.flip import flip_clip
from hummuss.data.transforms.frame_rate import (
    FrameRateAugmentation,
    Instants,
    base_stride,
    random_instants,
    window_instants,
)
from hummuss.data.transforms.noise import DetectionNoise, RealisticNoise
from hummuss.data.transforms.normalise import normalise
from hummuss.data.transforms.occlusion import Occlusion
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


@dataclass(frozen=True)
class View:
    """How motion becomes what a detector reports; shared by training and evaluation.

    Attributes:
        camera: draws the camera of clips that have none.
        noise: errors of the 2D detector, for clips without detections of their own.
        normalisation: ``image`` or ``box``, see `normalise`.
    """

    camera: RandomCamera = field(default_factory=RandomCamera)
    noise: DetectionNoise | RealisticNoise = field(default_factory=DetectionNoise)
    normalisation: str = "image"

    def see(
        self, clip: MotionClip, bodies: Mapping[str, BodyModel], flip: float, rng: np.random.Generator
    ) -> MotionClip:
        """Take a clip to camera coordinates and detected keypoints; mirror it with probability ``flip``.

        Among ``bodies``, by name, is the one that a clip's parameters pose, where it has any.
        """
        rest_pelvis = None
        if clip.betas is not None:
            body = bodies.get(clip.body or "")
            if body is None:
                raise InputError(
                    f"clip {clip.name} poses the body {clip.body!r}, but the data module has "
                    f"{', '.join(map(repr, bodies)) or 'none'}: give data.init_args.body_path the body file of that "
                    "name"
                )
            rest_pelvis = body.rest_joints(torch.from_numpy(clip.betas))[0].numpy()
        detected = clip.keypoints2d is not None
        if clip.frame == "world":
            if clip.joints3d is None:
                raise InputError(f"clip {clip.name} is in the world frame and has no joints3d: nothing to look at")
            camera = clip.camera or self.camera.draw(clip.joints3d, rng)
            clip = to_camera(clip, camera, rest_pelvis)
        if clip.keypoints2d is None or clip.keypoints2d.shape[1] != len(H36M17):
            found = "none" if clip.keypoints2d is None else clip.keypoints2d.shape[1]
            raise InputError(
                f"clip {clip.name} needs {len(H36M17)} 2D keypoints in Human3.6M order, found {found}: "
                "convert them with hummuss.body.skeleton.convert_keypoints"
            )
        if rng.random() < flip:
            clip = flip_clip(clip, rest_pelvis)
        return clip if detected else self.noise.apply(clip, rng)


def to_sample(
    clip: MotionClip,
    instants: Instants,
    frames: int,
    normalisation: str,
    classes: Sequence[str],
    ids: tuple[int, int],
    hidden: Bool[np.ndarray, "F 17"] | None = None,
) -> Sample:
    """Arrays of a clip in its camera -> one entry of the batch contract (SPEC section 5), padded to ``frames``.

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
    visible = clip.keypoints2d if hidden is None else clip.keypoints2d * ~hidden[..., None]
    keypoints = normalise(visible, instants.times, size, normalisation)
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
    ) -> None:
        self.sources, self.frames, self.batch_size = sources, frames, batch_size
        self.cumulative = np.cumsum(np.asarray(shares, np.float64))
        self.frame_rate = frame_rate or FrameRateAugmentation(strides=(1.0, 1.0), fractional=0.0)
        self.max_fps, self.flip, self.view, self.bodies = max_fps, flip, view, bodies
        self.occlusion, self.classes, self.seed = occlusion, classes, seed

    def __getitem__(self, draw: int) -> Sample:
        shared = np.random.default_rng([self.seed, 0, draw // self.batch_size])
        rng = np.random.default_rng([self.seed, 1, draw])
        rhythm = self.frame_rate.rhythm(self.frames, shared)
        index = int(np.searchsorted(self.cumulative, rng.uniform(0, self.cumulative[-1]), side="right"))
        source = self.sources[index]
        times = source.times
        stride = self.frame_rate.stride(rng) * base_stride(times, self.max_fps)
        instants = random_instants(times, stride, rhythm, rng)
        clip = self.view.see(source.at(instants.times), self.bodies, self.flip, rng)
        hidden = self.occlusion.hidden(instants.times, rng) if self.occlusion else None
        ids = (draw, index)
        return to_sample(clip, instants, rhythm.frames, self.view.normalisation, self.classes, ids, hidden)


class EvaluationWindows(Dataset[Sample]):
    """Every base frame of every source once, in windows that follow each other; the last of a clip is padded.

    Cameras and noise depend on the window's number alone: runs with any seed are scored on the same inputs. A camera
    holds all of its window in view, a whole clip too.

    Args:
        sources: motion to evaluate on.
        frames: length of a window; None makes a window of every clip, as long as it is.
        max_windows: evenly spaced choice of that many windows; None for all.
        max_fps, view, bodies, classes: as in `TrainingWindows`.
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
    ) -> None:
        self.sources, self.frames, self.view = sources, frames, view
        self.bodies, self.classes, self.max_fps = bodies, classes, max_fps
        windows = []
        for index, source in enumerate(sources):
            own = len(source.times)
            if own < 2:
                raise InputError(
                    f"clip {getattr(source, 'name', index)} has one frame, which gives no interval: leave it out"
                )
            covered = own if frames is None else frames * base_stride(source.times, max_fps)
            windows += [(index, first) for first in range(0, own, covered)]
        if max_windows is not None and max_windows < len(windows):
            chosen = np.linspace(0, len(windows) - 1, max_windows).round().astype(int)
            windows = [windows[i] for i in chosen]
        self.windows = windows

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, item: int) -> Sample:
        index, first = self.windows[item]
        source = self.sources[index]
        stride = base_stride(source.times, self.max_fps)
        before = first - stride if first >= stride else first
        end = len(source.times) if self.frames is None else min(first + self.frames * stride, len(source.times))
        positions = np.arange(before, end, stride, dtype=np.float64)
        instants = window_instants(source.times, positions, len(range(first, end, stride)))
        rng = np.random.default_rng([EVALUATION_SEED, item])
        clip = self.view.see(source.at(instants.times), self.bodies, 0.0, rng)
        return to_sample(clip, instants, self.frames or len(clip), self.view.normalisation, self.classes, (item, index))
