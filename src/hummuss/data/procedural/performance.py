"""One performance by one random person, as a function of continuous time."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float64

from hummuss.data.procedural.actions import ACTIONS
from hummuss.data.procedural.controls import INDEX, POSTURE, SIDES, SWAY, limited, mirrored
from hummuss.data.procedural.curves import Sway
from hummuss.data.procedural.gait import standing
from hummuss.data.procedural.rig import Ground, Rig, along

Times = Float64[np.ndarray, "F"]
# Instants at once. Each part has shares of the movements and leaps of its own time alone: for all instants of a long
# script at once, memory would grow with the square of its length.
AT_ONCE = 2048


class Performance:
    """Poses of an action; every choice is drawn here, none later.

    Args:
        rng: source of all choices.
        action: a key of `ACTIONS`.
        rig: the performer's skeleton.
        duration: seconds that the script covers.
    """

    def __init__(self, rng: np.random.Generator, action: str, rig: Rig, duration: float) -> None:
        self.rig = rig
        plan = ACTIONS[action](rng, duration)
        self.gait, self.leaps = plan.gait, plan.leaps
        track = plan.script.track()
        if rng.uniform() < 0.5:
            track = replace(track, base=mirrored(track.base), changes=mirrored(track.changes))
        # A habit is carried through everything; asymmetry comes with it, each side drawing its own.
        self.track = replace(
            track, base=track.base + rng.uniform(0.4, 1.4) * POSTURE * rng.standard_normal(len(POSTURE))
        )
        self.sway = Sway.draw(rng, rng.uniform(0.4, 1.6) * SWAY, 0.08, 0.9)
        self.heading, self.origin = rng.uniform(-np.pi, np.pi), rng.uniform(-1.0, 1.0, 2)

    def at(self, times: Times) -> tuple[Float64[np.ndarray, "F 24 3"], Float64[np.ndarray, "F 3"]]:
        """Axis-angle rotations (radians) and SMPL translation (metres) in the world, at times in seconds."""
        parts = [times[first : first + AT_ONCE] for first in range(0, len(times), AT_ONCE)]
        poses, translations = zip(*(self._at(part) for part in parts), strict=True)
        return np.concatenate(poses), np.concatenate(translations)

    def _at(self, times: Times) -> tuple[Float64[np.ndarray, "F 24 3"], Float64[np.ndarray, "F 3"]]:
        controls = self.track.at(times) + self.sway.at(times)
        if self.gait is None:
            ground = standing(times)
        else:
            ground, steps = self.gait.at(times)
            controls = controls + steps
        if self.leaps is not None:
            rise, lift = self.leaps.at(times, self.rig.scale)
            controls[:, INDEX["rise"]] += rise
            for side in SIDES:
                controls[:, INDEX[f"{side}_foot_lift"]] += lift / self.rig.scale
        return self.rig.pose(limited(controls), self._placed(ground))

    def _placed(self, ground: Ground) -> Ground:
        """Turned to the performance's heading, moved to its place, and scaled: long legs take long steps."""

        def move(points: Float64[np.ndarray, "... 2"]) -> Float64[np.ndarray, "... 2"]:
            points = self.rig.scale * points
            return self.origin + along(np.array(self.heading), points[..., 1], points[..., 0])

        return Ground(
            move(ground.root),
            ground.heading + self.heading,
            move(ground.prints),
            ground.print_heading + self.heading,
        )
