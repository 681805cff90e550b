"""How far predicted 3D joints are from 2D detections: a loss for clips of which nothing but keypoints is known."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

# Fewer joints than that are matched by almost any pose.
FEWEST_JOINTS = 4
TINY = 1e-8
# Detections as close to each other as that share of their distance from the image's origin are in one place: float32
# has seven digits, of which squares need twice as many.
ONE_PLACE = 1e-3


def reprojection_error(
    joints: Float[Tensor, "B F J 3"], keypoints: Float[Tensor, "B F J 3"], camera_k: Float[Tensor, "B 3 3"]
) -> tuple[Float[Tensor, "B F"], Bool[Tensor, "B F"]]:
    """Confidence-weighted mean distance of predicted and detected joints in the image, as a share of the person.

    Where the person stands is not predicted, so each frame gets the place that suits it best:

    - Under a known camera (K not zero), detections become rays (x, y, 1) = K^-1 (u, v, 1), and the translation T solves
      the linear least squares X_j + T_x = x_j (Z_j + T_z), Y_j + T_y = y_j (Z_j + T_z), weighted by confidence. What is
      compared is (X + T_x) / (Z + T_z) and x, and the same of y.
    - Without one, or where that T leaves a joint nearer than half of its mean depth, both sets of joints are brought to
      mean 0 and extent 1 (root of the weighted mean square), as weak perspective sees them: it knows no distance but
      the scale. A least-squares scale could be negative, and would take a pose upside down for the right one.

    Distances are divided by the detections' extent in the image, so neither the camera's resolution nor the person's
    distance weighs; small predictions gain nothing.

    What it determines: the joints' directions from one another in the image. Under weak perspective it does not see
    depth at all (Z has no gradient), so neither front from back; with a camera it sees depth where the perspective is
    strong, never the person's size. An exact pose under strong perspective and an unknown camera keeps an error of
    about the person's depth over its distance.

    Args:
        joints: predicted, metres in the camera's axes (x right, y down, z forward), from any origin.
        keypoints: pixels and confidence; 0 marks a joint that was not detected.
        camera_k: intrinsics in pixels; zeros where unknown.

    Returns:
        The error (1 = the extent of the person), 0 with a gradient of 0 where it is not defined; and where it is: from
        four detected joints on that are not all in one place.

    Source: the linear system is that of triangulation (Hartley and Zisserman, chapter 12.2), solved for
    a translation.
    """
    confidence = keypoints[..., 2]
    known = (camera_k[:, 0, 0] > 0)[:, None]
    eye = torch.eye(3, dtype=camera_k.dtype, device=camera_k.device)
    inverse = torch.linalg.inv(torch.where(known[..., None], camera_k, eye))  # pixels stay pixels without a camera
    pixels = torch.cat([keypoints[..., :2], torch.ones_like(keypoints[..., :1])], -1)
    rays = torch.einsum("bij,bfkj->bfki", inverse, pixels)[..., :2]

    centred, extent = _standardised(rays, confidence)
    reach = (rays.abs().amax(-1) * (confidence > 0)).amax(-1)
    counted = ((confidence > 0).sum(-1) >= FEWEST_JOINTS) & (extent > TINY + ONE_PLACE * reach)
    flat, size = _standardised(joints[..., :2], confidence)
    weak = flat / size[..., None, None] - centred / extent[..., None, None]

    usable = counted & known
    placed = joints + _translation(joints, rays, confidence, usable)[..., None, :]
    depth = placed[..., 2]
    ahead = usable & (depth > 0.5 * depth.mean(-1, keepdim=True)).all(-1)
    # Frames that are not ahead take another value, and must not send a gradient of infinity through this one.
    depth = torch.where(ahead[..., None], depth, 1.0)
    strong = (placed[..., :2] / depth[..., None] - rays) / extent[..., None, None]

    offset = torch.where(ahead[..., None, None], strong, weak)
    distance = (offset.square().sum(-1) + TINY**2).sqrt() - TINY  # a norm whose gradient at 0 is 0
    error = (confidence * distance).sum(-1) / confidence.sum(-1).clamp(min=TINY)
    return torch.where(counted, error, 0.0), counted


def _standardised(
    points: Float[Tensor, "B F J 2"], weight: Float[Tensor, "B F J"]
) -> tuple[Float[Tensor, "B F J 2"], Float[Tensor, "B F"]]:
    """Points with their weighted mean at 0, and the root of their weighted mean square, never 0."""
    share = (weight / weight.sum(-1, keepdim=True).clamp(min=TINY))[..., None]
    centred = points - (share * points).sum(-2, keepdim=True)
    return centred, ((share * centred.square()).sum((-1, -2)) + TINY**2).sqrt()


def _translation(
    joints: Float[Tensor, "B F J 3"],
    rays: Float[Tensor, "B F J 2"],
    weight: Float[Tensor, "B F J"],
    usable: Bool[Tensor, "B F"],
) -> Float[Tensor, "B F 3"]:
    """Where the joints' origin is, metres: the least squares of every joint on its ray; 0 where that is not usable."""
    zero, one = torch.zeros_like(rays[..., 0]), torch.ones_like(rays[..., 0])
    across = torch.stack([one, zero, -rays[..., 0]], -1)
    down = torch.stack([zero, one, -rays[..., 1]], -1)
    rows = torch.stack([across, down], -2)  # (B, F, J, 2, 3)
    wanted = rays * joints[..., 2:] - joints[..., :2]
    normal = torch.einsum("bfj,bfjki,bfjkl->bfil", weight, rows, rows)
    right = torch.einsum("bfj,bfjki,bfjk->bfi", weight, rows, wanted)
    eye = torch.eye(3, dtype=normal.dtype, device=normal.device)
    # Without the check for singular matrices, which would end the training, and wait for a GPU in every step.
    solved = torch.linalg.solve_ex(torch.where(usable[..., None, None], normal, eye), right).result
    return torch.where(usable[..., None], solved, 0.0)
