"""What can be wrong with one clip, told by its numbers alone: units, axes, sides, times, confidences, the body.

Limits are those of people: wide enough for every clip of CMU's mocap to pass but those that a look at the pictures
confirms, narrow enough for millimetres, another axis or exchanged sides to stand out.
"""

from collections.abc import Callable, Iterator

import numpy as np

from hummuss.body.skeleton import H36M17
from hummuss.data.findings import Finding, Found
from hummuss.data.image_checks import check_confidence, check_depth, check_inside_image, check_reprojection
from hummuss.data.motion import MotionClip
from hummuss.data.pose_geometry import JOINT, height, knees_ahead, limb_lengths, side_changes, valid_frames

# Metres, of the whole person: children from about four years on to the tallest.
HEIGHT = (1.0, 2.3)
# Shares of the height in `height`'s sense, which leaves out feet and scalp; anthropometry's are 0.25, 0.25, 0.19, 0.15
# (Winter, Biomechanics and Motor Control of Human Movement, figure 4.1).
PROPORTIONS = {"thigh": (0.17, 0.37), "shin": (0.17, 0.37), "upper arm": (0.12, 0.30), "forearm": (0.07, 0.25)}
MAX_STRETCH = 0.3  # by which a limb may differ from its median
MAX_SPEED = 30.0  # m/s; the fastest joint of CMU's clips does 25
FRAME_RATES = (5.0, 250.0)
MAX_GAP = 1.0  # seconds between two frames
# Of the leg's length: knees lie ahead of the line from hip to ankle by 5 % and more in all of CMU's clips.
KNEES_AHEAD = -0.02
# Frames that a fault must concern, of all, where single frames may well be the capture's own trouble.
SHARE = 0.05


def check_clip(clip: MotionClip) -> Iterator[Finding]:
    """Findings of one readable clip, none where it looks sound."""
    for check in CHECKS:
        found = check(clip)
        if found is not None:
            frame, value, expected, remedy = found
            name = check.__name__.removeprefix("check_").replace("_", " ")
            yield Finding(name, clip.name, frame, value, expected, remedy)


def check_frame_rate(clip: MotionClip) -> Found | None:
    """Frames per second, and gaps between time stamps."""
    intervals = np.diff(clip.times)
    if not len(intervals):
        return 0, "one frame", "two at least, for an interval", "leave the clip out"
    fps, longest = 1 / np.median(intervals), int(intervals.argmax())
    if not FRAME_RATES[0] <= fps <= FRAME_RATES[1]:
        wanted = f"{FRAME_RATES[0]:g} to {FRAME_RATES[1]:g} fps"
        return None, f"{fps:.4g} fps", wanted, "give the reader frames per second, or time stamps in seconds"
    if intervals[longest] > MAX_GAP:
        value = f"{intervals[longest]:.3g} s since the frame before"
        return longest + 1, value, f"{MAX_GAP:g} s at most", "cut it there"
    return None


def check_repeated_frames(clip: MotionClip) -> Found | None:
    """Frames that are exactly the one before: a capture sped up by copying, or a stuck tracker."""
    array = clip.joints3d if clip.joints3d is not None else clip.keypoints2d
    if array is None or len(array) <= 2:  # a photograph may be stored as two equal frames
        return None
    same = (array[1:] == array[:-1]).all((1, 2))
    if same.mean() <= 2 * SHARE:
        return None
    value = f"{same.mean():.0%} of the frames repeat the one before"
    remedy = "check the frame rate; cut what stands still at the ends"
    return int(same.argmax()) + 1, value, f"{2 * SHARE:.0%} at most", remedy


def check_units(clip: MotionClip) -> Found | None:
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


def check_limb_lengths(clip: MotionClip) -> Found | None:
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


def check_stretching(clip: MotionClip) -> Found | None:
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


def check_upright(clip: MotionClip) -> Found | None:
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


def check_mirrored(clip: MotionClip) -> Found | None:
    """Knees bend forward, and forward follows from left, right and up: backward knees mean exchanged sides."""
    if clip.joints3d is None:
        return None
    ahead = knees_ahead(clip.joints3d)[valid_frames(clip)]
    if not len(ahead) or np.nanmean(ahead) >= KNEES_AHEAD:
        return None
    value = f"knees {-np.nanmean(ahead):.1%} of the leg behind the line from hip to ankle, on average"
    remedy = "left and right, or one axis, are mirrored: exchange the labels or turn the axis in the reader"
    return int(np.nanargmin(ahead)), value, "ahead of it", remedy


def check_speed(clip: MotionClip) -> Found | None:
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


def check_changed_sides(clip: MotionClip) -> Found | None:
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


def check_body(clip: MotionClip) -> Found | None:
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


CHECKS: tuple[Callable[[MotionClip], Found | None], ...] = (
    check_frame_rate, check_repeated_frames, check_units, check_limb_lengths, check_stretching, check_upright,
    check_mirrored, check_speed, check_changed_sides, check_depth, check_confidence, check_inside_image,
    check_reprojection, check_body,
)  # fmt: skip
