"""A script: what the performer does when, written as poses to move to."""

import numpy as np

from hummuss.data.procedural.controls import CHANNELS, INDEX, LIMB, REST, SIDES
from hummuss.data.procedural.curves import Track


def on(side: str, **values: float | int) -> dict[str, float | int]:
    """A limb's channels, named without their side, as those of ``left``, ``right`` or ``both``.

    >>> on("left", elbow=90.0)
    {'left_elbow': 90.0}
    """
    return values if side == "both" else {f"{side}_{channel}": value for channel, value in values.items()}


class Script:
    """Collects moves and turns them into a `Track` over all channels."""

    def __init__(self) -> None:
        self.start = REST.copy()
        self.now = REST.copy()
        self.times: list[float] = []
        self.widths: list[float] = []
        self.changes: list[np.ndarray] = []

    def begin(self, **values: float | int) -> None:
        """The pose before the first move."""
        self.start = self._with(values)
        self.now = self.start.copy()

    def to(self, time: float, width: float, overlap: float = 0.0, **values: float | int) -> float:
        """Move to these values over ``width`` seconds from ``time``; without its side a channel moves both.

        Returns:
            When the next move may begin: at the end of this one, or ``overlap`` seconds before.
        """
        goal = self._with(values)
        self.times.append(time)
        self.widths.append(width)
        self.changes.append(goal - self.now)
        self.now = goal
        return time + width - overlap

    def _with(self, values: dict[str, float | int]) -> np.ndarray:
        goal = self.now.copy()
        for name, value in values.items():
            for channel in [f"{side}_{name}" for side in SIDES] if name in LIMB else [name]:
                goal[INDEX[channel]] = value
        return goal

    def track(self) -> Track:
        """The script as a function of time."""
        changes = np.array(self.changes).reshape(-1, len(CHANNELS))
        return Track(self.start, np.array(self.times), np.array(self.widths), changes)
