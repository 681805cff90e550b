"""Joint layouts of the field, and the conversions and reflections between them.

A layout names its joints, their parents and how joints that it lacks are made from those it has. Adding one is
one entry in ``LAYOUTS``; converters and left/right partners follow from the names.
"""

from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np
import torch
from jaxtyping import Float

from hummuss.errors import InputError


@dataclass(frozen=True)
class Layout:
    """One joint convention.

    Attributes:
        name: the name used in files and configs.
        joints: joint names in array order; sides are spelt ``left_`` and ``right_``.
        parents: index of each joint's parent, -1 for the root.
        sources: canonical joint -> own joints whose mean stands for it. Needed only where the layout has no joint of
            that very name; an empty tuple says that a joint of the same name means something else.
    """

    name: str
    joints: tuple[str, ...]
    parents: tuple[int, ...]
    sources: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.joints)

    @cached_property
    def mirror(self) -> tuple[int, ...]:
        """For each joint, the index of its left/right partner (itself on the midline)."""
        swapped = {"left": "right", "right": "left"}
        partner = []
        for joint in self.joints:
            side, _, rest = joint.partition("_")
            partner.append(self.joints.index(f"{swapped[side]}_{rest}" if side in swapped else joint))
        return tuple(partner)

    @cached_property
    def bones(self) -> tuple[tuple[int, int], ...]:
        """Pairs (parent, child) for drawing and for bone lengths."""
        return tuple((parent, child) for child, parent in enumerate(self.parents) if parent >= 0)

    def origins(self, joint: str) -> tuple[int, ...]:
        """Indices of the joints whose mean is ``joint``; empty where this layout has no source for it."""
        names = self.sources.get(joint, (joint,) if joint in self.joints else ())
        return tuple(self.joints.index(name) for name in names)


H36M17 = Layout(
    name="h36m17",
    joints=(
        "pelvis", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "spine", "thorax",
        "nose", "head", "left_shoulder", "left_elbow", "left_wrist", "right_shoulder", "right_elbow", "right_wrist",
    ),
    parents=(-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 9, 8, 11, 12, 8, 14, 15),
)  # fmt: skip

SMPL24 = Layout(
    name="smpl24",
    joints=(
        "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle",
        "right_ankle", "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head",
        "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hand",
        "right_hand",
    ),
    parents=(-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21),
    # SMPL's "head" is the joint at the base of the skull, not Human3.6M's point on the head.
    sources={"spine": ("spine2",), "thorax": ("neck",), "head": ()},
)  # fmt: skip

COCO17 = Layout(
    name="coco17",
    joints=(
        "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
        "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
        "right_ankle",
    ),
    # COCO has no root: the drawing tree hangs the limbs and the head on the shoulders.
    parents=(-1, 0, 0, 1, 2, 0, 0, 5, 6, 7, 8, 5, 6, 11, 12, 13, 14),
    sources={
        "pelvis": ("left_hip", "right_hip"),
        "thorax": ("left_shoulder", "right_shoulder"),
        "spine": ("left_hip", "right_hip", "left_shoulder", "right_shoulder"),
        "head": ("left_eye", "right_eye"),
    },
)  # fmt: skip

NTU25 = Layout(
    name="ntu25",
    # Kinect v2's joints in its own order, as NTU RGB+D numbers them (github.com/shahroudy/NTURGB-D).
    joints=(
        "spine_base", "spine_mid", "neck", "head", "left_shoulder", "left_elbow", "left_wrist", "left_hand",
        "right_shoulder", "right_elbow", "right_wrist", "right_hand", "left_hip", "left_knee", "left_ankle",
        "left_foot", "right_hip", "right_knee", "right_ankle", "right_foot", "spine_shoulder", "left_hand_tip",
        "left_thumb", "right_hand_tip", "right_thumb",
    ),
    # spine_shoulder comes after what hangs on it: the drawing tree hangs neck and shoulders on spine_mid.
    parents=(-1, 0, 1, 2, 1, 4, 5, 6, 1, 8, 9, 10, 0, 12, 13, 14, 0, 16, 17, 18, 1, 7, 7, 11, 11),
    # A Kinect sees no nose: the middle of neck and head lies nearest to Human3.6M's joint between thorax and head.
    sources={
        "pelvis": ("spine_base",), "spine": ("spine_mid",), "thorax": ("spine_shoulder",), "nose": ("neck", "head"),
    },
)  # fmt: skip

POSETRACK17 = Layout(
    name="posetrack17",
    # PoseTrack 2018 keeps COCO's two ears in its order and never annotates them.
    joints=(
        "nose", "head_bottom", "head_top", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
        "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
        "right_ankle",
    ),
    parents=(-1, 0, 0, 0, 0, 1, 1, 5, 6, 7, 8, 1, 1, 11, 12, 13, 14),
    # Thorax and head as MotionBERT's posetrack2h36m has them.
    sources={
        "pelvis": ("left_hip", "right_hip"),
        "thorax": ("head_bottom",),
        "spine": ("left_hip", "right_hip", "left_shoulder", "right_shoulder"),
        "head": ("head_top",),
    },
)  # fmt: skip

LAYOUTS: dict[str, Layout] = {layout.name: layout for layout in (H36M17, SMPL24, COCO17, NTU25, POSETRACK17)}


def get_layout(name: str) -> Layout:
    """Return the layout of that name.

    Raises:
        InputError: no such layout; the message lists the known ones.

    >>> len(get_layout("coco17"))
    17
    """
    if name not in LAYOUTS:
        raise InputError(f"unknown joint layout {name!r}: choose one of {', '.join(sorted(LAYOUTS))}")
    return LAYOUTS[name]


@lru_cache
def _conversion_weights(source: str, target: str) -> np.ndarray:
    """(J_target, J_source) weights, each row the mean over a joint's sources or all zeros."""
    from_layout, to_layout = get_layout(source), get_layout(target)
    weights = np.zeros((len(to_layout), len(from_layout)), np.float32)
    for row, joint in enumerate(to_layout.joints):
        origins = from_layout.origins(joint)
        weights[row, list(origins)] = 1 / max(len(origins), 1)
    return weights


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
    if keypoints.shape[-2] != len(get_layout(source)):
        raise InputError(
            f"{keypoints.shape[-2]} joints given, but layout {source!r} has {len(get_layout(source))}: "
            "name the layout the keypoints are in"
        )
    weights = _conversion_weights(source, target)
    positions = np.einsum("ts,...sc->...tc", weights, keypoints[..., :2])
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
    if joints.shape[-2] != len(get_layout(source)):
        raise InputError(f"{joints.shape[-2]} joints given, but layout {source!r} has {len(get_layout(source))}")
    weights = _conversion_weights(source, target)
    lacking = [joint for joint, row in zip(get_layout(target).joints, weights, strict=True) if not row.any()]
    if lacking:
        raise InputError(f"layout {source!r} has nothing for {', '.join(lacking)} of {target!r}")
    return np.einsum("ts,...sc->...tc", weights, joints).astype(joints.dtype)


def flip_pose(smpl_pose: Float[torch.Tensor, "*batch 24 3"]) -> Float[torch.Tensor, "*batch 24 3"]:
    """Mirror SMPL-format axis-angle rotations (radians) left to right: swap the sides, negate y and z.

    >>> flip_pose(torch.ones(24, 3))[0]
    tensor([ 1., -1., -1.])
    """
    return smpl_pose[..., list(SMPL24.mirror), :] * smpl_pose.new_tensor([1.0, -1.0, -1.0])
