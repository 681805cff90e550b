"""Rows of the pages in docs/results, for the tables that are made of them."""

import csv
from functools import cache
from pathlib import Path

from hummuss.cli.eval_framerate import read_table
from hummuss.evaluation.framerate_lines import Line

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results"

# Lines of pages of frame rates that several tables have.
VARIED, ATTENTION = Line("hummuss", "dt", True), Line("dstformer", "subsampled", True)
AT_RATE, UNTOLD = Line("hummuss", "trained-at-rate", False), Line("hummuss", "dt-ignored", True)
ONE_RATE, ATTENTION_ONE_RATE = Line("hummuss", "dt", False), Line("dstformer", "subsampled", False)
# Attention shown clips that are interpolated back.
BACK_AT_ALL_RATES, BACK_AT_ONE_RATE = Line("dstformer", "interpolated", True), Line("dstformer", "interpolated", False)
EVERY_FRAME = Line("per-frame", "subsampled", True)


@cache
def rated(page: str, dataset: str) -> list[dict]:
    """A dataset's rows on a page of frame rates."""
    return [row for row in read_table(RESULTS / f"{page}.csv") if row["dataset"] == dataset]


def long_rows(page: str, dataset: str) -> list[dict]:
    """A dataset's rows of whole sequences on a page of long ones."""
    return [
        {**row, "trained_with_augmentation": row["trained_with_augmentation"] == "True", "position_s": None,
         "frames": int(row["frames"]), "seed": int(row["seed"]), "mpjpe_mm": float(row["mpjpe_mm"])}
        for row in plain_rows(page)
        if row["dataset"] == dataset and not row["position_s"]
    ]  # fmt: skip


@cache
def plain_rows(name: str) -> list[dict[str, str]]:
    """A results page's table, as it stands there."""
    with open(RESULTS / f"{name}.csv", newline="") as file:
        return list(csv.DictReader(file))
