"""3D pose: one linear map per token to root-relative joints."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torchmetrics import Metric, MetricCollection

from hummuss.heads.base import (
    Batch,
    Head,
    Prediction,
    RunningMean,
    consecutive,
    masked_mean,
    root_relative,
    velocity_error,
)
from hummuss.metrics import (
    AUC,
    MPJPE,
    MPJVE,
    NMPJPE,
    PAMPJPE,
    PCK,
    AccelerationError,
    AccelerationErrorPerFrame,
)
from hummuss.viz.draw import Panel


class PoseHead(Head):
    """Representation -> root-relative Human3.6M joints in metres.

    Args:
        dim_rep: channels of the representation.
        scale_weight: weight of the scale-aligned joint error.
        velocity_weight: weight of the velocity error, per m/s; 0.4 equals 20 times the per-frame difference at 50 fps.
        joints: number of joints.

    Source: SPEC section 4; loss terms as MotionBERT's (ICCV 2023), velocities per second instead of per frame.
    """

    predicts = ("joints",)

    def __init__(self, dim_rep: int, scale_weight: float = 0.5, velocity_weight: float = 0.4, joints: int = 17) -> None:
        super().__init__()
        self.scale_weight, self.velocity_weight = scale_weight, velocity_weight
        self.project = nn.Linear(dim_rep, 3)
        self.mean_joints = RunningMean(joints, 3)

    def forward(self, representation: Float[Tensor, "B F J dim_rep"], batch: Batch) -> Prediction:
        """``joints``: (B, F, J, 3) root-relative, metres."""
        return {"joints": root_relative(self.project(representation))}

    def loss(self, prediction: Prediction, batch: Batch) -> dict[str, Tensor]:
        """Joint, scale-aligned joint and velocity errors, metres and m/s."""
        predicted, target = prediction["joints"], root_relative(batch["joints3d"])
        counted = batch["valid"] & batch["has_joints3d"][:, None]
        scale = (predicted * target).sum((-1, -2)) / predicted.square().sum((-1, -2)).clamp(min=1e-8)
        terms = {
            "joints": _distance(predicted, target),
            "scale": self.scale_weight * _distance(scale[..., None, None] * predicted, target),
        }
        losses = {name: masked_mean(term.mean(-1), counted) for name, term in terms.items()}
        speed = velocity_error(predicted, target, batch["dt"]).norm(dim=-1).mean(-1)
        return losses | {"velocity": self.velocity_weight * masked_mean(speed, consecutive(counted))}

    def metrics(self) -> MetricCollection:
        """Joint errors in mm, velocity errors in mm/s, acceleration errors in m/s² and mm/frame², PCK and AUC in %."""
        return MetricCollection({**joint_metrics(), "mpjve": MPJVE(), "pck": PCK(), "auc": AUC()})

    def comparison(self, prediction: Prediction, batch: Batch) -> dict[str, Tensor]:
        """Root-relative joints at valid frames."""
        return {
            "predicted": prediction["joints"],
            "target": root_relative(batch["joints3d"]),
            "valid": batch["valid"] & batch["has_joints3d"][:, None],
            "dt": batch["dt"],
        }

    def observe(self, batch: Batch) -> None:
        """Mean root-relative joints in camera coordinates."""
        counted = batch["valid"] & batch["has_joints3d"][:, None]
        self.mean_joints.observe(root_relative(batch["joints3d"])[counted])

    def baseline(self, batch: Batch) -> Prediction:
        """The mean pose of the training set."""
        return {"joints": self.mean_joints.value.expand_as(batch["joints3d"])}

    def panels(self, prediction: Prediction, batch: Batch, count: int) -> list[Panel]:
        """Skeletons, true and predicted."""
        target = root_relative(batch["joints3d"])
        chosen = range(min(count, len(target)))
        return [joint_panel(batch, sample, prediction["joints"][sample], target[sample]) for sample in chosen]


def joint_metrics() -> dict[str, Metric | MetricCollection]:
    """New metrics of everything that predicts joints."""
    return {
        "mpjpe": MPJPE(),
        "pa_mpjpe": PAMPJPE(),
        "n_mpjpe": NMPJPE(),
        "accel": AccelerationError(),
        "accel_frame": AccelerationErrorPerFrame(),
    }


def joint_panel(batch: Batch, sample: int, predicted: Float[Tensor, "F J 3"], target: Float[Tensor, "F J 3"]) -> Panel:
    """One sample at the middle valid frame: input keypoints, true and predicted joints, error in the title."""
    frame = middle_frame(batch, sample)
    error = 1000 * _distance(predicted[frame], target[frame]).mean()
    return Panel(
        title=f"sample {sample}, frame {frame}: {error:.0f} mm",
        keypoints=batch["keypoints"][sample, frame].cpu().numpy(),
        true_joints=target[frame].cpu().numpy(),
        predicted_joints=predicted[frame].detach().float().cpu().numpy(),
    )


def middle_frame(batch: Batch, sample: int) -> int:
    """Index of the frame in the middle of a sample's valid ones."""
    return int(batch["valid"][sample].nonzero().flatten().median())


def _distance(a: Float[Tensor, "*B 3"], b: Float[Tensor, "*B 3"]) -> Float[Tensor, "*B"]:
    return torch.linalg.vector_norm(a - b, dim=-1)
