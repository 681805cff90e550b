"""The picture of a training shows what was logged, whatever that is."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from hummuss.viz.curves import Series, save_training, smooth


@pytest.fixture
def drawn(tmp_path, monkeypatch):
    """Draws series; returns title -> axes."""
    figures = []
    monkeypatch.setattr(Figure, "savefig", lambda self, path, **_: figures.append(self) or Path(path).touch())

    def draw(**series):
        named = {name.replace("__", "/"): Series(range(len(values)), values) for name, values in series.items()}
        save_training(tmp_path / "curves.png", named, "a run")
        return {ax.get_title(): ax for ax in figures[-1].axes}

    return draw


def test_every_kind_of_figure_has_its_chart_and_nothing_else_has(drawn) -> None:
    charts = drawn(
        train__loss=[2.0, 1.0], train__pose__joints=[1.0, 0.5], val__mpjpe=[300.0, 100.0, 120.0],
        val__mean_pose__mpjpe=[250.0] * 3, val__top1=[10.0, 60.0, 50.0], val__majority_class__top1=[8.0] * 3,
        train__memory_gib=[1.0, 2.0], more=[1.0],
    )  # fmt: skip
    assert list(charts) == [
        "training loss (smoothed)", "validation MPJPE, mm", "validation TOP1, %", "peak memory, GiB",
    ]  # fmt: skip
    labels = charts["validation MPJPE, mm"].get_legend_handles_labels()[1]
    assert labels == ["best 100.0, last 120.0", "mean pose, 250.0"]
    # The best accuracy is the largest.
    assert charts["validation TOP1, %"].get_legend_handles_labels()[1] == [
        "best 60.0, last 50.0", "majority class, 8.0",
    ]  # fmt: skip
    assert charts["training loss (smoothed)"].get_legend_handles_labels()[1] == ["sum", "pose joints"]


def test_heads_share_a_chart_each_beside_its_baseline(drawn) -> None:
    charts = drawn(val__pose__mpjpe=[90.0], val__mesh__mpjpe=[80.0], val__mesh__mean_pose__mpjpe=[240.0])
    labels = charts["validation MPJPE, mm"].get_legend_handles_labels()[1]
    assert labels == ["pose: best 90.0, last 90.0", "mesh: best 80.0, last 80.0", "mean pose, 240.0"]


def test_groups_of_one_rate_share_a_line(drawn) -> None:
    charts = drawn(**{"lr-AdamW__pg1": [2.0, 1.0], "lr-AdamW__pg2": [2.0, 1.0], "lr-AdamW__pg3": [1.0, 0.5]})
    labels = charts["learning rate of the optimiser's groups"].get_legend_handles_labels()[1]
    assert labels == ["group 1, 2", "group 3"]


@pytest.mark.parametrize(("high", "scale"), [(0.11, "linear"), (10.0, "log")])
def test_wide_spreads_are_logarithmic(drawn, high, scale) -> None:
    parts = {f"ssm__time__step_size__{name}": [value] for name, value in (("p05", 0.1), ("median", 0.1), ("p95", high))}
    assert drawn(**parts)["step size Δ"].get_yscale() == scale


def test_smoothing_is_a_mean_over_neighbours() -> None:
    values = np.random.default_rng(0).normal(size=200).tolist()  # five figures on either side
    expected = [np.mean(values[max(0, i - 5) : i + 6]) for i in range(200)]
    np.testing.assert_allclose(smooth(values), expected, atol=1e-12)
