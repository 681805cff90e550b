"""Body labels for captured motion: pose, shape and place of a body whose joints follow the captured ones.

Captured segments give the guess, rotation by rotation, so that twists which no joint position shows (forearm,
foot, head) are the performer's own. Levenberg-Marquardt then turns the body's joints until its 17 Human3.6M
joints meet the captured ones, held near the guess by a prior. The optimum is a smooth function of the frame,
hence smooth in time.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.spatial.transform import Rotation

from hummuss.body.skeleton import H36M17, SMPL24
from hummuss.data.body_segments import BodySegments, global_rotations, subtree

# Standard deviations of the least squares: radians a body joint may turn from the guess, shape coefficients
# (unit variance over people), metres a joint may miss. Skeletons differ in where they put the trunk's joints;
# asked to meet them exactly, the spine would fold up to bridge the difference, one way in one frame and
# another in the next.
TURN_SIGMA, BETA_SIGMA = 0.25, 1.25
TRUNK_SIGMA, LIMB_SIGMA = 0.04, 0.01
JOINT_SIGMA = np.array(
    [[TRUNK_SIGMA if joint in ("pelvis", "spine", "thorax") else LIMB_SIGMA] for joint in H36M17.joints]
)
POSE_STEPS, SHAPE_ROUNDS, FIRST_DAMPING = 5, 30, 3.0
# Frames solved together: bounds memory at about 100 MB.
CHUNK = 256
# Joints beyond which no Human3.6M joint lies keep the guess.
SOLVED = [i for i, joint in enumerate(SMPL24.joints) if not joint.endswith(("ankle", "foot", "wrist", "hand"))]
UNKNOWNS = 3 * len(SOLVED)


@dataclass
class BodyFit:
    """Body parameters of the frames of a clip.

    Attributes:
        rotations: (F, 24, 3, 3) parent-relative, the root's in the world.
        betas: (10,) shape coefficients.
        transl: (F, 3) metres.
    """

    rotations: Float64[np.ndarray, "F 24 3 3"]
    betas: Float64[np.ndarray, "10"]
    transl: Float64[np.ndarray, "F 3"]


def minimal_rotation(start: Float64[np.ndarray, "3"], end: Float64[np.ndarray, "3"]) -> Float64[np.ndarray, "3 3"]:
    """The smallest rotation that takes the direction ``start`` to the direction ``end``.

    >>> minimal_rotation(np.array([1.0, 0.0, 0.0]), np.array([0.0, 2.0, 0.0])) @ np.array([1.0, 0.0, 0.0])
    array([0., 1., 0.])
    """
    axis = np.cross(start, end)
    sine, cosine = np.linalg.norm(axis), start @ end
    # Opposite directions leave the axis open; no rest pose has them.
    return Rotation.from_rotvec(axis / max(sine, 1e-12) * np.arctan2(sine, cosine)).as_matrix().round(15)


def fit_pose(
    segments: BodySegments,
    guess: Float64[np.ndarray, "F 24 3 3"],
    joints: Float64[np.ndarray, "F 17 3"],
    betas: Float64[np.ndarray, "10"],
) -> BodyFit:
    """Turn a body of known shape until its joints meet the captured ones.

    Args:
        segments: the body.
        guess: parent-relative rotations to start from and to stay near.
        joints: the captured 17 Human3.6M joints, metres.
        betas: shape coefficients.
    """
    fit = BodyFit(guess.copy(), betas, np.zeros((len(guess), 3)))
    for start in range(0, len(guess), CHUNK):
        chunk = slice(start, start + CHUNK)
        problem = _PoseProblem(segments, guess[chunk], joints[chunk])
        rotations, transl = problem.start(betas)
        fit.rotations[chunk], fit.transl[chunk] = problem.solve(rotations, transl, betas, POSE_STEPS)
    return fit


def fit_shape(
    segments: BodySegments, guess: Float64[np.ndarray, "F 24 3 3"], joints: Float64[np.ndarray, "F 17 3"]
) -> Float64[np.ndarray, "10"]:
    """Shape coefficients with which a body meets captured joints best, over a few frames of one performer.

    Pose and shape are solved in turn; the joints are linear in the shape.
    """
    problem, betas = _PoseProblem(segments, guess, joints), np.zeros(10)
    rotations, transl = problem.start(betas)
    for _ in range(SHAPE_ROUNDS):
        rotations, transl = problem.solve(rotations, transl, betas, steps=1)
        turned = global_rotations(rotations)
        slopes = np.einsum("fkab,ijkb->ifja", turned, segments.vectors[1:])
        # The body's place is free: only the shape of the constellation counts.
        slopes -= slopes.mean(2, keepdims=True)
        rows = (slopes / JOINT_SIGMA).reshape(10, -1)
        miss = ((joints - problem.pose(rotations, transl, betas)[1]) / JOINT_SIGMA).reshape(-1)
        step = np.linalg.solve(rows @ rows.T + np.eye(10) / BETA_SIGMA**2, rows @ miss - betas / BETA_SIGMA**2)
        betas = betas + step
    return betas


@dataclass(frozen=True)
class _PoseProblem:
    """Rotations and translations of independent frames by Levenberg-Marquardt."""

    segments: BodySegments
    guess: np.ndarray
    joints: np.ndarray

    def start(self, betas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The guess, moved to where the captured joints are on average."""
        nowhere = np.zeros((len(self.guess), 3))
        return self.guess.copy(), (self.joints - self.pose(self.guess, nowhere, betas)[1]).mean(1)

    def pose(self, rotations: np.ndarray, transl: np.ndarray, betas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Global rotations (F, 24, 3, 3) and joints (F, 17, 3)."""
        turned = global_rotations(rotations)
        arms = np.einsum("fkab,jkb->fja", turned, self.segments.shaped_vectors(betas), optimize=True)
        return turned, arms + (self.segments.rest_joints(betas)[0] + transl)[:, None]

    def solve(
        self, rotations: np.ndarray, transl: np.ndarray, betas: np.ndarray, steps: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Improve rotations and translations, each frame for itself."""
        frames = len(rotations)
        damping = np.full(frames, FIRST_DAMPING)
        cost = self._cost(rotations, transl, betas)
        for _ in range(steps):
            normal, gradient = self._linearise(rotations, transl, betas)
            diagonal = np.arange(UNKNOWNS)
            normal[:, diagonal, diagonal] += damping[:, None] / TURN_SIGMA**2
            step = np.linalg.solve(normal, gradient[..., None])[..., 0]
            turns = Rotation.from_rotvec(step[:, :UNKNOWNS].reshape(-1, 3)).as_matrix()
            candidate = rotations.copy()
            candidate[:, SOLVED] = rotations[:, SOLVED] @ turns.reshape(frames, -1, 3, 3)
            moved = transl + step[:, UNKNOWNS:]
            reached = self._cost(candidate, moved, betas)
            better = reached < cost
            rotations = np.where(better[:, None, None, None], candidate, rotations)
            transl = np.where(better[:, None], moved, transl)
            cost = np.where(better, reached, cost)
            damping = np.where(better, damping * 0.2, damping * 10)
        return rotations, transl

    def _cost(self, rotations: np.ndarray, transl: np.ndarray, betas: np.ndarray) -> np.ndarray:
        miss = self.joints - self.pose(rotations, transl, betas)[1]
        strayed = self._strayed(rotations)
        return ((miss / JOINT_SIGMA) ** 2).sum((1, 2)) + (strayed**2).sum(1) / TURN_SIGMA**2

    def _strayed(self, rotations: np.ndarray) -> np.ndarray:
        """(F, UNKNOWNS) rotation vectors from the guess."""
        turn = self.guess[:, SOLVED].swapaxes(-1, -2) @ rotations[:, SOLVED]
        return Rotation.from_matrix(turn.reshape(-1, 3, 3)).as_rotvec().reshape(len(rotations), UNKNOWNS)

    def _linearise(self, rotations: np.ndarray, transl: np.ndarray, betas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Normal matrices and right-hand sides of a Gauss-Newton step; translation comes last."""
        turned, frames = global_rotations(rotations), len(rotations)
        arms = np.einsum("fkab,jkb->fjak", turned, self.segments.shaped_vectors(betas), optimize=True)
        posed = arms.sum(-1) + (self.segments.rest_joints(betas)[0] + transl)[:, None]
        # A joint turning by w about its own axes moves what hangs on it by (G w) x (arm from that joint).
        levers = (arms @ subtree()[:, SOLVED]).swapaxes(-1, -2)
        moved = -_skew(levers) @ turned[:, None, SOLVED]
        slopes = np.empty((frames, 17, 3, UNKNOWNS + 3))
        slopes[..., :UNKNOWNS] = moved.transpose(0, 1, 3, 2, 4).reshape(frames, 17, 3, UNKNOWNS)
        slopes[..., UNKNOWNS:] = np.eye(3)
        rows = (slopes / JOINT_SIGMA[..., None]).reshape(frames, 51, UNKNOWNS + 3)
        miss = ((self.joints - posed) / JOINT_SIGMA).reshape(frames, 51, 1)
        transposed = rows.swapaxes(-1, -2)
        gradient = (transposed @ miss)[..., 0]
        gradient[:, :UNKNOWNS] -= self._strayed(rotations) / TURN_SIGMA**2
        normal = transposed @ rows
        diagonal = np.arange(UNKNOWNS)
        normal[:, diagonal, diagonal] += 1 / TURN_SIGMA**2
        return normal, gradient


def _skew(vectors: np.ndarray) -> np.ndarray:
    """(..., 3, 3) matrices with _skew(v) @ w = v x w."""
    x, y, z = np.moveaxis(vectors, -1, 0)
    zero = np.zeros_like(x)
    return np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*x.shape, 3, 3)
