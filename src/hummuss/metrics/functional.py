"""Metrics of 3D points, frame by frame: positions in metres go in, one figure per frame comes out.

Each is the mean over a frame's visible joints of a figure in ``metrics.per_joint``. Points are compared as they are
given: bringing both to the root joint first is the caller's step, because which joint is the root belongs to the
protocol. float16 and bfloat16 are computed in float32. Joints that are not visible may hold anything; a NaN in what
counts stays in its frame, and so does "no joint is visible", which is NaN as well.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hummuss.metrics import per_joint
from hummuss.metrics.procrustes import procrustes_align

__all__ = [
    "acceleration_error",
    "acceleration_error_per_frame",
    "auc",
    "mpjpe",
    "mpjve",
    "mpve",
    "n_mpjpe",
    "pa_mpjpe",
    "pck",
    "procrustes_align",
]


def mpjpe(
    predicted: Float[Tensor, "*frames joints 3"],
    target: Float[Tensor, "*frames joints 3"],
    visible: Bool[Tensor, "*frames joints"] | None = None,
) -> Float[Tensor, "*frames"]:
    """Mean per-joint position error of every frame in millimetres; protocol 1 of Human3.6M if root-relative.

    >>> target = torch.zeros(2, 17, 3)
    >>> mpjpe(target + torch.tensor([3.0, 0.0, 4.0]), target)
    tensor([5000., 5000.])
    """
    return _mean(per_joint.position_errors(predicted, target), visible)


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
    predicted: Float[Tensor, "*frames joints 3"],
    target: Float[Tensor, "*frames joints 3"],
    visible: Bool[Tensor, "*frames joints"] | None = None,
) -> Float[Tensor, "*frames"]:
    """MPJPE in millimetres after the least-squares scale of every predicted frame (Rhodin et al., CVPR 2018).

    Only the scale is fitted, about the origin: pass root-relative joints. A prediction with all joints at the
    origin stays there.

    >>> target = torch.tensor([[[0.0, 0.0, 0.0], [0.1, 0.2, 0.3]]])
    >>> n_mpjpe(2 * target, target)
    tensor([0.])
    """
    return _mean(per_joint.scaled_position_errors(predicted, target, visible), visible)


def pa_mpjpe(
    predicted: Float[Tensor, "*frames joints 3"],
    target: Float[Tensor, "*frames joints 3"],
    visible: Bool[Tensor, "*frames joints"] | None = None,
) -> Float[Tensor, "*frames"]:
    """MPJPE in millimetres after ``procrustes_align`` of every frame; protocol 2 of Human3.6M.

    One visible joint is always met: 0. The other degenerate frames are defined at ``procrustes_align``.

    >>> target = torch.tensor([[[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 3.0]]])
    >>> moved = 2 * target[..., [1, 2, 0]] + 5  # a cyclic exchange of the axes is a rotation
    >>> pa_mpjpe(moved, target).item() < 1e-3
    True
    """
    return _mean(per_joint.aligned_position_errors(predicted, target, visible), visible)


def mpjve(
    predicted: Float[Tensor, "*batch frames joints 3"],
    target: Float[Tensor, "*batch frames joints 3"],
    dt: Float[Tensor, "*batch frames"],
    visible: Bool[Tensor, "*batch frames joints"] | None = None,
) -> Float[Tensor, "*batch pairs"]:
    """Mean per-joint velocity error in mm/s: length of the difference of predicted and true velocities.

    The velocity at frame k is (x_k - x_{k-1}) / dt_k. Published figures are mostly in mm/frame (Pavllo et al., CVPR
    2019): at a uniform rate they are these divided by the frames per second.

    Args:
        predicted: joints in metres.
        target: joints in metres.
        dt: seconds since the previous frame, > 0; dt[..., 0] is not used.
        visible: a joint counts where it is visible in both frames.

    Returns:
        One value per frame from the second on; none for fewer than two frames.

    >>> moving = torch.tensor([0.0, 0.1, 0.4])[:, None, None] * torch.tensor([1.0, 0.0, 0.0])  # one joint
    >>> mpjve(moving, torch.zeros(3, 1, 3), torch.tensor([1.0, 0.1, 0.1]))
    tensor([1000., 3000.])
    """
    return _mean(per_joint.velocity_errors(predicted, target, dt), visible, span=2)


def acceleration_error(
    predicted: Float[Tensor, "*batch frames joints 3"],
    target: Float[Tensor, "*batch frames joints 3"],
    dt: Float[Tensor, "*batch frames"],
    visible: Bool[Tensor, "*batch frames joints"] | None = None,
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
        visible: a joint counts where it is visible in all three frames.

    Returns:
        One value per inner frame, 1 to frames - 2; none for fewer than three frames.

    >>> seconds = torch.tensor([0.0, 0.1, 0.3, 0.4])
    >>> falling = (0.5 * 9.81 * seconds**2)[:, None, None].expand(4, 17, 3) * torch.tensor([0.0, 1.0, 0.0])
    >>> acceleration_error(falling, torch.zeros(4, 17, 3), seconds.diff(prepend=seconds[:1] - 0.1))
    tensor([9.8100, 9.8100])
    """
    return _mean(per_joint.acceleration_errors(predicted, target, dt), visible, span=3)


def acceleration_error_per_frame(
    predicted: Float[Tensor, "*batch frames joints 3"],
    target: Float[Tensor, "*batch frames joints 3"],
    visible: Bool[Tensor, "*batch frames joints"] | None = None,
) -> Float[Tensor, "*batch triples"]:
    """Acceleration error in mm/frame²: plain second differences (HMMR, Kanazawa et al., CVPR 2019).

    The figure depends on the frame rate (by its square): compare it only at the rate of the published row.

    >>> moving = torch.zeros(4, 17, 3)
    >>> moving[..., 0] = torch.tensor([[0.0], [0.5], [2.0], [4.5]])
    >>> acceleration_error_per_frame(moving, torch.zeros(4, 17, 3))
    tensor([1000., 1000.])
    """
    return _mean(per_joint.acceleration_errors_per_frame(predicted, target), visible, span=3)


def pck(
    predicted: Float[Tensor, "*frames joints 3"],
    target: Float[Tensor, "*frames joints 3"],
    visible: Bool[Tensor, "*frames joints"] | None = None,
    threshold: float = per_joint.PCK_THRESHOLD,
) -> Float[Tensor, "*frames"]:
    """3D PCK in %: the share of joints nearer to their targets than ``threshold`` mm, strictly (MPI-INF-3DHP).

    >>> pck(torch.tensor([[[0.2, 0.0, 0.0], [0.1, 0.0, 0.0]]]), torch.zeros(1, 2, 3))
    tensor([50.])
    """
    return _mean(per_joint.correct(predicted, target, threshold), visible)


def auc(
    predicted: Float[Tensor, "*frames joints 3"],
    target: Float[Tensor, "*frames joints 3"],
    visible: Bool[Tensor, "*frames joints"] | None = None,
) -> Float[Tensor, "*frames"]:
    """Mean of the PCKs at 0, 5, ..., 150 mm in %, as MPI-INF-3DHP's own evaluation (mpii_compute_3d_pck.m) has it.

    No error is < 0: a perfect prediction has 30 / 31 = 96.8 %.

    >>> auc(torch.tensor([[[0.1, 0.0, 0.0]]]), torch.zeros(1, 1, 3)).round(decimals=2)  # met by 105, ..., 150
    tensor([32.2600])
    """
    return _mean(per_joint.correct_at_all_thresholds(predicted, target), visible)


def in_a_row(marked: Bool[Tensor, "*batch frames joints"], span: int) -> Bool[Tensor, "*batch runs joints"]:
    """For every run of ``span`` frames, whether a joint is marked in all of them.

    >>> in_a_row(torch.tensor([[True], [True], [False], [True]]), 2).flatten()
    tensor([ True, False, False])
    """
    for _ in range(span - 1):
        marked = marked[..., 1:, :] & marked[..., :-1, :]
    return marked


def _mean(
    figures: Float[Tensor, "*runs joints"], visible: Bool[Tensor, "*frames joints"] | None, span: int = 1
) -> Float[Tensor, "*runs"]:
    """Mean over the joints visible in all ``span`` frames of a figure; NaN where there is none."""
    if visible is None:
        return figures.mean(-1)
    counted = in_a_row(visible, span)
    return torch.where(counted, figures, 0).sum(-1) / counted.sum(-1)
