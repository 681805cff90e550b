"""What is done to detected keypoints to see how far a model's answer moves: hidden, off, or on the wrong side."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from hummuss.body.smpl import BodyModel
from hummuss.data.motion import MotionClip
from hummuss.data.transforms.noise import GROSS_TAIL, RealisticNoise, person_size, swap_sides
from hummuss.data.transforms.occlusion import Occlusion
from hummuss.data.windows import View


class Corruption(NamedTuple):
    """One kind of corruption at one level.

    Attributes:
        kind: ``clean``, or one of `LEVELS`.
        level: ``joints``, ``limbs``, ``sides``: share of the time that each of them is hidden, in episodes as in
            `Occlusion`; ``frames``: share of a window's frames without any detection, each by itself; ``gaussian``,
            ``heavy-tailed``: standard deviation of every coordinate's further error, of the person's size in the image;
            ``swaps``: share of the time that the arms, and that the legs, have changed sides, as in `RealisticNoise`.
    """

    kind: str
    level: float


CLEAN = Corruption("clean", 0.0)
HIDDEN = (0.15, 0.3, 0.5)
NOISE = (0.01, 0.02, 0.05)
LEVELS = {
    "joints": HIDDEN,
    "limbs": HIDDEN,
    "sides": HIDDEN,
    "frames": (0.1, 0.3, 0.5),
    "gaussian": NOISE,
    "heavy-tailed": NOISE,
    "swaps": (0.1, 0.3),
}
HIDES = ("joints", "limbs", "sides", "frames")


def all_corruptions() -> Iterator[Corruption]:
    """Clean detections first, then every kind at every level."""
    yield CLEAN
    for kind, levels in LEVELS.items():
        yield from (Corruption(kind, level) for level in levels)


@dataclass(frozen=True)
class CorruptedView(View):
    """A view whose detections are corrupted, after the detector's own errors.

    The draws follow a window's own: they are the same for every model, and noise of one kind differs from level to
    level in size alone.

    Attributes:
        corruption: what is done to them.
    """

    corruption: Corruption = CLEAN

    def see_together(
        self, clips: Sequence[MotionClip], bodies: Mapping[str, BodyModel], flip: float, rng: np.random.Generator
    ) -> list[MotionClip]:
        """As the view, then corrupt what was detected, of each person apart; targets stay as they are."""
        return [self._corrupted(clip, rng) for clip in super().see_together(clips, bodies, flip, rng)]

    def _corrupted(self, clip: MotionClip, rng: np.random.Generator) -> MotionClip:
        assert clip.keypoints2d is not None
        return replace(clip, keypoints2d=corrupt(clip.keypoints2d, clip.times, self.corruption, rng))


def corrupt(
    keypoints: Float[np.ndarray, "F 17 3"],
    times: Float[np.ndarray, "F"],
    corruption: Corruption,
    rng: np.random.Generator,
) -> Float[np.ndarray, "F 17 3"]:
    """Corrupt detections (pixels and confidence) at the instants ``times``, seconds.

    What is hidden is all zeros, as a missed joint is. Nothing else tells of a corruption: the confidence of joints that
    were moved or swapped stays what the detector said.

    Raises:
        ValueError: unknown kind.
    """
    kind, level = corruption
    if kind == "clean":
        return keypoints
    if kind == "frames":
        # The first of one order for all levels: more hidden frames are further ones.
        hidden = rng.permutation(len(keypoints))[: round(level * len(keypoints))]
        shown = np.ones(len(keypoints), bool)
        shown[hidden] = False
        return (keypoints * shown[:, None, None]).astype(np.float32)
    if kind in HIDES:
        only = {"joints": 0.0, "limbs": 0.0, "sides": 0.0, "frames": 0.0} | {kind: level}
        return (keypoints * ~Occlusion(windows=1.0, **only).hidden(times, rng)[..., None]).astype(np.float32)
    if kind == "swaps":
        return swap_sides(times, keypoints, level, RealisticNoise.seconds, rng)
    if kind not in LEVELS:
        raise ValueError(f"corruption {kind!r} is none of clean, {', '.join(LEVELS)}")
    error = rng.normal(size=(*keypoints.shape[:2], 2))
    if kind == "heavy-tailed":
        # A normal vector over the root of a chi-squared is Student's t, alike in all directions; its variance with n
        # degrees of freedom is n / (n - 2), which is taken out, so that both kinds of noise have the level's.
        error /= np.sqrt(rng.chisquare(GROSS_TAIL, (*keypoints.shape[:2], 1)) / (GROSS_TAIL - 2))
    detected = keypoints[..., 2:] > 0
    moved = keypoints[..., :2] + error * (level * person_size(keypoints)) * detected
    return np.concatenate([moved, keypoints[..., 2:]], -1).astype(np.float32)
