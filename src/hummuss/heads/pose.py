"""3D pose: one linear map per token to root-relative joints."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torchmetrics import Metric, MetricCollection

from hummuss.data.datamodules import MotionDataModule
from hummuss.errors import InputError
from hummuss.heads.base import (
    Batch,
    Head,
    Prediction,
    RunningMean,
    consecutive,
    known,
    masked_mean,
    mirror_joints,
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

    Source: loss terms as MotionBERT's (ICCV 2023), velocities per second instead of per frame.
    """

    predicts = ("joints",)
    headline = ("mpjpe",)
    frame_outputs = ("joints",)

    def __init__(self, dim_rep: int, scale_weight: float = 0.5, velocity_weight: float = 0.4, joints: int = 17) -> None:
        super().__init__()
        self.scale_weight, self.velocity_weight = scale_weight, velocity_weight
        self.project = nn.Linear(dim_rep, 3)
        self.mean_joints = RunningMean(joints, 3)

    def check_data(self, data: MotionDataModule) -> None:
        """Refuse data of 2D alone: there is nothing to learn from or to score against."""
        if not data.carries("joints3d"):
            raise InputError(
                f"no clip of {data.dataset} has joints3d for the pose head: it is 2D only, or "
                "data.init_args.move makes it so"
            )

    def forward(self, representation: Float[Tensor, "B F J dim_rep"], batch: Batch) -> Prediction:
        """``joints``: (B, F, J, 3) root-relative, metres."""
        return {"joints": root_relative(self.project(representation))}

    def loss(self, prediction: Prediction, batch: Batch) -> dict[str, Tensor]:
        """Joint, scale-aligned joint and velocity errors, metres and m/s."""
        counted = batch["valid"] & batch["has_joints3d"][:, None]
        predicted, target = prediction["joints"], root_relative(known(batch["joints3d"], counted))
        scale = (predicted * target).sum((-1, -2)) / predicted.square().sum((-1, -2)).clamp(min=1e-8)
        terms = {
            "joints": _distance(predicted, target),
            "scale": self.scale_weight * _distance(scale[..., None, None] * predicted, target),
        }
        losses = {name: masked_mean(term.mean(-1), counted) for name, term in terms.items()}
        pairs = consecutive(counted)
        speed = velocity_error(predicted, target, batch["dt"], pairs).norm(dim=-1).mean(-1)
        return losses | {"velocity": self.velocity_weight * masked_mean(speed, pairs)}

    def mirror(self, prediction: Prediction) -> Prediction:
        """Sides swapped, x negated."""
        return {"joints": mirror_joints(prediction["joints"])}

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
        joints, target = prediction["joints"], root_relative(batch["joints3d"])
        return [joint_panel(batch, place, joints[place], target[place]) for place in shown_frames(batch, count)]


def joint_metrics() -> dict[str, Metric | MetricCollection]:
    """New metrics of everything that predicts joints."""
    return {
        "mpjpe": MPJPE(),
        "pa_mpjpe": PAMPJPE(),
        "n_mpjpe": NMPJPE(),
        "accel": AccelerationError(),
        "accel_frame": AccelerationErrorPerFrame(),
    }


def joint_panel(
    batch: Batch, place: tuple[int, int], predicted: Float[Tensor, "J 3"], target: Float[Tensor, "J 3"]
) -> Panel:
    """One frame of one sample: input keypoints, true and predicted joints, error in the title."""
    sample, frame = place
    true = bool(batch["has_joints3d"][sample])
    error = f": {1000 * _distance(predicted, target).mean():.0f} mm" if true else ""
    return Panel(
        title=f"sample {sample}, frame {frame}{error}",
        keypoints=batch["keypoints"][place].cpu().float().numpy(),
        true_joints=target.cpu().numpy() if true else None,
        predicted_joints=predicted.detach().float().cpu().numpy(),
    )


def shown_frames(batch: Batch, count: int) -> list[tuple[int, int]]:
    """Sample and frame of ``count`` pictures: the middle valid frame of the first samples.

    Where the batch has fewer samples, several of each, evenly spaced; fewer pictures where there are fewer frames.
    """
    samples = min(count, len(batch["valid"]))
    places = []
    for sample in range(samples):
        frames = batch["valid"][sample].nonzero().flatten().tolist()
        share = min(len(frames), len(range(sample, count, samples)))
        places += [(sample, frames[((2 * i + 1) * len(frames) - 1) // (2 * share)]) for i in range(share)]
    return places


def _distance(a: Float[Tensor, "*B 3"], b: Float[Tensor, "*B 3"]) -> Float[Tensor, "*B"]:
    return torch.linalg.vector_norm(a - b, dim=-1)
