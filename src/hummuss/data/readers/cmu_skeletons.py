"""The three skeleton conventions of the CMU database's files, and the body labels made from them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from jaxtyping import Float64

from hummuss.body.skeleton import H36M17, SMPL24
from hummuss.body.smpl import BodyModel
from hummuss.data.body_segments import BodySegments, parent_relative
from hummuss.data.readers.kinematics import CapturedMotion
from hummuss.data.retarget import BodyFit, fit_pose, fit_shape, minimal_rotation

# The ASF header says ``length 0.45``: inches scaled by 0.45.
INCH_UNIT = 0.0254 / 0.45
# Limb bones whose direction at rest differs between skeletons; trunk, feet and head are upright in all of
# them.
LIMBS = {"hip": "knee", "knee": "ankle", "shoulder": "elbow", "elbow": "wrist"}


@dataclass(frozen=True)
class Convention:
    """Names of one kind of file.

    Attributes:
        unit: metres per file unit.
        joints: Human3.6M joint -> the file's joints whose mean it is.
        segments: SMPL joint -> the file's segment whose rotation it takes.
    """

    unit: float
    joints: dict[str, tuple[str, ...]]
    segments: dict[str, str]


def _both_sides(names: dict[str, str], left: str, right: str) -> dict[str, str]:
    """Entries for both sides; ``left`` and ``right`` replace the braces in the names."""
    sides = (("left", left), ("right", right))
    return {f"{side}_{part}": name.format(own) for side, own in sides for part, name in names.items()}


def _single(names: dict[str, str]) -> dict[str, tuple[str, ...]]:
    return {joint: (name,) for joint, name in names.items()}


CONVENTIONS = {
    "asf/amc": Convention(
        unit=INCH_UNIT,
        joints=_single(
            {"pelvis": "root", "spine": "upperback", "thorax": "thorax", "nose": "upperneck", "head": "head"}
            | _both_sides(
                {
                    "hip": "{}hipjoint",
                    "knee": "{}femur",
                    "ankle": "{}tibia",
                    "shoulder": "{}clavicle",
                    "elbow": "{}humerus",
                    "wrist": "{}radius",
                },
                "l",
                "r",
            )
        ),
        segments={
            "pelvis": "root",
            "spine1": "lowerback",
            "spine2": "upperback",
            "spine3": "thorax",
            "neck": "lowerneck",
            "head": "head",
        }
        | _both_sides(
            {
                "hip": "{}femur",
                "knee": "{}tibia",
                "ankle": "{}foot",
                "foot": "{}toes",
                "collar": "{}clavicle",
                "shoulder": "{}humerus",
                "elbow": "{}radius",
                "wrist": "{}hand",
                "hand": "{}hand",
            },
            "l",
            "r",
        ),
    ),
    "bvh-mb2": Convention(
        unit=INCH_UNIT,
        joints=_single(
            {"pelvis": "Hips", "spine": "Spine1", "thorax": "Neck", "nose": "Head", "head": "Head_end"}
            | _both_sides(
                {
                    "hip": "{}UpLeg",
                    "knee": "{}Leg",
                    "ankle": "{}Foot",
                    "shoulder": "{}Arm",
                    "elbow": "{}ForeArm",
                    "wrist": "{}Hand",
                },
                "Left",
                "Right",
            )
        ),
        segments={
            "pelvis": "Hips",
            "spine1": "LowerBack",
            "spine2": "Spine",
            "spine3": "Spine1",
            "neck": "Neck",
            "head": "Head",
        }
        | _both_sides(
            {
                "hip": "{}UpLeg",
                "knee": "{}Leg",
                "ankle": "{}Foot",
                "foot": "{}ToeBase",
                "collar": "{}Shoulder",
                "shoulder": "{}Arm",
                "elbow": "{}ForeArm",
                "wrist": "{}FingerBase",
                "hand": "{}FingerBase",
            },
            "Left",
            "Right",
        ),
    ),
    "bvh-daz": Convention(
        unit=0.01,
        joints=_single(
            {"pelvis": "hip", "spine": "chest", "thorax": "neck", "nose": "head"}
            | _both_sides(
                {
                    "hip": "{}Thigh",
                    "knee": "{}Shin",
                    "ankle": "{}Foot",
                    "shoulder": "{}Shldr",
                    "elbow": "{}ForeArm",
                    "wrist": "{}Hand",
                },
                "l",
                "r",
            )
        )
        | {"head": ("leftEye", "rightEye")},
        segments={
            "pelvis": "hip",
            "spine1": "abdomen",
            "spine2": "chest",
            "spine3": "chest",
            "neck": "neck",
            "head": "head",
        }
        | _both_sides(
            {
                "hip": "{}Thigh",
                "knee": "{}Shin",
                "ankle": "{}Foot",
                "foot": "{}Foot",
                "collar": "{}Collar",
                "shoulder": "{}Shldr",
                "elbow": "{}ForeArm",
                "wrist": "{}Hand",
                "hand": "{}Hand",
            },
            "l",
            "r",
        ),
    ),
}


def restore_thorax(motion: CapturedMotion, source: str) -> CapturedMotion:
    """Give back the thorax segment that the bvh-mb2 conversion lost.

    ``Neck`` and both shoulders stand on ``Spine1`` with no offset. The missing segment is as long as the one
    below it, within 1.2 cm for every subject whose ASF is known.
    """
    offsets = motion.tree.offsets.copy()
    for joint in ("Neck", "LeftShoulder", "RightShoulder"):
        offsets[motion.tree.index(joint, source)] = offsets[motion.tree.index("Spine1", source)]
    return replace(motion, tree=replace(motion.tree, offsets=offsets))


def h36m_joints(
    positions: Float64[np.ndarray, "F J 3"], names: Sequence[str], convention: Convention
) -> Float64[np.ndarray, "F 17 3"]:
    """The 17 Human3.6M joints out of the file's own."""
    sources = (convention.joints[joint] for joint in H36M17.joints)
    return np.stack([positions[:, [names.index(name) for name in own]].mean(1) for own in sources], 1)


@lru_cache
def free_body() -> BodySegments:
    """The free body, made ready once per process."""
    return BodySegments.of(BodyModel())


def fit_body(motion: CapturedMotion, joints: Float64[np.ndarray, "F 17 3"], convention: Convention) -> BodyFit:
    """Retarget a motion to the free body.

    Args:
        motion: in metres.
        joints: its 17 Human3.6M joints.
        convention: the names its skeleton uses.
    """
    body, tree = free_body(), motion.tree
    rest = h36m_joints(tree.rest()[None], tree.joints, convention)
    at_rest = limb_alignment(body, rest[0])[None]
    betas = fit_shape(body, parent_relative(at_rest), rest)
    _, turned = tree.forward(motion.rotations, motion.root)
    carriers = [tree.joints.index(convention.segments[joint]) for joint in SMPL24.joints]
    return fit_pose(body, parent_relative(turned[:, carriers] @ limb_alignment(body, rest[0])), joints, betas)


def limb_alignment(body: BodySegments, rest: Float64[np.ndarray, "17 3"]) -> Float64[np.ndarray, "24 3 3"]:
    """Fixed rotation of each body segment within the captured segment it follows: limbs differ at rest."""
    body_rest, alignment = body.rest[0], np.tile(np.eye(3), (24, 1, 1))
    for side in ("left", "right"):
        for start, end in LIMBS.items():
            ends = f"{side}_{start}", f"{side}_{end}"
            own = body_rest[SMPL24.joints.index(ends[1])] - body_rest[SMPL24.joints.index(ends[0])]
            captured = rest[H36M17.joints.index(ends[1])] - rest[H36M17.joints.index(ends[0])]
            alignment[SMPL24.joints.index(ends[0])] = minimal_rotation(own, captured)
        # The hand lies along the forearm in every rest pose.
        for hand in ("wrist", "hand"):
            forearm = alignment[SMPL24.joints.index(f"{side}_elbow")]
            alignment[SMPL24.joints.index(f"{side}_{hand}")] = forearm
    return alignment
