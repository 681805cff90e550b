"""Rows of a comparison over frame rates, gathered into lines: one model in one variant, over rates and seeds."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from hummuss.evaluation.framerate import AT_RATE, Row
from hummuss.evaluation.pages import shared_means
from hummuss.evaluation.rates import Rate


class Line(NamedTuple):
    """What rows of several rates and seeds have in common: columns ``model``, ``variant``, ``trained_with_...``."""

    model: str
    variant: str
    augmented: bool

    @property
    def label(self) -> str:
        """As tables and pictures call it."""
        if self.variant == AT_RATE:
            return f"{self.model}, trained at that rate"
        return f"{self.model}, {'varied rate' if self.augmented else 'one rate'}, {self.variant}"


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


# Line -> rate -> seed -> error, mm.
Lines = dict[Line, dict[Rate, dict[int, float]]]


def lines_of(rows: Sequence[Row]) -> Lines:
    """The lines of one dataset's rows."""
    found: Lines = {}
    for row in rows:
        line = Line(row["model"], row["variant"], row["trained_with_augmentation"])
        own = found.setdefault(line, {}).setdefault(Rate(row["kind"], row["rate"]), {})
        own[row["seed"]] = row["mpjpe_mm"]
    return found


def pairs(lines: Lines, first: Line, second: Line, kind: str = "stride") -> list[Pair]:
    """Both lines side by side, at the rates of a kind and over the seeds that both have; lowest rate first."""
    return sorted(_pairs(lines.get(first, {}), lines.get(second, {}), kind))


def _pairs(first: dict[Rate, dict[int, float]], second: dict[Rate, dict[int, float]], kind: str) -> Iterator[Pair]:
    for rate in first.keys() & second.keys():
        means = shared_means(first[rate], second[rate])
        if rate.kind == kind and means is not None:
            yield Pair(rate, *means, [first[rate][seed] / second[rate][seed] for seed in means[2]])
