"""Charts of a test: what is drawn, and that nothing is cut off or hidden."""

from itertools import pairwise

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.image import imread

from hummuss.viz import charts
from hummuss.viz.charts import Bar, save_bars, save_confusion, save_curve
from hummuss.viz.draw import PREDICTED_COLOR, Panel
from hummuss.viz.worst import Worst


@pytest.fixture
def figures(monkeypatch) -> list[Figure]:
    """The figures that are saved."""
    made = []

    class Kept(Figure):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            made.append(self)

    monkeypatch.setattr(charts, "Figure", Kept)
    return made


def border_is_white(path) -> bool:
    picture = imread(path)
    border = np.concatenate([picture[[0, -1]].reshape(-1, 4), picture[:, [0, -1]].reshape(-1, 4)])
    return bool((border[:, :3] == 1).all())


def test_bars_whiskers_and_ticks_are_where_their_figures_are(tmp_path, figures) -> None:
    bars = {"right_knee": Bar(40.0, 20.0, 55.0), "left_wrist": Bar(90.0, 50.0, 130.0)}
    save_bars(tmp_path / "x.png", bars, "title", {"right_knee": Bar(120.0, 1.0, 2.0)})
    (ax,) = figures[0].axes
    assert [patch.get_width() for patch in ax.patches] == [40, 90]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["right knee", "left wrist"]
    whiskers = ax.collections[0].get_segments()
    np.testing.assert_allclose([segment[:, 0] for segment in whiskers], [[20, 55], [50, 130]])
    ticks = next(line for line in ax.lines if line.get_marker() == "d")
    np.testing.assert_allclose(ticks.get_xdata(), [120, np.nan])
    assert ax.get_ylim()[0] > ax.get_ylim()[1], "the first part is on top"
    assert ax.get_xlim()[1] > 130
    assert border_is_white(tmp_path / "x.png")


def test_many_bars_make_a_taller_picture(tmp_path, figures) -> None:
    for count in (1, 60):
        save_bars(tmp_path / "x.png", {f"a_long_action_name_{i}": Bar(1.0, 0.5, 2.0) for i in range(count)}, "t")
    assert figures[1].get_figheight() > figures[0].get_figheight() + 10
    labels = [text.get_window_extent() for text in figures[1].axes[0].get_yticklabels()]
    assert all(lower.y1 <= upper.y0 + 1 for upper, lower in pairwise(labels))


def test_curve_is_read_at_150_mm(tmp_path, figures) -> None:
    curve = {5.0 * step: min(100.0, 0.5 * step) for step in range(101)}
    save_curve(tmp_path / "x.png", curve, "title", {threshold: 10.0 for threshold in curve})
    (ax,) = figures[0].axes
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "model: 15.0 % at 150 mm", "mean pose: 10.0 % at 150 mm",
    ]  # fmt: skip
    assert max(ax.lines[0].get_xdata()) == 300
    assert border_is_white(tmp_path / "x.png")


@pytest.mark.parametrize("count", [2, 12, 60])
def test_confusion_shares_are_of_the_true_class(tmp_path, figures, count) -> None:
    clips = np.random.default_rng(0).integers(0, 5, (count, count)) + 20 * np.eye(count, dtype=int)
    clips[0] = 0  # a class without clips
    save_confusion(tmp_path / "x.png", clips, [f"class {i}" for i in range(count)], "title")
    ax = figures[0].axes[0]
    shares = np.asarray(ax.images[0].get_array())
    np.testing.assert_allclose(shares[1:].sum(1), 100)
    assert (shares[0] == 0).all()
    assert bool(ax.texts) == (count <= 20)
    assert border_is_white(tmp_path / "x.png")
    if count <= 20:
        assert f"{shares[1, 1]:.0f}" in {text.get_text() for text in ax.texts}


def test_colours_are_those_of_predictions(tmp_path) -> None:
    save_curve(tmp_path / "x.png", {5.0 * step: float(step) for step in range(101)}, "title")
    picture = imread(tmp_path / "x.png")[..., :3]
    assert (np.abs(picture - to_rgb(PREDICTED_COLOR)).max(-1) < 0.02).sum() > 50


def panel(title: str) -> Panel:
    return Panel(title, *np.zeros((3, 17, 3)))


def test_the_worst_clips_by_their_worst_windows_each_once() -> None:
    worst, drawn = Worst(2), []

    def offer(clip: int, error: float) -> bool:
        return worst.offer(clip, error, lambda: drawn.append((clip, error)) or panel(f"{clip}: {error}"))

    assert offer(0, 10.0)
    assert offer(0, 30.0), "a worse window of the same clip"
    assert not offer(0, 20.0)
    assert offer(1, 5.0)
    assert offer(2, 7.0), "takes the place of the least bad"
    assert not offer(1, 6.0)
    assert not offer(3, float("nan"))
    assert [one.title for one in worst.panels()] == ["0: 30.0", "2: 7.0"]
    assert drawn == [(0, 10.0), (0, 30.0), (1, 5.0), (2, 7.0)], "only what is kept is drawn"
