"""Random motion of the picture: what a hand-held camera or another framing would have made of the same action."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from hummuss.data.motion import Camera, MotionClip
from hummuss.data.transforms.noise import person_size
from hummuss.errors import InputError


@dataclass(frozen=True)
class RandomMove:
    """Turns, scales and shifts 2D keypoints smoothly over time, and zooms the whole window once.

    Turn, scale and shift are drawn afresh every few seconds and interpolated linearly between; the pivot is the middle
    of all joints seen in the window. Drawn in seconds, before any frame is looked at: the same move at any frame rate.
    Persons of one sample move together. What is moved no longer fits a camera, so it carries no 3D: for heads that
    learn from 2D alone, as action.

    The ranges of turn and scale are MotionBERT's, and so is that of the shift, but of half the picture's width there;
    the times and the zoom are ours.

    Attributes:
        turn: largest angle either way, degrees.
        scale: range of the factor that changes over time.
        shift: largest shift either way, as a share of the person's size in the image, in x and in y.
        zoom: range of the factor that stays for the window, drawn evenly in its logarithm.
        seconds: from one draw to the next.

    Raises:
        InputError: an empty range, a factor that is not positive, a negative size, or a time that is not positive.

    Source: `random_move` of ST-GCN (Yan et al., AAAI 2018) and of MotionBERT (lib/data/
    dataset_action.py), which scales clips once as well (`crop_scale`).
    """

    turn: float = 10.0
    scale: tuple[float, float] = (0.9, 1.1)
    shift: float = 0.1
    zoom: tuple[float, float] = (0.7, 1.4)
    seconds: float = 2.0

    def __post_init__(self) -> None:
        for name in ("scale", "zoom"):
            low, high = getattr(self, name)
            if not 0 < low <= high:
                raise InputError(f"random move: {name} is {(low, high)}, expected smallest <= largest, above 0")
        for name in ("turn", "shift"):
            if not getattr(self, name) >= 0:
                raise InputError(f"random move: {name} is {getattr(self, name)}, expected 0 or more")
        if not self.seconds > 0:
            raise InputError(f"random move: seconds is {self.seconds}, expected a time above 0")

    def apply(self, clips: Sequence[MotionClip], rng: np.random.Generator) -> list[MotionClip]:
        """Move the persons of one sample, all with 2D keypoints; missing joints stay zeros."""
        start, end = min(clip.times[0] for clip in clips), max(clip.times[-1] for clip in clips)
        knots = start + self.seconds * np.arange(int(np.ceil((end - start) / self.seconds)) + 1)
        low = np.array([-self.turn, self.scale[0], -self.shift, -self.shift])
        high = np.array([self.turn, self.scale[1], self.shift, self.shift])
        drawn = rng.uniform(low, high, (len(knots), 4))
        zoom = np.exp(rng.uniform(*np.log(self.zoom)))
        keypoints = [clip.keypoints2d for clip in clips if clip.keypoints2d is not None]
        points = np.concatenate([own[own[..., 2] > 0][:, :2] for own in keypoints])
        if not len(points):
            return [_without_3d(clip) for clip in clips]
        pivot, size = (points.min(0) + points.max(0)) / 2, max(map(person_size, keypoints))
        moved = []
        for clip, own in zip(clips, keypoints, strict=True):
            turn, scale, *shift = (np.interp(clip.times, knots, values) for values in drawn.T)
            offset = pivot + size * np.stack(shift, -1)
            placed = zoom * scale[:, None, None] * _turned(own[..., :2] - pivot, np.radians(turn)) + offset[:, None]
            changed = np.concatenate([placed * (own[..., 2:] > 0), own[..., 2:]], -1).astype(np.float32)
            moved.append(_without_3d(replace(clip, keypoints2d=changed)))
        return moved


def _turned(points: Float[np.ndarray, "F J 2"], angle: Float[np.ndarray, "F"]) -> Float[np.ndarray, "F J 2"]:
    """Points turned about the origin by each frame's angle in radians."""
    cosine, sine = np.cos(angle)[:, None], np.sin(angle)[:, None]
    x, y = points[..., 0], points[..., 1]
    return np.stack([cosine * x - sine * y, sine * x + cosine * y], -1)


def _without_3d(clip: MotionClip) -> MotionClip:
    """The clip's picture alone; of its camera, the image size."""
    camera = clip.camera and Camera.of_size(clip.camera.width, clip.camera.height)
    return replace(clip, camera=camera, joints3d=None, smpl_pose=None, betas=None, transl=None, body=None)
