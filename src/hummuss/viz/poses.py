"""Keypoints, skeletons and body meshes, each drawn into matplotlib axes that it is given.

3D points are in camera coordinates (x right, y down, z forward), in metres. People stand upright on the page.
"""

import numpy as np
from jaxtyping import Float, Integer
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgb
from mpl_toolkits.mplot3d import Axes3D

from hummuss.body.skeleton import H36M17

KEYPOINT_COLOR = "#404040"
# Towards the light, which stands over the viewer's left shoulder.
LIGHT = np.array([-0.4, -0.6, -0.7]) / np.linalg.norm([-0.4, -0.6, -0.7])
AMBIENT = 0.45
# Where 3D skeletons are seen from, degrees in matplotlib's terms; azimuth -90 would be the camera itself.
ELEVATION, AZIMUTH = 12, -65


def draw_keypoints(ax: Axes, keypoints: Float[np.ndarray, "17 3"]) -> None:
    """Draw 2D keypoints (x, y down, confidence), as opaque as they are sure; a bone as its weaker end.

    The right side of the body is dark, the left side light.
    """
    position, confidence = keypoints[:, :2], keypoints[:, 2].clip(0, 1)
    for parent, child in H36M17.bones:
        alpha = min(confidence[parent], confidence[child])
        if alpha > 0:
            color = side_shade(H36M17.joints[child], KEYPOINT_COLOR)
            ax.plot(*position[[parent, child]].T, color=color, alpha=alpha, lw=2, solid_capstyle="round")
    seen = np.flatnonzero(confidence > 0)
    colors = [(*side_shade(H36M17.joints[joint], KEYPOINT_COLOR), confidence[joint]) for joint in seen]
    ax.scatter(position[seen, 0], position[seen, 1], s=9, color=colors, zorder=3)
    ax.set_aspect("equal", adjustable="datalim")
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_color("0.8")
    ax.margins(0.08)
    ax.invert_yaxis()
    if not len(seen):
        ax.text(0.5, 0.5, "no keypoints", ha="center", va="center", transform=ax.transAxes)


def draw_skeleton(
    ax: Axes3D, joints: Float[np.ndarray, "17 3"], color: str, label: str | None = None, alpha: float = 1.0
) -> None:
    """Draw a 3D skeleton, orthographically, seen from the right of the camera and a little above.

    The right side of the body is in a darker shade of ``color``, the left side in a lighter one.
    """
    x, y, z = joints.T
    upright = np.stack([x, z, -y])  # matplotlib's third axis points up
    for number, (parent, child) in enumerate(H36M17.bones):
        ax.plot(
            *upright[:, [parent, child]],
            color=side_shade(H36M17.joints[child], color),
            alpha=alpha,
            lw=2.2,
            solid_capstyle="round",
            label=label if number == 0 else None,
        )
    ax.view_init(elev=ELEVATION, azim=AZIMUTH)
    ax.set_proj_type("ortho")
    ax.set_aspect("equal")


def draw_body(ax: Axes, vertices: Float[np.ndarray, "V 3"], faces: Integer[np.ndarray, "T 3"], color: str) -> None:
    """Draw a shaded closed mesh as the camera sees it, orthographically.

    Faces that look away are left out, the others painted from far to near with Lambert's shading. Faces wind
    counter-clockwise seen from outside, as SMPL's.
    """
    triangles = vertices[faces]  # (T, 3 corners, 3)
    normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    towards_camera = normals[:, 2] < 0
    triangles, normals = triangles[towards_camera], normals[towards_camera]
    far_to_near = np.argsort(-triangles[..., 2].mean(1))
    triangles, normals = triangles[far_to_near], normals[far_to_near]
    cosine = normals @ LIGHT / np.linalg.norm(normals, axis=-1)
    shades = (AMBIENT + (1 - AMBIENT) * cosine.clip(0))[:, None] * to_rgb(color)
    # A thin edge of the face's own colour closes the seams that antialiasing leaves between neighbours.
    ax.add_collection(PolyCollection(triangles[..., :2], facecolors=shades, edgecolors=shades, linewidths=0.3))
    ax.set(aspect="equal", xticks=[], yticks=[])
    ax.autoscale_view()
    ax.yaxis.set_inverted(True)


def side_shade(joint: str, color: str) -> tuple[float, float, float]:
    """The colour, darkened for a joint of the right side of the body and lightened for one of the left."""
    red, green, blue = to_rgb(color)
    factor, white = {"right": (0.6, 0.0), "left": (0.6, 0.4)}.get(joint.partition("_")[0], (1.0, 0.0))
    return factor * red + white, factor * green + white, factor * blue + white
