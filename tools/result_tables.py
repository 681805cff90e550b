"""Write tables of what was measured from the CSV files in docs/results: all in docs/measured.md, one in the README.

python tools/result_tables.py
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from result_rows import (
    AT_RATE,
    ATTENTION,
    ATTENTION_ONE_RATE,
    BACK_AT_ONE_RATE,
    EVERY_FRAME,
    ONE_RATE,
    ROOT,
    UNTOLD,
    VARIED,
    plain_rows,
    rated,
)
from target_table import target_table

from hummuss.evaluation.framerate_lines import Line, line_of, lines_of
from hummuss.evaluation.pages import spread, table
from hummuss.evaluation.rates import BASE, Rate
from hummuss.evaluation.strides import Strides

START, END = "<!-- tables: written by tools/result_tables.py -->", "<!-- end of tables -->"

RATES = [Rate("stride", 1), Rate("stride", 4), Rate("stride", 8), Rate("dropped", 0.5)]
# Rows of the table of frame rates: how pages call them, and what the table says they are.
LINES = {
    VARIED: "**HumMUSS**, trained at random strides {strides}",
    UNTOLD: "the same, not told dt",
    AT_RATE: "HumMUSS, trained at that very stride",
    ONE_RATE: "HumMUSS, trained at stride 1",
    Line("hummuss-causal", "dt", True): "causal HumMUSS, random strides",
    ATTENTION: "attention (DSTformer), random strides",
    ATTENTION_ONE_RATE: "attention, trained at stride 1",
    BACK_AT_ONE_RATE: "the same, on clips interpolated back to stride 1",
    EVERY_FRAME: "every frame by itself",
}
# The pages that it shows, what their trainings were, and which rows it takes of them.
TRAININGS = {
    "framerate": ("tiny, 1200 steps of 8 windows", tuple(LINES)),
    "framerate_longer": ("tiny, 1600 of 32", (VARIED, ATTENTION, EVERY_FRAME)),
    "framerate_base": ("base, 1200 of 8", (VARIED, ATTENTION)),
}
# Rows of the table of long sequences: dataset, frames and source, as the page has them.
FAR = ("cmu-test", 16000, "ping-pong")
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
HIDDEN = ("joints", 0.3)
CORRUPTIONS = {
    ("clean", 0.0): "clean",
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
ALONE, ATTENTION_ALONE = ("pose", "mesh", "action"), ("dstformer-pose", "dstformer-mesh", "dstformer-action")
COLUMNS = {
    "alone": ALONE,
    "all three on one backbone": ("multi",),
    "pretrained": ("pretrained",),
    "attention, alone": ATTENTION_ALONE,
}
# Rows of the table of speed: device and precision as its page has them, mode and intervals.
CORE, OTHER_CORE, GPU = (
    ("x86_64 CPU, 1 threads", "32"),
    ("AMD EPYC, 1 threads", "32"),
    ("NVIDIA H100 80GB HBM3", "bf16"),
)
DEVICES = {CORE: "a core of a processor that was not named", OTHER_CORE: "a core of an AMD EPYC", GPU: "an H100, bf16"}
WORK = {"train": "training step", "infer": "inference"}
INTERVALS = ("even", "irregular")
CLIPS = (27, 81, 243, 729, 2187)  # frames


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
    """The README's one table: HumMUSS beside attention, and beside what is hardest to be ahead of."""
    head = ["", "HumMUSS", "attention (DSTformer)", "beside them"]
    return "\n".join([START, "", *table(head, list(overview_rows())), END])


def overview_rows() -> Iterator[list[str]]:
    """Its rows, those against HumMUSS among them."""

    def at(line: Line, rate: Rate, page: str = "framerate", column: str = "mpjpe_mm") -> str:
        return rate_cell(page, line, rate, column)

    def row(what: str, page: str, ours: str, theirs: str, beside: str = "") -> list[str]:
        return [f"[{what}](docs/results/{page}.md)", ours, theirs, beside]

    base, coarse, dropped = BASE, Rate("stride", 8), Rate("dropped", 0.5)
    rates = "framerate"
    yield row(
        "MPJPE of captured clips at stride 1, mm", rates, at(VARIED, base), at(ATTENTION, base),
        f"{at(EVERY_FRAME, base)} every frame by itself",
    )  # fmt: skip
    yield row(
        "at stride 8", rates, at(VARIED, coarse), at(ATTENTION, coarse),
        f"{at(AT_RATE, coarse)} HumMUSS trained at that very stride; {at(UNTOLD, coarse)} not told dt",
    )  # fmt: skip
    yield row("at stride 8, trained at stride 1 alone", rates, at(ONE_RATE, coarse), at(ATTENTION_ONE_RATE, coarse))
    yield row("half of the frames dropped", rates, at(VARIED, dropped), at(ATTENTION, dropped))
    yield row(
        "velocity error at stride 1, mm/s", rates,
        at(VARIED, base, column="mpjve_mm_s"), at(ATTENTION, base, column="mpjve_mm_s"),
        f"{at(ONE_RATE, base, column='mpjve_mm_s')} HumMUSS trained at stride 1 alone",
    )  # fmt: skip
    wide = "framerate_base"
    yield row("MPJPE at stride 1, size base", wide, at(VARIED, base, wide), at(ATTENTION, base, wide))
    yield row("multiply-adds per frame, M, size base", "sizes", work_cell(wide, VARIED), work_cell(wide, ATTENTION))
    yield row(
        "MPJPE of 16,000 frames in one piece", "long_longer", long_cell(FAR, "whole"), "-",
        f"{long_cell(FAR, 'windows')} windows of 81 that overlap, {long_cell(FAR, 'adjacent')} that do not",
    )  # fmt: skip
    for masked, what in ((False, "MPJPE, 30 % of the joints hidden"), (True, "the same, joints hidden in training")):
        ours, theirs = (corruption_cell(model, masked, HIDDEN) for model in ("hummuss", "dstformer"))
        yield row(what, "robustness", ours, theirs)
    mesh, action = "mesh/mpve", "action/mean_class"
    yield row("body mesh, MPVE, mm", "tasks_study", task_cell(ALONE, mesh), task_cell(ATTENTION_ALONE, mesh))
    yield row(
        "action, balanced accuracy, %", "action", task_cell(ALONE, action), task_cell(ATTENTION_ALONE, action),
        f"{regression()} a regression that knows no order of frames",
    )  # fmt: skip
    for device, mode in ((OTHER_CORE, "train"), (OTHER_CORE, "infer"), (GPU, "train")):
        ours, irregular = (speed_cell(device, mode, intervals, 243) for intervals in INTERVALS)
        what = f"times as quick, size base, 243 frames: {WORK[mode]}, {DEVICES[device]}"
        yield row(what, "speed", ours, "1", f"{irregular} on irregular intervals")


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
    return grid(head, LENGTHS, MODES, long_cell)


def corruption_table() -> list[str]:
    """Both backbones, trained with and without hidden joints, on CMU's captured clips."""
    head = ["[MPJPE](results/robustness.md), mm", *CORRUPTIONS.values()]
    return grid(head, MASKED, CORRUPTIONS, lambda model, corruption: corruption_cell(*model, corruption))


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
    head = ["times as [quick](results/speed.md) as attention, size base", *(f"{frames} frames" for frames in CLIPS)]
    places = {
        (device, mode, intervals): f"{where}, {what}, {intervals} intervals"
        for device, where in DEVICES.items()
        for mode, what in WORK.items()
        for intervals in INTERVALS
    }
    return grid(head, places, CLIPS, lambda place, frames: speed_cell(*place, frames))


def grid(head: list[str], rows: dict[Any, str], columns: Iterable[Any], cell: Callable[[Any, Any], str]) -> list[str]:
    """A table of ``cell`` at every row and column."""
    return table(head, [[what, *(cell(row, column) for column in columns)] for row, what in rows.items()])


def rate_cell(page: str, line: Line, rate: Rate, column: str = "mpjpe_mm") -> str:
    """Captured test clips at a rate."""
    return spread(list(lines_of(captured(page), column)[line].get(rate, {}).values()))


def work_cell(page: str, line: Line) -> str:
    """Millions of multiply-adds per frame, as far as the rates differ from the least to the most."""
    found = {f"{row['multiply_adds_per_frame'] / 1e6:.1f}" for row in captured(page) if line_of(row) == line}
    return " to ".join(dict.fromkeys((min(found, key=float), max(found, key=float))))


def long_cell(place: tuple[str, int, str], mode: str) -> str:
    """HumMUSS after the longer training, on sequences of a dataset, a length and a source."""
    rows = [row for row in plain_rows("long_longer") if not row["position_s"] and row["model"] == "hummuss"]
    own = [row for row in rows if (row["dataset"], int(row["frames"]), row["source"]) == place]
    return spread([float(row["mpjpe_mm"]) for row in own if row["mode"] == mode])


def corruption_cell(model: str, masked: bool, corruption: tuple[str, float]) -> str:
    """Captured test clips, corrupted."""
    place = ("cmu-test", model, str(masked), *corruption)
    keys = ("dataset", "model", "trained_with_masking", "corruption")
    own = [row for row in plain_rows("robustness") if (*(row[key] for key in keys), float(row["level"])) == place]
    return spread([float(row["mpjpe_mm"]) for row in own])


def task_cell(variants: tuple[str, ...], metric: str) -> str:
    """A task on all of CMU's test clips, by those of the variants that do it."""
    rows = [row for row in plain_rows("tasks_study") if (row["split"], row["group"]) == ("test", "all")]
    return spread([float(row["value"]) for row in rows if row["variant"] in variants and row["metric"] == metric])


def speed_cell(device: tuple[str, str], mode: str, intervals: str, frames: int) -> str:
    """Attention's time over that of HumMUSS at base size."""
    place = (*device, mode, intervals, str(frames), "hummuss-base")
    keys = ("device", "precision", "mode", "intervals", "frames", "model")
    own = [row["ratio_to_dstformer"] for row in plain_rows("speed") if tuple(row[key] for key in keys) == place]
    return next(filter(None, own), "-")


def regression() -> str:
    """Balanced accuracy of the regression on per-frame statistics."""
    place = ("regression on statistics", "all")
    (row,) = [row for row in plain_rows("action") if (row["model"], row["class"]) == place]
    return f"{float(row['balanced (%)']):.1f}"


def captured(page: str) -> list[dict]:
    """The rows of CMU's captured test clips on a page of frame rates."""
    return rated(page, "cmu-test")


SECTIONS = {ROOT / "docs" / "measured.md": all_tables, ROOT / "README.md": overview}

if __name__ == "__main__":
    main()
