"""The worst windows of a test, kept while it runs."""

from collections.abc import Callable

import numpy as np

from hummuss.viz.draw import Panel


class Worst:
    """The pictures of the clips with the largest errors, by each clip's worst window.

    Args:
        count: how many clips to keep.

    >>> worst = Worst(1)
    >>> panel = Panel("", np.zeros((17, 3)), np.zeros((17, 3)), np.zeros((17, 3)))
    >>> worst.offer(0, 30.0, lambda: panel), worst.offer(1, 20.0, lambda: panel)
    (True, False)
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._kept: dict[int, tuple[float, Panel]] = {}

    def offer(self, clip: int, error: float, draw: Callable[[], Panel]) -> bool:
        """Keep a window of a clip if its error is among the largest so far; only then is it drawn."""
        if not np.isfinite(error):
            return False
        if clip in self._kept:
            rival = clip
        elif len(self._kept) < self.count:
            rival = None
        else:
            rival = min(self._kept, key=lambda kept: self._kept[kept][0])
        if rival is not None:
            if self._kept[rival][0] >= error:
                return False
            del self._kept[rival]
        self._kept[clip] = (error, draw())
        return True

    def panels(self) -> list[Panel]:
        """The worst first."""
        return [panel for _, panel in sorted(self._kept.values(), key=lambda kept: -kept[0])]
