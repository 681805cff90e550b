"""The factor from 2.5D pixels to mm where a file lacks it: from the root's place in several synchronous cameras.

MotionBERT's pickle gives ``2.5d_factor`` for test videos alone. It is what the LCN code behind that file (Ci et al.,
PAMI 2020; its ``camera_to_image_frame``, and mmpose's ``camera_to_image_coord``) calls 1 / ratio: a square of 2 m at
the root's depth is projected, and its width in pixels, plus one, divides 2000 mm. The root's depth follows from its
pixels in the four calibrated cameras.
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Float64

from hummuss.data.readers.h36m_cameras import LENSES, h36m_camera

SQUARE_MM = 2000.0
# Median deviation up to which the factors found so agree with those in the file.
FACTOR_TOLERANCE = 0.02


def root_depths(pixels: Mapping[str, Float[np.ndarray, "F 2"]], subject: str) -> dict[str, Float64[np.ndarray, "F"]]:
    """Depth in metres, in each camera, of a point seen by several (least squares, linear).

    Args:
        pixels: camera -> where the point is in its image, undistorted; two cameras at least.
        subject: whose calibration holds.
    """
    normal, right = 0.0, 0.0
    cameras = {name: h36m_camera(subject, name) for name in pixels}
    for name, camera in cameras.items():
        lens, R, t = LENSES[name], camera.rotation, camera.translation
        flat = (pixels[name].astype(np.float64) - lens.centre) / lens.focal
        A = R[:2] - flat[..., None] * R[2]  # (F, 2, 3): A X = b for the world point X
        b = flat * t[2] - t[:2]
        normal = normal + A.transpose(0, 2, 1) @ A
        right = right + A.transpose(0, 2, 1) @ b[..., None]
    points = np.linalg.solve(normal, right)[..., 0]
    return {name: points @ camera.rotation[2] + camera.translation[2] for name, camera in cameras.items()}


def factor_of_depth(depth: Float[np.ndarray, "F"], camera: str) -> Float64[np.ndarray, "F"]:
    """mm per pixel at a depth in metres."""
    return SQUARE_MM / (SQUARE_MM / (1000 * depth) * LENSES[camera].focal[0] + 1)
