"""Left/right reflection of a clip in its camera."""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float

from hummuss.body.skeleton import H36M17, flip_pose
from hummuss.data.motion import MotionClip


def flip_clip(clip: MotionClip, rest_pelvis: Float[np.ndarray, "3"] | None = None) -> MotionClip:
    """Mirror a clip in camera coordinates: x changes sign, left and right joints change places.

    Args:
        clip: a clip in the camera frame, with 17 Human3.6M keypoints. Of one whose image has no known size the middle
            is taken to be x = 0: where in the image a person stands then changes, which normalisation takes out.
        rest_pelvis: J0(betas) of the unposed body, metres; needed where the clip has a body.
    """
    mirror, sides = list(H36M17.mirror), np.array([-1.0, 1.0, 1.0], np.float32)
    # The mirrored image is the mirrored scene seen by a camera whose principal point is mirrored too.
    changes: dict = {}
    if clip.camera is not None:
        intrinsics = clip.camera.intrinsics.copy()
        if clip.camera.known:  # zeros must stay zeros
            intrinsics[0, 2] = clip.camera.width - intrinsics[0, 2]
        changes["camera"] = replace(clip.camera, intrinsics=intrinsics)
    if clip.joints3d is not None:
        changes["joints3d"] = clip.joints3d[:, mirror] * sides
    if clip.keypoints2d is not None:
        keypoints = clip.keypoints2d[:, mirror].copy()
        width = 0 if clip.camera is None else clip.camera.width
        keypoints[..., 0] = (width - keypoints[..., 0]) * (keypoints[..., 2] > 0)
        changes["keypoints2d"] = keypoints
    if clip.smpl_pose is not None:
        changes["smpl_pose"] = flip_pose(torch.from_numpy(np.array(clip.smpl_pose))).numpy()
        assert clip.transl is not None
        assert rest_pelvis is not None
        pelvis = (clip.transl + rest_pelvis) * sides
        changes["transl"] = (pelvis - rest_pelvis).astype(np.float32)
    return replace(clip, **changes)
