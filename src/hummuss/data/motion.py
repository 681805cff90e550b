"""One motion clip: a person, possibly seen by a camera, over time."""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Float64
from scipy.spatial.transform import Rotation

from hummuss.errors import InputError

# Per-frame arrays of a clip and the shape of one frame; None stands for the layout's own joint count.
FRAME_SHAPES: dict[str, tuple[int | None, ...]] = {
    "keypoints2d": (None, 3),
    "joints3d": (17, 3),
    "smpl_pose": (24, 3),
    "transl": (3,),
}
SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Camera:
    """A pinhole camera; x_camera = rotation @ x_world + translation, x right, y down, z forward.

    Attributes:
        intrinsics: (3, 3) matrix K in pixels.
        rotation: (3, 3) world-to-camera rotation.
        translation: (3,) metres.
        width, height: image size in pixels.
    """

    intrinsics: Float[np.ndarray, "3 3"]
    rotation: Float[np.ndarray, "3 3"]
    translation: Float[np.ndarray, "3"]
    width: int
    height: int

    @classmethod
    def of_size(cls, width: int, height: int) -> "Camera":
        """A camera of which only the image is known: its intrinsics are zeros, as in batches without a camera."""
        return cls(np.zeros((3, 3)), np.eye(3), np.zeros(3), width, height)

    @property
    def known(self) -> bool:
        """Whether its intrinsics are: they are zeros where nobody knows them."""
        return bool(self.intrinsics[0, 0] > 0)


@dataclass(frozen=True)
class MotionClip:
    """One person in one camera (or none). Arrays are float32, metres, radians and pixels; None where absent.

    Attributes:
        name: unique in its store: the source file's stem, + ``/camera/person`` where there are several.
        sequence, person, subject: where the clip comes from.
        split: ``train``, ``val`` or ``test``.
        label: action name.
        fps, timestamps: frames per second, or one time per frame in seconds; exactly one is given.
        frame: ``world`` (y up) or ``camera`` (y down, z forward): the frame of joints3d, smpl_pose and transl.
        keypoints2d: pixels and confidence.
        joints3d: the 17 Human3.6M joints.
        smpl_pose, betas, transl, body: axis-angle rotations, shape, translation, and the name of the body they pose.
        extras: further per-frame arrays, by name.

    Raises:
        InputError: an array of the wrong shape or length, a NaN, or times that do not increase; with clip and frame.
    """

    name: str
    sequence: str
    subject: str
    split: str
    person: str | None = None
    label: str | None = None
    fps: float | None = None
    timestamps: Float64[np.ndarray, "F"] | None = None
    frame: str = "world"
    camera: Camera | None = None
    keypoints2d: Float32[np.ndarray, "F J 3"] | None = None
    joints3d: Float32[np.ndarray, "F 17 3"] | None = None
    smpl_pose: Float32[np.ndarray, "F 24 3"] | None = None
    betas: Float32[np.ndarray, "10"] | None = None
    transl: Float32[np.ndarray, "F 3"] | None = None
    body: str | None = None
    extras: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for key, shape in FRAME_SHAPES.items():
            self._check_array(key, getattr(self, key), shape)
        for key, array in self.extras.items():
            self._check_array(key, array, tuple(array.shape[1:]))
        if self.betas is not None and (self.betas.shape != (10,) or not np.isfinite(self.betas).all()):
            raise InputError(f"clip {self.name}: betas must be 10 finite numbers, got {self.betas!r}")
        if self.split not in SPLITS:
            raise InputError(f"clip {self.name}: split {self.split!r} is none of {', '.join(SPLITS)}")
        if self.frame not in ("world", "camera"):
            raise InputError(f"clip {self.name}: frame {self.frame!r} must be 'world' or 'camera'")
        if self.smpl_pose is not None and (self.betas is None or self.transl is None or self.body is None):
            raise InputError(f"clip {self.name}: smpl_pose needs betas, transl and the name of the body beside it")
        self._check_time()

    def _check_array(self, key: str, array: np.ndarray | None, shape: tuple[int | None, ...]) -> None:
        if array is None:
            return
        fits = array.ndim == len(shape) + 1 and all(
            want in (None, got) for want, got in zip(shape, array.shape[1:], strict=True)
        )
        if not fits:
            wanted = ", ".join("F" if size is None else str(size) for size in (None, *shape))
            raise InputError(
                f"clip {self.name}: {key} has shape {array.shape}, expected ({wanted}): "
                "convert other joint layouts with hummuss.body.skeleton first"
            )
        if len(array) != len(self):
            raise InputError(f"clip {self.name}: {key} has {len(array)} frames, other fields {len(self)}")
        finite = np.isfinite(array).reshape(len(array), -1).all(-1)
        if not finite.all():
            raise InputError(
                f"clip {self.name}: {key} has a NaN or infinity at frame {int(np.argmin(finite))}: "
                "repair or cut the frame, or mark 2D joints missing with confidence 0"
            )

    def _check_time(self) -> None:
        if (self.fps is None) == (self.timestamps is None):
            raise InputError(f"clip {self.name}: give either fps or timestamps, in seconds")
        if len(self) == 0:
            raise InputError(f"clip {self.name}: no frames")
        if self.fps is not None and not 0 < self.fps < np.inf:
            raise InputError(f"clip {self.name}: fps is {self.fps}, expected frames per second above 0")
        if self.timestamps is not None:
            dt = np.diff(self.timestamps)
            if not (dt > 0).all():
                frame = int(np.argmin(dt > 0)) + 1
                raise InputError(
                    f"clip {self.name}: time stamps must increase, but frame {frame} comes {dt[frame - 1]:g} s after "
                    "the one before it: sort the frames and drop repeated ones"
                )

    def __len__(self) -> int:
        """Number of frames."""
        for array in (self.timestamps, *(getattr(self, key) for key in FRAME_SHAPES)):
            if array is not None:
                return len(array)
        return 0

    @property
    def times(self) -> Float64[np.ndarray, "F"]:
        """Seconds at which the frames were taken."""
        if self.timestamps is not None:
            return self.timestamps
        assert self.fps is not None
        return np.arange(len(self)) / self.fps

    @property
    def duration(self) -> float:
        """Seconds from the first frame to the last."""
        return float(self.times[-1] - self.times[0])

    def frame_arrays(self) -> Iterator[tuple[str, np.ndarray]]:
        """The per-frame arrays that are present, extras included, with their names."""
        for key in FRAME_SHAPES:
            if getattr(self, key) is not None:
                yield key, getattr(self, key)
        yield from self.extras.items()

    def at(self, times: Float64[np.ndarray, "T"]) -> "MotionClip":
        """The clip at other instants (seconds): frames themselves where they coincide, interpolated between.

        Positions are interpolated linearly, rotations along the shortest arc; a 2D joint keeps the smaller confidence
        of its two frames and is missing where either is.

        Raises:
            InputError: an instant outside the clip.
        """
        own, tolerance = self.times, 1e-6
        if times[0] < own[0] - tolerance or times[-1] > own[-1] + tolerance:
            raise InputError(
                f"clip {self.name} runs from {own[0]:g} to {own[-1]:g} s, asked for {times[0]:g} to {times[-1]:g} s"
            )
        before = np.clip(np.searchsorted(own, times + tolerance, side="right") - 1, 0, max(len(own) - 2, 0))
        after = np.minimum(before + 1, len(own) - 1)
        span = np.where(after > before, own[after] - own[before], 1.0)
        weight = np.clip((times - own[before]) / span, 0, 1)
        # A hair's breadth from a frame is that frame: keeps whole strides exact copies of the capture.
        weight = np.where(weight * span < tolerance, 0.0, np.where((1 - weight) * span < tolerance, 1.0, weight))
        arrays: dict[str, Any] = {
            key: _interpolate(key, array[before], array[after], weight) for key, array in self.frame_arrays()
        }
        own_fields = {key: array for key, array in arrays.items() if key in FRAME_SHAPES}
        extras = {key: array for key, array in arrays.items() if key not in FRAME_SHAPES}
        return replace(self, fps=None, timestamps=np.asarray(times, np.float64), extras=extras, **own_fields)


def _interpolate(key: str, start: np.ndarray, end: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Values between two sets of frames; ``weight`` (T,) is 0 at ``start`` and 1 at ``end``."""
    if not ((weight > 0) & (weight < 1)).any():
        return np.where(weight.reshape(-1, *[1] * (start.ndim - 1)) > 0.5, end, start)
    share = weight.reshape(-1, *[1] * (start.ndim - 1)).astype(np.float32)
    if key == "smpl_pose":
        first, second = (Rotation.from_rotvec(pose.reshape(-1, 3).astype(np.float64)) for pose in (start, end))
        turn = (first.inv() * second).as_rotvec() * np.repeat(weight, start.shape[1])[:, None]
        return (first * Rotation.from_rotvec(turn)).as_rotvec().reshape(start.shape).astype(np.float32)
    if not np.issubdtype(start.dtype, np.floating):  # flags and classes have nothing between them
        return np.where(share > 0.5, end, start)
    between = start + share * (end - start)
    if key == "keypoints2d":
        # The weight decides whose detection counts: a missing joint must not pull its neighbour to the origin.
        confidence = np.where(
            share[..., 0] == 0,
            start[..., 2],
            np.where(share[..., 0] == 1, end[..., 2], np.minimum(start, end)[..., 2]),
        )
        between = np.concatenate([between[..., :2], confidence[..., None]], -1) * (confidence[..., None] > 0)
    return between.astype(start.dtype)


CLIP_SCALARS = tuple(
    f.name for f in fields(MotionClip) if f.name not in (*FRAME_SHAPES, "camera", "betas", "extras", "timestamps")
)
