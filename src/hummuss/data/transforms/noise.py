"""What a 2D detector does to projected keypoints."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from hummuss.body.skeleton import H36M17
from hummuss.data.motion import MotionClip
from hummuss.data.transforms.episodes import active_episodes, check_episodes
from hummuss.errors import InputError

# How far annotators of COCO disagree on a joint, as a share of the person's size: the constants of its keypoint
# evaluation (cocodataset.org, OKS). Only their ratios are used here. The trunk's joints are means of hips and
# shoulders, whose errors add up as independent ones do; the head is the middle of the eyes.
COCO_SIGMAS = {
    "nose": 0.026, "head": 0.025 / 2**0.5, "shoulder": 0.079, "elbow": 0.072, "wrist": 0.062, "hip": 0.107,
    "knee": 0.087, "ankle": 0.089, "pelvis": 0.107 / 2**0.5, "thorax": 0.079 / 2**0.5,
    "spine": (2 * 0.107**2 + 2 * 0.079**2) ** 0.5 / 4,
}  # fmt: skip
_SIGMAS = np.array([COCO_SIGMAS[joint.split("_")[-1]] for joint in H36M17.joints])
JOINT_SCALES = _SIGMAS / np.sqrt((_SIGMAS**2).mean())
# Joints that a detector takes for those of the other side together.
SWAPPED_TOGETHER = tuple(
    np.array([index for index, joint in enumerate(H36M17.joints) if joint.endswith(names)])
    for names in (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist"))
)
# Degrees of freedom of gross errors: the fewest at which their variance is finite.
GROSS_TAIL = 3


def check_scale(scale: tuple[float, float]) -> None:
    """Refuse a range of standard deviations that is none.

    Raises:
        InputError: one below 0 or of 1 and more, which would be as large as the person, or the larger first.
    """
    low, high = scale
    if not 0 <= low <= high < 1:
        raise InputError(f"detection noise: scale is {scale}, expected smallest <= largest share, from 0 to below 1")


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

    def __post_init__(self) -> None:
        check_scale(self.scale)
        for name in ("gross", "missed"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(
                    f"detection noise: {name} is {getattr(self, name)}, expected a share from 0 to below 1"
                )

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


@dataclass(frozen=True)
class RealisticNoise:
    """Errors that last, as a detector's do on video: neighbouring frames look alike, so it errs on them alike.

    `DetectionNoise` draws every frame afresh, which a model can average away, the more so the higher the frame rate.
    Here all times are seconds and the errors of a second are the same process at any rate, jittered time stamps
    included:

    - each joint drifts as an Ornstein-Uhlenbeck process, by a scale of its own (COCO's annotators disagree four times
      as much on hips as on noses);
    - now and then a joint is put somewhere else entirely, or missed, or both arms or both legs change sides, each for a
      while; how far off a gross error is has Student's heavy tails;
    - confidence falls with the whole error, halving every 5 % of the person, with a noise of its own that drifts too.

    It is a class beside `DetectionNoise`, not further terms of it: published results hold that one's random draws.
    Shares and scale are DetectionNoise's; durations are ours.

    Attributes:
        scale: range of a clip's standard deviation (root mean square over the joints), as a share of the person's size
            in the image.
        correlation: seconds after which a drift keeps 1/e of its value.
        gross: share of the time that a joint is put somewhere else; off by ten times the scale, typically.
        missed: share of the time that a joint is not detected.
        swapped: share of the time that the arms change sides, and as much for the legs.
        seconds: mean duration of each of these three.

    Raises:
        InputError: a share outside [0, 1), or a time that is not positive.
    """

    scale: tuple[float, float] = (0.004, 0.012)
    correlation: float = 0.2
    gross: float = 0.02
    missed: float = 0.01
    swapped: float = 0.01
    seconds: float = 0.15

    def __post_init__(self) -> None:
        check_scale(self.scale)
        shares = {name: getattr(self, name) for name in ("gross", "missed", "swapped")}
        check_episodes("detection noise", shares, {"correlation": self.correlation, "seconds": self.seconds})

    def apply(self, clip: MotionClip, rng: np.random.Generator) -> MotionClip:
        """Return the clip with noisy keypoints; missing joints become zeros."""
        assert clip.keypoints2d is not None
        times, truth, joints = clip.times, clip.keypoints2d, len(H36M17)
        size, scale = person_size(truth), rng.uniform(*self.scale)
        reported = swap_sides(times, truth, self.swapped, self.seconds, rng)
        drift = ornstein_uhlenbeck(times, (joints, 3), self.correlation, rng)
        position = reported[..., :2] + drift[..., :2] * (scale * size * JOINT_SCALES)[:, None]
        gross, drawn = active_episodes(times, joints, self.gross, self.seconds, rng)
        # A normal vector over the root of a chi-squared is Student's t, alike in all directions.
        spread = rng.chisquare(GROSS_TAIL, (drawn, 1)) / GROSS_TAIL
        offsets = rng.normal(0, 10 * scale * size, (drawn, 2)) / np.sqrt(spread)
        position = position + np.where(gross[..., None] >= 0, np.append(offsets, [[0, 0]], axis=0)[gross], 0)
        off = np.linalg.norm(position - truth[..., :2], axis=-1) / max(size, 1e-6)
        confidence = np.clip(0.5 ** (off / 0.05) + 0.05 * drift[..., 2], 0.05, 1)
        missed, _ = active_episodes(times, joints, self.missed, self.seconds, rng)
        present = (reported[..., 2] > 0) & (missed < 0)
        noisy = np.concatenate([position, confidence[..., None]], -1) * present[..., None]
        return replace(clip, keypoints2d=noisy.astype(np.float32))


def swap_sides(
    times: Float[np.ndarray, "F"],
    keypoints: Float[np.ndarray, "F 17 3"],
    share: float,
    seconds: float,
    rng: np.random.Generator,
) -> Float[np.ndarray, "F 17 3"]:
    """Keypoints whose arms change sides for a share of the time, and whose legs do: see `active_episodes`."""
    active, _ = active_episodes(times, len(SWAPPED_TOGETHER), share, seconds, rng)
    swapped = keypoints.copy()
    for track, joints in enumerate(SWAPPED_TOGETHER):
        on = active[:, track] >= 0
        swapped[np.ix_(on, joints)] = keypoints[np.ix_(on, np.array(H36M17.mirror)[joints])]
    return swapped


def ornstein_uhlenbeck(
    times: Float[np.ndarray, "F"], shape: tuple[int, ...], correlation: float, rng: np.random.Generator
) -> Float[np.ndarray, "F *shape"]:
    """Independent stationary drifts of variance 1 whose values s seconds apart correlate by exp(-s / correlation).

    The step from one instant to the next is the process's exact one, so any frames may be asked for.

    Source: Gillespie, "Exact numerical simulation of the Ornstein-Uhlenbeck process and its integral", Physical Review
    E 54 (1996).
    """
    drift = rng.normal(size=(len(times), *shape))
    kept = np.exp(-np.diff(times) / correlation)
    for frame, share in enumerate(kept, 1):
        drift[frame] = share * drift[frame - 1] + np.sqrt(1 - share**2) * drift[frame]
    return drift


def person_size(keypoints: np.ndarray) -> float:
    """Median over frames of the larger side of the box around the detected joints, pixels; 0 where none is."""
    seen = keypoints[..., 2:] > 0
    low = np.where(seen, keypoints[..., :2], np.inf).min(1)
    high = np.where(seen, keypoints[..., :2], -np.inf).max(1)
    sides = (high - low).max(-1)
    sides = sides[np.isfinite(sides)]
    return float(np.median(sides)) if len(sides) else 0.0
