"""One figure per joint and frame (or per joint and run of two or three frames): what every joint metric averages.

Positions in metres go in. Points are compared as they are given: bringing both to the root joint first is the caller's
step, because which joint is the root belongs to the protocol. float16 and bfloat16 are computed in float32. A NaN stays
in what it belongs to; it is never counted as a hit or a miss.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hummuss.metrics.procrustes import align_centred, at_least_float32, ratio

MM_PER_METRE = 1000.0

# MPI-INF-3DHP's own evaluation (mpii_compute_3d_pck.m): 0:5:150 mm, error < threshold.
PCK_THRESHOLD = 150.0
AUC_THRESHOLDS = tuple(5.0 * step for step in range(31))


def position_errors(
    predicted: Float[Tensor, "*frames joints 3"], target: Float[Tensor, "*frames joints 3"]
) -> Float[Tensor, "*frames joints"]:
    """Distance of every joint from its target in millimetres.

    >>> position_errors(torch.tensor([[0.003, 0.004, 0.0], [0.0, 0.0, 0.0]]), torch.zeros(2, 3))
    tensor([5., 0.])
    """
    return MM_PER_METRE * _length(at_least_float32(predicted) - at_least_float32(target))


def scaled_position_errors(
    predicted: Float[Tensor, "*frames joints 3"],
    target: Float[Tensor, "*frames joints 3"],
    visible: Bool[Tensor, "*frames joints"] | None = None,
) -> Float[Tensor, "*frames joints"]:
    """Distances in millimetres after the least-squares scale, about the origin, of a frame's visible joints.

    Visible predicted joints all at the origin stay there.

    >>> scaled_position_errors(torch.full((1, 2, 3), 0.2), torch.full((1, 2, 3), 0.1))
    tensor([[0., 0.]])
    """
    predicted, target = at_least_float32(predicted), at_least_float32(target)
    x, y = predicted, target
    if visible is not None:
        x, y = (torch.where(visible[..., None], points, 0) for points in (predicted, target))
    scale = ratio((x * y).sum((-2, -1)), x.square().sum((-2, -1)))
    return position_errors(scale[..., None, None] * predicted, target)


def aligned_position_errors(
    predicted: Float[Tensor, "*frames joints 3"],
    target: Float[Tensor, "*frames joints 3"],
    visible: Bool[Tensor, "*frames joints"] | None = None,
) -> Float[Tensor, "*frames joints"]:
    """Distances in millimetres after ``procrustes_align`` of every frame; its degenerate cases are defined there.

    >>> aligned_position_errors(2 * torch.eye(3)[None], torch.eye(3)[None]).max().item() < 1e-3
    True
    """
    if visible is None:
        visible = torch.ones_like(target[..., 0], dtype=torch.bool)
    return position_errors(*align_centred(predicted, target, visible))


def velocity_errors(
    predicted: Float[Tensor, "*batch frames joints 3"],
    target: Float[Tensor, "*batch frames joints 3"],
    dt: Float[Tensor, "*batch frames"],
) -> Float[Tensor, "*batch pairs joints"]:
    """Length of the difference of predicted and true velocities in mm/s, at pairs of neighbouring frames.

    The velocity at frame k is (x_k - x_{k-1}) / dt_k; dt[..., 0] is not used. Seconds, > 0.

    >>> moving = torch.tensor([0.0, 0.1, 0.4])[:, None, None] * torch.tensor([1.0, 0.0, 0.0])  # one joint
    >>> velocity_errors(moving, torch.zeros(3, 1, 3), torch.tensor([1.0, 0.1, 0.1]))
    tensor([[1000.],
            [3000.]])
    """
    return MM_PER_METRE * _length(_velocity_difference(predicted, target, dt))


def acceleration_errors(
    predicted: Float[Tensor, "*batch frames joints 3"],
    target: Float[Tensor, "*batch frames joints 3"],
    dt: Float[Tensor, "*batch frames"],
) -> Float[Tensor, "*batch triples joints"]:
    """Length of the difference of predicted and true accelerations in m/s², at runs of three frames.

    Second divided differences, as ``functional.acceleration_error`` says.

    >>> moving = torch.tensor([0.0, 0.0, 0.01])[:, None, None] * torch.tensor([1.0, 0.0, 0.0])  # one joint
    >>> acceleration_errors(moving, torch.zeros(3, 1, 3), torch.full((3,), 0.1)).round(decimals=4)
    tensor([[1.]])
    """
    interval = at_least_float32(dt)[..., 1:, None, None]
    between_midpoints = (interval[..., 1:, :, :] + interval[..., :-1, :, :]) / 2
    return _length(_velocity_difference(predicted, target, dt).diff(dim=-3) / between_midpoints)


def acceleration_errors_per_frame(
    predicted: Float[Tensor, "*batch frames joints 3"], target: Float[Tensor, "*batch frames joints 3"]
) -> Float[Tensor, "*batch triples joints"]:
    """Length of the difference of second differences in mm/frame², at runs of three frames.

    >>> moving = torch.tensor([0.0, 0.0, 0.01])[:, None, None] * torch.tensor([1.0, 0.0, 0.0])  # one joint
    >>> acceleration_errors_per_frame(moving, torch.zeros(3, 1, 3)).round(decimals=4)
    tensor([[10.]])
    """
    one_frame = predicted.new_ones(predicted.shape[:-2])
    return MM_PER_METRE * acceleration_errors(predicted, target, one_frame)


def correct(
    predicted: Float[Tensor, "*frames joints 3"],
    target: Float[Tensor, "*frames joints 3"],
    threshold: float = PCK_THRESHOLD,
) -> Float[Tensor, "*frames joints"]:
    """100 where a joint is nearer to its target than ``threshold`` mm (strictly), else 0; its mean is the PCK in %.

    >>> correct(torch.tensor([[[0.25, 0.0, 0.0], [0.1, 0.0, 0.0]]]), torch.zeros(1, 2, 3), threshold=250.0)
    tensor([[  0., 100.]])
    """
    errors = position_errors(predicted, target)
    return torch.where(errors.isnan(), errors, 100.0 * (errors < threshold))


def correct_at_all_thresholds(
    predicted: Float[Tensor, "*frames joints 3"], target: Float[Tensor, "*frames joints 3"]
) -> Float[Tensor, "*frames joints"]:
    """Mean of ``correct`` over the thresholds 0, 5, ..., 150 mm; its mean is the AUC in %.

    >>> correct_at_all_thresholds(torch.zeros(1, 1, 3), torch.zeros(1, 1, 3)).round(decimals=2)  # 0 < 0 is not met
    tensor([[96.7700]])
    """
    errors = position_errors(predicted, target)
    thresholds = errors.new_tensor(AUC_THRESHOLDS)
    missed = torch.bucketize(errors, thresholds, right=True)  # thresholds <= error
    return torch.where(errors.isnan(), errors, 100.0 * (1 - missed.to(errors.dtype) / len(thresholds)))


def _velocity_difference(
    predicted: Float[Tensor, "*batch frames joints 3"],
    target: Float[Tensor, "*batch frames joints 3"],
    dt: Float[Tensor, "*batch frames"],
) -> Float[Tensor, "*batch pairs joints 3"]:
    """Predicted minus true velocity in m/s."""
    # Both are linear in position: differences of the difference are those wanted, and the large common position
    # cancels before the division by dt can amplify its rounding.
    difference = at_least_float32(predicted) - at_least_float32(target)
    return difference.diff(dim=-3) / at_least_float32(dt)[..., 1:, None, None]


def _length(vectors: Float[Tensor, "*points 3"]) -> Float[Tensor, "*points"]:
    return vectors.norm(dim=-1)
