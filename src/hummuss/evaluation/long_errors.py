"""Errors on long sequences by model, by what was predicted and how, and by seed: what the rows of a comparison say."""

from collections.abc import Sequence
from statistics import mean, stdev
from typing import NamedTuple

from hummuss.evaluation.kept_rows import Row
from hummuss.evaluation.pages import shared_means


class Model(NamedTuple):
    """What rows of several seeds have in common."""

    name: str
    augmented: bool

    @property
    def label(self) -> str:
        """As tables and pictures call it."""
        return f"{self.name} ({'varied rate' if self.augmented else 'one rate'})"


class Way(NamedTuple):
    """What was predicted, and how."""

    source: str
    frames: int
    mode: str


class Pair(NamedTuple):
    """Mean errors of one piece, or of the stream that equals it, and of windows, mm, over the seeds with both.

    Attributes:
        each: per cent by which one piece is worse, by seed.
    """

    whole: float
    windows: float
    each: tuple[float, ...]

    @property
    def worse(self) -> float:
        """Per cent by which one piece is worse, by the means."""
        return _worse(self.whole, self.windows)

    def __str__(self) -> str:
        """Per cent by which one piece is worse, and the standard deviation of that over seeds.

        >>> str(Pair(101.0, 100.0, (0.5, 1.5)))
        '+1.0 ± 0.7 %'
        """
        deviation = f" ± {stdev(self.each):.1f}" if len(self.each) > 1 else ""
        return f"{self.worse:+.1f}{deviation} %"


# Way -> seed -> error over all frames, mm.
Errors = dict[Way, dict[int, float]]


def model_of(row: Row) -> Model:
    """The model that a row is of."""
    return Model(row["model"], row["trained_with_augmentation"])


def way_of(row: Row) -> Way:
    """What a row's model predicted, and how."""
    return Way(row["source"], row["frames"], row["mode"])


def by_model(rows: Sequence[Row]) -> dict[Model, Errors]:
    """The errors of each model."""
    found: dict[Model, Errors] = {}
    for row in rows:
        if row["position_s"] is None and row["mpjpe_mm"] is not None:
            own = found.setdefault(model_of(row), {})
            own.setdefault(way_of(row), {})[row["seed"]] = row["mpjpe_mm"]
    return found


def pairs(errors: Errors, mode: str = "whole", against: str = "windows") -> dict[Way, Pair]:
    """One piece, or what else ``mode`` says, beside either kind of windows, wherever a seed has both."""
    found = {}
    for way, own in errors.items():
        other = errors.get(way._replace(mode=against), {})
        means = shared_means(own, other)
        if way.mode == mode and means is not None:
            whole, windows, seeds = means
            found[way] = Pair(whole, windows, tuple(_worse(own[seed], other[seed]) for seed in seeds))
    return found


def _worse(whole: float, windows: float) -> float:
    return 100 * (whole / windows - 1)


def streams_for_whole(rows: Sequence[Row], model: Model) -> list[Way]:
    """Streams of all sequences of a length that the memory did not hold in one piece: they say what that would give."""
    counts = {way_of(row): row["sequences"] for row in rows if model_of(row) == model}
    return [
        way
        for way, count in counts.items()
        if way.mode == "stream"
        and way._replace(mode="whole") not in counts
        and count == counts.get(way._replace(mode="windows"))
    ]


def by_position(rows: Sequence[Row], model: Model, way: Way) -> dict[float, float]:
    """Position in seconds -> mean error over seeds."""
    found: dict[float, list[float]] = {}
    for row in rows:
        told = row["position_s"] is not None and row["mpjpe_mm"] is not None
        if told and (model_of(row), way_of(row)) == (model, way):
            found.setdefault(row["position_s"], []).append(row["mpjpe_mm"])
    return {position: mean(figures) for position, figures in sorted(found.items())}
