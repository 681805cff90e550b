"""Write tables of what was measured from the CSV files in docs/results: all in docs/measured.md, one in the README.

python tools/result_tables.py
"""

from collections.abc import Callable, Iterable
from typing import Any

from overview_table import overview_table
from result_cells import (
    ALONE,
    ATTENTION_ALONE,
    CLEAN,
    DEVICES,
    FAR,
    HIDDEN,
    INTERVALS,
    WORK,
    captured,
    corruption_cell,
    long_cell,
    rate_cell,
    regression,
    speed_cell,
    task_cell,
    work_cell,
)
from result_rows import ATTENTION, ATTENTION_ONE_RATE, BACK_AT_ONE_RATE, ONE_RATE, ROOT
from target_table import target_table

from hummuss.evaluation.framerate_lines import Line
from hummuss.evaluation.framerate_targets import AT_THAT_RATE, FLOOR, IGNORED, OURS
from hummuss.evaluation.pages import table
from hummuss.evaluation.rates import BASE, Rate
from hummuss.evaluation.speed_page import TIMES_AS_QUICK
from hummuss.evaluation.strides import Strides

START, END = "<!-- tables: written by tools/result_tables.py -->", "<!-- end of tables -->"

RATES = [Rate("stride", 1), Rate("stride", 4), Rate("stride", 8), Rate("dropped", 0.5)]
# Rows of the table of frame rates: how pages call them, and what the table says they are.
LINES = {
    OURS: "**HumMUSS**, trained at random strides {strides}",
    IGNORED: "the same, not told dt",
    AT_THAT_RATE: "HumMUSS, trained at that very stride",
    ONE_RATE: "HumMUSS, trained at stride 1",
    Line("hummuss-causal", "dt", True): "causal HumMUSS, random strides",
    ATTENTION: "attention (DSTformer), random strides",
    ATTENTION_ONE_RATE: "attention, trained at stride 1",
    BACK_AT_ONE_RATE: "the same, on clips interpolated back to stride 1",
    FLOOR: "every frame by itself",
}
# The pages that it shows, what their trainings were, and which rows it takes of them.
TRAININGS = {
    "framerate": ("tiny, 1200 steps of 8 windows", tuple(LINES)),
    "framerate_longer": ("tiny, 1600 of 32", (OURS, ATTENTION, FLOOR)),
    "framerate_base": ("base, 1200 of 8", (OURS, ATTENTION)),
}
# Rows of the table of long sequences: dataset, frames and source, as the page has them.
LENGTHS = {
    ("cmu-test", 810, "capture"): "captured, 810 frames",
    FAR: "captured, 16,000 frames back and forth",
    ("cmu-test-daz", 810, "capture"): "retargeted, 810 frames",
    ("cmu-test-daz", 16000, "ping-pong"): "retargeted, 16,000 frames back and forth",
}
MODES = {
    "windows": "windows of 81, averaged where they overlap",
    "adjacent": "windows that do not overlap",
    "whole": "one piece",
}
# Columns of the table of corrupted detections; its rows are models and whether their training hid joints.
CORRUPTIONS = {
    CLEAN: "clean",
    HIDDEN: "30 % of joints hidden",
    ("frames", 0.3): "30 % of frames missing",
    ("gaussian", 0.05): "noise, 5 % of the person's size",
}
MASKED = {
    ("hummuss", False): "**HumMUSS**",
    ("dstformer", False): "attention",
    ("hummuss", True): "**HumMUSS**, joints hidden in training",
    ("dstformer", True): "attention, joints hidden in training",
}
# Rows of the table of tasks: metric -> what it is. Columns: the variants of HumMUSS and attention that have it.
TASKS = {
    "pose/mpjpe": "3D pose, MPJPE in mm",
    "mesh/mpve": "body mesh, MPVE in mm",
    "action/mean_class": "action, balanced accuracy in %",
}
COLUMNS = {
    "alone": ALONE,
    "all three on one backbone": ("multi",),
    "pretrained": ("pretrained",),
    "attention, alone": ATTENTION_ALONE,
}


def main() -> None:
    """Replace what stands between the markers of both files."""
    for path, section in SECTIONS.items():
        before, start, rest = path.read_text().partition(START)
        _, end, after = rest.partition(END)
        if not start or not end:
            raise SystemExit(f"{path} has no line {START if not start else END}: put both back around its tables")
        path.write_text(before + section() + after)


def all_tables() -> str:
    """What docs/measured.md has between its markers."""
    titles = {
        "Targets": target_table,
        "Any frame rate": framerate_table,
        "Long sequences": long_table,
        "Corrupted detections": corruption_table,
        "Tasks": task_table,
        "Speed": speed_table,
    }
    lines = [line for title, rows in titles.items() for line in (f"## {title}", "", *rows())]
    return "\n".join([START, "", *lines, END])


def overview() -> str:
    """What the README has there."""
    return "\n".join([START, "", *overview_table(), END])


def framerate_table() -> list[str]:
    """CMU's captured test clips at a few rates, by what trainings were."""
    names = [f"stride {rate.rate:g}" if rate.kind == "stride" else f"{rate.rate:.0%} dropped" for rate in RATES]
    head = ["training", "model", "multiply-adds per frame, M", *names, "velocity error at stride 1, mm/s"]
    body = []
    for page, (training, lines) in TRAININGS.items():
        (varied,) = {row["trained_strides"] for row in captured(page) if row["trained_with_augmentation"]}
        for number, line in enumerate(lines):
            cells = [*(rate_cell(page, line, rate) for rate in RATES), rate_cell(page, line, BASE, "mpjve_mm_s")]
            what = LINES[line].format(strides=Strides.read(varied).describe())
            body.append(["" if number else f"[{training}](results/{page}.md)", what, work_cell(page, line), *cells])
    return table(head, body)


def long_table() -> list[str]:
    """HumMUSS after the longer training."""
    head = ["[MPJPE](results/long_longer.md), mm", *MODES.values()]
    return table(head, grid(LENGTHS, MODES, long_cell))


def corruption_table() -> list[str]:
    """Both backbones, trained with and without hidden joints, on CMU's captured clips."""
    head = ["[MPJPE](results/robustness.md), mm", *CORRUPTIONS.values()]
    return table(head, grid(MASKED, CORRUPTIONS, lambda model, corruption: corruption_cell(*model, corruption)))


def task_table() -> list[str]:
    """Every task on all of CMU's test clips."""
    body = [
        [what, *(task_cell(variants, metric) for variants in COLUMNS.values()),
         regression() if metric == "action/mean_class" else "-"]
        for metric, what in TASKS.items()
    ]  # fmt: skip
    return table(["[task](results/tasks_study.md)", *COLUMNS, "[regression](results/action.md)"], body)


def speed_table() -> list[str]:
    """HumMUSS at base size beside attention at MotionBERT-Lite's, batches of as many clips as 243 frames hold."""
    head = [
        "times as [quick](results/speed.md) as attention, size base",
        *(f"{frames} frames" for frames in TIMES_AS_QUICK),
    ]
    places = {
        (device, mode, intervals): f"{where}, {what}, {intervals} intervals"
        for device, where in DEVICES.items()
        for mode, what in WORK.items()
        for intervals in INTERVALS
    }
    to_reach = ["to reach in a training step", *(f"{times:g}" for times in TIMES_AS_QUICK.values())]
    return table(head, [to_reach, *grid(places, TIMES_AS_QUICK, lambda place, frames: speed_cell(*place, frames))])


def grid(rows: dict[Any, str], columns: Iterable[Any], cell: Callable[[Any, Any], str]) -> list[list[str]]:
    """Rows of a table that has ``cell`` at every row and column."""
    return [[what, *(cell(row, column) for column in columns)] for row, what in rows.items()]


SECTIONS = {ROOT / "docs" / "measured.md": all_tables, ROOT / "README.md": overview}

if __name__ == "__main__":
    main()
