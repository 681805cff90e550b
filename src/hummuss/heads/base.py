"""What every task's head provides, so that the training module has no branch per task."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
import torch
import torch.distributed as dist
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torchmetrics import MetricCollection

from hummuss.body.skeleton import H36M17
from hummuss.data.datamodules import MotionDataModule
from hummuss.viz.draw import Panel

Batch = dict[str, Tensor]
Prediction = dict[str, Tensor]


class Head(nn.Module, ABC):
    """One task on top of a motion representation: its forward pass, losses, metrics and trivial baseline.

    Attributes:
        predicts: entries of its predictions that an evaluation protocol may ask for.
        headline: metrics that stand for the task, which the progress bar shows.
        baseline_name: its trivial baseline, one of `hummuss.metrics.units.BASELINES`.
        faces: (T, 3) vertex indices of the triangles of predicted meshes; None for a head without meshes.
        frame_outputs, clip_outputs: keys of a prediction that say all of it, with a value per frame or one per clip;
            several predictions of the same frames are averaged in these.
        joins_persons: rows of one ``sample``, its persons, get one answer between them.
        compares_clips: its metrics compare clips with each other: they have no figure for a single action.
    """

    predicts: ClassVar[tuple[str, ...]] = ()
    headline: ClassVar[tuple[str, ...]] = ()
    baseline_name: ClassVar[str] = "mean_pose"
    faces: np.ndarray | None = None
    frame_outputs: tuple[str, ...] = ()
    clip_outputs: tuple[str, ...] = ()
    joins_persons: ClassVar[bool] = False
    compares_clips: ClassVar[bool] = False

    def check_data(self, data: MotionDataModule) -> None:
        """Refuse data whose labels this head cannot use, and learn what must be known of them; most heads take any.

        Raises:
            InputError: what does not fit, and how to make it fit.
        """
        return

    def found_settings(self) -> dict[str, Any]:
        """Arguments of ``__init__`` that the data decided: with them, the same head is made without the data."""
        return {}

    @abstractmethod
    def forward(self, representation: Float[Tensor, "B F J dim_rep"], batch: Batch) -> Prediction:
        """Predict from the backbone's representation."""

    @abstractmethod
    def loss(self, prediction: Prediction, batch: Batch) -> dict[str, Tensor]:
        """Weighted loss terms by name; samples without this task's target count nothing."""

    @abstractmethod
    def mirror(self, prediction: Prediction) -> Prediction:
        """`frame_outputs` and `clip_outputs` of a prediction, mirrored left to right in the camera frame."""

    def from_mean(self, mean: Prediction) -> Prediction:
        """A prediction like `forward`'s from entry-wise means of `frame_outputs` and `clip_outputs`."""
        return mean

    @abstractmethod
    def metrics(self) -> MetricCollection:
        """New metrics of this task."""

    @abstractmethod
    def comparison(self, prediction: Prediction, batch: Batch) -> dict[str, Tensor]:
        """What the metrics are updated with: each takes the arguments it names.

        Every value has a row for each of the batch, also for those without this task's target, which need a mask or a
        weight of their own: tests choose rows by clip.
        """

    def score(self, metrics: MetricCollection, prediction: Prediction, batch: Batch) -> None:
        """Update ``metrics`` with a batch."""
        metrics.update(**self.comparison(prediction, batch))

    @abstractmethod
    def observe(self, batch: Batch) -> None:
        """Learn the trivial baseline from a training batch."""

    @abstractmethod
    def baseline(self, batch: Batch) -> Prediction:
        """What the trivial baseline predicts for a batch, whatever its input."""

    @abstractmethod
    def panels(self, prediction: Prediction, batch: Batch, count: int) -> list[Panel]:
        """Pictures of ``count`` frames, see `shown_frames`; none of a task that has nothing to draw."""


class RunningMean(nn.Module):
    """Mean of everything observed, over all processes, kept in the checkpoint.

    >>> mean = RunningMean(2)
    >>> mean.observe(torch.tensor([[1.0, 2.0], [3.0, 4.0]])); mean.value
    tensor([2., 3.])
    """

    value: Tensor
    count: Tensor

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.register_buffer("value", torch.zeros(shape))
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))

    @torch.no_grad()
    def observe(self, values: Float[Tensor, "N *shape"]) -> None:
        """Add N values of each process that trains."""
        total, count = values.sum(0), self.count.new_tensor(len(values))
        if dist.is_available() and dist.is_initialized():
            dist.all_reduce(total)
            dist.all_reduce(count)
        self.count += count
        self.value += ((total - count * self.value) / self.count.clamp(min=1)).to(self.value.dtype)


def mean_over_time(values: Float[Tensor, "B F J D"], valid: Bool[Tensor, "B F"]) -> Float[Tensor, "B J D"]:
    """Mean over the valid frames of each row, each of which has one at least."""
    weight = valid / valid.sum(1, keepdim=True)
    return torch.einsum("bf,bfjd->bjd", weight.to(values.dtype), values)


def mean_over_rows(values: Float[Tensor, "B D"], group: Int[Tensor, " B"]) -> Float[Tensor, "B D"]:
    """Every row becomes the mean over the rows of its group: the persons of a sample, the windows of a clip.

    >>> mean_over_rows(torch.tensor([[1.0], [5.0], [3.0]]), torch.tensor([7, 8, 7])).flatten()
    tensor([2., 5., 2.])
    """
    found, place, persons = torch.unique(group, return_inverse=True, return_counts=True)
    total = values.new_zeros(len(found), values.shape[1]).index_add(0, place, values)
    return (total / persons[:, None])[place]


def first_rows(group: Int[Tensor, " B"]) -> Bool[Tensor, " B"]:
    """Which rows are the first of their group.

    >>> first_rows(torch.tensor([7, 8, 7])).tolist()
    [True, True, False]
    """
    earlier = torch.ones(len(group), len(group), dtype=torch.bool, device=group.device).tril(-1)
    return ~((group[:, None] == group) & earlier).any(1)


def root_relative(joints: Float[Tensor, "*B J 3"]) -> Float[Tensor, "*B J 3"]:
    """Joints with the pelvis (joint 0) at the origin."""
    return joints - joints[..., :1, :]


def mirror_joints(joints: Float[Tensor, "*B 17 3"]) -> Float[Tensor, "*B 17 3"]:
    """Human3.6M joints in camera coordinates mirrored left to right: sides swapped, x negated."""
    return joints[..., list(H36M17.mirror), :] * joints.new_tensor([-1.0, 1.0, 1.0])


def masked_mean(values: Float[Tensor, "B *rest"], mask: Bool[Tensor, "B *rest"]) -> Float[Tensor, ""]:
    """Mean over the entries the mask selects; 0, with a gradient of 0, where it selects none."""
    return (values * mask).sum() / mask.sum().clamp(min=1)


def known(labels: Float[Tensor, "B *rest"], counted: Bool[Tensor, "B *leading"]) -> Float[Tensor, "B *rest"]:
    """Labels where they count, 0 where nothing is known: NaN there would be NaN in every gradient.

    >>> known(torch.tensor([[1.0, torch.nan]]), torch.tensor([[True, False]]))
    tensor([[1., 0.]])
    """
    return torch.where(counted[(..., *[None] * (labels.ndim - counted.ndim))], labels, 0.0)


def velocity_error(
    predicted: Float[Tensor, "B F J 3"],
    target: Float[Tensor, "B F J 3"],
    dt: Float[Tensor, "B F"],
    pairs: Bool[Tensor, "B F-1"],
) -> Float[Tensor, "B F-1 J 3"]:
    """Difference of velocities in m/s, weighted by dt / mean dt: near-coincident frames must not explode.

    Args:
        predicted, target: joints, metres.
        dt: seconds since the frame before.
        pairs: neighbouring frames that count, see `consecutive`; the mean is theirs, whatever stands in padding.
    """
    # A velocity's own dt and that of its weight cancel: what is left is the clip's mean.
    mean = known(dt[:, 1:], pairs).sum(-1) / pairs.sum(-1).clamp(min=1)
    mean = torch.where(pairs.any(-1), mean, 1.0)
    return (predicted - target).diff(dim=1) / mean[:, None, None, None]


def consecutive(valid: Bool[Tensor, "B F"]) -> Bool[Tensor, "B F-1"]:
    """Pairs of neighbouring frames that are both valid."""
    return valid[:, 1:] & valid[:, :-1]
