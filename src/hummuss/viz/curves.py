"""The picture of a training: losses, validation, learning rates, speed, state space layers, over the steps."""

import math
from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from hummuss.metrics.units import BASELINES, unit
from hummuss.viz.charts import BASELINE_COLOR
from hummuss.viz.draw import PREDICTED_COLOR, TRUE_COLOR

# Okabe and Ito's palette, told apart with every common colour vision.
COLORS = (PREDICTED_COLOR, TRUE_COLOR, "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
COLUMNS = 3
# Figures that a smoothed line averages, as a share of all of them.
SMOOTHING = 0.05
# Figures that differ by more than that factor need a logarithmic scale.
WIDE = 5


class Series(NamedTuple):
    """Figures over steps."""

    steps: Sequence[int]
    values: Sequence[float]


def save_training(path: str | PathLike[str], series: Mapping[str, Series], title: str) -> None:
    """Write a PNG with one chart per kind of figure that a run has logged.

    Args:
        path: file to write.
        series: name in the logs -> its figures; names that no chart knows are left out.
        title: what stands above.
    """
    charts = [(draw, names) for draw, chosen in _CHARTS if (names := [name for name in series if chosen(name)])]
    metrics = list(dict.fromkeys(_metric(name) for name in series if _is_validation(name)))
    shown = [metric for metric in ("mpjpe", "pa_mpjpe", "mpve", "top1", "mean_class") if metric in metrics][:3]
    charts[1:1] = [
        (_draw_metric, [name for name in series if _is_validation(name) and _metric(name) == metric])
        for metric in shown or metrics[:3]
    ]
    rows = math.ceil(len(charts) / COLUMNS)
    figure = Figure(figsize=(4.2 * COLUMNS, 2.7 * rows + 0.4), dpi=110, layout="constrained")
    figure.suptitle(title, fontsize=11)
    last = max((max(one.steps) for one in series.values()), default=1)
    for number, (draw, names) in enumerate(charts):
        ax = figure.add_subplot(rows, COLUMNS, number + 1)
        draw(ax, {name: series[name] for name in names})
        ax.set_xlim(0, 1.02 * max(last, 1))
        ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        ax.set_xlabel("step", fontsize=8)
        ax.tick_params(labelsize=8)
        ax.grid(color="0.92")
        ax.set_axisbelow(True)
        ax.spines[["top", "right"]].set_visible(False)
        if ax.get_legend_handles_labels()[1]:
            ax.legend(fontsize=7, framealpha=0.7, edgecolor="none", ncols=2 if draw is _draw_losses else 1)
    figure.savefig(path, format="png")


def _draw_losses(ax: Axes, series: Mapping[str, Series]) -> None:
    """The whole loss and its terms, smoothed, on a logarithmic scale."""
    ordered = sorted(series, key=lambda name: (name != "train/loss", -float(np.mean(series[name].values))))
    for name, color in zip(ordered[: len(COLORS)], COLORS, strict=False):
        whole = name == "train/loss"
        label = "sum" if whole else name.removeprefix("train/").replace("/", " ")
        if whole:
            ax.plot(*series[name], color=color, alpha=0.25, lw=0.8)
        ax.plot(series[name].steps, smooth(series[name].values), color=color, lw=2 if whole else 1, label=label)
    _log_scale(ax)
    low, high = ax.get_ylim()
    ax.set_ylim(low, high * (high / low) ** 0.35)  # room for the legend
    ax.set_title("training loss (smoothed)", fontsize=9)


def _draw_metric(ax: Axes, series: Mapping[str, Series]) -> None:
    """One validation metric of every head, and the trivial baseline's."""
    metric = _metric(next(iter(series)))
    heads = [name for name in series if not set(BASELINES) & set(name.split("/"))]
    for name, color in zip(heads, COLORS, strict=False):
        figures = series[name]
        head = "/".join(name.split("/")[1:-1])
        best = min(figures.values) if unit(metric) != "%" else max(figures.values)
        label = f"{head + ': ' if head else ''}best {best:.1f}, last {figures.values[-1]:.1f}"
        ax.plot(*figures, color=color, marker="o", ms=3, label=label)
        for trivial in BASELINES:
            baseline = series.get("/".join(["val", *([head] if head else []), trivial, metric]))
            if baseline:
                label = f"{trivial.replace('_', ' ')}, {baseline.values[-1]:.1f}"
                ax.plot(*baseline, color=BASELINE_COLOR, ls="--", lw=1, label=label)
    ax.set_ylim(bottom=0)
    ax.set_title(f"validation {metric.replace('_', '-').upper()}, {unit(metric)}", fontsize=9)


def _draw_rates(ax: Axes, series: Mapping[str, Series]) -> None:
    """Learning rates; groups with the same one share a line."""
    lines: dict[tuple[float, ...], list[str]] = {}
    for name, one in series.items():
        lines.setdefault(tuple(one.values), []).append(name)
    for (values, names), color in zip(lines.items(), COLORS, strict=False):
        groups = ", ".join(name.rpartition("/")[2].removeprefix("pg") for name in names)
        ax.plot(series[names[0]].steps, values, color=color, label=f"group {groups}")
    ax.set_ylim(bottom=0)
    ax.ticklabel_format(axis="y", style="sci", scilimits=(-3, 3))
    ax.set_title("learning rate of the optimiser's groups", fontsize=9)


def _draw_speed(ax: Axes, series: Mapping[str, Series]) -> None:
    (one,) = series.values()
    ax.plot(*one, color=COLORS[1], lw=1)
    middle = float(np.median(one.values))
    ax.axhline(middle, color="0.5", lw=1, ls=":", label=f"median {middle:,.0f}")
    ax.set_ylim(bottom=0)
    ax.set_title("throughput, frames/s", fontsize=9)


def _draw_memory(ax: Axes, series: Mapping[str, Series]) -> None:
    (one,) = series.values()
    ax.plot(*one, color=COLORS[1], lw=1, label=f"{one.values[-1]:.2f} at the end")
    ax.set_ylim(bottom=0)
    ax.set_title("peak memory, GiB", fontsize=9)


def _draw_spread(title: str) -> Callable[[Axes, Mapping[str, Series]], None]:
    """Median and the middle 90 % of a quantity of the state space layers, an axis a colour."""

    def draw(ax: Axes, series: Mapping[str, Series]) -> None:
        for axis, color in (("time", COLORS[1]), ("joints", COLORS[0])):
            own = {name.rpartition("/")[2]: one for name, one in series.items() if name.split("/")[1] == axis}
            if {"p05", "median", "p95"} <= set(own):
                ax.plot(*own["median"], color=color, lw=1.5, label=f"{axis}: median, 5 to 95 %")
                ax.fill_between(own["p05"].steps, own["p05"].values, own["p95"].values, color=color, alpha=0.18, lw=0)
        low, high = (pick(pick(one.values) for one in series.values()) for pick in (min, max))
        if low > 0 and high > WIDE * low:
            _log_scale(ax)
        ax.set_title(title, fontsize=9)

    return draw


def _draw_closed(ax: Axes, series: Mapping[str, Series]) -> None:
    for axis, color in (("time", COLORS[1]), ("joints", COLORS[0])):
        one = series.get(f"ssm/{axis}/gate/closed")
        if one:
            ax.plot(one.steps, 100 * np.asarray(one.values), color=color, label=axis)
    ax.set_ylim(0, 100)
    ax.set_title("gates that let nothing through, %", fontsize=9)


def _log_scale(ax: Axes) -> None:
    """A logarithmic scale with labels people read: 0.02, 0.05, 0.1."""
    ax.set_yscale("log")
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_formatter(NullFormatter())


def _ssm(quantity: str) -> Callable[[str], bool]:
    return lambda name: name.startswith("ssm/") and name.split("/")[2] == quantity and not name.endswith("/closed")


def _is_validation(name: str) -> bool:
    return name.startswith("val/")


def _metric(name: str) -> str:
    return name.rpartition("/")[2]


def _is_loss(name: str) -> bool:
    return name.startswith("train/") and (name.count("/") == 2 or name == "train/loss")


# What is drawn, in this order, of whatever a run has logged; validation metrics come second.
_CHARTS: tuple[tuple[Callable[[Axes, Mapping[str, Series]], None], Callable[[str], bool]], ...] = (
    (_draw_losses, _is_loss),
    (_draw_rates, lambda name: name.startswith("lr-")),
    (_draw_speed, lambda name: name == "train/frames_per_second"),
    (_draw_memory, lambda name: name == "train/memory_gib"),
    (_draw_spread("step size Δ"), _ssm("step_size")),
    (_draw_spread("decay -Re λ"), _ssm("decay")),
    (_draw_spread("memory of a mode, s"), _ssm("memory_seconds")),
    (_draw_spread("gate gelu(z W_v)"), _ssm("gate")),
    (_draw_closed, lambda name: name.endswith("/gate/closed")),
)


def smooth(values: Sequence[float]) -> list[float]:
    """Running mean over a twentieth of the figures, over fewer at the ends.

    >>> smooth([1.0, 3.0])
    [1.0, 3.0]
    """
    reach = round(len(values) * SMOOTHING / 2)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    places = np.arange(len(values))
    low, high = np.maximum(places - reach, 0), np.minimum(places + reach + 1, len(values))
    return ((sums[high] - sums[low]) / (high - low)).tolist()
