"""A contact sheet: clips at a glance, three moments each, so that eyes can find what numbers don't."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from hummuss.body.skeleton import H36M17
from hummuss.data.motion import MotionClip
from hummuss.errors import InputError
from hummuss.viz.poses import KEYPOINT_COLOR, side_shade

COLUMNS = 4
MOMENTS = (0.15, 0.5, 0.85)  # of a clip's frames
POSE_COLOR = "#0072B2"
# Bodies are seen from 35 degrees to the right of where their joints say they face: a face at the page's left.
TURN = np.deg2rad(35)
TITLE_WIDTH = 42
# Inches: of one clip, and around all of them.
CELL = (3.3, 2.1)
HEADER, FOOTER = 0.45, 0.45


def save_contact_sheet(path: str | PathLike[str], clips: Sequence[MotionClip], title: str) -> None:
    """Write a PNG with one cell per clip: keypoints in the image and skeletons on a floor, as far as it has them.

    Skeletons stand upright as the clip's frame says (world y up, camera y down), each as tall as the row, with the
    height in metres beside it. They are turned to face the page's left by what is left and right in them: somebody
    whose sides are exchanged faces right, and bends the knees that way.

    Args:
        path: file to write; missing folders are made.
        clips: the clips, in order.
        title: what stands over all of them.

    Raises:
        InputError: no clips.
    """
    if not clips:
        raise InputError(f"{path}: no clips to draw: pass at least one")
    columns = min(COLUMNS, len(clips))
    rows = -(-len(clips) // columns)
    width, height = CELL[0] * columns, CELL[1] * rows + HEADER + FOOTER
    figure = Figure(figsize=(width, height), dpi=100)
    grid = figure.add_gridspec(rows, columns, wspace=0.04, hspace=0.24)
    grid.update(left=0.01, right=0.99, bottom=FOOTER / height, top=1 - (HEADER + 0.3) / height)
    for number, clip in enumerate(clips):
        _draw_clip(figure, grid[divmod(number, columns)], clip)
    figure.text(0.5, 1 - 0.2 / height, title, ha="center", va="center", weight="bold", fontsize=11)
    sides = (("right side", "right_"), ("left side", "left_"))
    handles = [Line2D([], [], lw=4, color=side_shade(side, KEYPOINT_COLOR), label=name) for name, side in sides]
    figure.legend(handles=handles, loc="lower left", ncols=2, fontsize=8, frameon=False, bbox_to_anchor=(0.005, 0))
    moments = ", ".join(f"{moment:.0%}" for moment in MOMENTS)
    how = f"each clip at {moments} of its frames, as tall as it says below; grey: input keypoints in the image"
    figure.text(0.99, 0.16 / height, how, fontsize=8, ha="right")
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="png")


def _draw_clip(figure: Figure, cell: SubplotSpec, clip: MotionClip) -> None:
    """One cell: image and skeletons side by side, or what there is of them."""
    moments = [int(moment * (len(clip) - 1)) for moment in MOMENTS]
    # Keypoints of another layout than Human3.6M's have no bones here.
    image = clip.keypoints2d is not None and clip.keypoints2d.shape[1] == len(H36M17)
    parts = [part for part, present in (("image", image), ("floor", clip.joints3d is not None)) if present]
    inner = cell.subgridspec(1, max(len(parts), 1), wspace=0.02, width_ratios=[2, 3] if len(parts) == 2 else None)
    axes = [figure.add_subplot(inner[0, number]) for number in range(max(len(parts), 1))]
    for part, ax in zip(parts, axes, strict=False):
        (_draw_image if part == "image" else _draw_floor)(ax, clip, moments)
    if not parts:
        axes[0].text(0.5, 0.5, "no joints to draw", ha="center", va="center", transform=axes[0].transAxes)
    for ax in axes:
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_color("0.85")
    rate = f"{clip.fps:g} fps" if clip.fps is not None else "time stamps"
    facts = f"{clip.split} · {clip.label or 'no label'} · {rate} · {clip.duration:.1f} s"
    name = clip.name if len(clip.name) <= TITLE_WIDTH else f"…{clip.name[1 - TITLE_WIDTH :]}"
    axes[0].set_title(f"{name}\n{facts}", fontsize=8, loc="left", pad=3)


def _draw_image(ax: Axes, clip: MotionClip, moments: list[int]) -> None:
    """Keypoints in the image's frame, the later the darker; within their own box where the image is unknown."""
    assert clip.keypoints2d is not None
    for strength, frame in zip((0.35, 0.6, 1.0), moments, strict=True):
        keypoints = clip.keypoints2d[frame]
        alpha = keypoints[:, 2].clip(0, 1) * strength
        _draw_bones(ax, keypoints[:, :2], KEYPOINT_COLOR, alpha, 1.2)
    if clip.camera is not None:
        low, high = np.zeros(2), np.array([clip.camera.width, clip.camera.height])
        ax.add_patch(Rectangle((0, 0), *high, fill=False, color="0.7", lw=0.8))
    else:
        places = clip.keypoints2d[moments][clip.keypoints2d[moments][..., 2] > 0]
        low, high = (places[:, :2].min(0), places[:, :2].max(0)) if len(places) else (np.zeros(2), np.ones(2))
    room = 0.04 * (high - low).max()
    (left, top), (right, bottom) = (low - room).tolist(), (high + room).tolist()
    _fit(ax, (left, right), (bottom, top))


def _draw_floor(ax: Axes, clip: MotionClip, moments: list[int]) -> None:
    """Three skeletons side by side on one floor, the lowest one's: jumps stay in the air."""
    assert clip.joints3d is not None
    poses = [_facing(clip.joints3d[frame], 1 if clip.frame == "world" else -1) for frame in moments]
    tall = max(float(np.ptp(pose[:, 1])) for pose in poses)
    tall = tall if np.isfinite(tall) and tall > 0 else 1.0
    reach = max(float(np.abs(pose[:, 0]).max()) for pose in poses)
    step = max(0.75 * tall, 1.7 * reach)
    if clip.frame == "camera":  # which may look down: further away is further up, so each stands on its own floor
        poses = [pose - [0, pose[:, 1].min()] for pose in poses]
    for number, pose in enumerate(poses):
        placed = pose + np.array([step * number, 0])
        _draw_bones(ax, placed, POSE_COLOR, np.ones(len(pose)), 1.8)
        ax.plot(*placed[H36M17.joints.index("nose")], marker="o", ms=3, color=POSE_COLOR)
    low, high = (float(end) for end in (min(p[:, 1].min() for p in poses), max(p[:, 1].max() for p in poses)))
    ax.axhline(low, color="0.75", lw=0.8, zorder=0)
    ax.text(0.99, 0.03, f"{tall:.3g} m", transform=ax.transAxes, fontsize=7, color="0.4", ha="right")
    _fit(ax, (-0.7 * step, 2.7 * step), (low - 0.14 * (high - low), high + 0.06 * (high - low)))


def _fit(ax: Axes, x: tuple[float, float], y: tuple[float, float]) -> None:
    """Limits that hold both ranges, to one scale, and fill the axes."""
    # The axes' size in pixels serves: only its shape matters.
    width, height = ax.get_window_extent().size
    scale = max((x[1] - x[0]) / width, abs(y[1] - y[0]) / height)
    middle = np.mean(x), np.mean(y)
    half = scale * width / 2, np.sign(y[1] - y[0]) * scale * height / 2
    ax.set(xlim=(middle[0] - half[0], middle[0] + half[0]), ylim=(middle[1] - half[1], middle[1] + half[1]))


def _facing(joints: Float[np.ndarray, "17 3"], up: int) -> Float[np.ndarray, "17 2"]:
    """Page coordinates of a pose turned about the vertical until it faces left and towards the viewer.

    Args:
        joints: metres, y up (``up`` 1) or down (-1).
        up: direction of the vertical.
    """
    # Half a turn about x takes y down to y up without a mirror.
    upright = joints.astype(np.float64) * [1, up, up] - joints[0].astype(np.float64) * [1, 0, up]
    left = upright[H36M17.joints.index("left_hip")] - upright[H36M17.joints.index("right_hip")]
    left = left + upright[H36M17.joints.index("left_shoulder")] - upright[H36M17.joints.index("right_shoulder")]
    # Towards the viewer is +z: who faces it has the left at +x. The angle brings left there, then turns on.
    angle = np.arctan2(left[2], left[0]) - (np.pi / 2 - TURN)
    x = np.cos(angle) * upright[:, 0] + np.sin(angle) * upright[:, 2]
    return np.stack([x, upright[:, 1]], -1)


def _draw_bones(
    ax: Axes, points: Float[np.ndarray, "17 2"], color: str, alpha: Float[np.ndarray, "17"], width: float
) -> None:
    """Bones as opaque as their weaker ends; the body's right side dark, its left light."""
    bones = [(parent, child) for parent, child in H36M17.bones if min(alpha[parent], alpha[child]) > 0]
    colors = [(*side_shade(H36M17.joints[child], color), min(alpha[parent], alpha[child])) for parent, child in bones]
    segments = [points[[parent, child]] for parent, child in bones]
    ax.add_collection(LineCollection(segments, colors=colors, linewidths=width, capstyle="round"))
