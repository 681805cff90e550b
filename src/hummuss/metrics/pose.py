"""The torchmetrics classes: means of the per-frame errors over valid frames, clips and processes.

Every ``update`` takes keyword arguments by the same names, so that one
``collection.update(predicted=..., target=..., valid=..., dt=...)`` serves a whole ``MetricCollection``.
"""

from abc import abstractmethod
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torchmetrics import Metric

from hummuss.metrics import functional


class MeanOverFrames(Metric):
    """Mean of a per-frame error over all frames that count; NaN while none did.

    Keyword arguments are those of ``torchmetrics.Metric``. The sum is kept in float64: a test set has
    millions of frames.
    """

    higher_is_better = False
    full_state_update = False

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # MetricCollection lets metrics share one state for good if, after the first update, names and values
        # are equal (all zero for a batch of padding, say). Names of its own keep every metric apart.
        name = type(self).__name__.lower()
        self._total, self._count = f"{name}_total", f"{name}_count"
        self.add_state(self._total, torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state(self._count, torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def _add(self, errors: Float[Tensor, "*frames"], counted: Bool[Tensor, "*frames"] | None) -> None:
        """Add one error per frame; frames not counted may hold anything, NaN included."""
        if counted is None:
            counted = torch.ones_like(errors, dtype=torch.bool)
        total = torch.where(counted, errors, 0).sum(dtype=torch.float64)
        setattr(self, self._total, getattr(self, self._total) + total)
        setattr(self, self._count, getattr(self, self._count) + counted.sum())

    def compute(self) -> Float[Tensor, ""]:
        return getattr(self, self._total) / getattr(self, self._count)


class _JointMetric(MeanOverFrames):
    """A per-frame error of predicted against true joints."""

    @staticmethod
    @abstractmethod
    def error(predicted: Tensor, target: Tensor) -> Tensor:
        """One figure per frame."""

    def update(
        self,
        predicted: Float[Tensor, "*batch frames joints 3"],
        target: Float[Tensor, "*batch frames joints 3"],
        valid: Bool[Tensor, "*batch frames"] | None = None,
    ) -> None:
        """Add the frames marked valid (default: all); positions in metres."""
        self._add(self.error(predicted, target), valid)


class MPJPE(_JointMetric):
    """Mean per-joint position error in millimetres; pass root-relative joints for the usual figure.

    >>> metric = MPJPE()
    >>> metric.update(torch.full((1, 2, 17, 3), 0.1), torch.zeros(1, 2, 17, 3), torch.tensor([[True, False]]))
    >>> round(metric.compute().item(), 1)
    173.2
    """

    error = staticmethod(functional.mpjpe)


class PAMPJPE(_JointMetric):
    """MPJPE in millimetres after a similarity Procrustes alignment of every frame.

    >>> metric = PAMPJPE()
    >>> metric.update(torch.eye(3)[None] + 1, 2 * torch.eye(3)[None])
    >>> metric.compute().item() < 1e-3
    True
    """

    error = staticmethod(functional.pa_mpjpe)


class NMPJPE(_JointMetric):
    """MPJPE in millimetres after the best scale of every frame; pass root-relative joints.

    >>> metric = NMPJPE()
    >>> metric.update(torch.ones(1, 17, 3), torch.full((1, 17, 3), 0.5))
    >>> metric.compute().item()
    0.0
    """

    error = staticmethod(functional.n_mpjpe)


class MPVE(MeanOverFrames):
    """Mean per-vertex position error in millimetres.

    >>> metric = MPVE()
    >>> metric.update(torch.full((1, 6890, 3), 0.1), torch.zeros(1, 6890, 3))
    >>> round(metric.compute().item(), 1)
    173.2
    """

    def update(
        self,
        predicted_vertices: Float[Tensor, "*batch frames vertices 3"],
        target_vertices: Float[Tensor, "*batch frames vertices 3"],
        valid_vertices: Bool[Tensor, "*batch frames"] | None = None,
    ) -> None:
        """Add the frames marked valid (default: all); positions in metres.

        The mask has a name of its own: clips may have joints to compare and no body, or the reverse.
        """
        self._add(functional.mpve(predicted_vertices, target_vertices), valid_vertices)


class AccelerationError(MeanOverFrames):
    """Acceleration error in m/s², with the real intervals between frames.

    >>> metric = AccelerationError()
    >>> still, moving = torch.zeros(3, 17, 3), torch.zeros(3, 17, 3)
    >>> moving[2, :, 0] = 0.01
    >>> metric.update(moving, still, dt=torch.full((3,), 0.1))
    >>> round(metric.compute().item(), 4)
    1.0
    """

    def update(
        self,
        predicted: Float[Tensor, "*batch frames joints 3"],
        target: Float[Tensor, "*batch frames joints 3"],
        dt: Float[Tensor, "*batch frames"],
        valid: Bool[Tensor, "*batch frames"] | None = None,
    ) -> None:
        """Add every frame that is valid with both its neighbours; positions in metres, dt in seconds."""
        self._add(functional.acceleration_error(predicted, target, dt), _valid_triples(valid))


class AccelerationErrorPerFrame(MeanOverFrames):
    """Acceleration error in mm/frame², blind to the frame rate: for comparison with published rows only.

    >>> metric = AccelerationErrorPerFrame()
    >>> still, moving = torch.zeros(3, 17, 3), torch.zeros(3, 17, 3)
    >>> moving[2, :, 0] = 0.01
    >>> metric.update(moving, still)
    >>> round(metric.compute().item(), 4)
    10.0
    """

    def update(
        self,
        predicted: Float[Tensor, "*batch frames joints 3"],
        target: Float[Tensor, "*batch frames joints 3"],
        valid: Bool[Tensor, "*batch frames"] | None = None,
    ) -> None:
        """Add every frame that is valid with both its neighbours; positions in metres."""
        self._add(functional.acceleration_error_per_frame(predicted, target), _valid_triples(valid))


def _valid_triples(valid: Bool[Tensor, "*batch frames"] | None) -> Bool[Tensor, "*batch triples"] | None:
    """For every inner frame, whether it and both its neighbours are valid."""
    if valid is None:
        return None
    pairs = valid[..., 1:] & valid[..., :-1]
    return pairs[..., 1:] & pairs[..., :-1]
