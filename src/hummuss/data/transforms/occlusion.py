"""Occlusion masks: which joints a model does not get to see, for how long."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from hummuss.body.skeleton import H36M17
from hummuss.data.transforms.episodes import active_episodes, check_episodes
from hummuss.errors import InputError

LIMBS = tuple(
    np.array([H36M17.joints.index(f"{side}_{joint}") for joint in joints])
    for side in ("left", "right")
    for joints in (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist"))
)
SIDES = tuple(
    np.array([index for index, joint in enumerate(H36M17.joints) if joint.startswith(side)])
    for side in ("left_", "right_")
)
BODY = np.arange(len(H36M17))


@dataclass(frozen=True)
class Occlusion:
    """Hides joints, limbs, a side of the body or everything, each now and then for a while.

    The shares are of time, the duration is in seconds: what is hidden of a second does not depend on the frame rate.
    The ranges are ours.

    Attributes:
        windows: share of the training windows in which anything is hidden at all.
        joints: share of the time that each joint is hidden, by itself.
        limbs: the same for each of the four limbs.
        sides: the same for the left and the right half of the body, as behind a door frame.
        frames: the same for all joints together.
        seconds: mean duration.

    Raises:
        InputError: a share outside [0, 1), or a duration that is not positive.
    """

    windows: float = 0.5
    joints: float = 0.05
    limbs: float = 0.05
    sides: float = 0.02
    frames: float = 0.02
    seconds: float = 0.4

    def __post_init__(self) -> None:
        shares = {name: getattr(self, name) for name in ("joints", "limbs", "sides", "frames")}
        check_episodes("occlusion", shares, {"seconds": self.seconds})
        if not 0 <= self.windows <= 1:
            raise InputError(f"occlusion: windows is {self.windows}, expected a share from 0 to 1")

    def hidden(self, times: Float[np.ndarray, "F"], rng: np.random.Generator) -> Bool[np.ndarray, "F 17"]:
        """Draw which joints are hidden at the instants ``times`` (seconds)."""
        hidden = np.zeros((len(times), len(H36M17)), bool)
        if rng.random() >= self.windows:
            return hidden
        groups = ((self.joints, BODY[:, None]), (self.limbs, LIMBS), (self.sides, SIDES), (self.frames, (BODY,)))
        for share, members in groups:
            active, _ = active_episodes(times, len(members), share, self.seconds, rng)
            for track, joints in enumerate(members):
                hidden[np.ix_(active[:, track] >= 0, joints)] = True
        return hidden
