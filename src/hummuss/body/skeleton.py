"""Conversions between joint layouts, and reflections; the layouts themselves stand in `hummuss.body.layouts`."""

from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float

from hummuss.body.layouts import (
    BLAZEPOSE33,
    BODY25,
    COCO17,
    H36M17,
    H36M32,
    HALPE26,
    LAYOUTS,
    MPI_INF_3DHP17,
    MPI_INF_3DHP28,
    NTU25,
    OPENPOSE18,
    POSETRACK15,
    POSETRACK17,
    SMPL24,
    Layout,
    get_layout,
)
from hummuss.errors import InputError

__all__ = [
    "BLAZEPOSE33", "BODY25", "COCO17", "H36M17", "H36M32", "HALPE26", "LAYOUTS", "MPI_INF_3DHP17", "MPI_INF_3DHP28",
    "NTU25", "OPENPOSE18", "POSETRACK15", "POSETRACK17", "SMPL24", "Layout", "convert_joints", "convert_keypoints",
    "flip_pose", "get_layout",
]  # fmt: skip


@lru_cache
def _conversion_weights(source: str, target: str) -> np.ndarray:
    """(J_target, J_source) weights, each row the mean over a joint's sources or all zeros."""
    from_layout, to_layout = get_layout(source), get_layout(target)
    if source == target:
        return np.eye(len(to_layout), dtype=np.float32)
    weights = np.zeros((len(to_layout), len(from_layout)), np.float32)
    for row, joint in enumerate(to_layout.joints):
        meaning = to_layout.meaning(joint)
        origins = [] if meaning is None else list(from_layout.origins(meaning))
        np.add.at(weights[row], origins, 1 / max(len(origins), 1))
    return weights


def _check_count(joints: np.ndarray, source: str) -> None:
    if joints.shape[-2] != len(get_layout(source)):
        raise InputError(
            f"{joints.shape[-2]} joints given, but layout {source!r} has {len(get_layout(source))}: "
            "name the layout the keypoints are in"
        )


def convert_keypoints(
    keypoints: Float[np.ndarray, "*batch source 3"], source: str, target: str
) -> Float[np.ndarray, "*batch target 3"]:
    """Convert 2D keypoints with confidence (x, y, c) from one joint layout to another.

    A joint made from several takes their mean position and their smallest confidence. A joint without a source, or
    with an undetected one (confidence 0), is missing: all zeros.

    Raises:
        InputError: unknown layout, or a joint count that is not the source layout's.

    >>> coco = np.ones((1, 17, 3), np.float32)
    >>> convert_keypoints(coco, "coco17", "h36m17").shape
    (1, 17, 3)
    """
    _check_count(keypoints, source)
    weights = _conversion_weights(source, target)
    # Where an undetected joint is, if anywhere, means nothing: NaN times a weight of 0 would be NaN.
    detected = np.where(keypoints[..., 2:] > 0, keypoints[..., :2], 0)
    positions = np.einsum("ts,...sc->...tc", weights, detected)
    used = weights > 0
    confidence = np.where(used, keypoints[..., None, :, 2], np.inf).min(-1)
    confidence = np.where(used.any(-1), confidence, 0)
    present = confidence > 0
    converted = np.concatenate([positions * present[..., None], (confidence * present)[..., None]], -1)
    return converted.astype(keypoints.dtype)


def convert_joints(
    joints: Float[np.ndarray, "*batch source 3"], source: str, target: str
) -> Float[np.ndarray, "*batch target 3"]:
    """Convert 3D joint positions from one layout to another, in their own unit.

    A joint made from several is their mean.

    Raises:
        InputError: unknown layout, a joint count that is not the source layout's, or a joint of the target for which
            the source has none: a position cannot be left out as a keypoint can.

    >>> convert_joints(np.ones((2, 25, 3)), "ntu25", "h36m17").shape
    (2, 17, 3)
    """
    _check_count(joints, source)
    weights = _conversion_weights(source, target)
    lacking = [joint for joint, row in zip(get_layout(target).joints, weights, strict=True) if not row.any()]
    if lacking:
        raise InputError(
            f"layout {source!r} has nothing for {', '.join(lacking)} of {target!r}: choose a target that it can fill"
        )
    # Joint by joint: NaN of one that is not used, times a weight of 0, would be NaN.
    converted = [np.einsum("s,...sc->...c", row[row > 0], joints[..., row > 0, :]) for row in weights]
    return np.stack(converted, -2).astype(joints.dtype)


def flip_pose(smpl_pose: Float[torch.Tensor, "*batch 24 3"]) -> Float[torch.Tensor, "*batch 24 3"]:
    """Mirror SMPL-format axis-angle rotations (radians) left to right: swap the sides, negate y and z.

    >>> flip_pose(torch.ones(24, 3))[0]
    tensor([ 1., -1., -1.])
    """
    return smpl_pose[..., list(SMPL24.mirror), :] * smpl_pose.new_tensor([1.0, -1.0, -1.0])
