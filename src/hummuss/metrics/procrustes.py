"""Similarity alignment of point sets, frame by frame, over the joints that are visible."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def procrustes_align(
    predicted: Float[Tensor, "*frames joints 3"],
    target: Float[Tensor, "*frames joints 3"],
    visible: Bool[Tensor, "*frames joints"] | None = None,
) -> Float[Tensor, "*frames joints 3"]:
    """Move every predicted frame onto its target by the least-squares similarity.

    Scale (>= 0), rotation and translation minimise the squared distances of the visible joints (Umeyama, PAMI 1991),
    reflections excluded. The other joints are carried along. Every frame with a visible joint has such a minimum:

    - visible predicted joints all in one point, a single visible joint included: the scale is 0, and every joint falls
      on the centroid of the visible target joints;
    - visible target joints all in one point: the scale is 0 and every joint falls on that point;
    - joints on a line or in a plane: one of the equally good proper rotations.

    A frame without a visible joint becomes NaN.

    Args:
        predicted: joints in metres.
        target: joints in metres.
        visible: the joints to fit, default all; the others may hold anything, NaN included.

    Returns:
        The moved joints, in metres.

    >>> target = torch.eye(3)[None]
    >>> torch.allclose(procrustes_align(3 * target + 1, target), target, atol=1e-6)
    True
    """
    if visible is None:
        visible = torch.ones_like(target[..., 0], dtype=torch.bool)
    _, centroid = _centred(target, visible)
    return align_centred(predicted, target, visible)[0] + centroid


def align_centred(
    predicted: Float[Tensor, "*frames joints 3"],
    target: Float[Tensor, "*frames joints 3"],
    visible: Bool[Tensor, "*frames joints"],
) -> tuple[Float[Tensor, "*frames joints 3"], Float[Tensor, "*frames joints 3"]]:
    """Aligned prediction and target, both relative to the target's centroid, which may be far away.

    >>> everything = torch.ones(1, 3, dtype=torch.bool)
    >>> moved, target = align_centred(2 * torch.eye(3)[None], torch.eye(3)[None] + 5, everything)
    >>> torch.allclose(moved, target, atol=1e-6)
    True
    """
    predicted, target = _centred(predicted, visible)[0], _centred(target, visible)[0]
    fitted, fitted_target = (torch.where(visible[..., None], points, 0) for points in (predicted, target))
    covariance = fitted.mT @ fitted_target
    # LAPACK refuses a whole batch for one non-finite entry; such a frame ends up NaN by its own points below.
    U, S, Vh = torch.linalg.svd(covariance.nan_to_num(0.0, 0.0, 0.0))
    turn = torch.ones_like(S)
    turn[..., 2] = torch.linalg.det(U @ Vh).sign()  # -1 where the best orthogonal map is a reflection
    rotation = (U * turn[..., None, :]) @ Vh  # for row vectors: moved = scale · x R
    scale = ratio((S * turn).sum(-1), fitted.square().sum((-2, -1)))
    return scale[..., None, None] * (predicted @ rotation), target


def ratio(numerator: Float[Tensor, "*shape"], square: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Numerator / square, where a vanishing square means a vanishing numerator and gives 0.

    >>> ratio(torch.tensor([1.0, 0.0]), torch.tensor([4.0, 0.0]))
    tensor([0.2500, 0.0000])
    """
    return numerator / square.clamp_min(torch.finfo(square.dtype).tiny)


def at_least_float32(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Half precision as float32, everything else as it is.

    >>> at_least_float32(torch.zeros(1, dtype=torch.bfloat16)).dtype
    torch.float32
    """
    return x.to(torch.promote_types(x.dtype, torch.float32))


def _centred(
    points: Float[Tensor, "*frames joints 3"], visible: Bool[Tensor, "*frames joints"]
) -> tuple[Float[Tensor, "*frames joints 3"], Float[Tensor, "*frames 1 3"]]:
    """Points relative to the centroid of the visible ones, and that centroid; NaN where none is visible."""
    points, count = at_least_float32(points), visible.sum(-1)[..., None, None]
    shown = visible[..., None]
    near = torch.where(shown, points, 0).sum(-2, keepdim=True) / count
    # Metres from the camera that centroid is rounded to half a micrometre: the rest of it shows near the points.
    points = points - near
    rest = torch.where(shown, points, 0).sum(-2, keepdim=True) / count
    return points - rest, near + rest
