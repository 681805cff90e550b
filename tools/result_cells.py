"""Cells of the tables that are made of the pages in docs/results: means of seeds, "-" where nothing was run."""

from collections.abc import Mapping, Sequence
from typing import Any

from result_rows import RESULTS, long_rows, plain_rows, rated, spread_of

from hummuss.evaluation.framerate_lines import Line, line_of, lines_of
from hummuss.evaluation.pages import spread
from hummuss.evaluation.rates import Rate

# Places that several tables show, as pages have them: sequences of a dataset, length and source, corruptions, variants
# of the tasks, devices and precisions, modes and intervals.
FAR, FAR_RETARGETED = ("cmu-test", 16000, "ping-pong"), ("cmu-test-daz", 16000, "ping-pong")
TEN_RETARGETED = ("cmu-test-daz", 810, "capture")  # ten training windows
AN_HOUR = ("cmu-test", 216000, "ping-pong")
CLEAN, HIDDEN = ("clean", 0.0), ("joints", 0.3)
ALONE, ATTENTION_ALONE = ("pose", "mesh", "action"), ("dstformer-pose", "dstformer-mesh", "dstformer-action")
CORE, OTHER_CORE = ("x86_64 CPU, 1 threads", "32"), ("AMD EPYC, 1 threads", "32")
GPU = ("NVIDIA H100 80GB HBM3", "bf16")
DEVICES = {CORE: "a core of an unnamed x86 processor", OTHER_CORE: "a core of an AMD EPYC", GPU: "an H100, bf16"}
WORK = {"train": "training step", "infer": "inference"}
INTERVALS = ("even", "irregular")


def rate_cell(page: str, line: Line, rate: Rate, column: str = "mpjpe_mm", dataset: str = "cmu-test") -> str:
    """Test clips at a rate, captured ones by default."""
    return spread(list(lines_of(rated(page, dataset), column)[line].get(rate, {}).values()))


def still_cell(page: str, dataset: str = "cmu-test") -> str:
    """Velocity error at stride 1 of a pose that never moves, on captured test clips by default: the page has it."""
    lines = (RESULTS / f"{page}.md").read_text().partition(f"\n## {dataset}\n")[2].splitlines()
    return next(line for line in lines if line.startswith("| a pose that never moves |")).split(" | ")[1]


def work_cell(page: str, line: Line) -> str:
    """Millions of multiply-adds per frame, as far as the rates differ from the least to the most."""
    found = {f"{row['multiply_adds_per_frame'] / 1e6:.1f}" for row in captured(page) if line_of(row) == line}
    return " to ".join(dict.fromkeys((min(found, key=float), max(found, key=float))))


def long_cell(place: tuple[str, int, str], mode: str, page: str = "long_longer", model: str = "hummuss") -> str:
    """A model of varied rates, by default after the longer training, on sequences of a dataset, length and source."""
    dataset, *rest = place
    keys = ("frames", "source", "mode", "model", "trained_with_augmentation")
    own = (*rest, mode, model, True)
    return spread_of((row for row in long_rows(page, dataset) if at(row, keys) == own), "mpjpe_mm")


def corruption_cell(model: str, masked: bool, corruption: tuple[str, float]) -> str:
    """Captured test clips, corrupted."""
    place = ("cmu-test", model, "True", str(masked), *corruption)
    keys = ("dataset", "model", "trained_with_augmentation", "trained_with_masking", "corruption")
    rows = plain_rows("robustness")
    return spread_of((row for row in rows if (*at(row, keys), float(row["level"])) == place), "mpjpe_mm")


def task_cell(variants: tuple[str, ...], metric: str) -> str:
    """A task on all of CMU's test clips, by those of the variants that do it."""
    place = ("test", "all", metric)
    rows = [row for row in plain_rows("tasks_study") if at(row, ("split", "group", "metric")) == place]
    return spread_of((row for row in rows if row["variant"] in variants), "value")


def speed_cell(device: tuple[str, str], mode: str, intervals: str, frames: int) -> str:
    """Attention's time over that of HumMUSS at base size."""
    place = (*device, mode, intervals, str(frames), "hummuss-base")
    keys = ("device", "precision", "mode", "intervals", "frames", "model")
    own = [row for row in plain_rows("speed") if at(row, keys) == place and row["ratio_to_dstformer"]]
    if len(own) > 1:
        raise ValueError(f"speed.csv has {len(own)} rows of {place}")
    return own[0]["ratio_to_dstformer"] if own else "-"


def regression() -> str:
    """Balanced accuracy of the regression on per-frame statistics."""
    place = ("regression on statistics", "all")
    (row,) = [row for row in plain_rows("action") if (row["model"], row["class"]) == place]
    return f"{float(row['balanced (%)']):.1f}"


def at(row: Mapping[str, Any], columns: Sequence[str]) -> tuple[Any, ...]:
    """Where a row stands."""
    return tuple(row[column] for column in columns)


def captured(page: str) -> list[dict]:
    """The rows of CMU's captured test clips on a page of frame rates."""
    return rated(page, "cmu-test")
