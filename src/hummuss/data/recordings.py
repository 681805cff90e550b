"""Persons who were recorded together: which clips one sample holds, and batches of such samples."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float64
from torch import Tensor
from torch.utils.data import Dataset, default_collate

from hummuss.data.transforms.frame_rate import Instants

Span = tuple[float, float]


def together(sequences: Sequence[str], spans: Sequence[Span]) -> list[list[int]]:
    """Clips of one sequence that show persons at the same time, by their places.

    The longest comes first: it says when the sample's frames are taken. A clip that overlaps no longer one, as of a
    person who came back after the others had left, is a sample of its own.

    Args:
        sequences: of each clip.
        spans: first and last second of each, on its sequence's clock.

    >>> together(["a", "b", "a", "a"], [(0.0, 2.0), (0.0, 9.0), (1.0, 5.0), (6.0, 7.0)])
    [[2, 0], [3], [1]]
    """
    places: dict[str, list[int]] = {}
    for place, sequence in enumerate(sequences):
        places.setdefault(sequence, []).append(place)
    found: list[list[int]] = []
    for members in places.values():
        own: list[list[int]] = []
        for place in sorted(members, key=lambda place: spans[place][0] - spans[place][1]):
            start, end = spans[place]
            seen = (group for group in own if start <= spans[group[0]][1] and spans[group[0]][0] <= end)
            group = next(seen, None)
            if group is None:
                own.append([place])
            else:
                group.append(place)
        found += own
    return found


def within(instants: Instants, times: Float64[np.ndarray, "F"]) -> Instants | None:
    """Those of a sample's instants at which another of its clips, whose frames are at ``times``, was seen.

    None where it never was: a person who is not there is no row, rather than a row of padding.

    >>> within(Instants(np.array([0.0, 1.0, 2.0]), np.ones(3), np.arange(3.0)), np.array([0.5, 1.5, 2.5])).positions
    array([0.5, 1.5])
    """
    seen = (instants.times >= times[0] - 1e-6) & (instants.times <= times[-1] + 1e-6)
    if not seen.any():
        return None
    chosen = instants.times[seen]
    return Instants(chosen, instants.dt[seen], np.interp(chosen, times, np.arange(len(times))))


@runtime_checkable
class Windows(Protocol):
    """What `TrainingWindows` and `EvaluationWindows` have in common."""

    @property
    def sources(self) -> Sequence[object]: ...

    def rows(self, item: int) -> list[dict[str, Tensor]]: ...


class Rows(Dataset[list[dict[str, Tensor]]]):
    """All rows of each sample, its persons and its windows: for `fold`, which puts them into one batch.

    Args:
        windows: what makes them.
    """

    def __init__(self, windows: Windows) -> None:
        self.windows, self.sources = windows, windows.sources

    def __getitem__(self, item: int) -> list[dict[str, Tensor]]:
        return self.windows.rows(item)


def fold(samples: list[list[dict[str, Tensor]]]) -> dict[str, Tensor]:
    """Rows of samples -> a batch; ``sample`` says which belong together."""
    return default_collate([row for rows in samples for row in rows])
