"""Figures kept frame by frame until the end, so that a frame counts once however many windows showed it."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from hummuss.errors import InputError
from hummuss.metrics.pose import MeanOverJoints
from hummuss.protocols.base import Row


class Frames(NamedTuple):
    """Frames of which something counted, each once, sorted by clip and frame.

    Attributes:
        clip, frame: where a frame belongs.
        figures: metric -> mean over the frame's joints; 0 where none counted.
        counts: metric -> joints counted.
    """

    clip: Int[Tensor, " N"]
    frame: Int[Tensor, " N"]
    figures: dict[str, Float[Tensor, " N"]]
    counts: dict[str, Float[Tensor, " N"]]

    def means(self, chosen: Bool[Tensor, " N"] | None = None) -> dict[str, float]:
        """Every metric's mean over the counted joints of the chosen frames; NaN where there are none."""
        rows = slice(None) if chosen is None else chosen
        weights = {name: count[rows] for name, count in self.counts.items()}
        return {
            name: float((figure[rows] * weights[name]).sum() / weights[name].sum())
            for name, figure in self.figures.items()
        }


class FrameFigures(Metric):
    """Figures of several metrics for every frame, joints averaged.

    Windows that overlap show a frame several times: its figures are averaged, as MotionBERT's evaluation does, and it
    weighs no more than any other. A figure over several frames belongs to the last of them.

    Args:
        metrics: what to compute; they keep no state here.

    >>> from hummuss.metrics import MPJPE
    >>> metric = FrameFigures({"mpjpe": MPJPE()})
    >>> predicted = torch.tensor([0.01, 0.01, 0.02])[None, :, None, None] * torch.tensor([1.0, 0, 0]).expand(17, 3)
    >>> for frames in ([0, 1, 2], [2, 3, 4]):  # frame 2 is seen twice, with 20 and with 10 mm
    ...     metric.update(torch.tensor([7]), torch.tensor([frames]), predicted=predicted, target=0 * predicted)
    >>> frames = metric.frames()
    >>> frames.frame.tolist(), [round(value) for value in frames.figures["mpjpe"].tolist()]
    ([0, 1, 2, 3, 4], [10, 10, 15, 10, 20])
    """

    full_state_update = False
    keys: list[Tensor]
    values: list[Tensor]
    weights: list[Tensor]

    def __init__(self, metrics: Mapping[str, MeanOverJoints], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.metrics = dict(metrics)
        for state in ("keys", "values", "weights"):
            self.add_state(state, [], dist_reduce_fx="cat")

    def update(self, clip: Int[Tensor, " B"], frame: Int[Tensor, "B F"], **arguments: Any) -> None:
        """Add windows: the clip and frames they show, and what the metrics compare."""
        columns = [self._of_frames(metric, frame, arguments) for metric in self.metrics.values()]
        values, weights = (torch.stack(parts, -1) for parts in zip(*columns, strict=True))  # (B, F, metrics)
        kept = (weights > 0).any(-1)
        self.keys.append(torch.stack([clip[:, None].expand_as(frame), frame], -1)[kept])
        self.values.append(values[kept])
        self.weights.append(weights[kept])

    def compute(self) -> Float[Tensor, "N columns"]:
        """Clip, frame, every metric's figure and every metric's count of each frame.

        In one tensor, for torchmetrics makes scalars of results with a single entry.
        """
        keys, values, weights = (dim_zero_cat(state) for state in (self.keys, self.values, self.weights))
        frames, position = torch.unique(keys, dim=0, return_inverse=True)
        nothing = torch.zeros(len(frames), values.shape[1], dtype=torch.float64, device=values.device)
        # A window in which a metric has no figure for the frame takes no part in that metric's average.
        times = nothing.index_add(0, position, (weights > 0).double()).clamp(min=1)
        figures = nothing.index_add(0, position, values.double()) / times
        counts = nothing.index_add(0, position, weights.double()) / times
        return torch.cat([frames.double(), figures, counts], 1)

    def frames(self) -> Frames:
        """All that was scored."""
        (clip, frame), columns = (part.unbind(1) for part in self.compute().cpu().tensor_split([2], 1))
        names = list(self.metrics)
        figures, counts = columns[: len(names)], columns[len(names) :]
        by_name = (dict(zip(names, part, strict=True)) for part in (figures, counts))
        return Frames(clip.long(), frame.long(), *by_name)

    def _of_frames(
        self, metric: MeanOverJoints, frame: Int[Tensor, "B F"], arguments: dict[str, Any]
    ) -> tuple[Float[Tensor, "B F"], Int[Tensor, "B F"]]:
        """Mean over the counted joints (0 where there are none) and their number."""
        figures, counted = metric.figures(**metric._filter_kwargs(**arguments))
        number = counted.sum(-1)
        mean = torch.where(counted, figures, 0).sum(-1) / number.clamp(min=1)
        before = (frame.shape[1] - mean.shape[1], 0)
        return torch.nn.functional.pad(mean, before), torch.nn.functional.pad(number, before)


def official_rows(
    protocol: str, frames: Frames, part_of: Sequence[str], parts: Sequence[str], mean: str, log: str
) -> list[Row]:
    """A row for every official part of a test set (an action, a sequence) and one for the mean over the parts.

    Args:
        protocol: who asks.
        frames: all that was scored.
        part_of: the part that each clip belongs to.
        parts: all there have to be.
        mean: what the last row is called.
        log: its name in logs.

    Raises:
        InputError: a part of which nothing counted: there is no mean over the official parts then.
    """
    number = torch.tensor([parts.index(part) for part in part_of])[frames.clip]
    rows = []
    for part, name in enumerate(parts):
        chosen = number == part
        if not chosen.any():
            raise InputError(
                f"{protocol}: no frame of {name} was scored, so there is no {mean}: leave out "
                "data.init_args.test_windows and trainer.limit_test_batches"
            )
        rows.append(Row(name, frames.means(chosen), int(chosen.sum())))
    means = {metric: sum(row.figures[metric] for row in rows) / len(rows) for metric in rows[0].figures}
    return [*rows, Row(mean, means, len(frames.clip), log)]
