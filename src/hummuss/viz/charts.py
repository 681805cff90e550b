"""Charts of a test: error bars, PCK curve, confusion matrix. No display is needed, pyplot is not touched."""

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import NamedTuple

import numpy as np
from jaxtyping import Integer
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hummuss.viz.draw import PREDICTED_COLOR

BASELINE_COLOR = "0.55"
ROW_INCHES = 0.24
# Up to so many classes a confusion matrix has its figures written into the cells and fits on a screen.
WRITTEN_CLASSES = 20
# What MPI-INF-3DHP's PCK and AUC are read at, mm.
PCK_MM = 150


class Bar(NamedTuple):
    """Mean of an error and its quartiles, mm."""

    mean: float
    low: float
    high: float


def save_bars(
    path: str | PathLike[str], bars: Mapping[str, Bar], title: str, baseline: Mapping[str, Bar] | None = None
) -> None:
    """Write a PNG with one bar per part: its mean error, whiskers at the quartiles, a tick at the baseline's mean.

    Args:
        path: file to write.
        bars: part -> mean and quartiles in mm, top to bottom.
        title: what stands above.
        baseline: the same of the trivial baseline; parts it lacks get no tick.
    """
    figure = Figure(figsize=(6.5, 1.3 + ROW_INCHES * len(bars)), dpi=110, layout="constrained")
    ax = figure.add_subplot()
    names, values, rows = list(bars), list(bars.values()), np.arange(len(bars))
    means = np.array([bar.mean for bar in values])
    ax.barh(rows, means, height=0.62, color=PREDICTED_COLOR, alpha=0.8, label="model, mean")
    low, high = np.array([bar.low for bar in values]), np.array([bar.high for bar in values])
    ax.hlines(rows, low, high, color="0.15", lw=1.2, label="middle half of the errors")
    for ends in (low, high):
        ax.plot(ends, rows, ls="", marker="|", color="0.15", ms=5)
    if baseline:
        ticks = [baseline[name].mean if name in baseline else np.nan for name in names]
        ax.plot(ticks, rows, ls="", marker="d", color=BASELINE_COLOR, ms=5, label="mean pose, mean")
    ax.set_yticks(rows, [name.replace("_", " ") for name in names], fontsize=8)
    ax.set(ylim=(len(bars) - 0.4, -0.6), xlabel="error, mm")
    ax.set_xlim(left=0)
    ax.grid(axis="x", color="0.9")
    _finish(ax, title)
    handles, labels = ax.get_legend_handles_labels()
    handles, labels = [*handles[-1:], *handles[:-1]], [*labels[-1:], *labels[:-1]]  # the bars first
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    figure.savefig(path, format="png")


def save_curve(
    path: str | PathLike[str], curve: Mapping[float, float], title: str, baseline: Mapping[float, float] | None = None
) -> None:
    """Write a PNG of the PCK over its threshold, up to twice the official 150 mm, which is marked."""
    figure = Figure(figsize=(5.2, 3.6), dpi=110, layout="constrained")
    ax = figure.add_subplot()
    thresholds = [threshold for threshold in curve if threshold <= 2 * PCK_MM]
    for values, color, name in ((curve, PREDICTED_COLOR, "model"), (baseline or {}, BASELINE_COLOR, "mean pose")):
        if values:
            label = f"{name}: {values[PCK_MM]:.1f} % at {PCK_MM} mm"
            ax.plot(thresholds, [values[threshold] for threshold in thresholds], color=color, lw=2, label=label)
    ax.axvline(PCK_MM, color="0.6", lw=1, ls=":")
    ax.set(xlim=(0, 2 * PCK_MM), ylim=(0, 100), xlabel="threshold, mm", ylabel="joints nearer than that, %")
    ax.grid(color="0.9")
    ax.legend(fontsize=8, frameon=False, loc="lower right")
    _finish(ax, title)
    figure.savefig(path, format="png")


def save_confusion(
    path: str | PathLike[str], clips: Integer[np.ndarray, "classes classes"], classes: Sequence[str], title: str
) -> None:
    """Write a PNG of the confusion matrix: what share of each true class (a row) is taken for which.

    Up to 20 classes the shares in % are written into the cells.
    """
    save_confusions(path, {title: clips}, classes)


def save_confusions(
    path: str | PathLike[str], matrices: Mapping[str, Integer[np.ndarray, "classes classes"]], classes: Sequence[str]
) -> None:
    """Write a PNG of several confusion matrices of the same classes side by side, by their titles."""
    count, written = len(classes), len(classes) <= WRITTEN_CLASSES
    inches = 2.2 + (0.42 if written else 0.13) * count
    figure = Figure(figsize=(inches * len(matrices) + 0.6, inches), dpi=110, layout="constrained")
    panels = figure.subplots(1, len(matrices), squeeze=False)[0]
    for ax, (title, clips) in zip(panels, matrices.items(), strict=True):
        shares = 100 * clips / np.maximum(clips.sum(1, keepdims=True), 1)
        image = ax.imshow(shares, cmap="Blues", vmin=0, vmax=100)
        size = 8 if written else 5
        ax.set_xticks(range(count), classes, rotation=90, fontsize=size)
        ax.set_yticks(range(count), classes, fontsize=size)
        ax.set(xlabel="predicted", ylabel="true")
        ax.tick_params(length=0)
        if written:
            for row, column in np.argwhere(clips > 0):
                color = "white" if shares[row, column] > 60 else "0.1"
                ax.text(column, row, f"{shares[row, column]:.0f}", ha="center", va="center", fontsize=8, color=color)
        ax.set_title(title, fontsize=10)
    figure.colorbar(image, ax=panels, label="share of the true class, %", shrink=0.6)
    figure.savefig(path, format="png")


def _finish(ax: Axes, title: str) -> None:
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_axisbelow(True)
    ax.set_title(title, fontsize=10)
