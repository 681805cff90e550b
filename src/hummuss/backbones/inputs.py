"""What every backbone refuses, in one wording."""

from jaxtyping import Bool, Float
from torch import Tensor

from hummuss.errors import InputError


def check_inputs(keypoints: Tensor, joints: int, dt: Tensor, valid: Tensor | None = None) -> None:
    """Refuse keypoints that are not (..., joints, 3), a batch of nothing, and intervals or a mask of other frames: some
    would be broadcast, others looked at in part.

    Raises:
        InputError: another number of joints or channels, no clip or no frame, or dt or valid of another number of clips
            or of frames than keypoints have.
    """
    if keypoints.shape[-2:] != (joints, 3):
        raise InputError(
            f"keypoints have shape {tuple(keypoints.shape)}, expected {joints} joints of (x, y, confidence): "
            "convert other layouts with hummuss.body.skeleton.convert_keypoints"
        )
    if 0 in keypoints.shape:
        raise InputError(f"keypoints have shape {tuple(keypoints.shape)}: give at least one frame of one clip")
    frames = keypoints.shape[:-2]
    for name, given in (("dt", dt), ("valid", valid)):
        if given is not None and given.shape != frames:
            raise InputError(
                f"{name} has shape {tuple(given.shape)}, keypoints {tuple(keypoints.shape)}: give a value for each "
                f"frame of each clip, {tuple(frames)}"
            )


def blank_padding(keypoints: Float[Tensor, "B F J 3"], valid: Bool[Tensor, "B F"] | None) -> Float[Tensor, "B F J 3"]:
    """Zeros at padding, where there may be anything: a mask multiplies, and 0 times NaN is NaN."""
    return keypoints if valid is None else keypoints.masked_fill(~valid[..., None, None], 0)


def check_valid(valid: Bool[Tensor, "B F"]) -> None:
    """Refuse a batch with a clip that is nothing but padding.

    Raises:
        InputError: a clip with no valid frame.
    """
    empty = ~valid.any(-1)
    if bool(empty.any()):
        raise InputError(f"clip {int(empty.nonzero()[0, 0])} of the batch has no valid frame: drop it")


def check_order(joint_order: tuple[int, ...], joints: int) -> None:
    """Refuse an order that does not have each joint once.

    Raises:
        InputError: no permutation of range(joints).
    """
    if sorted(joint_order) != list(range(joints)):
        raise InputError(
            f"joint_order is {list(joint_order)}, which is no permutation of the layout's joints: "
            f"name each of 0 to {joints - 1} once"
        )
