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

LAYOUTS: dict[str, Layout] = {layout.name: layout for layout in (H36M17, SMPL24, COCO17)}


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


def flip_pose(smpl_pose: Float[torch.Tensor, "*batch 24 3"]) -> Float[torch.Tensor, "*batch 24 3"]:
    """Mirror SMPL-format axis-angle rotations (radians) left to right: swap the sides, negate y and z.

    >>> flip_pose(torch.ones(24, 3))[0]
    tensor([ 1., -1., -1.])
    """
    return smpl_pose[..., list(SMPL24.mirror), :] * smpl_pose.new_tensor([1.0, -1.0, -1.0])
