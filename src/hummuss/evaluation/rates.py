"""The frame rates of a comparison: at which instants around a test moment frames are taken.

Positions are in base frames, 0 is the moment that is scored. Every rate holds it, and spans as much time as the base
rate's window, up to what is no whole number of intervals.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

STRIDES = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0, 8.0)
UPSAMPLED = 0.5
DROPPED = (0.1, 0.3, 0.5)
JITTER = (0.1, 0.2)
# As in training (`random_instants`): below half an interval the order stays.
MOST_JITTER = 0.45


class Rate(NamedTuple):
    """One way to take frames.

    Attributes:
        kind: ``stride``, ``upsample``, ``dropped`` or ``jitter``.
        rate: the stride in base frames, the share of frames dropped, or the jitter's standard deviation in intervals.
    """

    kind: str
    rate: float


BASE = Rate("stride", 1.0)


def all_rates() -> Iterator[Rate]:
    """Every rate that is compared."""
    yield from (Rate("stride", stride) for stride in STRIDES)
    yield Rate("upsample", UPSAMPLED)
    yield from (Rate("dropped", share) for share in DROPPED)
    yield from (Rate("jitter", deviation) for deviation in JITTER)


def margins(half: int) -> tuple[int, int]:
    """Base frames that any rate reaches before and after the moment, the frame before the window among them."""
    return half + int(max(STRIDES)), half + 1


def positions(rate: Rate, half: int, rng: np.random.Generator) -> Float64[np.ndarray, "F1"]:
    """Where a rate's frames are, the frame before the window first: it gives the first interval and is not seen.

    Args:
        rate: which.
        half: base frames from the moment to either end of the span.
        rng: which frames are dropped, and by how much time stamps are off.
    """
    if rate.kind in ("stride", "upsample"):
        reach = int(half / rate.rate)
        return rate.rate * np.arange(-reach - 1, reach + 1)
    even = np.arange(-half - 1.0, half + 1.0)
    moment = half + 1
    if rate.kind == "jitter":
        error = np.clip(rng.normal(0, rate.rate, len(even)), -MOST_JITTER, MOST_JITTER)
        error[moment] = 0
        return even + error
    droppable = np.setdiff1d(np.arange(1, len(even)), [moment])
    dropped = rng.choice(droppable, round(rate.rate * (2 * half + 1)), replace=False)
    return np.delete(even, dropped)
