"""Write the README's tables of results from the CSV files in docs/results, between its two markers.

python tools/readme_results.py
"""

import csv
from pathlib import Path

from hummuss.cli.eval_framerate import read_rows
from hummuss.evaluation.framerate_lines import Line, line_of, lines_of
from hummuss.evaluation.pages import spread
from hummuss.evaluation.rates import BASE, Rate

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results"
START, END = "<!-- results: written by tools/readme_results.py -->", "<!-- end of results -->"
RATES = [Rate("stride", 1), Rate("stride", 2), Rate("stride", 4), Rate("stride", 8), Rate("dropped", 0.5)]
# The pages of frame rates that are shown, and what the README calls them.
PAGES = {
    "framerate": "any frame rate",
    "framerate_longer": "the same, trained on five times as many windows",
    "framerate_base": "the first, at base size",
}
# Their rows: how those pages call them, and what the README says they are.
LINES = {
    Line("hummuss", "dt", True): "**HumMUSS**, trained at random strides {strides}",
    Line("hummuss", "dt-ignored", True): "the same, not told dt",
    Line("hummuss", "trained-at-rate", False): "HumMUSS, trained at that very stride",
    Line("hummuss", "dt", False): "HumMUSS, trained at stride 1",
    Line("hummuss-causal", "dt", True): "causal HumMUSS, random strides",
    Line("dstformer", "subsampled", True): "attention (DSTformer), random strides",
    Line("dstformer", "subsampled", False): "attention, trained at stride 1",
    Line("dstformer", "interpolated", False): "the same, shown clips interpolated back to stride 1",
    Line("per-frame", "subsampled", True): "every frame by itself",
}
# Rows of the table of long sequences: the page's frames and source.
LENGTHS = {
    (162, "capture"): "captured, 162 frames: two windows",
    (810, "capture"): "captured, 810 frames",
    (16000, "ping-pong"): "played back and forth, 16,000 frames",
}
MODES = {"windows": "windows of 81, averaged where they overlap", "adjacent": "windows that do not overlap"}
MODES |= {"whole": "one piece"}
# Columns of the table of hidden joints; its rows are models and whether their training hid joints.
HIDDEN = [("clean", 0.0), ("joints", 0.15), ("joints", 0.3), ("limbs", 0.3), ("frames", 0.3), ("gaussian", 0.02)]
TRAINED = {
    ("hummuss", False): "**HumMUSS**",
    ("dstformer", False): "attention (DSTformer)",
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
    tables = [framerate_table(name, title) for name, title in PAGES.items()]
    tables += [long_table(), hidden_table(), task_table()]
    return "\n".join([START, "", *(line for table in tables for line in [*table, ""]), END])


def framerate_table(name: str, title: str) -> list[str]:
    """CMU's test subjects at a few rates."""
    rows = [row for row in read_rows(RESULTS / f"{name}.csv") if row["dataset"] == "cmu-test"]
    found, moving = lines_of(rows), lines_of(rows, "mpjve_mm_s")
    work: dict[Line, set[str]] = {}
    for row in rows:
        work.setdefault(line_of(row), set()).add(f"{row['multiply_adds_per_frame'] / 1e6:.1f}")
    (varied,) = {row["trained_strides"] for row in rows if row["trained_with_augmentation"]}
    strides = f"from {varied.replace('-', ' to ')}"
    names = [f"stride {rate.rate:g}" if rate.kind == "stride" else f"{rate.rate:.0%} dropped" for rate in RATES]
    columns = ["multiply-adds per frame, M", *names, "velocity error at stride 1, mm/s"]
    table = [
        f"| MPJPE in mm, [{title}](docs/results/{name}.md) | {' | '.join(columns)} |",
        "|---|" + "---|" * len(columns),
    ]
    for line, what in LINES.items():
        if line in found:
            cells = [spread(list(found[line].get(rate, {}).values())) for rate in RATES]
            cells.append(spread(list(moving.get(line, {}).get(BASE, {}).values())))
            costs = " to ".join(dict.fromkeys((min(work[line], key=float), max(work[line], key=float))))
            table.append(f"| {what.format(strides=strides)} | {costs} | " + " | ".join(cells) + " |")
    return table


def long_table() -> list[str]:
    """HumMUSS after the longer training, on CMU's captured clips."""
    with open(RESULTS / "long_longer.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if not row["position_s"] and row["dataset"] == "cmu-test"]
    table = [
        "| MPJPE in mm, [long sequences](docs/results/long_longer.md) | " + " | ".join(MODES.values()) + " |",
        "|---|" + "---|" * len(MODES),
    ]
    for (frames, source), what in LENGTHS.items():
        own = [row for row in rows if (row["model"], int(row["frames"]), row["source"]) == ("hummuss", frames, source)]
        cells = [spread([float(row["mpjpe_mm"]) for row in own if row["mode"] == mode]) for mode in MODES]
        table.append(f"| {what} | " + " | ".join(cells) + " |")
    return table


def hidden_table() -> list[str]:
    """Both backbones, trained with and without hidden joints, on CMU's captured clips."""
    with open(RESULTS / "robustness.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["dataset"] == "cmu-test"]
    names = [kind if kind == "clean" else f"{kind} {level:.0%}" for kind, level in HIDDEN]
    table = [
        f"| MPJPE in mm, [corrupted detections](docs/results/robustness.md) | {' | '.join(names)} |",
        "|---|" + "---|" * len(names),
    ]
    for (model, masked), what in TRAINED.items():
        own = [row for row in rows if (row["model"], row["trained_with_masking"]) == (model, str(masked))]
        cells = [
            spread([float(row["mpjpe_mm"]) for row in own if (row["corruption"], float(row["level"])) == place])
            for place in HIDDEN
        ]
        table.append(f"| {what} | " + " | ".join(cells) + " |")
    return table


def task_table() -> list[str]:
    """Every task on all of CMU's test clips."""
    with open(RESULTS / "tasks_study.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if (row["split"], row["group"]) == ("test", "all")]
    table = [
        f"| [task](docs/results/tasks_study.md) | {' | '.join(COLUMNS)} | [regression](docs/results/action.md) |",
        "|---|" + "---|" * (len(COLUMNS) + 1),
    ]
    for metric, what in TASKS.items():
        cells = [
            spread([float(row["value"]) for row in rows if row["variant"] in variants and row["metric"] == metric])
            for variants in COLUMNS.values()
        ]
        cells.append(regression() if metric == "action/mean_class" else "-")
        table.append(f"| {what} | " + " | ".join(cells) + " |")
    return table


def regression() -> str:
    """Balanced accuracy of the regression on per-frame statistics."""
    with open(RESULTS / "action.csv", newline="") as file:
        (row,) = [
            row for row in csv.DictReader(file) if (row["model"], row["class"]) == ("regression on statistics", "all")
        ]
    return f"{float(row['balanced (%)']):.1f}"


if __name__ == "__main__":
    main()
