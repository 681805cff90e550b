"""What a training has been shown: how many frames, and at which rates."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from hummuss.tasks import TrainingBatch, batches_of


class Tally:
    """Frames and rates of training windows, through interruptions too.

    Attributes:
        frames: valid frames so far.
        rates: of the slowest and of the fastest window, frames per second on average over a window; NaN where a
            training goes on that did not note them.
    """

    def __init__(self) -> None:
        self.frames = 0
        self.rates = np.inf, 0.0
        # Of the latest batches; numbers would make a GPU wait at each.
        self._frames: list[Tensor] = []
        self._rates: list[Tensor] = []

    def add(self, batch: TrainingBatch, processes: int) -> None:
        """Note a batch, of which so many processes have one; `rates` are those of this process's."""
        for own in batches_of(batch).values():
            self._frames.append(processes * own["valid"].sum())
            self._rates.append(slowest_and_fastest(own))

    def count(self) -> None:
        """Bring `frames` and `rates` up to date."""
        self.frames += sum(int(frames) for frames in self._frames)
        if self._rates:
            slowest, fastest = torch.stack(self._rates).cpu().double().numpy().T
            self.rates = (
                float(np.minimum(self.rates[0], slowest.min())),
                float(np.maximum(self.rates[1], fastest.max())),
            )
        self._frames, self._rates = [], []

    def told_rates(self) -> list[float] | None:
        """`rates` as a summary has them; None where they are not known."""
        return [round(rate, 2) for rate in self.rates] if np.isfinite(self.rates).all() else None

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint."""
        self.count()
        return {"frames": self.frames, "rates": list(self.rates)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Of a checkpoint, also of one from before rates were noted."""
        self.frames, self.rates = state_dict["frames"], tuple(state_dict.get("rates", (np.nan, np.nan)))


def slowest_and_fastest(batch: dict[str, Tensor]) -> Tensor:
    """Frames per second, on average over each window, of a batch's slowest and fastest: (2,)."""
    frames = batch["valid"].sum(1)
    rates = frames / (batch["dt"] * batch["valid"]).sum(1)
    shown = frames > 0  # somebody who is not there has a row without frames
    return torch.stack([torch.where(shown, rates, torch.inf).min(), torch.where(shown, rates, 0.0).max()])
