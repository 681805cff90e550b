"""Rows of a comparison over frame rates, gathered into lines: one model in one variant, over rates and seeds."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from hummuss.evaluation.framerate import AT_RATE, Row
from hummuss.evaluation.pages import shared_means
from hummuss.evaluation.rates import BASE, Rate


class Line(NamedTuple):
    """What rows of several rates and seeds have in common.

    Attributes:
        model, variant, augmented: columns ``model``, ``variant``, ``trained_with_augmentation``.
        stride: of a training at one rate, in base frames; 1 where that varied, or is the one that is shown.
    """

    model: str
    variant: str
    augmented: bool
    stride: float = 1.0

    @property
    def label(self) -> str:
        """As tables and pictures call it."""
        if self.variant == AT_RATE:
            return f"{self.model}, trained at that rate"
        one = "one rate" if self.stride == 1 else f"stride {self.stride:g} alone"
        return f"{self.model}, {'varied rate' if self.augmented else one}, {self.variant}"


class Pair(NamedTuple):
    """Mean errors of two lines at one rate, mm, over the seeds that both have."""

    rate: Rate
    first: float
    second: float
    seeds: list[int]
    ratios: list[float]  # of each of these seeds

    @property
    def ratio(self) -> float:
        """First over second."""
        return self.first / self.second


# Line -> rate -> seed -> error, mm or mm/s.
Lines = dict[Line, dict[Rate, dict[int, float]]]


def line_of(row: Row) -> Line:
    """The line that a row belongs to."""
    told_by_rate = row["trained_with_augmentation"] or row["variant"] == AT_RATE
    stride = 1.0 if told_by_rate else float(row["trained_strides"])
    return Line(row["model"], row["variant"], row["trained_with_augmentation"], stride)


def shown(row: Row) -> str:
    """Digits that stand for what a row's model was shown; behind them stand those of the code that did so."""
    return row["moments"].partition("-")[0]


def lines_of(rows: Sequence[Row], column: str = "mpjpe_mm") -> Lines:
    """The lines of one dataset's rows, by what a column says where it says anything."""
    found: Lines = {}
    for row in rows:
        if row[column] is not None:
            own = found.setdefault(line_of(row), {}).setdefault(Rate(row["kind"], row["rate"]), {})
            own[row["seed"]] = row[column]
    return found


def pairs(lines: Lines, first: Line, second: Line, kind: str = "stride") -> list[Pair]:
    """Both lines side by side, at the rates of a kind and over the seeds that both have; lowest rate first."""
    return sorted(_pairs(lines.get(first, {}), lines.get(second, {}), kind))


def changes(own: dict[Rate, dict[int, float]]) -> list[Pair]:
    """The other strides of one line beside its stride 1, lowest first."""
    others = sorted(rate for rate in own if rate.kind == BASE.kind and rate != BASE)
    return [pair for rate in others if (pair := _pair(rate, own[rate], own.get(BASE, {}))) is not None]


def _pairs(first: dict[Rate, dict[int, float]], second: dict[Rate, dict[int, float]], kind: str) -> Iterator[Pair]:
    for rate in first.keys() & second.keys():
        if rate.kind == kind and (pair := _pair(rate, first[rate], second[rate])) is not None:
            yield pair


def _pair(rate: Rate, first: dict[int, float], second: dict[int, float]) -> Pair | None:
    means = shared_means(first, second)
    return None if means is None else Pair(rate, *means, [first[seed] / second[seed] for seed in means[2]])
