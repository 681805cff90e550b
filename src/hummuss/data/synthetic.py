"""Synthetic motion: procedural performances on the free body, exact at any instants. Needs no file."""

import numpy as np
import roma
import torch
from jaxtyping import Float64

from hummuss.body.skeleton import SMPL24
from hummuss.body.smpl import BodyModel
from hummuss.data import performances
from hummuss.data.motion import SPLITS, MotionClip
from hummuss.data.performances import COORDINATES, LIMITS, NEUTRAL

ACTIONS = tuple(performances.ACTIONS)
NOMINAL_FPS = 50.0
FEET = [SMPL24.joints.index(f"{side}_{name}") for name in ("ankle", "foot") for side in ("left", "right")]
# The lowest foot point is a soft minimum over the feet: where the weight shifts, the pelvis must not jerk.
FLOOR_SOFTNESS = 0.01


class SyntheticMotion:
    """One performance of one action by one random person.

    Every choice is drawn when it is made; from then on it is a function of continuous time, so that values at an
    instant do not depend on which others are asked for.

    Args:
        seed: number of the performance within its split.
        split: ``train``, ``val`` or ``test``; no two share a performance.
        action: one of ``ACTIONS``; by default the seed's turn, so that all are equally frequent.
        body: the free body, where one is at hand.
        duration: seconds.
    """

    def __init__(
        self,
        seed: int,
        split: str,
        action: str | None = None,
        body: BodyModel | None = None,
        duration: float = 6.0,
    ) -> None:
        self.split, self.duration = split, duration
        self.label = action or ACTIONS[seed % len(ACTIONS)]
        self.name = f"{split}/{seed:06d}/{self.label}"
        self.body = body or BodyModel()
        random = np.random.default_rng([SPLITS.index(split), seed, ACTIONS.index(self.label)])
        self.perform = performances.ACTIONS[self.label](random)
        self.betas = random.normal(size=10).clip(-2.5, 2.5).astype(np.float32)
        self.heading, self.origin = random.uniform(0, 2 * np.pi), random.uniform(-1, 1, 2)
        self.start = random.uniform(0, 60)
        # Posture and restlessness: an offset and two slow waves for every coordinate, some people more than others.
        spread = random.uniform(0.02, 0.1)
        self.offset = random.normal(0, spread, len(COORDINATES))
        self.waves = random.normal(0, random.uniform(0.01, 0.06), (2, len(COORDINATES)))
        self.rates = random.uniform(0.1, 0.8, (2, len(COORDINATES)))
        self.phases = random.uniform(0, 2 * np.pi, (2, len(COORDINATES)))

    @property
    def times(self) -> Float64[np.ndarray, "F"]:
        """Seconds of the frames at the nominal 50 fps; `at` takes any others as well."""
        return np.arange(round(self.duration * NOMINAL_FPS)) / NOMINAL_FPS

    def at(self, times: Float64[np.ndarray, "F"]) -> MotionClip:
        """The performance at the given instants (seconds), in the world frame with the floor at y = 0."""
        pose, travel = self.perform(times + self.start)
        rotations = performances.local_rotations(self._complete(pose, times), times)
        # The path: along the heading, bent by its curvature; the body faces along it.
        began = self.perform(np.array([self.start]))[1]
        distance = travel.forward - began.forward
        bearing = self.heading + travel.curvature * distance
        rotations[:, 0] = roma.rotvec_to_rotmat(torch.from_numpy(np.outer(bearing + travel.turn, [0.0, 1.0, 0.0])))
        # A chord of the circle points half-way between the headings at its ends.
        chord = distance * np.sinc(travel.curvature * distance / (2 * np.pi))
        middle = self.heading + travel.curvature * distance / 2
        place = np.stack([np.sin(middle) * chord + self.origin[0], travel.lift, np.cos(middle) * chord + self.origin[1]], 1)

        betas = torch.from_numpy(self.betas)
        local = rotations.float()
        posed = self.body(local, betas[None], torch.zeros(len(times), 3), torch.zeros(0, dtype=torch.long))
        place[:, 1] -= self._lowest(posed.joints24.double(), betas)
        transl = torch.from_numpy(place).float()
        return MotionClip(
            name=self.name,
            sequence=f"synthetic/{self.label}",
            subject="synthetic",
            split=self.split,
            label=self.label,
            timestamps=np.asarray(times, np.float64),
            joints3d=(posed.joints17 + transl[:, None]).numpy(),
            smpl_pose=roma.rotmat_to_rotvec(local).numpy(),
            betas=self.betas,
            transl=transl.numpy(),
            body=self.body.name,
        )

    def _complete(self, pose: performances.Pose, times: Float64[np.ndarray, "F"]) -> performances.Pose:
        """Every coordinate: the action's own or neutral, with posture and restlessness, within its limits."""
        angle = 2 * np.pi * self.rates[..., None] * (times + self.start) + self.phases[..., None]
        added = self.offset[:, None] + (self.waves[..., None] * np.sin(angle)).sum(0)
        complete = {}
        for name, extra in zip(COORDINATES, added, strict=True):
            plain = name.removeprefix("left_").removeprefix("right_") if name not in NEUTRAL else name
            complete[name] = np.clip(pose.get(name, NEUTRAL[plain]) + extra, *LIMITS[plain])
        return complete

    def _lowest(self, joints24: torch.Tensor, betas: torch.Tensor) -> np.ndarray:
        """Height of the lowest foot point of each frame, soles included: where the floor must be, (F,) metres."""
        rest = self.body.rest_joints(betas)[FEET, 1].double()
        sole = (self.body.template[:, 1].min() + self.body.shapedirs[self.body.template[:, 1].argmin(), 1] @ betas).double()
        heights = joints24[:, FEET, 1] - (rest - sole)
        return -FLOOR_SOFTNESS * torch.logsumexp(-heights / FLOOR_SOFTNESS, -1).numpy()
