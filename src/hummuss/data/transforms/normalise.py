"""Keypoints from pixels to the numbers a model sees; ``image`` and ``frame`` are causal by construction.

One setting serves every row of a comparison.
"""

import numpy as np
from jaxtyping import Bool, Float

from hummuss.errors import InputError

MODES = ("image", "box", "frame")
BOX_SECONDS = 0.5
BOX_JOINTS = 4  # fewer are no measure of a person's size
LEAST = 1e-6  # pixels that an extent has


def normalise(
    keypoints: Float[np.ndarray, "F J 3"],
    times: Float[np.ndarray, "F"],
    image_size: tuple[int, int] | None,
    mode: str = "image",
    hidden: Bool[np.ndarray, "F J"] | None = None,
) -> Float[np.ndarray, "F J 3"]:
    """Pixels and confidence -> normalised coordinates and confidence; missing joints stay zeros.

    ``image``: 2x/w - 1 and 2y/w - h/w. ``box``: centre and half size of the box around the joints seen until 0.5 s
    after the first frame that shows four of them (as many as any frame shows, where none shows four), then fixed for
    the clip. ``frame``: middle and extent (root mean square distance from it) of the joints seen in each frame by
    itself, so that a pose looks alike wherever the person stands; where that is, is lost.

    Args:
        keypoints: pixels and confidence.
        times: seconds of the frames.
        image_size: width and height in pixels; ``image`` needs it.
        mode: ``image``, ``box`` or ``frame``.
        hidden: joints that a model does not get to see, though they were detected: they become missing. The box is
            taken of all that were detected, a frame's middle of those that stay.

    Raises:
        InputError: unknown mode, no image size, or no joint seen at all where a box is to be found.
    """
    present = keypoints[..., 2:] > 0
    if hidden is not None:
        present = present & ~hidden[..., None]
    if mode == "image":
        if image_size is None:
            raise InputError("normalisation 'image' needs the image's width and height: give them with the keypoints")
        width, height = image_size
        centre, half = np.array([width / 2, height / 2]), np.array(width / 2)
    elif mode == "box":
        detected = keypoints[..., 2] > 0
        count = detected.sum(1)
        if not count.any():
            raise InputError(
                f"normalisation 'box' found no joint from {times[0]:.2f} s to {times[-1]:.2f} s: cut the clip where "
                "nobody is seen, or use 'image' or 'frame'"
            )
        # A clip may begin before anyone comes into view, or with a hand in the image.
        enough = count >= min(BOX_JOINTS, count.max())
        early = times <= times[enough.argmax()] + BOX_SECONDS
        points = keypoints[early][detected[early]][:, :2]
        low, high = points.min(0), points.max(0)
        centre, half = (low + high) / 2, np.maximum((high - low).max() / 2, LEAST)
    elif mode == "frame":
        count = np.maximum(present.sum(1, keepdims=True), 1)
        centre = (keypoints[..., :2] * present).sum(1, keepdims=True) / count
        away = (keypoints[..., :2] - centre) * present
        half = np.maximum(np.sqrt((away**2).sum((1, 2), keepdims=True) / count), LEAST)
    else:
        raise InputError(f"normalisation {mode!r} is none of {', '.join(MODES)}")
    scaled = (keypoints[..., :2] - centre) / half
    return np.concatenate([scaled * present, keypoints[..., 2:] * present], -1).astype(np.float32)
