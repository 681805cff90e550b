"""What can be wrong with one clip, told by its numbers alone: units, axes, sides, times, confidences, the body.

Limits are those of people: wide enough for every clip of CMU's mocap to pass but those that a look at the pictures
confirms, narrow enough for millimetres, another axis or exchanged sides to stand out.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from hummuss.body.skeleton import H36M17
from hummuss.data.motion import MotionClip
from hummuss.data.pose_geometry import JOINT, height, knees_ahead, limb_lengths, side_changes, valid_frames

# Metres, of the whole person: children from about four years on to the tallest.
HEIGHT = (1.0, 2.3)
# Shares of the height in `height`'s sense, which leaves out feet and scalp; anthropometry's are 0.25, 0.25, 0.19, 0.15
# (Winter, Biomechanics and Motor Control of Human Movement, figure 4.1).
PROPORTIONS = {"thigh": (0.17, 0.37), "shin": (0.17, 0.37), "upper arm": (0.12, 0.30), "forearm": (0.07, 0.25)}
MAX_STRETCH = 0.3  # by which a limb may differ from its median
MAX_SPEED = 30.0  # m/s; a thrower's hand reaches 20 to 25
FRAME_RATES = (5.0, 250.0)
MAX_GAP = 1.0  # seconds between two frames
# Of the leg's length: knees lie ahead of the line from hip to ankle by 5 % and more in all of CMU's clips.
KNEES_AHEAD = -0.02
MAX_REPROJECTION = 0.03  # of the image's width: far more than distortion that a pinhole camera leaves out
# Frames that a fault must concern, of all, where single frames may well be the capture's own trouble.
SHARE = 0.05


@dataclass(frozen=True)
class Finding:
    """Something that is probably wrong.

    Attributes:
        check: which check found it.
        clip: the clip, or what else it concerns.
        frame: the first frame, or the worst; None where it is about the whole clip.
        value, expected: what was found, and what should be.
        remedy: what to do.
    """

    check: str
    clip: str
    frame: int | None
    value: str
    expected: str
    remedy: str


def check_clip(clip: MotionClip) -> Iterator[Finding]:
    """Findings of one readable clip, none where it looks sound."""
    for check in CHECKS:
        found = check(clip)
        if found is not None:
            frame, value, expected, remedy = found
            yield Finding(
                check.__name__.removeprefix("check_").replace("_", " "), clip.name, frame, value, expected, remedy
            )


_Found = tuple[int | None, str, str, str] | None


def check_frame_rate(clip: MotionClip) -> _Found:
    """Frames per second, and gaps between time stamps."""
    intervals = np.diff(clip.times)
    if not len(intervals):
        return 0, "one frame", "two at least, for an interval", "leave the clip out"
    fps, longest = 1 / np.median(intervals), int(intervals.argmax())
    if not FRAME_RATES[0] <= fps <= FRAME_RATES[1]:
        wanted = f"{FRAME_RATES[0]:g} to {FRAME_RATES[1]:g} fps"
        return None, f"{fps:.4g} fps", wanted, "give the reader frames per second, or time stamps in seconds"
    if intervals[longest] > MAX_GAP:
        return (
            longest + 1,
            f"{intervals[longest]:.3g} s since the frame before",
            f"{MAX_GAP:g} s at most",
            "cut it there",
        )
    return None


def check_repeated_frames(clip: MotionClip) -> _Found:
    """Frames that are exactly the one before: a capture sped up by copying, or a stuck tracker."""
    array = clip.joints3d if clip.joints3d is not None else clip.keypoints2d
    if array is None or len(array) <= 2:  # a photograph may be stored as two equal frames
        return None
    same = (array[1:] == array[:-1]).all((1, 2))
    if same.mean() <= 2 * SHARE:
        return None
    value = f"{same.mean():.0%} of the frames repeat the one before"
    return (
        int(same.argmax()) + 1,
        value,
        f"{2 * SHARE:.0%} at most",
        "check the frame rate; cut what stands still at the ends",
    )


def check_units(clip: MotionClip) -> _Found:
    """The person's height, in metres."""
    if clip.joints3d is None:
        return None
    tall = height(clip.joints3d)
    if HEIGHT[0] <= tall <= HEIGHT[1]:
        return None
    guesses = {"millimetres": 1000, "centimetres": 100, "decimetres": 10, "inches": 39.37}
    unit = next((unit for unit, factor in guesses.items() if 1.3 < tall / factor < 2.1), None)
    remedy = f"looks like {unit}: convert to metres in the reader" if unit else "scale joints3d to metres"
    return None, f"height {tall:.3g} m", f"{HEIGHT[0]:g} to {HEIGHT[1]:g} m", remedy


def check_limb_lengths(clip: MotionClip) -> _Found:
    """Limbs in proportion to the height."""
    if clip.joints3d is None:
        return None
    tall = height(clip.joints3d)
    for limb, lengths in limb_lengths(clip.joints3d).items():
        share, (low, high) = float(np.median(lengths)) / max(tall, 1e-9), PROPORTIONS[limb.partition(" ")[2]]
        if not low <= share <= high:
            wanted = f"{low:.0%} to {high:.0%} of the height"
            return (
                None,
                f"{limb} {share:.1%} of the height",
                wanted,
                "check the order of the joints: which layout is it?",
            )
    return None


def check_stretching(clip: MotionClip) -> _Found:
    """Limbs that change their length."""
    if clip.joints3d is None:
        return None
    valid = valid_frames(clip)
    for limb, lengths in limb_lengths(clip.joints3d).items():
        usual = np.median(lengths[valid]) if valid.any() else 0.0
        off = np.abs(lengths / max(usual, 1e-9) - 1) * valid
        if (off > MAX_STRETCH).sum() > SHARE * valid.sum():
            value = f"{limb} {off.max():.0%} off its median of {usual:.2f} m"
            return (
                int(off.argmax()),
                value,
                f"within {MAX_STRETCH:.0%}",
                "check the order of the joints, and the tracking",
            )
    return None


def check_upright(clip: MotionClip) -> _Found:
    """World y points up, camera y down: somebody stands or sits at least now and then."""
    if clip.joints3d is None:
        return None
    joints = clip.joints3d[valid_frames(clip)]
    body = joints[:, JOINT["head"]] - joints[:, [JOINT["left_ankle"], JOINT["right_ankle"]]].mean(1)
    upwards = body[:, 1] if clip.frame == "world" else -body[:, 1]
    upright = upwards > 0.5 * np.linalg.norm(body, axis=-1)
    if not len(joints) or upright.mean() >= SHARE:
        return None
    axis = "y up in the world frame" if clip.frame == "world" else "y down in the camera frame"
    value = f"upright in {upright.mean():.0%} of the frames"
    return int(np.argmin(upwards)), value, f"{SHARE:.0%} at least, with {axis}", "turn the axes in the reader"


def check_mirrored(clip: MotionClip) -> _Found:
    """Knees bend forward, and forward follows from left, right and up: backward knees mean exchanged sides."""
    if clip.joints3d is None:
        return None
    ahead = knees_ahead(clip.joints3d)[valid_frames(clip)]
    if not len(ahead) or np.nanmean(ahead) >= KNEES_AHEAD:
        return None
    value = f"knees {-np.nanmean(ahead):.1%} of the leg behind the line from hip to ankle, on average"
    remedy = "left and right, or one axis, are mirrored: exchange the labels or turn the axis in the reader"
    return int(np.nanargmin(ahead)), value, "ahead of it", remedy


def check_speed(clip: MotionClip) -> _Found:
    """Joints that jump."""
    if clip.joints3d is None or len(clip) < 2:
        return None
    valid = valid_frames(clip)
    steps = np.linalg.norm(np.diff(clip.joints3d, axis=0), axis=-1).max(1) * (valid[1:] & valid[:-1])
    speed = steps / np.diff(clip.times)
    if speed.max() <= MAX_SPEED:
        return None
    frame = int(speed.argmax()) + 1
    value = f"{speed.max():.3g} m/s ({(speed > MAX_SPEED).sum()} frames)"
    return (
        frame,
        value,
        f"{MAX_SPEED:g} m/s at most",
        "a cut, a glitch, or a wrong frame rate or unit: cut the clip there",
    )


def check_changed_sides(clip: MotionClip) -> _Found:
    """Frames in which arms or legs change sides at once, in 3D or in the image."""
    for array, what in ((clip.joints3d, "3D"), (clip.keypoints2d, "2D")):
        if array is None or len(array) < 2 or (what == "2D" and array.shape[1] != len(H36M17)):
            continue
        swapped = side_changes(clip, array, image=what == "2D")
        # A detector errs now and then, and its errors are what it is: only a track that does so often is worth a word.
        if swapped.sum() > (SHARE * len(array) if what == "2D" else 0):
            value = f"left and right change places in {what} ({swapped.sum()} frames)"
            return (
                int(swapped.argmax()) + 1,
                value,
                "each side stays itself",
                "cut there, or exchange the sides between",
            )
    return None


def check_depth(clip: MotionClip) -> _Found:
    """People seen by a camera stand in front of it."""
    if clip.joints3d is None or clip.frame != "camera" or "factor_2_5d" in clip.extras:
        return None
    behind = (clip.joints3d[:, 0, 2] <= 0) & valid_frames(clip)
    if not behind.any():
        return None
    frame = int(behind.argmax())
    value = f"pelvis at z = {clip.joints3d[frame, 0, 2]:.3g} m ({behind.sum()} frames)"
    return frame, value, "above 0, in front of the camera", "give absolute camera coordinates; z points forward"


def check_confidence(clip: MotionClip) -> _Found:
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


def check_inside_image(clip: MotionClip) -> _Found:
    """Keypoints within the image or near it, and not crowded into its corner."""
    if clip.keypoints2d is None or clip.camera is None:
        return None
    width, height = clip.camera.width, clip.camera.height
    seen = clip.keypoints2d[..., 2] > 0
    x, y = clip.keypoints2d[..., 0], clip.keypoints2d[..., 1]
    far = seen & ((x < -width / 2) | (x > 1.5 * width) | (y < -height / 2) | (y > 1.5 * height))
    if far.sum() > SHARE * seen.sum():
        frame, joint = np.argwhere(far)[0]
        value = f"({x[frame, joint]:.4g}, {y[frame, joint]:.4g}) of {width} x {height}"
        return int(frame), value, "pixels of the image", "check the image size and the keypoints' unit"
    if seen.any() and np.abs(clip.keypoints2d[seen][:, :2]).max() <= 2:
        return 0, "all within 2 pixels of the corner", "pixels", "give pixels, not shares of the image"
    return None


def check_reprojection(clip: MotionClip) -> _Found:
    """The camera shows the 3D joints where the keypoints are."""
    known = clip.camera is not None and clip.camera.intrinsics[0, 0] > 0
    if clip.joints3d is None or clip.keypoints2d is None or not known or clip.keypoints2d.shape[1] != len(H36M17):
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


def check_body(clip: MotionClip) -> _Found:
    """Body parameters within a body's range, and the body where the joints are."""
    if clip.smpl_pose is None:
        return None
    assert clip.betas is not None
    assert clip.transl is not None
    turn = np.linalg.norm(clip.smpl_pose, axis=-1).max(1)
    if turn.max() > 2 * np.pi + 0.01:
        value = f"a rotation of {turn.max():.3g} rad"
        return int(turn.argmax()), value, "2 pi at most", "give axis-angle in radians"
    if np.abs(clip.betas).max() > 10:
        return (
            None,
            f"betas up to {np.abs(clip.betas).max():.3g}",
            "within 10 standard deviations",
            "check the body model",
        )
    if clip.joints3d is not None:
        apart = np.linalg.norm(clip.transl - clip.joints3d[:, 0], axis=-1) * valid_frames(clip)
        if np.median(apart) > 1:
            value = f"transl {np.median(apart):.3g} m from the pelvis (median)"
            return int(apart.argmax()), value, "1 m at most", "body and joints are in different frames or units"
    return None


CHECKS: tuple[Callable[[MotionClip], _Found], ...] = (
    check_frame_rate, check_repeated_frames, check_units, check_limb_lengths, check_stretching, check_upright,
    check_mirrored, check_speed, check_changed_sides, check_depth, check_confidence, check_inside_image,
    check_reprojection, check_body,
)  # fmt: skip
