"""The label residuals of a preparation as CSV, Markdown and a figure."""

import csv
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from hummuss.body.skeleton import H36M17


def write_residual_report(rows: list[dict[str, Any]], prefix: Path, origin: str) -> list[Path]:
    """Write ``prefix.csv``, ``.md`` and ``.png``.

    Args:
        rows: from :meth:`hummuss.data.residuals.ResidualTable.rows`, millimetres.
        prefix: path without its ending.
        origin: how and where the table was made.

    Returns:
        The files written.
    """
    prefix.parent.mkdir(parents=True, exist_ok=True)
    table, page, figure = (prefix.with_name(prefix.name + ending) for ending in (".csv", ".md", ".png"))
    with open(table, "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]) if rows else ["group"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    page.write_text(_markdown(rows, figure.name, origin))
    _draw(rows, figure)
    return [table, page, figure]


def _markdown(rows: list[dict[str, Any]], figure: str, origin: str) -> str:
    groups = sorted({row["group"] for row in rows})
    cells = {(row["group"], row["joint"]): row for row in rows}
    lines = [
        "# How far the body labels miss the capture",
        "",
        "Distance in mm between the 17 joints of the posed free body and the captured ones: mean / 95th "
        "percentile in the world, and the mean once both pelvises coincide. No network trained on these "
        "labels can be expected to come closer to the captured joints. Most of what trunk joints miss is a "
        "matter of definition: the skeletons put pelvis, spine and thorax elsewhere than the body does.",
        "",
        origin,
        "",
        "| joint | " + " | ".join(f"{group}: mean / p95 | {group}: root-relative" for group in groups) + " |",
        "|---" * (1 + 2 * len(groups)) + "|",
    ]
    for joint in (*H36M17.joints, "all"):
        values = (cells[group, joint] for group in groups)
        columns = (f"{v['mean_mm']:.1f} / {v['p95_mm']:.1f} | {v['root_relative_mm']:.1f}" for v in values)
        lines.append(f"| {joint} | " + " | ".join(columns) + " |")
    frames = ", ".join(f"{group} {cells[group, 'all']['frames']}" for group in groups)
    return "\n".join([*lines, "", f"Frames: {frames}.", "", f"![residual by joint]({figure})", ""])


def _draw(rows: list[dict[str, Any]], path: Path) -> None:
    joints, groups = H36M17.joints, sorted({row["group"] for row in rows})
    figure, axes = plt.subplots(figsize=(10, 4), layout="constrained")
    width = 0.8 / max(len(groups), 1)
    for number, group in enumerate(groups):
        own = {row["joint"]: row for row in rows if row["group"] == group}
        place = np.arange(len(joints)) + (number - (len(groups) - 1) / 2) * width
        means = np.array([own[joint]["mean_mm"] for joint in joints])
        above = np.maximum(np.array([own[joint]["p95_mm"] for joint in joints]) - means, 0)
        axes.bar(
            place,
            means,
            width,
            yerr=[np.zeros(len(joints)), above],
            label=group,
            error_kw={"elinewidth": 0.8},
        )
    axes.set_xticks(range(len(joints)), [joint.replace("_", " ") for joint in joints], rotation=45, ha="right")
    axes.set_ylabel("mm (bar: mean, whisker: 95 %)")
    axes.set_title("Body labels against captured joints")
    if groups:
        axes.legend()
    figure.savefig(path, dpi=120)
    plt.close(figure)
