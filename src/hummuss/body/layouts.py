"""The joint layouts of the field: which joints, in which order, and which of them stand for which.

A layout names its joints, their parents and how joints that it lacks are made from those it has. Adding one is one
entry in ``LAYOUTS``; converters (`hummuss.body.skeleton`) and left/right partners follow from the names. Joint names
are the source's own, in snake case; where two layouts call different places alike, ``sources`` tells them apart.
"""

from dataclasses import dataclass, field
from functools import cached_property

from hummuss.errors import InputError


@dataclass(frozen=True)
class Layout:
    """One joint convention.

    Attributes:
        name: the name used in files and configs.
        joints: joint names in array order; sides are spelt ``left_`` and ``right_``.
        parents: index of each joint's parent, -1 for the root, which need not come first.
        sources: canonical joint -> own joints whose mean stands for it (one named twice weighs double). Needed only
            where the layout has no joint of that very name; an empty tuple says that a joint of the same name means
            something else.
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

    def meaning(self, joint: str) -> str | None:
        """The canonical joint that an own one is; None where other layouts mean another place by its name."""
        for canonical, names in self.sources.items():
            if names == (joint,):
                return canonical
        return None if joint in self.sources else joint


H36M17 = Layout(
    name="h36m17",
    joints=(
        "pelvis", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "spine", "thorax",
        "nose", "head", "left_shoulder", "left_elbow", "left_wrist", "right_shoulder", "right_elbow", "right_wrist",
    ),
    parents=(-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 9, 8, 11, 12, 8, 14, 15),
)  # fmt: skip

# All 32 joints of Human3.6M's own skeleton, as VideoPose3D's data_3d_h36m.npz keeps them (its h36m_dataset.py); names
# of the 17 that move on their own as in 3d-pose-baseline's data_utils.py. The rest repeat others or are ends of hands
# and feet.
H36M32 = Layout(
    name="h36m32",
    joints=(
        "pelvis", "right_hip", "right_knee", "right_ankle", "right_foot", "right_foot_end", "left_hip", "left_knee",
        "left_ankle", "left_foot", "left_foot_end", "spine_base", "spine", "thorax", "nose", "head", "left_clavicle",
        "left_shoulder", "left_elbow", "left_wrist", "left_thumb", "left_thumb_end", "left_wrist_end",
        "left_hand_end", "right_clavicle", "right_shoulder", "right_elbow", "right_wrist", "right_thumb",
        "right_thumb_end", "right_wrist_end", "right_hand_end",
    ),
    parents=(
        -1, 0, 1, 2, 3, 4, 0, 6, 7, 8, 9, 0, 11, 12, 13, 14, 12, 16, 17, 18, 19, 20, 19, 22, 12, 24, 25, 26, 27, 28,
        27, 30,
    ),
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

# Detectors trained on COCO know no trunk: middles of hips and shoulders, and of the eyes for the head, as MotionBERT's
# coco2h36m has them.
COCO_TRUNK: dict[str, tuple[str, ...]] = {
    "pelvis": ("left_hip", "right_hip"),
    "thorax": ("left_shoulder", "right_shoulder"),
    "spine": ("left_hip", "right_hip", "left_shoulder", "right_shoulder"),
    "head": ("left_eye", "right_eye"),
}

COCO17 = Layout(
    name="coco17",
    joints=(
        "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
        "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
        "right_ankle",
    ),
    # COCO has no root: the drawing tree hangs the limbs and the head on the shoulders.
    parents=(-1, 0, 0, 1, 2, 0, 0, 5, 6, 7, 8, 5, 6, 11, 12, 13, 14),
    sources=COCO_TRUNK,
)  # fmt: skip


def _sided(side: str, *parts: tuple[str, str]) -> tuple[str, ...]:
    """Numbered points of one side: ``("brow", "12")`` is brow_1 and brow_2.

    >>> _sided("left", ("brow", "21"))
    ('left_brow_2', 'left_brow_1')
    """
    return tuple(f"{side}_{part}_{number}" for part, numbers in parts for number in numbers)


# COCO-WholeBody's points of the face, which have but numbers there: named here for the sides that mmpose's
# configs/_base_/datasets/coco_wholebody.py exchanges in a mirror.
_FACE = (
    *_sided("right", ("jaw", "12345678")), "chin", *_sided("left", ("jaw", "87654321")),
    *_sided("right", ("brow", "12345")), *_sided("left", ("brow", "54321")),
    "nose_bridge_1", "nose_bridge_2", "nose_bridge_3", "nose_tip",
    *_sided("right", ("nostril", "12")), "nose_base", *_sided("left", ("nostril", "21")),
    *_sided("right", ("eyelid", "123456")), *_sided("left", ("eyelid", "432165")),
    *_sided("right", ("lips", "123")), "upper_lip", *_sided("left", ("lips", "32145")), "lower_lip",
    *_sided("right", ("lips", "54"), ("mouth", "12")), "upper_mouth", *_sided("left", ("mouth", "213")), "lower_mouth",
    "right_mouth_3",
)  # fmt: skip
_FINGERS = ("thumb", "forefinger", "middle_finger", "ring_finger", "pinky_finger")
_HAND = ("hand_root", *(f"{finger}{number}" for finger in _FINGERS for number in "1234"))

# COCO-WholeBody's 133 joints in the order of the same file: COCO's, feet, face and hands.
COCO_WHOLEBODY133 = Layout(
    name="coco_wholebody133",
    joints=(
        *COCO17.joints, "left_big_toe", "left_small_toe", "left_heel", "right_big_toe", "right_small_toe",
        "right_heel", *_FACE, *(f"{side}_{joint}" for side in ("left", "right") for joint in _HAND),
    ),
    # Feet on the ankles, the face on the nose, fingers on the root of the hand, and that on the wrist.
    parents=(
        *COCO17.parents, *3 * (15,), *3 * (16,), *len(_FACE) * (0,),
        *(
            wrist if joint == 0 else root if joint % 4 == 1 else root + joint - 1
            for wrist, root in ((9, 91), (10, 112)) for joint in range(len(_HAND))
        ),
    ),
    sources=COCO_TRUNK,
)  # fmt: skip

# OpenPose's COCO model, in the order of its doc/output.md and of 3DPW's poses2d. The neck is the middle of the
# shoulders by definition, so the rules for COCO hold.
OPENPOSE18 = Layout(
    name="openpose18",
    joints=(
        "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
        "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "right_eye", "left_eye",
        "right_ear", "left_ear",
    ),
    parents=(-1, 0, 1, 2, 3, 1, 5, 6, 1, 8, 9, 1, 11, 12, 0, 0, 14, 15),
    sources=COCO_TRUNK,
)  # fmt: skip

# OpenPose's default model, BODY_25 (doc/output.md).
BODY25 = Layout(
    name="body25",
    joints=(
        "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
        "mid_hip", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "right_eye",
        "left_eye", "right_ear", "left_ear", "left_big_toe", "left_small_toe", "left_heel", "right_big_toe",
        "right_small_toe", "right_heel",
    ),
    parents=(-1, 0, 1, 2, 3, 1, 5, 6, 1, 8, 9, 10, 8, 12, 13, 0, 0, 15, 16, 14, 19, 14, 11, 22, 11),
    sources=COCO_TRUNK,
)  # fmt: skip

# MediaPipe's BlazePose (PoseLandmark).
BLAZEPOSE33 = Layout(
    name="blazepose33",
    joints=(
        "nose", "left_eye_inner", "left_eye", "left_eye_outer", "right_eye_inner", "right_eye", "right_eye_outer",
        "left_ear", "right_ear", "left_mouth", "right_mouth", "left_shoulder", "right_shoulder", "left_elbow",
        "right_elbow", "left_wrist", "right_wrist", "left_pinky", "right_pinky", "left_index", "right_index",
        "left_thumb", "right_thumb", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
        "left_heel", "right_heel", "left_foot_index", "right_foot_index",
    ),
    parents=(
        -1, 0, 1, 2, 0, 4, 5, 3, 6, 0, 0, 0, 0, 11, 12, 13, 14, 15, 16, 15, 16, 15, 16, 11, 12, 23, 24, 25, 26, 27, 28,
        29, 30,
    ),
    sources=COCO_TRUNK,
)  # fmt: skip

# Body part of Halpe-FullBody, AlphaPose's default: COCO's joints, and trunk, head and feet of its own, which stand
# for Human3.6M's as in MotionBERT's halpe2h36m.
HALPE26 = Layout(
    name="halpe26",
    joints=(*COCO17.joints, "head", "neck", "hip", "left_big_toe", "right_big_toe", "left_small_toe",
            "right_small_toe", "left_heel", "right_heel"),
    parents=(18, 0, 0, 1, 2, 18, 18, 5, 6, 7, 8, 19, 19, 11, 12, 13, 14, 0, 19, -1, 15, 16, 20, 21, 15, 16),
    sources={"pelvis": ("hip",), "thorax": ("neck",), "spine": ("hip", "neck")},
)  # fmt: skip

# PoseTrack 2018's annotations: COCO's order with a head in place of the eyes; the ears are never annotated. Thorax,
# spine and head as in MotionBERT's posetrack2h36m: the spine halfway from the pelvis to the bottom of the head.
POSETRACK17 = Layout(
    name="posetrack17",
    joints=("nose", "head_bottom", "head_top", *COCO17.joints[3:]),
    parents=(1, -1, 0, 0, 0, 1, 1, 5, 6, 7, 8, 1, 1, 11, 12, 13, 14),
    sources={
        "pelvis": ("left_hip", "right_hip"),
        "thorax": ("head_bottom",),
        "spine": ("left_hip", "right_hip", "head_bottom", "head_bottom"),
        "head": ("head_top",),
    },
)  # fmt: skip

# PoseTrack 2017's annotations, in its own order (poseval).
POSETRACK15 = Layout(
    name="posetrack15",
    joints=(
        "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "right_wrist", "right_elbow",
        "right_shoulder", "left_shoulder", "left_elbow", "left_wrist", "head_bottom", "nose", "head_top",
    ),
    parents=(1, 2, 12, 12, 3, 4, 7, 8, 12, 12, 9, 10, -1, 12, 13),
    sources=POSETRACK17.sources,
)  # fmt: skip

# Kinect v2's joints, as NTU RGB+D numbers them (github.com/shahroudy/NTURGB-D). A Kinect sees no nose: the middle of
# neck and head lies nearest to Human3.6M's joint between thorax and head.
NTU25 = Layout(
    name="ntu25",
    joints=(
        "spine_base", "spine_mid", "neck", "head", "left_shoulder", "left_elbow", "left_wrist", "left_hand",
        "right_shoulder", "right_elbow", "right_wrist", "right_hand", "left_hip", "left_knee", "left_ankle",
        "left_foot", "right_hip", "right_knee", "right_ankle", "right_foot", "spine_shoulder", "left_hand_tip",
        "left_thumb", "right_hand_tip", "right_thumb",
    ),
    parents=(-1, 0, 20, 2, 20, 4, 5, 6, 20, 8, 9, 10, 0, 12, 13, 14, 0, 16, 17, 18, 1, 7, 7, 11, 11),
    sources={
        "pelvis": ("spine_base",), "spine": ("spine_mid",), "thorax": ("spine_shoulder",), "nose": ("neck", "head"),
    },
)  # fmt: skip

# MPI-INF-3DHP calls Human3.6M's thorax neck, its nose head and its head head_top (mpii_get_joint_set.m).
MPI_NAMES: dict[str, tuple[str, ...]] = {"thorax": ("neck",), "nose": ("head",), "head": ("head_top",)}

# The 28 joints of annot.mat, the training set: case 'all' of mpii_get_joint_set.m, parents joint_parents_o1.
MPI_INF_3DHP28 = Layout(
    name="mpi_inf_3dhp28",
    joints=(
        "spine_3", "spine_4", "spine_2", "spine", "pelvis", "neck", "head", "head_top", "left_clavicle",
        "left_shoulder", "left_elbow", "left_wrist", "left_hand", "right_clavicle", "right_shoulder", "right_elbow",
        "right_wrist", "right_hand", "left_hip", "left_knee", "left_ankle", "left_foot", "left_toe", "right_hip",
        "right_knee", "right_ankle", "right_foot", "right_toe",
    ),
    parents=(2, 0, 3, 4, -1, 1, 5, 6, 5, 8, 9, 10, 11, 5, 13, 14, 15, 16, 4, 18, 19, 20, 21, 4, 23, 24, 25, 26),
    sources=MPI_NAMES,
)  # fmt: skip

# The 17 joints of annot_data.mat, the test set: case 'relevant' of mpii_get_joint_set.m.
MPI_INF_3DHP17 = Layout(
    name="mpi_inf_3dhp17",
    joints=(
        "head_top", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow",
        "left_wrist", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "pelvis",
        "spine", "head",
    ),
    parents=(16, 15, 1, 2, 3, 1, 5, 6, 14, 8, 9, 14, 11, 12, -1, 14, 1),
    sources=MPI_NAMES,
)  # fmt: skip

LAYOUTS: dict[str, Layout] = {
    layout.name: layout
    for layout in (
        H36M17, H36M32, SMPL24, COCO17, COCO_WHOLEBODY133, OPENPOSE18, BODY25, BLAZEPOSE33, HALPE26, POSETRACK17,
        POSETRACK15, NTU25, MPI_INF_3DHP28, MPI_INF_3DHP17,
    )
}  # fmt: skip


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
