"""A joint metric broken down: per action or test sequence with the mean over them, and per joint."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor
from torchmetrics import Metric

from hummuss.metrics.pose import MeanOverJoints

# Entries of PerGroup's result beside the groups' own.
MEAN_OVER_GROUPS = "mean"
MEAN_OVER_FRAMES = "frames"


class _Breakdown(Metric):
    """Means of a metric's figures, one per name; the metric itself only says what its figures are."""

    full_state_update = False

    def __init__(self, metric: MeanOverJoints, names: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if len(set(names)) < len(names):
            raise ValueError(f"every name may stand once only, got {list(names)}")
        self.metric, self.names = metric, tuple(names)
        # Names of their own, for the reason that MeanOverJoints gives.
        state = f"{type(self).__name__.lower()}_{metric.state_name}"
        self._total, self._count = f"{state}_total", f"{state}_count"
        self.add_state(self._total, torch.zeros(len(names), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state(self._count, torch.zeros(len(names), dtype=torch.int64), dist_reduce_fx="sum")

    def _figures(
        self, arguments: dict[str, Any]
    ) -> tuple[Float[Tensor, "batch runs joints"], Shaped[Tensor, "batch runs joints"]]:
        """The metric's figures, 0 where they do not count, and which do; it takes the arguments it names."""
        figures, counted = self.metric.figures(**self.metric._filter_kwargs(**arguments))
        return torch.where(counted, figures, 0).double(), counted

    def _add(self, total: Float[Tensor, " names"], count: Int[Tensor, " names"]) -> None:
        setattr(self, self._total, getattr(self, self._total) + total)
        setattr(self, self._count, getattr(self, self._count) + count)


class PerGroup(_Breakdown):
    """Figure of every action (or test sequence), the mean over them, and the mean over all frames.

    Human3.6M's protocols average over the frames of an action first and then over the actions; papers on MPI-INF-3DHP
    average over all frames or over the six sequences. ``compute`` gives each group's figure by its name, ``"mean"``
    over the groups of which anything counted, and ``"frames"``, where every counted joint and frame weighs the same as
    in the metric itself; NaN where nothing counted.

    Args:
        metric: what to break down; it keeps no state here.
        names: the groups.

    Raises:
        ValueError: a name stands twice or is ``"mean"`` or ``"frames"``.

    >>> from hummuss.metrics import MPJPE
    >>> metric = PerGroup(MPJPE(), ["Eating", "Walking", "Waiting"])
    >>> predicted = torch.tensor([0.01, 0.01, 0.04])[:, None, None, None].expand(3, 5, 17, 3)
    >>> metric.update(group=torch.tensor([0, 0, 1]), predicted=predicted, target=torch.zeros(3, 5, 17, 3))
    >>> {name: round(figure.item(), 1) for name, figure in metric.compute().items()}
    {'Eating': 17.3, 'Walking': 69.3, 'Waiting': nan, 'mean': 43.3, 'frames': 34.6}
    """

    def __init__(self, metric: MeanOverJoints, names: Sequence[str], **kwargs: Any) -> None:
        super().__init__(metric, names, **kwargs)
        for taken in (MEAN_OVER_GROUPS, MEAN_OVER_FRAMES):
            if taken in self.names:
                raise ValueError(f"no group may be named {taken!r}: it names a mean over groups in the result")

    def update(self, group: Int[Tensor, " batch"], **kwargs: Any) -> None:
        """Add clips (batch first) to the groups that ``group`` numbers; the rest as the metric's own ``update``.

        Raises:
            ValueError: a number beyond the names.
        """
        if group.numel() and not 0 <= int(group.min()) <= int(group.max()) < len(self.names):
            raise ValueError(f"groups are numbered 0 to {len(self.names) - 1}, got {sorted(set(group.tolist()))}")
        figures, counted = self._figures(kwargs)
        total = figures.new_zeros(len(self.names)).index_add(0, group, figures.sum((1, 2)))
        self._add(total, torch.zeros_like(total, dtype=torch.int64).index_add(0, group, counted.sum((1, 2))))

    def compute(self) -> dict[str, Float[Tensor, ""]]:
        total, count = getattr(self, self._total), getattr(self, self._count)
        figures = total / count
        means = {MEAN_OVER_GROUPS: figures[count > 0].mean(), MEAN_OVER_FRAMES: total.sum() / count.sum()}
        return dict(zip(self.names, figures, strict=True)) | means


class PerJoint(_Breakdown):
    """Figure of every joint by its name; NaN where nothing of it counted.

    Args:
        metric: what to break down; it keeps no state here.
        names: the joints.

    Raises:
        ValueError: a name stands twice.

    >>> from hummuss.metrics import MPJPE
    >>> metric = PerJoint(MPJPE(), ["pelvis", "nose"])
    >>> metric.update(predicted=torch.tensor([[[[0.0, 0, 0], [0, 0.03, 0]]]]), target=torch.zeros(1, 1, 2, 3))
    >>> {name: round(figure.item(), 1) for name, figure in metric.compute().items()}
    {'pelvis': 0.0, 'nose': 30.0}
    """

    def update(self, **kwargs: Any) -> None:
        """Add clips (batch first): arguments as the metric's own ``update``.

        Raises:
            ValueError: not as many joints as names.
        """
        figures, counted = self._figures(kwargs)
        if figures.shape[-1] != len(self.names):
            raise ValueError(f"{len(self.names)} joints are named, the points have {figures.shape[-1]}")
        self._add(figures.sum((0, 1)), counted.sum((0, 1)))

    def compute(self) -> dict[str, Float[Tensor, ""]]:
        return dict(zip(self.names, getattr(self, self._total) / getattr(self, self._count), strict=True))
