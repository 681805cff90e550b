"""The torchmetrics classes of points: means of the figures in ``metrics.per_joint`` over all that counts.

Every ``update`` takes keyword arguments by the same names, so that one
``collection.update(predicted=..., target=..., valid=..., visible=..., dt=...)`` serves a whole ``MetricCollection``:
positions in metres, dt in seconds, ``valid`` marks frames and ``visible`` joints (both default to all). What is not
marked may hold anything, NaN included; a NaN in what counts shows in the figure.

Every counted joint of every counted frame weighs the same, in whichever batch or process it was seen.
"""

from abc import abstractmethod
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torchmetrics import Metric

from hummuss.metrics import per_joint
from hummuss.metrics.functional import in_a_row


class MeanOverJoints(Metric):
    """Mean of a figure per joint and frame over all that count; NaN while none did.

    Keyword arguments are those of ``torchmetrics.Metric``. The sum is kept in float64: a test set has
    millions of frames.
    """

    higher_is_better = False
    full_state_update = False

    def __init__(self, state_name: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # MetricCollection lets metrics share one state for good if, after the first update, names and values
        # are equal (all zero for a batch of padding, say). Names of its own keep every metric apart.
        self.state_name = state_name or type(self).__name__.lower()
        self._total, self._count = f"{self.state_name}_total", f"{self.state_name}_count"
        self.add_state(self._total, torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state(self._count, torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    @abstractmethod
    def figures(self, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """What ``update``, which takes the same arguments, averages.

        Returns:
            ``(*batch, frames, joints)`` figures, and which of them count.
        """

    def _add(self, figures: Float[Tensor, "*batch joints"], counted: Bool[Tensor, "*batch joints"]) -> None:
        total = torch.where(counted, figures, 0).sum(dtype=torch.float64)
        setattr(self, self._total, getattr(self, self._total) + total)
        setattr(self, self._count, getattr(self, self._count) + counted.sum())

    def compute(self) -> Float[Tensor, ""]:
        return getattr(self, self._total) / getattr(self, self._count)


class _JointMetric(MeanOverJoints):
    """A figure of predicted against true joints.

    Attributes:
        span: frames in a row that one figure needs.
    """

    span = 1

    @abstractmethod
    def _compare(self, predicted: Tensor, target: Tensor, counted: Tensor) -> Tensor:
        """One figure per joint and run of ``span`` frames."""

    def figures(
        self,
        predicted: Float[Tensor, "*batch frames joints 3"],
        target: Float[Tensor, "*batch frames joints 3"],
        valid: Bool[Tensor, "*batch frames"] | None = None,
        visible: Bool[Tensor, "*batch frames joints"] | None = None,
    ) -> tuple[Float[Tensor, "*batch runs joints"], Bool[Tensor, "*batch runs joints"]]:
        counted = _counted(target, valid, visible)
        return self._compare(predicted, target, counted), in_a_row(counted, self.span)

    def update(
        self,
        predicted: Float[Tensor, "*batch frames joints 3"],
        target: Float[Tensor, "*batch frames joints 3"],
        valid: Bool[Tensor, "*batch frames"] | None = None,
        visible: Bool[Tensor, "*batch frames joints"] | None = None,
    ) -> None:
        """Add the visible joints of valid frames (default: all); positions in metres."""
        self._add(*self.figures(predicted, target, valid, visible))


class _TimedMetric(MeanOverJoints):
    """A figure of predicted against true motion; ``span`` as above."""

    span = 2

    @abstractmethod
    def _compare(self, predicted: Tensor, target: Tensor, dt: Tensor) -> Tensor:
        """One figure per joint and run of ``span`` frames."""

    def figures(
        self,
        predicted: Float[Tensor, "*batch frames joints 3"],
        target: Float[Tensor, "*batch frames joints 3"],
        dt: Float[Tensor, "*batch frames"],
        valid: Bool[Tensor, "*batch frames"] | None = None,
        visible: Bool[Tensor, "*batch frames joints"] | None = None,
    ) -> tuple[Float[Tensor, "*batch runs joints"], Bool[Tensor, "*batch runs joints"]]:
        return self._compare(predicted, target, dt), in_a_row(_counted(target, valid, visible), self.span)

    def update(
        self,
        predicted: Float[Tensor, "*batch frames joints 3"],
        target: Float[Tensor, "*batch frames joints 3"],
        dt: Float[Tensor, "*batch frames"],
        valid: Bool[Tensor, "*batch frames"] | None = None,
        visible: Bool[Tensor, "*batch frames joints"] | None = None,
    ) -> None:
        """Add every joint where ``span`` frames in a row are valid and show it; metres, seconds."""
        self._add(*self.figures(predicted, target, dt, valid, visible))


class MPJPE(_JointMetric):
    """Mean per-joint position error in millimetres; pass root-relative joints for the usual figure.

    >>> metric = MPJPE()
    >>> metric.update(torch.full((1, 2, 17, 3), 0.1), torch.zeros(1, 2, 17, 3), torch.tensor([[True, False]]))
    >>> round(metric.compute().item(), 1)
    173.2
    """

    def _compare(self, predicted: Tensor, target: Tensor, counted: Tensor) -> Tensor:
        return per_joint.position_errors(predicted, target)


class PAMPJPE(_JointMetric):
    """MPJPE in millimetres after a similarity Procrustes alignment of every frame, fitted to its visible joints.

    Degenerate frames are defined at ``functional.procrustes_align``.

    >>> metric = PAMPJPE()
    >>> metric.update(torch.eye(3)[None] + 1, 2 * torch.eye(3)[None])
    >>> metric.compute().item() < 1e-3
    True
    """

    def _compare(self, predicted: Tensor, target: Tensor, counted: Tensor) -> Tensor:
        return per_joint.aligned_position_errors(predicted, target, counted)


class NMPJPE(_JointMetric):
    """MPJPE in millimetres after the best scale of every frame's visible joints; pass root-relative joints.

    >>> metric = NMPJPE()
    >>> metric.update(torch.ones(1, 17, 3), torch.full((1, 17, 3), 0.5))
    >>> metric.compute().item()
    0.0
    """

    def _compare(self, predicted: Tensor, target: Tensor, counted: Tensor) -> Tensor:
        return per_joint.scaled_position_errors(predicted, target, counted)


class PCK(_JointMetric):
    """3D PCK in %: joints nearer to their targets than ``threshold`` mm, strictly; root-relative in MPI-INF-3DHP.

    >>> metric = PCK()
    >>> metric.update(torch.tensor([[[0.2, 0.0, 0.0], [0.1, 0.0, 0.0]]]), torch.zeros(1, 2, 3))
    >>> metric.compute().item()
    50.0
    """

    higher_is_better = True

    def __init__(self, threshold: float = per_joint.PCK_THRESHOLD, **kwargs: Any) -> None:
        super().__init__(f"pck{threshold:g}", **kwargs)
        self.threshold = threshold

    def _compare(self, predicted: Tensor, target: Tensor, counted: Tensor) -> Tensor:
        return per_joint.correct(predicted, target, self.threshold)


class AUC(_JointMetric):
    """Mean of the PCKs at 0, 5, ..., 150 mm in %; at most 96.8 (MPI-INF-3DHP's own evaluation: no error is < 0).

    >>> metric = AUC()
    >>> metric.update(torch.zeros(1, 17, 3), torch.zeros(1, 17, 3))
    >>> round(metric.compute().item(), 2)
    96.77
    """

    higher_is_better = True

    def _compare(self, predicted: Tensor, target: Tensor, counted: Tensor) -> Tensor:
        return per_joint.correct_at_all_thresholds(predicted, target)


class MPVE(MeanOverJoints):
    """Mean per-vertex position error in millimetres.

    >>> metric = MPVE()
    >>> metric.update(torch.full((1, 6890, 3), 0.1), torch.zeros(1, 6890, 3))
    >>> round(metric.compute().item(), 1)
    173.2
    """

    def figures(
        self,
        predicted_vertices: Float[Tensor, "*batch frames vertices 3"],
        target_vertices: Float[Tensor, "*batch frames vertices 3"],
        valid_vertices: Bool[Tensor, "*batch frames"] | None = None,
    ) -> tuple[Float[Tensor, "*batch frames vertices"], Bool[Tensor, "*batch frames vertices"]]:
        errors = per_joint.position_errors(predicted_vertices, target_vertices)
        return errors, _counted(target_vertices, valid_vertices, None)

    def update(
        self,
        predicted_vertices: Float[Tensor, "*batch frames vertices 3"],
        target_vertices: Float[Tensor, "*batch frames vertices 3"],
        valid_vertices: Bool[Tensor, "*batch frames"] | None = None,
    ) -> None:
        """Add the frames marked valid (default: all); positions in metres.

        The mask has a name of its own: clips may have joints to compare and no body, or the reverse.
        """
        self._add(*self.figures(predicted_vertices, target_vertices, valid_vertices))


class MPJVE(_TimedMetric):
    """Mean per-joint velocity error in mm/s, with the real intervals between frames.

    >>> metric = MPJVE()
    >>> still, moving = torch.zeros(3, 17, 3), torch.zeros(3, 17, 3)
    >>> moving[2, :, 0] = 0.01
    >>> metric.update(moving, still, dt=torch.full((3,), 0.1))
    >>> round(metric.compute().item(), 4)
    50.0
    """

    def _compare(self, predicted: Tensor, target: Tensor, dt: Tensor) -> Tensor:
        return per_joint.velocity_errors(predicted, target, dt)


class AccelerationError(_TimedMetric):
    """Acceleration error in m/s², with the real intervals between frames.

    >>> metric = AccelerationError()
    >>> still, moving = torch.zeros(3, 17, 3), torch.zeros(3, 17, 3)
    >>> moving[2, :, 0] = 0.01
    >>> metric.update(moving, still, dt=torch.full((3,), 0.1))
    >>> round(metric.compute().item(), 4)
    1.0
    """

    span = 3

    def _compare(self, predicted: Tensor, target: Tensor, dt: Tensor) -> Tensor:
        return per_joint.acceleration_errors(predicted, target, dt)


class AccelerationErrorPerFrame(_JointMetric):
    """Acceleration error in mm/frame², blind to the frame rate: for comparison with published rows only.

    >>> metric = AccelerationErrorPerFrame()
    >>> still, moving = torch.zeros(3, 17, 3), torch.zeros(3, 17, 3)
    >>> moving[2, :, 0] = 0.01
    >>> metric.update(moving, still)
    >>> round(metric.compute().item(), 4)
    10.0
    """

    span = 3

    def _compare(self, predicted: Tensor, target: Tensor, counted: Tensor) -> Tensor:
        return per_joint.acceleration_errors_per_frame(predicted, target)


def _counted(
    points: Float[Tensor, "*batch frames joints 3"],
    valid: Bool[Tensor, "*batch frames"] | None,
    visible: Bool[Tensor, "*batch frames joints"] | None,
) -> Bool[Tensor, "*batch frames joints"]:
    """The visible joints of valid frames."""
    if visible is None:
        visible = torch.ones_like(points[..., 0], dtype=torch.bool)
    return visible if valid is None else visible & valid[..., None]
