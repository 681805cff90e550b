"""Write the README's tables of results from the CSV files in docs/results, between its two markers.

python tools/readme_results.py
"""

import csv
from pathlib import Path

from hummuss.cli.eval_framerate import read_table
from hummuss.evaluation.framerate_lines import Line, line_of, lines_of
from hummuss.evaluation.pages import spread, table
from hummuss.evaluation.rates import BASE, Rate
from hummuss.evaluation.strides import Strides

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results"
START, END = "<!-- results: written by tools/readme_results.py -->", "<!-- end of results -->"
RATES = [Rate("stride", 1), Rate("stride", 4), Rate("stride", 8), Rate("dropped", 0.5)]
VARIED, ATTENTION = Line("hummuss", "dt", True), Line("dstformer", "subsampled", True)
EVERY_FRAME = Line("per-frame", "subsampled", True)
# Rows of the table of frame rates: how pages call them, and what the README says they are.
LINES = {
    VARIED: "**HumMUSS**, trained at random strides {strides}",
    Line("hummuss", "dt-ignored", True): "the same, not told dt",
    Line("hummuss", "trained-at-rate", False): "HumMUSS, trained at that very stride",
    Line("hummuss", "dt", False): "HumMUSS, trained at stride 1",
    Line("hummuss-causal", "dt", True): "causal HumMUSS, random strides",
    ATTENTION: "attention (DSTformer), random strides",
    Line("dstformer", "subsampled", False): "attention, trained at stride 1",
    Line("dstformer", "interpolated", False): "the same, on clips interpolated back to stride 1",
    EVERY_FRAME: "every frame by itself",
}
# The pages that it shows, what their trainings were, and which rows it takes of them.
PAGES = {
    "framerate": ("tiny, 1200 steps of 8 windows", tuple(LINES)),
    "framerate_longer": ("tiny, 1600 of 32", (VARIED, ATTENTION, EVERY_FRAME)),
    "framerate_base": ("base, 1200 of 8", (VARIED, ATTENTION)),
}
# Rows of the table of long sequences: dataset, frames and source, as the page has them.
LENGTHS = {
    ("cmu-test", 810, "capture"): "captured, 810 frames",
    ("cmu-test", 16000, "ping-pong"): "captured, 16,000 frames back and forth",
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
    ("clean", 0.0): "clean",
    ("joints", 0.3): "30 % of joints hidden",
    ("frames", 0.3): "30 % of frames missing",
    ("gaussian", 0.05): "noise, 5 % of the person's size",
}
MASKED = {
    ("hummuss", False): "**HumMUSS**",
    ("dstformer", False): "attention",
    ("hummuss", True): "**HumMUSS**, joints hidden in training",
    ("dstformer", True): "attention, joints hidden in training",
}
# Rows of the last table: metric -> what it is. Columns: the variants of HumMUSS and attention that have it.
TASKS = {
    "pose/mpjpe": "3D pose, MPJPE in mm",
    "mesh/mpve": "body mesh, MPVE in mm",
    "action/mean_class": "action, balanced accuracy in %",
}
COLUMNS = {
    "alone": ("pose", "mesh", "action"),
    "all three on one backbone": ("multi",),
    "pretrained": ("pretrained",),
    "attention, alone": ("dstformer-pose", "dstformer-mesh", "dstformer-action"),
}


# Rows of the table of speed: device, precision, mode and intervals as its page has them.
SPEEDS = {
    (device, precision, mode, intervals): f"{where}, {what}, {intervals} intervals"
    for device, precision, where in (
        ("x86_64 CPU, 1 threads", "32", "a processor's core"),
        ("AMD EPYC, 1 threads", "32", "another's, AMD EPYC"),
        ("NVIDIA H100 80GB HBM3", "bf16", "an H100, bf16"),
    )
    for mode, what in (("train", "training step"), ("infer", "inference"))
    for intervals in ("even", "irregular")
}
CLIPS = (27, 81, 243, 729, 2187)  # frames


def main() -> None:
    """Replace what stands between the markers."""
    readme = ROOT / "README.md"
    before, start, rest = readme.read_text().partition(START)
    _, end, after = rest.partition(END)
    if not start or not end:
        raise SystemExit(f"{readme} has no line {START if not start else END}: put both back around its tables")
    readme.write_text(before + section() + after)


def section() -> str:
    """The tables, with their markers."""
    tables = [framerate_table(), long_table(), corruption_table(), task_table(), speed_table()]
    return "\n".join([START, "", *(line for lines in tables for line in lines), END])


def framerate_table() -> list[str]:
    """CMU's captured test clips at a few rates, by what trainings were."""
    names = [f"stride {rate.rate:g}" if rate.kind == "stride" else f"{rate.rate:.0%} dropped" for rate in RATES]
    head = ["training", "model", "multiply-adds per frame, M", *names, "velocity error at stride 1, mm/s"]
    body = []
    for name, (training, lines) in PAGES.items():
        rows = [row for row in read_table(RESULTS / f"{name}.csv") if row["dataset"] == "cmu-test"]
        found, moving = lines_of(rows), lines_of(rows, "mpjve_mm_s")
        work: dict[Line, set[str]] = {}
        for row in rows:
            work.setdefault(line_of(row), set()).add(f"{row['multiply_adds_per_frame'] / 1e6:.1f}")
        (varied,) = {row["trained_strides"] for row in rows if row["trained_with_augmentation"]}
        for number, line in enumerate(lines):
            costs = " to ".join(dict.fromkeys((min(work[line], key=float), max(work[line], key=float))))
            cells = [spread(list(found[line].get(rate, {}).values())) for rate in RATES]
            cells.append(spread(list(moving[line].get(BASE, {}).values())))
            what = LINES[line].format(strides=Strides.read(varied).describe())
            body.append(["" if number else f"[{training}](docs/results/{name}.md)", what, costs, *cells])
    return table(head, body)


def long_table() -> list[str]:
    """HumMUSS after the longer training."""
    rows = [row for row in plain_rows("long_longer") if not row["position_s"] and row["model"] == "hummuss"]
    body = []
    for place, what in LENGTHS.items():
        own = [row for row in rows if (row["dataset"], int(row["frames"]), row["source"]) == place]
        cells = [spread([float(row["mpjpe_mm"]) for row in own if row["mode"] == mode]) for mode in MODES]
        body.append([what, *cells])
    return table(["[long sequences](docs/results/long_longer.md), MPJPE in mm", *MODES.values()], body)


def corruption_table() -> list[str]:
    """Both backbones, trained with and without hidden joints, on CMU's captured clips."""
    rows = [row for row in plain_rows("robustness") if row["dataset"] == "cmu-test"]
    body = []
    for (model, masked), what in MASKED.items():
        own = [row for row in rows if (row["model"], row["trained_with_masking"]) == (model, str(masked))]
        cells = [
            spread([float(row["mpjpe_mm"]) for row in own if (row["corruption"], float(row["level"])) == place])
            for place in CORRUPTIONS
        ]
        body.append([what, *cells])
    head = ["[corrupted detections](docs/results/robustness.md), MPJPE in mm", *CORRUPTIONS.values()]
    return table(head, body)


def task_table() -> list[str]:
    """Every task on all of CMU's test clips."""
    rows = [row for row in plain_rows("tasks_study") if (row["split"], row["group"]) == ("test", "all")]
    body = []
    for metric, what in TASKS.items():
        cells = [
            spread([float(row["value"]) for row in rows if row["variant"] in variants and row["metric"] == metric])
            for variants in COLUMNS.values()
        ]
        body.append([what, *cells, regression() if metric == "action/mean_class" else "-"])
    return table(["[task](docs/results/tasks_study.md)", *COLUMNS, "[regression](docs/results/action.md)"], body)


def speed_table() -> list[str]:
    """HumMUSS at base size beside attention at MotionBERT-Lite's, batches of as many clips as 243 frames hold."""
    rows = [row for row in plain_rows("speed") if row["model"] == "hummuss-base" and row["ratio_to_dstformer"]]
    body = []
    for place, what in SPEEDS.items():
        own = [row for row in rows if (row["device"], row["precision"], row["mode"], row["intervals"]) == place]
        ratios = {int(row["frames"]): row["ratio_to_dstformer"] for row in own}
        body.append([what, *(ratios.get(frames, "-") for frames in CLIPS)])
    head = ["times as [quick](docs/results/speed.md) as attention, size base"]
    return table([*head, *(f"{frames} frames" for frames in CLIPS)], body)


def regression() -> str:
    """Balanced accuracy of the regression on per-frame statistics."""
    place = ("regression on statistics", "all")
    (row,) = [row for row in plain_rows("action") if (row["model"], row["class"]) == place]
    return f"{float(row['balanced (%)']):.1f}"


def plain_rows(name: str) -> list[dict[str, str]]:
    """A results page's table, as it stands there."""
    with open(RESULTS / f"{name}.csv", newline="") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    main()
