"""Keypoints from pixels to the numbers a model sees; causal by construction.

One setting serves every row of a comparison (SPEC section 5).
"""

import numpy as np
from jaxtyping import Float

from hummuss.errors import InputError

MODES = ("image", "box")
BOX_SECONDS = 0.5


def normalise(
    keypoints: Float[np.ndarray, "F J 3"],
    times: Float[np.ndarray, "F"],
    image_size: tuple[int, int] | None,
    mode: str = "image",
) -> Float[np.ndarray, "F J 3"]:
    """Pixels and confidence -> normalised coordinates and confidence; missing joints stay zeros.

    ``image``: 2x/w - 1 and 2y/w - h/w. ``box``: centre and half size of the box around the joints seen in the first
    0.5 s, then fixed for the clip.

    Args:
        keypoints: pixels and confidence.
        times: seconds of the frames.
        image_size: width and height in pixels; ``image`` needs it.
        mode: ``image`` or ``box``.

    Raises:
        InputError: unknown mode, no image size, or no joint seen in the first half second.
    """
    present = keypoints[..., 2:] > 0
    if mode == "image":
        if image_size is None:
            raise InputError("normalisation 'image' needs the image's width and height: give them, or use 'box'")
        width, height = image_size
        centre, half = np.array([width / 2, height / 2]), width / 2
    elif mode == "box":
        early = keypoints[times <= times[0] + BOX_SECONDS]
        points = early[early[..., 2] > 0][:, :2]
        if not len(points):
            raise InputError(f"normalisation 'box' found no joint in the clip's first {BOX_SECONDS} s: cut them off")
        low, high = points.min(0), points.max(0)
        centre, half = (low + high) / 2, max(float((high - low).max()) / 2, 1e-6)
    else:
        raise InputError(f"normalisation {mode!r} is none of {', '.join(MODES)}")
    scaled = (keypoints[..., :2] - centre) / half
    return np.concatenate([scaled * present, keypoints[..., 2:] * present], -1).astype(np.float32)
