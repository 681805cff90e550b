"""Detected 2D keypoints of one person as a clip, and what is refused in them, wherever they come from."""

from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float32
from numpy.typing import ArrayLike

from hummuss.body.skeleton import convert_keypoints
from hummuss.data.motion import Camera, MotionClip
from hummuss.errors import InputError

# Positions beyond this many pixels are damage; the bound also rules out overflow.
LARGEST_POSITION = 1e6
# Confidences beyond it are on another scale, such as percent. OpenPose writes some of up to 1.5.
LARGEST_CONFIDENCE = 2.0
# A joint of that confidence counts when the image's size is doubted: detectors guess where hidden ones are.
SURE = 0.5
# Of the image's size, how far outside of it a joint must lie; and how many of the sure ones
# where an image of exchanged width and height would hold them all, or whatever would.
OUTSIDE, OUTSIDE_SHARE, MOST_OUTSIDE = 0.1, 0.25, 0.5
LONGEST_INTERVAL = 1.0  # seconds between frames, on average


def clip_from_keypoints(
    keypoints: ArrayLike,
    layout: str,
    *,
    fps: float | None = None,
    timestamps: ArrayLike | None = None,
    image_size: tuple[int, int] | None = None,
    name: str = "clip",
) -> MotionClip:
    """One person's detected keypoints, in memory, as `predict_clip` takes them.

    Args:
        keypoints: (F, J, 2 or 3): x and y in pixels, y down, and confidence from 0, which marks a missing joint, to 1.
        layout: order of the joints, a name in `hummuss.body.skeleton.LAYOUTS`.
        fps: frames per second; either this or ``timestamps``.
        timestamps: (F,) seconds of the frames, increasing.
        image_size: width and height in pixels, which runs with ``normalisation: image`` need.
        name: of the clip.

    Returns:
        A clip in camera coordinates with the 17 Human3.6M keypoints in pixels. Of its camera only the image size is
        known: its intrinsics are zeros, as in batches without a camera.

    Raises:
        InputError: an argument of the wrong shape or out of its range, keypoints in which nobody was detected, or that
            are no pixels, or none of an image of that size.

    >>> clip = clip_from_keypoints(100 * np.ones((20, 17, 3)) / [1, 1, 100], "coco17", fps=30.0, image_size=(640, 480))
    >>> clip.keypoints2d.shape
    (20, 17, 3)
    """
    detected = detected_joints(keypoints)
    if not (detected[..., 2] > 0).any():
        raise InputError("every joint of every frame has confidence 0: nobody was detected")
    if image_size is None:
        refuse_shares(detected)
    else:
        check_pixels(detected, *check_size(image_size))
    return make_clip(detected, layout, fps, timestamps, image_size, name)


def detected_joints(keypoints: ArrayLike) -> Float32[np.ndarray, "F J 3"]:
    """Pixels and confidence; joints of no confidence, or at the origin, are zeros.

    Raises:
        InputError: another shape, positions or confidences out of their range.
    """
    values = numbers("keypoints", keypoints, None)
    if values.ndim == 4:
        raise InputError(
            f"keypoints have shape {values.shape}, expected those of one person, (frames, joints, 2 or 3): give each a "
            "clip of their own, such as keypoints[:, 0]"
        )
    if values.ndim != 3 or values.shape[-1] not in (2, 3) or 0 in values.shape:
        raise InputError(
            f"keypoints have shape {values.shape}, expected (frames, joints, 2 or 3): x and y in pixels, and confidence"
        )
    if values.shape[-1] == 2:
        if (nowhere := (values == 0).all(-1)).any():
            raise InputError(
                f"{_first(nowhere)} is at (0, 0): if that stands for a missing joint, "
                "give confidence as a third number, 0 for missing"
            )
        values = np.concatenate([values, np.ones_like(values[..., :1])], -1)
    confidence = values[..., 2]
    if (outside := (confidence < 0) | (confidence > LARGEST_CONFIDENCE)).any():
        found = confidence[outside][0]
        raise InputError(f"{_first(outside)} has confidence {found:g}, expected 0 to 1: scale it")
    values = np.concatenate([values[..., :2], np.minimum(confidence, 1)[..., None]], -1)
    values = missing_at_the_origin(values)
    values = np.where(values[..., 2:] == 0, 0, values)  # whatever stands for "nowhere", NaN too
    if (np.abs(values, where=np.isfinite(values), out=np.zeros_like(values)) > LARGEST_POSITION).any():
        raise InputError(f"a keypoint lies beyond {LARGEST_POSITION:g} pixels: it is damaged")
    return values.astype(np.float32)


def missing_at_the_origin(keypoints: Float[np.ndarray, "*batch J 3"]) -> Float[np.ndarray, "*batch J 3"]:
    """The same keypoints, of no confidence where they are exactly at (0, 0).

    Ultralytics puts joints of a confidence below 0.5 there and keeps the confidence; nobody's joint is that exactly in
    the image's corner.

    >>> missing_at_the_origin(np.array([[0.0, 0.0, 0.3], [0.0, 9.0, 0.3]]))
    array([[0. , 0. , 0. ],
           [0. , 9. , 0.3]])
    """
    placed = (keypoints[..., :2] != 0).any(-1, keepdims=True)
    return np.concatenate([keypoints[..., :2], keypoints[..., 2:] * placed], -1)


def make_clip(
    detected: Float32[np.ndarray, "F J 3"],
    layout: str,
    fps: float | None,
    timestamps: ArrayLike | None,
    image_size: tuple[int, int] | None,
    name: str,
) -> MotionClip:
    """The clip of `detected_joints`; arguments and errors as those of `clip_from_keypoints`.

    Whether they are pixels of the image is for `check_pixels`, which needs more than a frame.
    """
    times = None if timestamps is None else numbers("timestamps", timestamps, 1)
    if times is not None and not np.isfinite(times).all():
        raise InputError(f"time stamp {int(np.argmin(np.isfinite(times)))} is not a finite number")
    if times is not None and len(times) != len(detected):
        raise InputError(f"there are {len(times)} timestamps for {len(detected)} frames: give one for each")
    camera = None if image_size is None else Camera.of_size(*check_size(image_size))
    clip = MotionClip(
        name=name,
        sequence=name,
        subject="",
        split="test",
        frame="camera",
        fps=None if fps is None else float(numbers("fps", fps, 0)),
        timestamps=times,
        camera=camera,
        keypoints2d=detected,
    )
    interval = 1 / clip.fps if clip.fps is not None else clip.duration / max(1, len(clip) - 1)
    # Frame numbers, taken for seconds, are no less than one apart.
    if interval > LONGEST_INTERVAL or (times is not None and interval == LONGEST_INTERVAL):
        raise InputError(
            f"frames are {interval:g} s apart on average: give timestamps in seconds, below one from frame to frame, "
            "or fps per second"
        )
    return replace(clip, keypoints2d=convert_keypoints(detected, layout, "h36m17"))


def check_size(size: Any) -> tuple[int, int]:
    """Width and height of an image as whole numbers.

    Raises:
        InputError: they are not two, no whole numbers, or not above 0.
    """
    lengths = numbers("image_size", size, 1).tolist()
    if len(lengths) != 2:
        raise InputError(f"image_size is {lengths}, expected width and height in pixels")
    width, height = lengths
    if not all(1 <= length <= LARGEST_POSITION and length == round(length) for length in (width, height)):
        raise InputError(f"the image is {width:g} x {height:g}, expected whole numbers of pixels above 0")
    return int(width), int(height)


def check_pixels(keypoints: Float[np.ndarray, "F J 3"], width: int, height: int) -> None:
    """Refuse keypoints that are no pixels of an image of that size.

    Raises:
        InputError: all lie in the corner of the image, as shares of it do; or many lie outside it, all inside an image
            whose width and height are exchanged; or most lie outside it.
    """
    refuse_shares(keypoints, width, height)
    seen = keypoints[keypoints[..., 2] > 0]
    points = seen[seen[:, 2] >= SURE][:, :2]
    if not len(points):
        return
    size = np.array([width, height])
    far = ((points < -OUTSIDE * size) | (points > (1 + OUTSIDE) * size)).any(-1).mean()
    if width != height and far > OUTSIDE_SHARE and ((points >= 0) & (points <= size[::-1])).all():
        raise InputError(
            f"{far:.0%} of the joints lie outside of the image of {width} x {height} pixels, but all inside "
            f"{height} x {width}: are width and height exchanged?"
        )
    if far > MOST_OUTSIDE:
        x, y = points.max(0)
        raise InputError(
            f"{far:.0%} of the joints lie outside of the image of {width} x {height} pixels, as far as ({x:.0f}, "
            f"{y:.0f}): give the size of the images in which they were detected"
        )


def refuse_shares(
    keypoints: Float[np.ndarray, "F J 3"], width: int | float = np.inf, height: int | float = np.inf
) -> None:
    """Refuse keypoints that are shares of the image: all in its corner. One or two joints may truly lie there.

    An image of unknown size counts as larger than that corner.

    Raises:
        InputError: they are.
    """
    seen = keypoints[keypoints[..., 2] > 0]
    if len(seen) > 2 and np.abs(seen[:, :2]).max() <= 2 < min(width, height):
        raise InputError("all keypoints lie within 2 pixels of the image's corner: give pixels, not shares of it")


def numbers(name: str, value: Any, dimensions: int | None) -> Float[np.ndarray, "..."]:
    """Anything as an array of so many dimensions, or of any.

    Raises:
        InputError: it is no array of numbers, or has another shape.
    """
    try:
        array = np.asarray(value, np.float64)
    except (ValueError, TypeError, OverflowError) as error:
        raise InputError(f"{name} is not an array of numbers ({error})") from error
    if dimensions is not None and array.ndim != dimensions:
        raise InputError(f"{name} has shape {array.shape}, expected {dimensions} dimensions")
    return array


def _first(chosen: Bool[np.ndarray, "F J"]) -> str:
    """The first joint of those chosen, in words; its frame too, where there are several."""
    frame, joint = np.argwhere(chosen)[0]
    return f"joint {joint} of frame {frame}" if len(chosen) > 1 else f"joint {joint}"
