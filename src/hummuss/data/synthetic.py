"""Synthetic motion: procedural performances on the free body, exact at any instants. Needs no file."""

from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float64
from scipy.spatial.transform import Rotation

from hummuss.body.smpl import BodyModel
from hummuss.data.motion import SPLITS, MotionClip
from hummuss.data.procedural.actions import ACTIONS as SCRIPTS
from hummuss.data.procedural.performance import Performance
from hummuss.data.procedural.rig import Rig
from hummuss.errors import InputError

ACTIONS: tuple[str, ...] = tuple(SCRIPTS)
NOMINAL_FPS = 50.0
NO_VERTICES = torch.zeros(0, dtype=torch.long)


@lru_cache
def _free_body() -> BodyModel:
    return BodyModel()


def action_of(seed: int) -> str:
    """The action of a performance that is given none: all take turns, so that all are equally frequent."""
    return ACTIONS[seed % len(ACTIONS)]


class SyntheticMotion:
    """One performance of one action by one random person.

    Every choice is drawn here; from then on it is a function of continuous time: the values at an instant do
    not depend on which others are asked for.

    Args:
        seed: number of the performance within its split.
        split: ``train``, ``val`` or ``test``; no two share a performance.
        action: one of `ACTIONS`; by default the seed's turn, so that all are equally frequent.
        body: the body that performs, the free one by default.
        duration: seconds.

    Raises:
        InputError: no such split or action.
    """

    def __init__(
        self,
        seed: int,
        split: str,
        action: str | None = None,
        body: BodyModel | None = None,
        duration: float = 6.0,
    ) -> None:
        if split not in SPLITS:
            raise InputError(f"synthetic motion {seed}: split {split!r} is none of {', '.join(SPLITS)}")
        label = action_of(seed) if action is None else action
        if label not in ACTIONS:
            raise InputError(f"synthetic motion {seed}: action {label!r} is none of {', '.join(ACTIONS)}")
        self.split, self.label, self.duration, self.fps = split, label, duration, NOMINAL_FPS
        self.name = f"{split}/{seed:06d}/{label}"
        self.body = _free_body() if body is None else body
        rng = np.random.default_rng([SPLITS.index(split), seed, ACTIONS.index(label)])
        self.betas = rng.standard_normal(10).clip(-2.5, 2.5).astype(np.float32)
        self.performance = Performance(rng, label, _rig(self.body, self.betas), duration)

    @property
    def times(self) -> Float64[np.ndarray, "F"]:
        """Seconds of the frames at the nominal rate; `at` takes any others as well."""
        return np.arange(round(self.duration * self.fps)) / self.fps

    def at(self, times: Float64[np.ndarray, "F"]) -> MotionClip:
        """The performance at the given instants (seconds), in the world frame: y up, floor at y = 0."""
        pose, transl = self.performance.at(times)
        matrices = Rotation.from_rotvec(pose.reshape(-1, 3)).as_matrix().reshape(-1, 24, 3, 3)
        with torch.no_grad():
            posed = self.body(
                torch.from_numpy(matrices).float(),
                torch.from_numpy(self.betas)[None],
                torch.from_numpy(transl).float(),
                vertex_ids=NO_VERTICES,
            )
        return MotionClip(
            name=self.name,
            sequence=self.name,
            subject="synthetic",
            split=self.split,
            label=self.label,
            timestamps=np.asarray(times, np.float64),
            joints3d=posed.joints17.numpy(),
            smpl_pose=pose.astype(np.float32),
            betas=self.betas,
            transl=transl.astype(np.float32),
            body=self.body.name,
        )


def _rig(body: BodyModel, betas: np.ndarray) -> Rig:
    """The skeleton of a body of that shape; its soles are where its lowest vertex is in the T-pose."""
    shape = torch.from_numpy(betas)
    with torch.no_grad():
        rest = body.rest_joints(shape).double().numpy()
        lowest = int(body.template[:, 1].argmin())
        sole = float(body.template[lowest, 1] + body.shapedirs[lowest, 1] @ shape)
    return Rig(rest, sole)
