"""What a pose says of the body it is of: limbs and height, where the knees point, which side is which."""

import numpy as np
from jaxtyping import Bool, Float

from hummuss.body.skeleton import H36M17
from hummuss.data.motion import MotionClip
from hummuss.data.transforms.noise import person_size

JOINT = {name: index for index, name in enumerate(H36M17.joints)}
TRUNK = [JOINT[name] for name in ("pelvis", "spine", "thorax", "nose", "head")]
LIMBS = {
    "thigh": ("hip", "knee"), "shin": ("knee", "ankle"), "upper arm": ("shoulder", "elbow"),
    "forearm": ("elbow", "wrist"),
}  # fmt: skip
SWAP_SECONDS = 0.15  # frames further apart say nothing of which side is which


def valid_frames(clip: MotionClip) -> Bool[np.ndarray, "F"]:
    """Frames that count: all, where the clip has no ``valid_frame``."""
    return clip.extras["valid_frame"] > 0 if "valid_frame" in clip.extras else np.ones(len(clip), bool)


def limb_lengths(joints: Float[np.ndarray, "F 17 3"]) -> dict[str, Float[np.ndarray, "F"]]:
    """Length of each limb in each frame, by side and name: ``left thigh``."""
    return {
        f"{side} {limb}": _distance(joints, f"{side}_{upper}", f"{side}_{lower}")
        for limb, (upper, lower) in LIMBS.items()
        for side in ("left", "right")
    }


def _distance(joints: Float[np.ndarray, "F 17 3"], one: str, other: str) -> Float[np.ndarray, "F"]:
    return np.linalg.norm(joints[:, JOINT[one]] - joints[:, JOINT[other]], axis=-1)


def height(joints: Float[np.ndarray, "F 17 3"]) -> float:
    """How tall somebody is without feet and scalp: trunk, neck, head and legs one after another, median over frames."""
    lengths = limb_lengths(joints)
    trunk = np.linalg.norm(np.diff(joints[:, TRUNK], axis=1), axis=-1).sum(1)
    legs = sum(lengths[f"{side} {limb}"] for side in ("left", "right") for limb in ("thigh", "shin"))
    return float(np.median(trunk + legs / 2))


def knees_ahead(joints: Float[np.ndarray, "F 17 3"]) -> Float[np.ndarray, "F"]:
    """How far the knees lie ahead of the lines from hips to ankles, mean of both, as a share of the leg.

    Ahead is where somebody faces whose left and right are as the joints say: left x up. NaN where a frame has no
    sideways or upward direction.
    """
    left = joints[:, JOINT["left_hip"]] - joints[:, JOINT["right_hip"]]
    left = left + joints[:, JOINT["left_shoulder"]] - joints[:, JOINT["right_shoulder"]]
    ahead = np.cross(left, joints[:, JOINT["thorax"]] - joints[:, 0])
    total = np.zeros(len(joints))
    with np.errstate(invalid="ignore", divide="ignore"):
        ahead = ahead / np.linalg.norm(ahead, axis=-1, keepdims=True)
        for side in ("left", "right"):
            hip, knee, ankle = (joints[:, JOINT[f"{side}_{name}"]] for name in ("hip", "knee", "ankle"))
            leg = ankle - hip
            along = ((knee - hip) * leg).sum(-1) / (leg * leg).sum(-1)
            offset = knee - hip - along[:, None] * leg
            length = np.linalg.norm(knee - hip, axis=-1) + np.linalg.norm(ankle - knee, axis=-1)
            total += (offset * ahead).sum(-1) / length / 2
    return total


def side_changes(clip: MotionClip, points: Float[np.ndarray, "F 17 3"], image: bool) -> Bool[np.ndarray, "F-1"]:
    """Whether both arms or both legs stand, a frame later, where the other side's stood.

    Args:
        clip: for its times.
        points: 3D joints, or pixels and confidence if ``image``.
        image: which of them.
    """
    places, seen = (points[..., :2], points[..., 2] > 0) if image else (points, np.ones(points.shape[:2], bool))
    size = person_size(points) if image else height(points)
    swapped = np.zeros(len(points) - 1, bool)
    for names in (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist")):
        left, right = ([JOINT[f"{side}_{name}"] for name in names] for side in ("left", "right"))
        now, before = places[1:], places[:-1]

        def moved(to: list[int], origin: list[int], now: np.ndarray = now, before: np.ndarray = before) -> np.ndarray:
            return np.linalg.norm(now[:, to] - before[:, origin], axis=-1).sum(1)

        stay = moved(left, left) + moved(right, right)
        cross = moved(left, right) + moved(right, left)
        apart = np.linalg.norm(before[:, left] - before[:, right], axis=-1).min(1)
        both = seen[1:][:, left + right].all(1) & seen[:-1][:, left + right].all(1)
        swapped |= both & (cross < 0.25 * stay) & (apart > 0.03 * size)
    return swapped & (np.diff(clip.times) <= SWAP_SECONDS)
