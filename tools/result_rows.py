"""Rows of the pages in docs/results, for the tables that are made of them."""

import csv
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from hummuss.cli.eval_framerate import TYPES
from hummuss.cli.pages import read_rows
from hummuss.evaluation.framerate_lines import Line
from hummuss.evaluation.pages import spread

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results"

# Lines of pages of frame rates that several tables have, beside those that targets are judged by.
ATTENTION = Line("dstformer", "subsampled", True)
ONE_RATE, ATTENTION_ONE_RATE = Line("hummuss", "dt", False), Line("dstformer", "subsampled", False)
# Attention shown clips that are interpolated back.
BACK_AT_ALL_RATES, BACK_AT_ONE_RATE = Line("dstformer", "interpolated", True), Line("dstformer", "interpolated", False)
# Beside those of frame rates: what columns of long sequences hold, where that is no text.
LONG_TYPES = TYPES | {"frames": int, "position_s": lambda text: float(text) if text else None}


@cache
def rated(page: str, dataset: str) -> list[dict[str, Any]]:
    """A dataset's rows on a page of frame rates."""
    return [row for row in typed_rows(page, TYPES) if row["dataset"] == dataset]


@cache
def long_rows(page: str, dataset: str) -> list[dict[str, Any]]:
    """A dataset's rows of whole sequences on a page of long ones."""
    rows = typed_rows(page, LONG_TYPES)
    return [row for row in rows if row["dataset"] == dataset and row["position_s"] is None]


def typed_rows(page: str, types: Mapping[str, Callable[[str], Any]]) -> list[dict[str, Any]]:
    """A page's table with its own columns: those of earlier rounds lack some."""
    return read_rows(RESULTS / f"{page}.csv", list(plain_rows(page)[0]), types)


@cache
def plain_rows(page: str) -> list[dict[str, str]]:
    """A page's table as it stands there."""
    with open(RESULTS / f"{page}.csv", newline="") as file:
        return list(csv.DictReader(file))


def by_seed(rows: Iterable[Mapping[str, Any]], column: str) -> dict[str, float]:
    """The figures of one place on a page.

    Raises:
        ValueError: two rows of a seed, which are then not of one place.
    """
    rows = list(rows)
    found = {str(row["seed"]): float(row[column]) for row in rows}
    if len(found) < len(rows):
        raise ValueError(f"{len(rows)} rows of {len(found)} seeds: {rows[:2]}")
    return found


def spread_of(rows: Iterable[Mapping[str, Any]], column: str) -> str:
    """Their mean and deviation."""
    return spread(list(by_seed(rows, column).values()))
