"""Pretraining: the poses of clips with 3D labels, the projections of clips without."""

from torch import Tensor

from hummuss.heads.base import Batch, Prediction, known, masked_mean
from hummuss.heads.pose import PoseHead
from hummuss.heads.reprojection import reprojection_error


class PretrainHead(PoseHead):
    """A pose head that also learns from clips with 2D keypoints alone.

    The masking and the noise of its inputs are the data module's (``occlusion``, ``view.noise``). Its weights are a
    pose head's: named ``pose``, it is taken over whole by a pose model that begins with it.

    Args:
        dim_rep: channels of the representation.
        scale_weight, velocity_weight, joints: see `PoseHead`.
        reprojection_weight: weight of the error in the image, see `reprojection_error`; a share of the person's extent,
            which is some 0.45 m.

    Source: pretraining on both kinds of clips as MotionBERT (ICCV 2023).
    """

    def __init__(
        self,
        dim_rep: int,
        scale_weight: float = 0.5,
        velocity_weight: float = 0.4,
        joints: int = 17,
        reprojection_weight: float = 0.5,
    ) -> None:
        super().__init__(dim_rep, scale_weight, velocity_weight, joints)
        self.reprojection_weight = reprojection_weight

    def loss(self, prediction: Prediction, batch: Batch) -> dict[str, Tensor]:
        """The pose head's terms over samples with 3D, ``reprojection`` over valid frames of those with 2D alone."""
        counted = batch["valid"] & batch["has_2d_target"][:, None]
        keypoints = known(batch["keypoints2d_px"], counted)
        error, seen = reprojection_error(prediction["joints"], keypoints, batch["camera_k"])
        reprojection = self.reprojection_weight * masked_mean(error, seen & counted)
        return super().loss(prediction, batch) | {"reprojection": reprojection}
