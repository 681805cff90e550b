"""The controls of the rig: what a performer does, in a director's terms, in degrees and metres.

Lengths are those of a person with legs of ``REFERENCE_LEG`` metres; the rig scales them to the performer.
"""

import numpy as np
from jaxtyping import Float64

from hummuss.data.procedural.curves import smooth_max, smooth_min

REFERENCE_LEG = 0.84

# channel -> (rest, lowest, highest, posture, sway): value at ease, limits of joint or good taste, and the
# standard deviations of a person's posture and of their constant small movement.
TRUNK: dict[str, tuple[float, float, float, float, float]] = {
    "ahead": (0, -9, 9, 0, 0.006),  # pelvis relative to the root of the figure, metres
    "aside": (0, -9, 9, 0, 0.008),  # to the left
    "drop": (0, -0.2, 0.62, 0.01, 0.004),  # pelvis below standing height
    "rise": (0, -9, 9, 0, 0),  # the same upwards, never scaled: free fall knows no leg length
    "yaw": (0, -400, 400, 0, 2.0),  # pelvis, to the left
    "pitch": (2, -35, 95, 3, 1.0),  # pelvis, forward
    "roll": (0, -30, 30, 1.5, 1.0),
    "bend": (4, -35, 85, 6, 1.5),  # spine, forward
    "lean": (0, -40, 40, 2.5, 1.5),
    "twist": (0, -55, 55, 2, 2.0),  # to the left
    "nod": (4, -45, 50, 6, 3.0),
    "tilt": (0, -30, 30, 3, 2.0),
    "look": (0, -65, 65, 5, 5.0),
}
# The same for both sides: out, forward and up are positive on either.
LIMB: dict[str, tuple[float, float, float, float, float]] = {
    "arm_forward": (2, -50, 165, 6, 2.5),
    "arm_out": (10, -12, 150, 4, 2.0),
    "arm_twist": (-12, -70, 85, 8, 3.0),  # outward
    "elbow": (20, 3, 145, 9, 3.5),
    "forearm": (10, -70, 70, 10, 4.0),  # hand about the forearm, palm turning back
    "wrist": (6, -55, 60, 7, 4.0),
    "foot_ahead": (0, -9, 9, 0.015, 0),
    "foot_out": (0, -0.2, 9, 0.02, 0),
    "foot_lift": (0, 0, 1.4, 0, 0),
    "heel_rise": (0, 0, 75, 0, 0),
    "toe_rise": (0, 0, 30, 0, 0),
    "toe_out": (8, -25, 60, 5, 0),
}
SIDES = ("left", "right")
CHANNELS = (*TRUNK, *(f"{side}_{channel}" for side in SIDES for channel in LIMB))
INDEX = {channel: position for position, channel in enumerate(CHANNELS)}
_TABLE = np.array([*TRUNK.values(), *LIMB.values(), *LIMB.values()], float)
REST, LOWEST, HIGHEST, POSTURE, SWAY = _TABLE.T

_PARTNER = np.array([
    INDEX[f"{'right' if name.startswith('left') else 'left'}_{name.split('_', 1)[1]}"]
    if name.split("_")[0] in SIDES else position
    for name, position in INDEX.items()
])  # fmt: skip
_SIGN = np.array(
    [-1.0 if name in ("aside", "yaw", "roll", "lean", "twist", "tilt", "look") else 1.0 for name in CHANNELS]
)

Controls = Float64[np.ndarray, "*F C"]


def mirrored(controls: Controls) -> Controls:
    """The same performance with left and right exchanged."""
    return controls[..., _PARTNER] * _SIGN


# Feet are placed by scripts and gaits, which know their limits; flat feet, at a limit, must stay flat.
_JOINTS = SWAY >= 1.0
_EASE = (HIGHEST - LOWEST)[_JOINTS] / 12.0


def limited(controls: Controls) -> Controls:
    """Keep the joints of trunk and arms within their limits, easing into them over a twelfth of the range."""
    result = controls.copy()
    inside = smooth_max(controls[..., _JOINTS], LOWEST[_JOINTS], _EASE)
    result[..., _JOINTS] = smooth_min(inside, HIGHEST[_JOINTS], _EASE)
    return result
