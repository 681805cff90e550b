"""What can be wrong with a clip's camera and keypoints: depth, confidences, image, reprojection."""

import numpy as np

from hummuss.body.skeleton import H36M17
from hummuss.data.findings import Found
from hummuss.data.motion import MotionClip
from hummuss.data.pose_geometry import valid_frames

MAX_REPROJECTION = 0.03  # of the image's width: far more than distortion that a pinhole camera leaves out
AT_ORIGIN = 1e-6  # metres: what a pelvis that was put there may be off
# Of the detected joints, that must be off before it is no longer the detector's own trouble.
FAR_SHARE = 0.05


def check_depth(clip: MotionClip) -> Found | None:
    """People seen by a camera stand in front of it."""
    if clip.joints3d is None or clip.frame != "camera" or _is_2_5d(clip) or _is_nowhere(clip):
        return None
    behind = (clip.joints3d[:, 0, 2] <= 0) & valid_frames(clip)
    if not behind.any():
        return None
    frame = int(behind.argmax())
    value = f"pelvis at z = {clip.joints3d[frame, 0, 2]:.3g} m ({behind.sum()} frames)"
    return frame, value, "above 0, in front of the camera", "give absolute camera coordinates; z points forward"


def check_confidence(clip: MotionClip) -> Found | None:
    """Confidences from 0 to 1, missing joints all zero, somebody detected at all."""
    if clip.keypoints2d is None:
        return None
    confidence = clip.keypoints2d[..., 2]
    outside = (confidence < 0) | (confidence > 1)
    if outside.any():
        frame, joint = np.argwhere(outside)[0]
        return int(frame), f"confidence {confidence[frame, joint]:.4g}", "0 to 1", "scale the detector's scores"
    if not (confidence > 0).any():
        return None, "no joint in any frame", "somebody detected", "leave the clip out"
    stray = (confidence == 0) & (clip.keypoints2d[..., :2] != 0).any(-1)
    if stray.any():
        frame, joint = (int(index) for index in np.argwhere(stray)[0])
        value = f"missing joint {joint} at {clip.keypoints2d[frame, joint, :2].tolist()}"
        return frame, value, "zeros where confidence is 0", "zero missing joints in the reader"
    return None


def check_inside_image(clip: MotionClip) -> Found | None:
    """Keypoints within the image or near it, and not crowded into its corner."""
    if clip.keypoints2d is None or clip.camera is None:
        return None
    width, height = clip.camera.width, clip.camera.height
    seen = clip.keypoints2d[..., 2] > 0
    x, y = clip.keypoints2d[..., 0], clip.keypoints2d[..., 1]
    far = seen & ((x < -width / 2) | (x > 1.5 * width) | (y < -height / 2) | (y > 1.5 * height))
    if far.sum() > FAR_SHARE * seen.sum():
        frame, joint = np.argwhere(far)[0]
        value = f"({x[frame, joint]:.4g}, {y[frame, joint]:.4g}) of {width} x {height}"
        return int(frame), value, "pixels of the image", "check the image size and the keypoints' unit"
    if seen.any() and np.abs(clip.keypoints2d[seen][:, :2]).max() <= 2:
        return 0, "all within 2 pixels of the corner", "pixels", "give pixels, not shares of the image"
    return None


def check_reprojection(clip: MotionClip) -> Found | None:
    """The camera shows the 3D joints where the keypoints are."""
    known = clip.camera is not None and clip.camera.known
    if clip.joints3d is None or clip.keypoints2d is None or not known or _is_2_5d(clip):
        return None
    if clip.keypoints2d.shape[1] != len(H36M17):
        return None
    assert clip.camera is not None
    joints = clip.joints3d.astype(np.float64)
    if clip.frame == "world":
        joints = joints @ clip.camera.rotation.T + clip.camera.translation
    seen = (clip.keypoints2d[..., 2] > 0) & (joints[..., 2] > 0) & valid_frames(clip)[:, None]
    if not seen.any():
        return None
    image = joints[seen] @ clip.camera.intrinsics.T
    off = np.linalg.norm(image[:, :2] / image[:, 2:] - clip.keypoints2d[seen][:, :2], axis=-1)
    if np.median(off) <= MAX_REPROJECTION * clip.camera.width:
        return None
    frame = int(np.argwhere(seen)[off.argmax()][0])
    wanted = f"{MAX_REPROJECTION:.0%} of {clip.camera.width} pixels at most"
    remedy = "camera, units or joint order do not belong together: check the calibration"
    return frame, f"3D joints appear {np.median(off):.3g} pixels beside the keypoints (median)", wanted, remedy


def _is_nowhere(clip: MotionClip) -> bool:
    """Whether nothing places the person in front of the camera, as in photographs by cameras that nobody knows."""
    assert clip.joints3d is not None
    unknown = clip.camera is not None and not clip.camera.known
    return bool(unknown and (np.abs(clip.joints3d[:, 0]) < AT_ORIGIN).all())


def _is_2_5d(clip: MotionClip) -> bool:
    """Whether x and y are pixels times a factor, and z is relative to the pelvis: no places in front of a camera."""
    return "factor_2_5d" in clip.extras
