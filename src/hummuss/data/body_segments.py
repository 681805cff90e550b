"""A body's joints as vectors fixed to its segments: cheap to pose and to differentiate by hand."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float64
from scipy.spatial.transform import Rotation

from hummuss.body.skeleton import SMPL24
from hummuss.body.smpl import BodyModel

# Enough random poses to tell 24 unknown vectors per joint apart, with a margin that makes the fit a check.
PROBES = 48
TOLERANCE = 1e-4


@dataclass(frozen=True)
class BodySegments:
    """Every joint is p_j = rest_0 + transl + sum_k G_k (v_jk + sum_i beta_i d_ijk), G_k the global rotations.

    That is linear blend skinning without pose-dependent shape, gathered by segment.

    Attributes:
        name: the body's name.
        rest: (11, 24, 3) rest joints of the mean body, then their slopes by the shape coefficients, metres.
        vectors: (11, 17, 24, 3) the vectors v, then d, metres.
    """

    name: str
    rest: Float64[np.ndarray, "11 24 3"]
    vectors: Float64[np.ndarray, "11 17 24 3"]

    @staticmethod
    def of(body: BodyModel) -> "BodySegments":
        """The segments of a body, found by posing it at random.

        Raises:
            ValueError: the body's joints are not of this form (it has pose-dependent shape).
        """
        shapes = torch.cat([torch.zeros(1, 10), torch.eye(10)])
        with torch.no_grad():
            rest = body.rest_joints(shapes).double().numpy()
            rotations = Rotation.random(PROBES * 24, random_state=0).as_matrix().reshape(PROBES, 24, 3, 3)
            posed = [_posed_joints(body, rotations, betas) for betas in shapes]
        columns = global_rotations(rotations).transpose(0, 2, 1, 3).reshape(PROBES * 3, 72)
        vectors = []
        for origin, joints in zip(rest[:, 0], posed, strict=True):
            offsets = (joints - origin).transpose(0, 2, 1).reshape(PROBES * 3, 17)
            solution = np.linalg.lstsq(columns, offsets, rcond=None)[0]
            miss = np.abs(columns @ solution - offsets).max()
            if miss > TOLERANCE:
                raise ValueError(f"body {body.name}: joints miss linear blend skinning by {miss * 1e3:.1f} mm")
            vectors.append(solution.T.reshape(17, 24, 3))
        by_shape = np.stack(vectors)
        by_shape[1:] -= by_shape[0]
        rest[1:] -= rest[0]
        return BodySegments(body.name, rest, by_shape)

    def rest_joints(self, betas: Float64[np.ndarray, "10"]) -> Float64[np.ndarray, "24 3"]:
        """Rest joints of a shape, metres."""
        return _shaped(self.rest, betas)

    def shaped_vectors(self, betas: Float64[np.ndarray, "10"]) -> Float64[np.ndarray, "17 24 3"]:
        """The vectors of a shape, metres."""
        return _shaped(self.vectors, betas)


def _shaped(values: np.ndarray, betas: np.ndarray) -> np.ndarray:
    return values[0] + np.tensordot(betas, values[1:], 1)


def _posed_joints(body: BodyModel, rotations: np.ndarray, betas: torch.Tensor) -> np.ndarray:
    """(F, 17, 3) joints of the posed body at the origin."""
    turned = torch.from_numpy(rotations).to(betas)
    nowhere = torch.zeros(len(turned), 3).to(betas)
    nothing = torch.zeros(0, dtype=torch.long)
    return body(turned, betas.expand(len(turned), 10), nowhere, nothing).joints17.double().numpy()


@lru_cache
def subtree() -> Float64[np.ndarray, "24 24"]:
    """1 where the row's segment moves when the column's joint turns, else 0."""
    moved = np.eye(24)
    for joint, parent in reversed(list(enumerate(SMPL24.parents))):
        if parent >= 0:
            moved[:, parent] += moved[:, joint]
    return moved


def global_rotations(rotations: Float64[np.ndarray, "F 24 3 3"]) -> Float64[np.ndarray, "F 24 3 3"]:
    """Parent-relative rotations of the 24-joint body as global ones."""
    turned = rotations.copy()
    for joint, parent in enumerate(SMPL24.parents):
        if parent >= 0:
            turned[:, joint] = turned[:, parent] @ rotations[:, joint]
    return turned


def parent_relative(rotations: Float64[np.ndarray, "F 24 3 3"]) -> Float64[np.ndarray, "F 24 3 3"]:
    """Global rotations of the body's segments as rotations relative to the parent."""
    local = rotations.copy()
    local[:, 1:] = rotations[:, list(SMPL24.parents[1:])].swapaxes(-1, -2) @ rotations[:, 1:]
    return local
