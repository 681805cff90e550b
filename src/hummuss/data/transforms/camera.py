"""Virtual cameras for motion that has none, and the way of a clip into a camera."""

from dataclasses import dataclass, replace

import numpy as np
import roma
import torch
from jaxtyping import Float

from hummuss.body.smpl import transform_body
from hummuss.data.motion import Camera, MotionClip

# World is y up, cameras are y down and look along z: the camera that stands upright and looks along world z.
UPRIGHT_CAMERA_FROM_WORLD = np.diag([-1.0, -1.0, 1.0])


@dataclass(frozen=True)
class RandomCamera:
    """Draws a camera that stands anywhere around a person and sees all of the window.

    Attributes:
        field_of_view: range of the horizontal field of view, degrees.
        distance: range of the distance to the person, metres; further away where the motion would leave the image.
        elevation: range of the camera's angle above the person, degrees.
        roll: standard deviation of the camera's roll, degrees.
        image_size: width and height, pixels.
    """

    field_of_view: tuple[float, float] = (35.0, 75.0)
    distance: tuple[float, float] = (2.5, 6.0)
    elevation: tuple[float, float] = (-10.0, 30.0)
    roll: float = 3.0
    image_size: tuple[int, int] = (1000, 1000)

    def draw(self, joints3d: Float[np.ndarray, "F 17 3"], rng: np.random.Generator) -> Camera:
        """A camera for joints in the world frame (y up, metres)."""
        width, height = self.image_size
        half_angle = np.radians(rng.uniform(*self.field_of_view)) / 2
        focal = width / 2 / np.tan(half_angle)
        target = (joints3d.min((0, 1)) + joints3d.max((0, 1))) / 2
        radius = np.linalg.norm(joints3d - target, axis=-1).max()
        # A sphere around the motion fits where it touches the cone of view; the smaller image side decides.
        cone = np.arctan(min(width, height) / 2 / focal)
        distance = max(rng.uniform(*self.distance), radius / np.sin(cone) * rng.uniform(1.0, 1.2))
        yaw, pitch, roll = rng.uniform(0, 2 * np.pi), np.radians(rng.uniform(*self.elevation)), 0.0
        roll = np.radians(rng.normal(0, self.roll))
        rotation = _rotate("z", roll) @ _rotate("x", pitch) @ UPRIGHT_CAMERA_FROM_WORLD @ _rotate("y", yaw)
        translation = np.array([0.0, 0.0, distance]) - rotation @ target
        intrinsics = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1.0]])
        return Camera(intrinsics, rotation, translation, width, height)


def _rotate(axis: str, angle: float) -> Float[np.ndarray, "3 3"]:
    """Rotation by ``angle`` radians about a coordinate axis."""
    vector = torch.zeros(3, dtype=torch.float64)
    vector["xyz".index(axis)] = angle
    return roma.rotvec_to_rotmat(vector).numpy()


def to_camera(clip: MotionClip, camera: Camera, rest_pelvis: Float[np.ndarray, "3"] | None = None) -> MotionClip:
    """Take a clip from the world frame into a camera's: joints, body parameters and, if it has none, 2D keypoints.

    Args:
        clip: a clip in the world frame.
        camera: where it is seen from.
        rest_pelvis: J0(betas), the pelvis of the unposed body in metres; needed where the clip has a body, see
            `hummuss.body.smpl.transform_body`.
    """
    rotation, translation = camera.rotation, camera.translation
    assert clip.joints3d is not None
    joints = (clip.joints3d @ rotation.T + translation).astype(np.float32)
    keypoints = clip.keypoints2d if clip.keypoints2d is not None else project(joints, camera)
    moved = replace(clip, frame="camera", camera=camera, joints3d=joints, keypoints2d=keypoints)
    if clip.smpl_pose is None:
        return moved
    root = roma.rotvec_to_rotmat(torch.as_tensor(np.array(clip.smpl_pose[:, 0])).double())
    root, transl = transform_body(
        torch.as_tensor(rotation),
        torch.as_tensor(translation),
        root,
        torch.as_tensor(np.array(clip.transl)).double(),
        torch.as_tensor(rest_pelvis).double(),
    )
    pose = np.array(clip.smpl_pose)
    pose[:, 0] = roma.rotmat_to_rotvec(root).numpy()
    return replace(moved, smpl_pose=pose, transl=transl.numpy().astype(np.float32))


def project(joints: Float[np.ndarray, "F J 3"], camera: Camera) -> Float[np.ndarray, "F J 3"]:
    """Pinhole projection of joints in camera coordinates to pixels, with confidence 1; 0 outside the image."""
    homogeneous = joints @ camera.intrinsics.T
    pixels = homogeneous[..., :2] / np.maximum(homogeneous[..., 2:], 1e-6)
    inside = (joints[..., 2] > 0) & (pixels >= 0).all(-1) & (pixels < [camera.width, camera.height]).all(-1)
    return (np.concatenate([pixels, np.ones_like(pixels[..., :1])], -1) * inside[..., None]).astype(np.float32)
