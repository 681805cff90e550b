"""Joints of a body posed by a clip's labels, however long the clip."""

import numpy as np
import torch
from jaxtyping import Float32
from scipy.spatial.transform import Rotation

from hummuss.body.smpl import BodyModel

CHUNK = 1024


def posed_joints(
    body: BodyModel,
    smpl_pose: Float32[np.ndarray, "F 24 3"],
    betas: Float32[np.ndarray, "10"],
    transl: Float32[np.ndarray, "F 3"],
) -> Float32[np.ndarray, "F 17 3"]:
    """The 17 Human3.6M joints of the posed body, metres; `CHUNK` frames at a time, so that memory stays flat.

    Args:
        body: the body the labels are made for.
        smpl_pose: axis-angle rotations, parent-relative.
        betas: shape.
        transl: metres.
    """
    shape, no_vertices = torch.tensor(betas), torch.zeros(0, dtype=torch.long)
    joints = np.empty((len(smpl_pose), 17, 3), np.float32)
    for start in range(0, len(smpl_pose), CHUNK):
        part = slice(start, start + CHUNK)
        matrices = Rotation.from_rotvec(smpl_pose[part].reshape(-1, 3)).as_matrix().reshape(-1, 24, 3, 3)
        with torch.no_grad():
            rotations = torch.from_numpy(matrices.astype(np.float32))
            joints[part] = body(rotations, shape, torch.tensor(transl[part]), no_vertices).joints17.numpy()
    return joints
