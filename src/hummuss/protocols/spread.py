"""How errors are spread: means, quartiles and PCK curves of named parts, out of one table of counts."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torchmetrics import Metric

from hummuss.body.skeleton import H36M17
from hummuss.metrics.per_joint import position_errors
from hummuss.viz.charts import Bar

# Edges of the counts, mm; errors beyond the last are counted there.
STEP = 5.0
EDGES = 101


class ErrorSpread(Metric):
    """Errors of named parts (joints, actions), counted in steps of 5 mm.

    Args:
        names: the parts.

    >>> spread = ErrorSpread(["knee", "wrist"])
    >>> spread.update(torch.tensor([10.0, 20.0, 30.0, 200.0]), torch.tensor([0, 0, 0, 1]))
    >>> spread.bars()["knee"].mean, spread.curve()[150.0]
    (20.0, 75.0)
    """

    full_state_update = False
    total: Tensor
    below: Tensor
    count: Tensor

    def __init__(self, names: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.names = list(names)
        parts = len(self.names)
        self.add_state("total", torch.zeros(parts, dtype=torch.float64), dist_reduce_fx="sum")
        # Errors of each part by the first edge that is above them; the last column: none is.
        self.add_state("below", torch.zeros(parts, EDGES + 1, dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros(parts, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, errors: Float[Tensor, " N"], part: Int[Tensor, " N"]) -> None:
        """Add errors in mm, each of the part that its number names."""
        edge = torch.bucketize(errors.float(), self._edges(errors.device), right=True)
        ones = torch.ones_like(part)
        self.below.view(-1).index_add_(0, part * (EDGES + 1) + edge, ones)
        self.total.index_add_(0, part, errors.double())
        self.count.index_add_(0, part, ones)

    def compute(self) -> Float[Tensor, "parts columns"]:
        """Of every part: sum of errors, their number, and how many are below each edge.

        In one tensor, for torchmetrics makes scalars of results with a single entry.
        """
        return torch.cat([self.total[:, None], self.count[:, None], self.below.cumsum(1)[:, :EDGES]], 1)

    def bars(self) -> dict[str, Bar]:
        """Mean and quartiles of every part that has errors; quartiles are interpolated within a step."""
        bars = {}
        for name, (total, count, *below) in zip(self.names, self.compute().tolist(), strict=True):
            if count > 0:
                # A root has no error at all, which the steps cannot tell from one of 2.5 mm.
                quartiles = [_quantile(below, share * count) if total else 0.0 for share in (0.25, 0.75)]
                bars[name] = Bar(total / count, *quartiles)
        return bars

    def curve(self) -> dict[float, float]:
        """Threshold in mm -> share of all errors in % that are below it, strictly; empty without errors."""
        _, count, *below = self.compute().sum(0).tolist()
        shares = [100 * hits / count for hits in below] if count else []
        return dict(zip(self._edges("cpu").tolist(), shares, strict=False))

    @staticmethod
    def _edges(device: torch.device | str) -> Float[Tensor, " edges"]:
        return STEP * torch.arange(EDGES, device=device)


def _quantile(below: list[float], wanted: float) -> float:
    """The error in mm that so many are below; the last edge where it lies beyond."""
    edge = next((edge for edge, hits in enumerate(below) if hits >= wanted), EDGES)
    if edge == EDGES:
        return STEP * (EDGES - 1)
    return STEP * (edge - 1 + (wanted - below[edge - 1]) / (below[edge] - below[edge - 1]))


class JointSpread(nn.Module):
    """Position errors by joint and by part of the data, as bar charts and PCK curve show them.

    Args:
        part_of: name of the part that each clip belongs to.
        joints: names of the joints.
        what: what the parts are called.
    """

    def __init__(self, part_of: Sequence[str], joints: Sequence[str] = H36M17.joints, what: str = "actions") -> None:
        super().__init__()
        names = sorted(set(part_of))
        self.what, self.joints, self.parts = what, ErrorSpread(joints), ErrorSpread(names)
        self.register_buffer("part_of", torch.tensor([names.index(part) for part in part_of]), persistent=False)

    part_of: Tensor

    def update(
        self,
        clip: Int[Tensor, " B"],
        predicted: Float[Tensor, "B F J 3"],
        target: Float[Tensor, "B F J 3"],
        valid: Bool[Tensor, "B F"],
    ) -> Float[Tensor, "B F"]:
        """Add the valid frames; return every frame's mean error in mm, NaN where it is not valid."""
        errors = position_errors(predicted, target)
        joint = torch.arange(errors.shape[-1], device=errors.device).expand_as(errors)
        self.joints.update(errors[valid].flatten(), joint[valid].flatten())
        part = self.part_of[clip][:, None, None].expand_as(errors)
        self.parts.update(errors[valid].flatten(), part[valid].flatten())
        return torch.where(valid, errors.mean(-1), torch.nan)

    def pictures(self) -> dict[str, Any]:
        """Entries of `Result`; empty where nothing was added."""
        curve = self.joints.curve()
        return {"curve": curve, "bars": {"joints": self.joints.bars(), self.what: self.parts.bars()}} if curve else {}
