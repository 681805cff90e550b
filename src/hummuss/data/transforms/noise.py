"""What a 2D detector does to projected keypoints."""

from dataclasses import dataclass, replace

import numpy as np

from hummuss.data.motion import MotionClip


@dataclass(frozen=True)
class DetectionNoise:
    """Gaussian errors, rare gross errors and missed joints; confidence falls with the error.

    Attributes:
        scale: range of a clip's standard deviation, as a share of the person's size in the image.
        gross: probability of a gross error, ten times as large.
        missed: probability that a joint is not detected.
    """

    scale: tuple[float, float] = (0.004, 0.012)
    gross: float = 0.02
    missed: float = 0.01

    def apply(self, clip: MotionClip, rng: np.random.Generator) -> MotionClip:
        """Return the clip with noisy keypoints; missing joints become zeros."""
        assert clip.keypoints2d is not None
        keypoints = clip.keypoints2d
        seen = keypoints[..., 2] > 0
        size = person_size(keypoints)
        shape = keypoints.shape[:2]
        spread = rng.uniform(*self.scale) * np.where(rng.random(shape) < self.gross, 10, 1)
        error = rng.normal(size=(*shape, 2)) * (spread * size)[..., None]
        # A detector is surer of joints it places well: half confidence at an error of 5 % of the person.
        off = np.linalg.norm(error, axis=-1) / max(size, 1e-6)
        confidence = np.clip(0.5 ** (off / 0.05) + rng.normal(0, 0.05, shape), 0.05, 1)
        present = seen & (rng.random(shape) >= self.missed)
        noisy = np.concatenate([keypoints[..., :2] + error, confidence[..., None]], -1) * present[..., None]
        return replace(clip, keypoints2d=noisy.astype(np.float32))


def person_size(keypoints: np.ndarray) -> float:
    """Median over frames of the larger side of the box around the detected joints, pixels; 0 where none is."""
    seen = keypoints[..., 2:] > 0
    low = np.where(seen, keypoints[..., :2], np.inf).min(1)
    high = np.where(seen, keypoints[..., :2], -np.inf).max(1)
    sides = (high - low).max(-1)
    sides = sides[np.isfinite(sides)]
    return float(np.median(sides)) if len(sides) else 0.0
