"""The picture that compares predictions with the truth, frame by frame.

Figures are ``matplotlib.figure.Figure`` objects: no display is needed, pyplot's global state is not touched.
"""

from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Integer
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from mpl_toolkits.mplot3d import Axes3D

from hummuss.errors import InputError
from hummuss.viz.poses import (
    AZIMUTH,
    ELEVATION,
    KEYPOINT_COLOR,
    draw_body,
    draw_keypoints,
    draw_skeleton,
    side_shade,
)

# Blue and vermilion of Okabe and Ito's palette: told apart with every common colour vision.
TRUE_COLOR = "#0072B2"
PREDICTED_COLOR = "#D55E00"
TITLE_WIDTH = 34  # characters that fit over one column
GRID_METRES = 0.5
# Room around the pelvis, in metres, that somebody without a truth gets at least; at most twice as much.
REACH = 0.6
# Inches above, below and left of the grid of pictures.
HEADER, FOOTER, MARGIN = 0.5, 0.7, 0.4


@dataclass(frozen=True)
class Panel:
    """One frame of a comparison: a column of the picture.

    Attributes:
        title: what stands over the column (clip, time, error); may have several lines.
        keypoints: input x, y (any unit, y down) and confidence in [0, 1]; confidence 0 is not drawn.
        true_joints, predicted_joints: metres, camera coordinates; each is drawn relative to its pelvis. No true ones:
            None.
        true_vertices, predicted_vertices: metres, in the frame of the joints of that name; None: draw joints.
    """

    title: str
    keypoints: Float[np.ndarray, "17 3"]
    true_joints: Float[np.ndarray, "17 3"] | None
    predicted_joints: Float[np.ndarray, "17 3"]
    true_vertices: Float[np.ndarray, "V 3"] | None = None
    predicted_vertices: Float[np.ndarray, "V 3"] | None = None


def save_comparison(
    path: str | PathLike[str], panels: list[Panel], faces: Integer[np.ndarray, "T 3"] | None = None
) -> None:
    """Write a PNG with one column per panel: input keypoints, true body (where there are any) and predicted body.

    Bodies are meshes, from the front and from the side, where a panel has vertices, else 3D skeletons; all to
    one scale. A predicted skeleton has the true one behind it, pale.

    Args:
        path: file to write; missing folders are made.
        panels: the frames to compare, left to right.
        faces: triangles of the mesh; needed if any panel has vertices.

    Raises:
        InputError: no panels, or vertices without faces.
    """
    if not panels:
        raise InputError(f"{path}: no panels to draw: pass at least one")
    columns = [_people(panel) for panel in panels]
    meshes = any(person is not None and person.vertices is not None for column in columns for person in column)
    if meshes and faces is None:
        raise InputError(f"{path}: panels have vertices but faces is None: pass the faces of their body")

    extent = _extent(columns)
    column_width, row_height = (3.2, 3.2 * extent[1] / (extent[0] + extent[2])) if meshes else (2.3, 2.5)
    names = ("input", "true", "predicted") if any(true for true, _ in columns) else ("input", "predicted")
    rows = [2.3, *[float(np.clip(row_height, 1.5, 2.8))] * (len(names) - 1)]
    width, height = max(column_width * len(panels) + MARGIN, 5.0), HEADER + sum(rows) + FOOTER
    figure = Figure(figsize=(width, height), dpi=110)
    grid = figure.add_gridspec(len(names), len(panels), height_ratios=rows, wspace=0.05, hspace=0.04)
    grid.update(left=MARGIN / width, right=0.995, bottom=FOOTER / height, top=1 - HEADER / height)
    for column, (panel, (true, predicted)) in enumerate(zip(panels, columns, strict=True)):
        ax = figure.add_subplot(grid[0, column])
        draw_keypoints(ax, panel.keypoints)
        ax.set_title("\n".join(_shorten(line) for line in panel.title.splitlines()), fontsize=8)
        for row, person, behind in ((1, true, None), (len(names) - 1, predicted, true)):
            if person is None:
                continue
            if person.vertices is not None and faces is not None:
                _draw_both_views(figure.add_subplot(grid[row, column]), person, faces, extent)
            else:
                _draw_skeletons(figure.add_subplot(grid[row, column], projection="3d"), person, behind, extent)
    for row, name in enumerate(names):
        cell = grid[row, 0].get_position(figure)
        middle = (cell.y0 + cell.y1) / 2
        figure.text(MARGIN / 2 / width, middle, name, rotation=90, ha="center", va="center", weight="bold")
    _add_legend(figure, meshes, "true" in names)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="png")


class _Person(NamedTuple):
    """Somebody relative to the pelvis, and the colour to draw them in."""

    joints: Float[np.ndarray, "17 3"]
    vertices: Float[np.ndarray, "V 3"] | None
    color: str


def _people(panel: Panel) -> tuple[_Person | None, _Person]:
    """The true person of a panel, if there is one, and the predicted one."""

    def at_pelvis(joints: np.ndarray, vertices: np.ndarray | None, color: str) -> _Person:
        pelvis = np.where(np.isfinite(joints[0]), joints[0], np.nan)  # an infinite one would warn when subtracted
        return _Person(joints - pelvis, None if vertices is None else vertices - pelvis, color)

    true = None if panel.true_joints is None else at_pelvis(panel.true_joints, panel.true_vertices, TRUE_COLOR)
    return true, at_pelvis(panel.predicted_joints, panel.predicted_vertices, PREDICTED_COLOR)


def _extent(columns: list[tuple[_Person | None, _Person]]) -> Float[np.ndarray, "3"]:
    """Half the room along x, y and z, in metres, that holds everybody around the pelvis.

    A prediction gone wild (or NaN) gets at most twice the room of the truth, which must stay visible, or of `REACH`
    where there is none.
    """

    def reach(person: _Person | None) -> np.ndarray:
        if person is None:
            return np.full(3, REACH)
        points = person.joints if person.vertices is None else np.concatenate([person.joints, person.vertices])
        return np.nan_to_num(np.abs(points).astype(float)).max(0)

    true, predicted = (np.max([reach(person) for person in people], axis=0) for people in zip(*columns, strict=True))
    true = true.clip(0.3)  # a sample without a true pose has zeros
    return 1.05 * np.maximum(true, np.minimum(predicted, 2 * true))


def _draw_both_views(ax: Axes, person: _Person, faces: np.ndarray, extent: np.ndarray) -> None:
    """A mesh from the front and, beside it, seen from the picture's left edge: the camera is to the right."""
    assert person.vertices is not None
    x, y, z = person.vertices.T
    draw_body(ax, person.vertices, faces, person.color)
    draw_body(ax, np.stack([extent[0] + extent[2] - z, y, x], axis=-1), faces, person.color)
    ax.set(xlim=(-extent[0], extent[0] + 2 * extent[2]), ylim=(extent[1], -extent[1]))
    ax.set_axis_off()


def _draw_skeletons(ax: Axes3D, person: _Person, behind: _Person | None, extent: np.ndarray) -> None:
    """A skeleton, with the true one pale behind it, over a grid under the true feet."""
    floor = -(behind or person).joints[:, 1].max()
    for x in _grid_lines(extent[0]):
        ax.plot([x, x], [-extent[2], extent[2]], floor, color="0.85", lw=0.7)
    for z in _grid_lines(extent[2]):
        ax.plot([-extent[0], extent[0]], [z, z], floor, color="0.85", lw=0.7)
    if behind is not None:
        draw_skeleton(ax, behind.joints, behind.color, alpha=0.3)
    draw_skeleton(ax, person.joints, person.color)
    x_room, y_room, z_room = extent
    ax.set(xlim=(-x_room, x_room), ylim=(-z_room, z_room), zlim=(-y_room, y_room))
    ax.set_box_aspect((x_room, z_room, y_room), zoom=_zoom(extent))
    ax.set_axis_off()


def _zoom(extent: Float[np.ndarray, "3"]) -> float:
    """matplotlib's zoom at which a box of that extent, seen as skeletons are, just fits into its axes."""
    x_room, y_room, z_room = extent
    turn, tilt = np.deg2rad([90 + AZIMUTH, ELEVATION])
    across = x_room * np.cos(turn) + z_room * np.sin(turn)
    upwards = y_room * np.cos(tilt) + (x_room * np.sin(turn) + z_room * np.cos(turn)) * np.sin(tilt)
    # At zoom 1 matplotlib makes the box's diagonal 1.03 times the side of the axes; the rest is margin.
    return float(np.linalg.norm(extent) / max(across, upwards) / 1.09)


def _grid_lines(half: float) -> Float[np.ndarray, "lines"]:
    """Multiples of the grid's spacing from -half to half."""
    steps = int(half / GRID_METRES)
    return GRID_METRES * np.arange(-steps, steps + 1)


def _add_legend(figure: Figure, meshes: bool, truth: bool) -> None:
    """What colours, shades and opacity mean, below the pictures."""
    handles = [
        Line2D([], [], lw=4, color=color, label=label)
        for color, label in (
            (TRUE_COLOR, "true"),
            (PREDICTED_COLOR, "predicted"),
            (side_shade("right_", KEYPOINT_COLOR), "right side"),
            (side_shade("left_", KEYPOINT_COLOR), "left side"),
        )
    ]
    height = figure.get_figheight()
    if not truth:
        del handles[0]
    below = (0.5, 0.25 / height)
    figure.legend(
        handles=handles,
        loc="lower center",
        bbox_to_anchor=below,
        ncols=len(handles),
        fontsize=8,
        frameon=False,
    )
    bodies = "bodies: front and side" if meshes else "pale: the truth; " * truth + f"floor grid: {GRID_METRES} m"
    figure.text(0.5, 0.15 / height, f"opacity of the input: its confidence; {bodies}", fontsize=8, ha="center")


def _shorten(line: str) -> str:
    """Cut the middle out of a line too long for its column: clip names differ at their ends."""
    kept = (TITLE_WIDTH - 1) // 2
    return line if len(line) <= TITLE_WIDTH else f"{line[:kept]}…{line[-kept:]}"
