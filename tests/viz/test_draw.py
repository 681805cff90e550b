"""Pictures: what is drawn where, in which colour, and that nothing silently stays blank or is cut off."""

import sys
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.image import imread
from mpl_toolkits.mplot3d.proj3d import proj_transform
from scipy.spatial import ConvexHull
from scipy.spatial.transform import Rotation

from hummuss.errors import InputError
from hummuss.viz import draw, poses
from hummuss.viz.draw import PREDICTED_COLOR, TRUE_COLOR, Panel, save_comparison

# An upright person facing the camera: y down, the right side at the picture's left.
JOINTS = np.array(
    [
        (0, 0, 0), (-0.1, 0, 0), (-0.12, 0.42, 0), (-0.12, 0.85, 0), (0.1, 0, 0), (0.12, 0.42, 0),
        (0.12, 0.85, 0), (0, -0.25, 0), (0, -0.5, 0), (0, -0.6, -0.1), (0, -0.72, 0), (0.17, -0.48, 0),
        (0.4, -0.45, 0), (0.6, -0.6, 0), (-0.17, -0.48, 0), (-0.22, -0.2, 0), (-0.25, 0.02, -0.1),
    ],
    np.float32,
)  # fmt: skip


def ellipsoid() -> tuple[np.ndarray, np.ndarray]:
    """A closed mesh whose faces wind counter-clockwise seen from outside."""
    directions = np.random.default_rng(0).normal(size=(300, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    faces = ConvexHull(directions).simplices
    a, b, c = (directions[faces[:, k]] for k in range(3))
    inwards = (np.cross(b - a, c - a) * a).sum(1) < 0
    faces[inwards] = faces[inwards][:, ::-1]
    return (directions * [0.2, 0.8, 0.15]).astype(np.float32), faces


def make_panel(seed: int = 0, mesh: bool = False, title: str = "clip\nt = 0.40 s, 43 mm") -> Panel:
    rng = np.random.default_rng(seed)
    turned = (JOINTS @ Rotation.from_rotvec([0, seed, 0]).as_matrix().T + [0, 0, 4]).astype(np.float32)
    predicted = turned + 0.03 * rng.normal(size=(17, 3)).astype(np.float32)
    confidence = rng.uniform(0.3, 1, (17, 1)).astype(np.float32)
    vertices = ellipsoid()[0] if mesh else None
    return Panel(
        title=title,
        keypoints=np.concatenate([turned[:, :2], confidence], axis=1),
        true_joints=turned,
        predicted_joints=predicted,
        true_vertices=None if vertices is None else vertices + turned[0],
        predicted_vertices=None if vertices is None else vertices + predicted[0],
    )


@pytest.fixture
def figures(monkeypatch) -> list[Figure]:
    """The figures that save_comparison makes."""
    made = []

    class Kept(Figure):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            made.append(self)

    monkeypatch.setattr(draw, "Figure", Kept)
    return made


def pixels_near(picture: np.ndarray, color: str) -> int:
    return int((np.abs(picture[..., :3] - to_rgb(color)).max(-1) < 0.02).sum())


@pytest.mark.parametrize("mesh", [False, True])
@pytest.mark.parametrize("count", [1, 4])
def test_a_picture_has_three_axes_per_panel_and_both_colours(tmp_path, figures, mesh, count):
    path = tmp_path / "new folder" / "comparison.png"
    faces = ellipsoid()[1] if mesh else None
    save_comparison(path, [make_panel(seed, mesh) for seed in range(count)], faces)
    assert len(figures[0].axes) == 3 * count
    picture = imread(path)
    assert pixels_near(picture, TRUE_COLOR) > 20
    assert pixels_near(picture, PREDICTED_COLOR) > 20
    for ax in figures[0].axes:  # every axes has ink in it
        left, bottom, right, top = ax.get_window_extent().extents.astype(int)
        cell = picture[len(picture) - top : len(picture) - bottom, left:right, :3]
        assert (cell < 0.7).any(-1).sum() > 100
    border = np.concatenate([picture[[0, -1]].reshape(-1, 4), picture[:, [0, -1]].reshape(-1, 4)])
    assert (border[:, :3] == 1).all(), "something is cut off at the picture's edge"


@pytest.mark.parametrize("mesh", [False, True])
def test_everybody_fits_into_their_axes(tmp_path, figures, mesh):
    vertices, faces = ellipsoid()
    panel = make_panel(1, mesh)
    if mesh:
        panel = replace(panel, predicted_vertices=1.5 * vertices + panel.predicted_joints[0])
    else:
        panel = replace(panel, predicted_joints=1.5 * panel.predicted_joints)
    save_comparison(tmp_path / "x.png", [panel], faces)
    for ax in figures[0].axes[1:]:
        if not mesh:
            corners = np.array(list(product(ax.get_xlim(), ax.get_ylim(), ax.get_zlim())))
            on_page = ax.transData.transform(np.stack(proj_transform(*corners.T, ax.get_proj())[:2], axis=-1))
            frame = ax.get_window_extent()
            assert (on_page > frame.min).all()
            assert (on_page < frame.max).all()
            assert (np.ptp(on_page, axis=0) > 0.9 * frame.width).any(), "needlessly small"
        drawn = (
            np.concatenate([path.vertices for item in ax.collections for path in item.get_paths()])
            if mesh
            else np.concatenate([np.stack(line.get_data_3d(), -1) for line in ax.lines])
        )
        limits = [ax.get_xlim(), ax.get_ylim()] + ([] if mesh else [ax.get_zlim()])
        for axis, limit in enumerate(limits):
            assert min(limit) <= drawn[:, axis].min()
            assert drawn[:, axis].max() <= max(limit)


def test_titles_fit_their_columns(tmp_path, figures):
    title = "a_very_long_sequence_name_of_a_data_set/with_camera_7/person_2\nt = 0.40 s, 43 mm"
    save_comparison(tmp_path / "x.png", [make_panel(seed, title=title) for seed in range(3)])
    for ax in figures[0].axes[::3]:
        assert ax.title.get_window_extent().width <= ax.get_window_extent().width
        assert ax.get_title().startswith("a_very_long")
        assert ax.get_title().endswith("person_2\nt = 0.40 s, 43 mm")


def test_no_panels_is_an_input_error_that_names_the_file(tmp_path):
    with pytest.raises(InputError, match=r"x\.png: no panels"):
        save_comparison(tmp_path / "x.png", [])


def test_vertices_without_faces_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="faces"):
        save_comparison(tmp_path / "x.png", [make_panel(mesh=True)])


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e6])
@pytest.mark.parametrize("mesh", [False, True])
def test_a_diverged_prediction_leaves_the_truth_visible(tmp_path, figures, value, mesh):
    panel = make_panel(mesh=mesh)
    wild = {"predicted_joints": panel.predicted_joints * np.float32(value)}
    if mesh:
        wild["predicted_vertices"] = panel.predicted_vertices * np.float32(value)
    save_comparison(tmp_path / "x.png", [replace(panel, **wild)], ellipsoid()[1])
    assert np.ptp(figures[0].axes[1].get_ylim()) < 10
    assert pixels_near(imread(tmp_path / "x.png"), TRUE_COLOR) > 20


def test_missing_keypoints_are_not_drawn_and_confidence_is_opacity():
    ax = Figure().add_subplot()
    keypoints = make_panel().keypoints.copy()
    keypoints[:, 2] = 0.5
    keypoints[11:14] = 0  # left arm undetected
    poses.draw_keypoints(ax, keypoints)
    assert len(ax.lines) == 16 - 3
    assert {line.get_alpha() for line in ax.lines} == {0.5}
    assert len(ax.collections[0].get_offsets()) == 14
    assert ax.yaxis_inverted()
    empty = Figure().add_subplot()
    poses.draw_keypoints(empty, np.zeros((17, 3), np.float32))
    assert [text.get_text() for text in empty.texts] == ["no keypoints"]


def test_skeleton_is_upright_with_distinct_sides_at_equal_scale():
    figure = Figure()
    ax = figure.add_subplot(projection="3d")
    poses.draw_skeleton(ax, JOINTS, TRUE_COLOR, label="true")
    on_page = {}
    for line, name in zip(ax.lines, poses.H36M17.joints[1:], strict=True):
        x, y, z = (values[1] for values in line.get_data_3d())
        on_page[name] = (np.array([x, y, z, 1.0]) @ ax.get_proj().T)[:2]
    assert on_page["head"][1] > on_page["left_ankle"][1]
    assert on_page["left_hip"][0] > on_page["right_hip"][0]
    colors = dict(zip(poses.H36M17.joints[1:], (line.get_color() for line in ax.lines), strict=True))
    assert sum(colors["right_knee"]) < sum(colors["thorax"]) < sum(colors["left_knee"])
    assert [text.get_text() for text in ax.legend().get_texts()] == ["true"]
    # One metre is as long along every axis.
    room = np.ptp([ax.get_xlim(), ax.get_ylim(), ax.get_zlim()], axis=1)
    np.testing.assert_allclose(room / ax._box_aspect, room[0] / ax._box_aspect[0])


def test_body_hides_what_is_behind_and_shades_by_the_angle_to_the_light():
    # A square facing the camera, a nearer one tilted away from the light, and one seen from behind.
    square = np.array([(0, 0, 0), (0, 1, 0), (1, 1, 0), (1, 0, 0)], np.float32)
    tilted = square.copy()
    tilted[:, 2] = 0.9 * square[:, 0] - 3
    behind = square[::-1] + np.float32([0, 0, -5])
    vertices = np.concatenate([tilted, square, behind])
    faces = np.concatenate([np.array([(0, 1, 2), (0, 2, 3)]) + 4 * k for k in range(3)])
    ax = Figure().add_subplot()
    poses.draw_body(ax, vertices, faces.astype(np.uint16), "#ffffff")
    (collection,) = ax.collections
    assert len(collection.get_paths()) == 4, "the square seen from behind is not drawn"
    brightness = collection.get_facecolor()[:, 0]
    plain = 0.45 + 0.55 * 0.7 / np.linalg.norm([0.4, 0.6, 0.7])
    np.testing.assert_allclose(brightness[:2], plain, rtol=1e-6)  # the far one first
    lambert = np.dot([0.9, 0, -1], [-0.4, -0.6, -0.7]) / np.linalg.norm([0.9, 0, -1]) / np.linalg.norm([4, 6, 7]) * 10
    np.testing.assert_allclose(brightness[2:], 0.45 + 0.55 * lambert, rtol=1e-6)
    assert ax.yaxis_inverted()


def test_pyplot_is_not_needed(tmp_path):
    before = "matplotlib.pyplot" in sys.modules
    save_comparison(tmp_path / "x.png", [make_panel()])
    assert ("matplotlib.pyplot" in sys.modules) == before


@pytest.mark.parametrize("mesh", [False, True])
def test_without_a_truth_there_is_no_row_for_it(tmp_path, figures, mesh):
    panels = [replace(make_panel(seed, mesh), true_joints=None, true_vertices=None) for seed in range(3)]
    save_comparison(tmp_path / "x.png", panels, ellipsoid()[1])
    assert len(figures[0].axes) == 2 * 3
    assert [text.get_text() for text in figures[0].texts][:2] == ["input", "predicted"]
    assert "true" not in [text.get_text() for text in figures[0].legends[0].get_texts()]
    picture = imread(tmp_path / "x.png")
    assert pixels_near(picture, TRUE_COLOR) == 0
    assert pixels_near(picture, PREDICTED_COLOR) > 20
