"""Errors of 3D points, frame by frame: positions in metres go in, one figure per frame comes out.

Points are compared as they are given: bringing both to the root joint first is the caller's step, because
which joint is the root belongs to the protocol. float16 and bfloat16 are computed in float32. A NaN stays in
its frame.
"""

import torch
from jaxtyping import Float
from torch import Tensor

MM_PER_METRE = 1000.0


def mpjpe(
    predicted: Float[Tensor, "*frames joints 3"], target: Float[Tensor, "*frames joints 3"]
) -> Float[Tensor, "*frames"]:
    """Mean per-joint position error of every frame in millimetres; protocol 1 of Human3.6M if root-relative.

    >>> target = torch.zeros(2, 17, 3)
    >>> mpjpe(target + torch.tensor([3.0, 0.0, 4.0]), target)
    tensor([5000., 5000.])
    """
    return MM_PER_METRE * _mean_length(_at_least_float32(predicted) - _at_least_float32(target))


def mpve(
    predicted_vertices: Float[Tensor, "*frames vertices 3"],
    target_vertices: Float[Tensor, "*frames vertices 3"],
) -> Float[Tensor, "*frames"]:
    """Mean per-vertex position error of every frame in millimetres (MPVE, also written MPVPE or PVE).

    >>> mpve(torch.zeros(1, 6890, 3), torch.full((1, 6890, 3), 0.01)).round(decimals=2)
    tensor([17.3200])
    """
    return mpjpe(predicted_vertices, target_vertices)


def n_mpjpe(
    predicted: Float[Tensor, "*frames joints 3"], target: Float[Tensor, "*frames joints 3"]
) -> Float[Tensor, "*frames"]:
    """MPJPE in millimetres after the least-squares scale of every predicted frame (Rhodin et al., CVPR 2018).

    Only the scale is fitted, about the origin: pass root-relative joints. A prediction with all joints at the
    origin stays there.

    >>> target = torch.tensor([[[0.0, 0.0, 0.0], [0.1, 0.2, 0.3]]])
    >>> n_mpjpe(2 * target, target)
    tensor([0.])
    """
    predicted, target = _at_least_float32(predicted), _at_least_float32(target)
    scale = _ratio((predicted * target).sum((-2, -1)), predicted.square().sum((-2, -1)))
    return mpjpe(scale[..., None, None] * predicted, target)


def pa_mpjpe(
    predicted: Float[Tensor, "*frames joints 3"], target: Float[Tensor, "*frames joints 3"]
) -> Float[Tensor, "*frames"]:
    """MPJPE in millimetres after ``procrustes_align`` of every frame; protocol 2 of Human3.6M.

    >>> target = torch.tensor([[[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 3.0]]])
    >>> moved = 2 * target[..., [1, 2, 0]] + 5  # a cyclic exchange of the axes is a rotation
    >>> pa_mpjpe(moved, target).item() < 1e-3
    True
    """
    target = _centred(target)
    return mpjpe(_rotate_and_scale(_centred(predicted), target), target)


def procrustes_align(
    predicted: Float[Tensor, "*frames joints 3"], target: Float[Tensor, "*frames joints 3"]
) -> Float[Tensor, "*frames joints 3"]:
    """Move every predicted frame onto its target by the least-squares similarity.

    Scale (>= 0), rotation and translation minimise the squared distances (Umeyama, PAMI 1991), reflections
    excluded. Every frame has such a minimum:

    - predicted joints all in one point: translated to the target's centroid;
    - target joints all in one point: the scale is 0 and every joint falls on that point;
    - joints on a line or in a plane: one of the equally good proper rotations.

    Args:
        predicted: joints in metres.
        target: joints in metres.

    Returns:
        The moved joints, in metres.

    >>> target = torch.eye(3)[None]
    >>> torch.allclose(procrustes_align(3 * target + 1, target), target, atol=1e-6)
    True
    """
    moved = _rotate_and_scale(_centred(predicted), _centred(target))
    return moved + _at_least_float32(target).mean(-2, keepdim=True)


def acceleration_error(
    predicted: Float[Tensor, "*batch frames joints 3"],
    target: Float[Tensor, "*batch frames joints 3"],
    dt: Float[Tensor, "*batch frames"],
) -> Float[Tensor, "*batch triples"]:
    """Mean length, over joints, of the difference of predicted and true accelerations, in m/s².

    The acceleration at a frame is the second divided difference over it and its neighbours, with the real
    intervals (dt_k is the time from frame k - 1 to frame k):

        a_k = ((x_{k+1} - x_k) / dt_{k+1} - (x_k - x_{k-1}) / dt_k) / ((dt_k + dt_{k+1}) / 2)

    which is exact for constant acceleration at any spacing.

    Args:
        predicted: joints in metres.
        target: joints in metres.
        dt: seconds since the previous frame, > 0; dt[..., 0] is not used.

    Returns:
        One value per inner frame, 1 to frames - 2; none for fewer than three frames.

    >>> seconds = torch.tensor([0.0, 0.1, 0.3, 0.4])
    >>> falling = (0.5 * 9.81 * seconds**2)[:, None, None].expand(4, 17, 3) * torch.tensor([0.0, 1.0, 0.0])
    >>> acceleration_error(falling, torch.zeros(4, 17, 3), seconds.diff(prepend=seconds[:1] - 0.1))
    tensor([9.8100, 9.8100])
    """
    # Acceleration is linear in position: the acceleration of the difference is the difference wanted, and the
    # large common position cancels before the division by dt² can amplify its rounding.
    difference = _at_least_float32(predicted) - _at_least_float32(target)
    interval = _at_least_float32(dt)[..., 1:, None, None]
    velocity = difference.diff(dim=-3) / interval
    between_midpoints = (interval[..., 1:, :, :] + interval[..., :-1, :, :]) / 2
    return _mean_length(velocity.diff(dim=-3) / between_midpoints)


def acceleration_error_per_frame(
    predicted: Float[Tensor, "*batch frames joints 3"], target: Float[Tensor, "*batch frames joints 3"]
) -> Float[Tensor, "*batch triples"]:
    """Acceleration error in mm/frame²: plain second differences (HMMR, Kanazawa et al., CVPR 2019).

    The figure depends on the frame rate (by its square): compare it only at the rate of the published row.

    >>> moving = torch.zeros(4, 17, 3)
    >>> moving[..., 0] = torch.tensor([[0.0], [0.5], [2.0], [4.5]])
    >>> acceleration_error_per_frame(moving, torch.zeros(4, 17, 3))
    tensor([1000., 1000.])
    """
    one_frame = predicted.new_ones(predicted.shape[:-2])
    return MM_PER_METRE * acceleration_error(predicted, target, one_frame)


def _at_least_float32(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    return x.to(torch.promote_types(x.dtype, torch.float32))


def _mean_length(vectors: Float[Tensor, "*frames points 3"]) -> Float[Tensor, "*frames"]:
    return vectors.norm(dim=-1).mean(-1)


def _ratio(numerator: Float[Tensor, "*shape"], square: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Numerator / square, where a vanishing square means a vanishing numerator and gives 0."""
    return numerator / square.clamp_min(torch.finfo(square.dtype).tiny)


def _centred(points: Float[Tensor, "*frames points 3"]) -> Float[Tensor, "*frames points 3"]:
    """Points relative to their centroid."""
    points = _at_least_float32(points)
    # Metres from the camera the centroid itself is rounded to half a micrometre: go near the points first.
    points = points - points[..., :1, :]
    return points - points.mean(-2, keepdim=True)


def _rotate_and_scale(
    predicted: Float[Tensor, "*frames points 3"], target: Float[Tensor, "*frames points 3"]
) -> Float[Tensor, "*frames points 3"]:
    """Best rotation and scale of centred points onto centred points (row vectors: moved = scale · x R)."""
    covariance = predicted.mT @ target
    # LAPACK refuses a whole batch for one non-finite entry; such a frame ends up NaN by its own points below.
    U, S, Vh = torch.linalg.svd(covariance.nan_to_num(0.0, 0.0, 0.0))
    turn = torch.ones_like(S)
    turn[..., 2] = torch.linalg.det(U @ Vh).sign()  # -1 where the best orthogonal map is a reflection
    rotation = (U * turn[..., None, :]) @ Vh
    scale = _ratio((S * turn).sum(-1), predicted.square().sum((-2, -1)))
    return scale[..., None, None] * (predicted @ rotation)
