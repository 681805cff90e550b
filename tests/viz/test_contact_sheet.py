"""The contact sheet: a cell a clip, people who face left unless their sides are exchanged, nothing outside its cell."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.image import imread
from scipy.spatial.transform import Rotation

from hummuss.body.skeleton import H36M17
from hummuss.data import MotionClip
from hummuss.errors import InputError
from hummuss.viz import contact_sheet
from hummuss.viz.contact_sheet import save_contact_sheet

# Upright, facing +z, y up; the nose is ahead, the knees are bent forward.
JOINTS = np.array(
    [
        (0, 1, 0), (-0.1, 1, 0), (-0.1, 0.55, 0.1), (-0.1, 0.1, 0), (0.1, 1, 0), (0.1, 0.55, 0.1), (0.1, 0.1, 0),
        (0, 1.2, 0), (0, 1.5, 0), (0, 1.6, 0.1), (0, 1.75, 0), (0.17, 1.48, 0), (0.4, 1.45, 0), (0.6, 1.6, 0),
        (-0.17, 1.48, 0), (-0.22, 1.2, 0), (-0.25, 1.0, 0.1),
    ],
    np.float32,
)  # fmt: skip
NOSE, HEAD = H36M17.joints.index("nose"), H36M17.joints.index("head")


def make_clip(name="a", joints=JOINTS, frame="world", **fields) -> MotionClip:
    repeated = None if joints is None else np.repeat(np.float32(joints)[None], 20, 0)
    values = {"sequence": name, "subject": "1", "split": "train", "label": "stand", "fps": 20.0}
    return MotionClip(name=name, joints3d=repeated, frame=frame, **values | fields)


@pytest.fixture
def figures(monkeypatch) -> list[Figure]:
    made: list[Figure] = []

    class Recorded(Figure):
        def __init__(self, **options) -> None:
            super().__init__(**options)
            made.append(self)

    monkeypatch.setattr(contact_sheet, "Figure", Recorded)
    return made


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("frame", ["world", "camera"])
def test_everybody_faces_left_whatever_way_they_faced_and_mirrored_people_right(seed, frame) -> None:
    yaw = Rotation.from_rotvec([0, 2.0 * seed, 0])
    turned = yaw.apply(JOINTS) + np.array([3, 0, -2])
    # A camera looks along z with y down: half a turn about z leaves left and right as they are.
    turned = turned * [-1, -1, 1] if frame == "camera" else turned
    up = 1 if frame == "world" else -1
    page = contact_sheet._facing(turned.astype(np.float32), up)
    assert page[NOSE, 0] < page[HEAD, 0] - 0.05
    assert page[HEAD, 1] > page[0, 1] > page[3, 1]
    # To the same scale: a point on the body's axis keeps its height.
    assert page[HEAD, 1] - page[3, 1] == pytest.approx(1.65, abs=1e-5)
    mirrored = contact_sheet._facing(turned[list(H36M17.mirror)].astype(np.float32), up)
    assert mirrored[NOSE, 0] > mirrored[HEAD, 0] + 0.05


def test_a_cell_per_clip_with_its_facts(tmp_path, figures) -> None:
    clips = [make_clip(f"clip{number}") for number in range(5)]
    save_contact_sheet(tmp_path / "deep" / "sheet.png", clips, "made")
    titles = [ax.get_title(loc="left") for ax in figures[0].axes]
    assert titles == [f"clip{number}\ntrain · stand · 20 fps · 0.9 s" for number in range(5)]
    picture = imread(tmp_path / "deep" / "sheet.png")
    assert picture.shape[:2] == (510, 1320)
    assert (picture[..., :3] < 0.9).any(-1).mean() > 0.005


def test_three_poses_inside_the_axes_and_the_height_beside_them(tmp_path, figures) -> None:
    save_contact_sheet(tmp_path / "s.png", [make_clip(), make_clip("mm", JOINTS * 1000)], "made")
    for ax, height in zip(figures[0].axes, ("1.65 m", "1.65e+03 m"), strict=True):
        bones = [line for line in ax.collections if isinstance(line, LineCollection)]
        assert len(bones) == 3
        points = np.concatenate([segment for line in bones for segment in line.get_segments()])
        (x0, x1), (y0, y1) = ax.get_xlim(), ax.get_ylim()
        assert x0 < points[:, 0].min() and points[:, 0].max() < x1  # noqa: PT018
        assert y0 < points[:, 1].min() and points[:, 1].max() < y1  # noqa: PT018
        assert height in [text.get_text() for text in ax.texts]


def test_keypoints_stand_beside_the_skeletons_and_alone(tmp_path, figures) -> None:
    keypoints = np.random.default_rng(0).uniform(0, 100, (20, 17, 3)).astype(np.float32)
    keypoints[..., 2] = 0.8
    keypoints[:, 3] = 0
    both = make_clip("both", frame="camera", joints=JOINTS * np.float32([-1, -1, 1]), keypoints2d=keypoints)
    alone = make_clip("alone", joints=None, keypoints2d=keypoints)
    foreign = make_clip("foreign", joints=None, keypoints2d=keypoints[:, :5])
    save_contact_sheet(tmp_path / "s.png", [both, alone, foreign], "made")
    image, _, single, nothing = figures[0].axes
    for ax in (image, single):
        first = ax.collections[0].get_segments()
        assert len(first) == 16 - 1  # the right ankle is missing: its bone is left out
        assert ax.get_ylim()[0] > ax.get_ylim()[1]  # y down
    assert [text.get_text() for text in nothing.texts] == ["no joints to draw"]


def test_no_clips_no_sheet(tmp_path) -> None:
    with pytest.raises(InputError, match="no clips to draw"):
        save_contact_sheet(tmp_path / "s.png", [], "made")


def test_a_camera_that_looks_down_leaves_everybody_on_the_floor(tmp_path, figures) -> None:
    clip = make_clip(frame="camera", joints=JOINTS * np.float32([-1, -1, 1]))
    climbing = clip.joints3d.copy()
    climbing[..., 1] += np.linspace(0, 5, 20, dtype=np.float32)[:, None]
    save_contact_sheet(tmp_path / "s.png", [replace(clip, joints3d=climbing)], "made")
    lows = [min(segment[:, 1].min() for segment in line.get_segments()) for line in figures[0].axes[0].collections]
    np.testing.assert_allclose(lows, lows[0], atol=1e-5)
