"""From controls to SMPL-format pose: forward kinematics for trunk and arms, inverse kinematics for legs."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.spatial.transform import Rotation

from hummuss.body.skeleton import SMPL24
from hummuss.data.procedural.controls import INDEX, LIMB, REFERENCE_LEG, SIDES, Controls
from hummuss.data.procedural.curves import smooth_max, smooth_min

JOINT = {name: index for index, name in enumerate(SMPL24.joints)}
STRAIGHTEST_KNEE, SHARPEST_KNEE = np.radians(7.0), np.radians(150.0)
LARGEST_ANKLE = np.radians(62.0)
_MIRROR = np.array([1.0, -1.0, -1.0])  # of a rotation vector, across the body's midplane
_LIMB_INDEX = {name: np.array([INDEX[f"{side}_{name}"] for side in SIDES]) for name in LIMB}

Vectors = Float64[np.ndarray, "F 2 3"]


@dataclass(frozen=True)
class Ground:
    """Where the figure stands, before its controls move it.

    Attributes:
        root: floor point under the figure, metres (x, z).
        heading: radians to the left of +z.
        prints: footprints, left and right (x, z).
        print_heading: radians.
    """

    root: Float64[np.ndarray, "F 2"]
    heading: Float64[np.ndarray, "F"]
    prints: Float64[np.ndarray, "F 2 2"]
    print_heading: Float64[np.ndarray, "F 2"]


def _vector(*components: Float64[np.ndarray, "..."] | float) -> Float64[np.ndarray, "..."]:
    return np.stack(np.broadcast_arrays(*components), -1)


def _rotation(vectors: Float64[np.ndarray, "... 3"]) -> Rotation:
    return Rotation.from_rotvec(vectors.reshape(-1, 3))


def _about(axis: int, angles: Float64[np.ndarray, "..."]) -> Rotation:
    vectors = np.zeros((angles.size, 3))
    vectors[:, axis] = angles.ravel()
    return Rotation.from_rotvec(vectors)


def _swing_from_down(directions: Float64[np.ndarray, "N 3"]) -> Rotation:
    """The smallest rotation that takes -y to each direction (unit vectors, not straight up)."""
    x, y, z = directions.T
    return Rotation.from_quat(_vector(-z, np.zeros_like(x), x, 1.0 - y))


def along(heading: Float64[np.ndarray, "..."], ahead: Float64[np.ndarray, "..."],
          left: Float64[np.ndarray, "..."]) -> Float64[np.ndarray, "... 2"]:  # fmt: skip
    """Floor displacement (x, z) of ``ahead`` and ``left`` metres in a heading (radians to the left of +z)."""
    sine, cosine = np.sin(heading), np.cos(heading)
    return _vector(ahead * sine + left * cosine, ahead * cosine - left * sine)


class Rig:
    """The skeleton of one performer.

    Args:
        rest_joints: the body's 24 joints in its T-pose, metres.
        sole: height of the floor under that T-pose, in the same coordinates.
    """

    def __init__(self, rest_joints: Float64[np.ndarray, "24 3"], sole: float) -> None:
        self.rest = rest_joints
        hips, knees, ankles, balls = (
            rest_joints[[JOINT[f"{side}_{name}"] for side in SIDES]] for name in ("hip", "knee", "ankle", "foot")
        )
        self.hip_offset, self.thigh, self.shin = hips - rest_joints[0], knees - hips, ankles - knees
        leg = float(np.linalg.norm(self.thigh, axis=-1).mean() + np.linalg.norm(self.shin, axis=-1).mean())
        self.scale = leg / REFERENCE_LEG
        self.half_stance = float(np.abs(ankles[:, 0]).mean())
        self.ankle_height = ankles[:, 1] - sole
        self.ball_height = balls[:, 1] - sole
        self.ball_ahead = balls[:, 2] - ankles[:, 2]
        self.heel_behind = 0.35 * self.ball_ahead
        self.reach = self._leg_vector(np.full((1, 2), STRAIGHTEST_KNEE))[0]
        # |thigh + Rx(knee) shin|² = square_sum + amplitude cos(knee - phase)
        along_axis = self.thigh[:, 0] * self.shin[:, 0]
        in_plane = (self.thigh[:, 1:] * self.shin[:, 1:]).sum(-1)
        across = self.thigh[:, 2] * self.shin[:, 1] - self.thigh[:, 1] * self.shin[:, 2]
        self.square_sum = (self.thigh**2).sum(-1) + (self.shin**2).sum(-1) + 2.0 * along_axis
        self.amplitude, self.phase = 2.0 * np.hypot(in_plane, across), np.arctan2(across, in_plane)
        self.longest = np.linalg.norm(self.reach, axis=-1)
        self.shortest = np.linalg.norm(self._leg_vector(np.full((1, 2), SHARPEST_KNEE))[0], axis=-1)
        self.standing_height = float((self.longest * 0.992 + self.ankle_height - self.hip_offset[:, 1]).min())

    def _leg_vector(self, knee: Float64[np.ndarray, "F 2"]) -> Vectors:
        """Hip to ankle in the thigh's coordinates, knee bent by radians."""
        sine, cosine = np.sin(knee), np.cos(knee)
        x, y, z = self.shin.T
        bent = _vector(np.broadcast_to(x, knee.shape), cosine * y - sine * z, sine * y + cosine * z)
        return self.thigh + bent

    def pose(
        self, controls: Controls, ground: Ground
    ) -> tuple[Float64[np.ndarray, "F 24 3"], Float64[np.ndarray, "F 3"]]:
        """Axis-angle rotations (radians) and translation (metres) in the world: y up, floor at 0."""
        frames = len(controls)
        trunk = {name: controls[:, INDEX[name]] for name in INDEX if INDEX[name] < INDEX["left_arm_forward"]}
        limb = {name: controls[:, index] for name, index in _LIMB_INDEX.items()}
        angles = {name: np.radians(value) for name, value in (trunk | limb).items()}
        pose = np.zeros((frames, 24, 3))

        heading = ground.heading + angles["yaw"]
        pelvis = _about(1, heading) * _about(0, angles["pitch"]) * _about(2, angles["roll"])
        pose[:, JOINT["pelvis"]] = pelvis.as_rotvec()
        spine = _vector(angles["bend"], angles["twist"], angles["lean"])
        for name, share in (("spine1", 0.3), ("spine2", 0.35), ("spine3", 0.35)):
            pose[:, JOINT[name]] = share * spine
        head = _vector(angles["nod"], angles["look"], angles["tilt"])
        for name in ("neck", "head"):
            pose[:, JOINT[name]] = 0.5 * head
        for name, vectors in self._arms(angles).items():
            for side, label in enumerate(SIDES):
                pose[:, JOINT[f"{label}_{name}"]] = vectors[:, side] * (_MIRROR if side else 1.0)

        feet = _about(1, ground.print_heading + _sides(angles["toe_out"]))
        ankles = self._ankles(limb, angles, ground, feet)
        root = self._root(trunk, ground, pelvis, ankles, limb["foot_lift"])
        for name, vectors in self._legs(angles, root, pelvis, heading, ankles, feet, ground).items():
            for side, label in enumerate(SIDES):
                pose[:, JOINT[f"{label}_{name}"]] = vectors[:, side]
        return pose, root - self.rest[0]

    def _arms(self, angles: dict[str, np.ndarray]) -> dict[str, Vectors]:
        """Rotation vectors of the left arm's joints, for both sides (the right one's are to be mirrored)."""
        forward, out = angles["arm_forward"], angles["arm_out"]
        shape, zero = forward.shape, np.zeros_like(forward)
        # The shoulder girdle takes part of every raise, more the higher the arm.
        collar = _vector(zero, -0.12 * forward, 0.12 * out + 0.05 * np.maximum(forward, 0.0) * forward)
        swing = _rotation(_vector(-forward, zero, out) - collar * np.array([0.0, 0.0, 1.0]))
        hanging = Rotation.from_rotvec([0.0, 0.0, -np.pi / 2])
        shoulder = (swing * _about(1, angles["arm_twist"]) * hanging).as_rotvec().reshape(*shape, 3)
        return {
            "collar": collar,
            "shoulder": shoulder,
            "elbow": _vector(zero, -angles["elbow"], zero),
            "wrist": _vector(angles["forearm"], zero, -angles["wrist"]),
            "hand": _vector(zero, zero, zero - 0.2),
        }

    def _ankles(
        self, limb: dict[str, np.ndarray], angles: dict[str, np.ndarray], ground: Ground, feet: Rotation
    ) -> Vectors:
        """World positions of the ankles of feet that stand, roll over ball or heel, or are lifted."""
        # In the foot's own frame, rolled back over the heel, then forward over the joint of the big toe.
        rolled_back = _roll(-angles["toe_rise"], self.ankle_height, self.heel_behind)
        height, depth = rolled_back[0] - self.ball_height, rolled_back[1] - self.heel_behind - self.ball_ahead
        height, depth = _roll(angles["heel_rise"], height, depth)
        height, depth = height + self.ball_height, depth + self.ball_ahead
        out = self.scale * limb["foot_out"] + self.half_stance
        print_at = ground.prints + along(ground.print_heading, self.scale * limb["foot_ahead"], _sides(out))
        offset = _vector(np.zeros_like(depth), height, depth)
        offset = feet.apply(offset.reshape(-1, 3)).reshape(offset.shape)
        return offset + _vector(print_at[..., 0], self.scale * limb["foot_lift"], print_at[..., 1])

    def _root(self, trunk: dict[str, np.ndarray], ground: Ground, pelvis: Rotation, ankles: Vectors,
              lift: Float64[np.ndarray, "F 2"]) -> Float64[np.ndarray, "F 3"]:  # fmt: skip
        """The pelvis, lowered where a standing foot would be out of reach."""
        floor = ground.root + along(ground.heading, self.scale * trunk["ahead"], self.scale * trunk["aside"])
        hips = _apply(pelvis, self.hip_offset)
        across = ankles[..., ::2] - floor[:, None] - hips[..., ::2]
        vertical = np.sqrt(smooth_max(self.longest**2 - (across**2).sum(-1), 0.1 * self.longest**2, 0.05))
        # A lifted foot may trail out of reach without pulling the body down.
        highest = ankles[..., 1] + vertical - hips[..., 1] + 1.5 * lift
        height = self.standing_height - self.scale * trunk["drop"] + trunk["rise"]
        for side in range(2):
            height = smooth_min(height, highest[:, side] - 0.004, 0.08)
        return _vector(floor[:, 0], height, floor[:, 1])

    def _legs(self, angles: dict[str, np.ndarray], root: Float64[np.ndarray, "F 3"], pelvis: Rotation,
              heading: Float64[np.ndarray, "F"], ankles: Vectors, feet: Rotation,
              ground: Ground) -> dict[str, Vectors]:  # fmt: skip
        """Rotation vectors of hips, knees, ankles and toes that put the ankles where they should be."""
        shape = ankles.shape
        target = ankles - root[:, None] - _apply(pelvis, self.hip_offset)
        target = _apply(pelvis.inv(), target)
        # A foot passing by the hip would swing the thigh right round: it passes below.
        closest = 1.15 * self.shortest
        below = (closest**2 - (target[..., ::2] ** 2).sum(-1)) / closest
        target[..., 1] = -smooth_max(-target[..., 1], below, 0.1)
        distance = np.linalg.norm(target, axis=-1)
        direction = (target / np.maximum(distance, 1e-6)[..., None]).reshape(-1, 3)
        reached = smooth_max(smooth_min(distance, self.longest, 0.05), self.shortest, 0.05)
        cosine = np.clip((reached**2 - self.square_sum) / self.amplitude, -1.0, 1.0)
        knee = self.phase + np.arccos(cosine)
        leg = self._leg_vector(knee)
        leg = (leg / np.linalg.norm(leg, axis=-1, keepdims=True)).reshape(-1, 3)
        turn_out = ground.print_heading + _sides(angles["toe_out"]) - heading[:, None]
        hip = _swing_from_down(direction) * _about(1, 0.6 * turn_out) * _swing_from_down(leg).inv()
        knees = _about(0, knee)
        both_pelvis = pelvis[np.repeat(np.arange(len(root)), 2)]
        roll = angles["heel_rise"] - angles["toe_rise"]
        ankle = ((both_pelvis * hip * knees).inv() * feet * _about(0, roll)).as_rotvec()
        # A foot in the air may be told to point where no ankle lets it.
        size = np.linalg.norm(ankle, axis=-1, keepdims=True)
        ankle *= smooth_min(size, LARGEST_ANKLE, 0.3) / np.maximum(size, 1e-9)
        # Toes stay flat while the foot rolls over them and relax in the air.
        grounded = 1.0 / (1.0 + ((ankles[..., 1] - self.ankle_height) / 0.15) ** 4)
        zero = np.zeros(shape[:2])
        return {
            "hip": hip.as_rotvec().reshape(shape),
            "knee": _vector(knee, zero, zero),
            "ankle": ankle.reshape(shape),
            "foot": _vector(-angles["heel_rise"] * grounded, zero, zero),
        }


def _roll(
    angle: Float64[np.ndarray, "F 2"], height: Float64[np.ndarray, "..."], depth: Float64[np.ndarray, "..."]
) -> tuple[Float64[np.ndarray, "F 2"], Float64[np.ndarray, "F 2"]]:
    """Turn (height, ahead) about the foot's lateral axis, what is behind going up."""
    return height * np.cos(angle) - depth * np.sin(angle), height * np.sin(angle) + depth * np.cos(angle)


def _sides(values: Float64[np.ndarray, "F 2"]) -> Float64[np.ndarray, "F 2"]:
    """Turn a quantity that is positive outward into one that is positive to the left, on both sides."""
    return values * np.array([1.0, -1.0])


def _apply(rotation: Rotation, vectors: Float64[np.ndarray, "..."]) -> Vectors:
    """Rotate both sides' vectors (2, 3) or (F, 2, 3) by one rotation per frame."""
    matrices = rotation.as_matrix()
    if vectors.ndim == 2:
        return np.einsum("fij,sj->fsi", matrices, vectors)
    return np.einsum("fij,fsj->fsi", matrices, vectors)
