"""Body mesh recovery: joint rotations and shape of an SMPL-format body."""

from dataclasses import replace

import roma
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torchmetrics import MetricCollection

from hummuss.body.skeleton import H36M17, SMPL24
from hummuss.body.smpl import BodyModel, BodyOutput
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
    velocity_error,
)
from hummuss.heads.pose import joint_metrics, joint_panel, shown_frames
from hummuss.metrics import MPVE
from hummuss.viz.draw import Panel

# A body standing upright in front of a camera (y down, z forward), facing it: half a turn about x.
UPRIGHT_IN_CAMERA = ((1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, -1.0))

# Skeletons disagree on where the pelvis is, by 12 cm between two of CMU's formats, and agree on the hips.
HIPS = [H36M17.joints.index("right_hip"), H36M17.joints.index("left_hip")]


class MeshHead(Head):
    """Representation -> rotations and shape, as residuals from an upright rest pose -> joints and vertices.

    Joints and vertices are relative to the middle of the hips, true and predicted ones each to their own, in losses
    and metrics alike (the midpoint of the hips is what HMR and its successors align 3DPW by).

    Args:
        dim_rep: channels of the representation.
        hidden: width of the two regressors.
        joints_weight, velocity_weight, rotations_weight, betas_weight, vertices_weight: of the L1 loss terms, whose
            units are metres, m/s, 1, 1 and metres.
        vertex_count: vertices in the training loss, a fixed subset; evaluation takes all.
        body_path: SMPL-format body file; None for the free body shipped with the package.
        h36m_regressor: regressor file to the 17 Human3.6M joints that belongs to ``body_path``.
        dropout: before the regressors.
        joints: tokens per frame.

    Source: rotations in the 6D form of Zhou et al. (CVPR 2019).
    """

    predicts = ("joints", "rotations", "betas")
    headline = ("mpjpe", "mpve")
    frame_outputs = ("rotations",)
    clip_outputs = ("betas",)
    loss_vertices: Tensor
    upright: Tensor

    def __init__(
        self,
        dim_rep: int,
        hidden: int = 512,
        joints_weight: float = 1.0,
        velocity_weight: float = 0.05,
        rotations_weight: float = 0.1,
        betas_weight: float = 0.005,
        vertices_weight: float = 0.5,
        vertex_count: int = 400,
        body_path: str | None = None,
        h36m_regressor: str | None = None,
        dropout: float = 0.0,
        joints: int = 17,
    ) -> None:
        super().__init__()
        self.weights = {
            "joints": joints_weight,
            "velocity": velocity_weight,
            "rotations": rotations_weight,
            "betas": betas_weight,
            "vertices": vertices_weight,
        }
        self.body = BodyModel(body_path, h36m_regressor)
        self.faces = self.body.faces
        self.register_buffer("loss_vertices", self.body.vertex_subset(vertex_count), persistent=False)
        self.register_buffer("upright", torch.tensor(UPRIGHT_IN_CAMERA), persistent=False)
        self.to_rotations = _regressor(joints * dim_rep, hidden, 24 * 6, dropout)
        self.to_betas = _regressor(joints * dim_rep, hidden, 10, dropout)
        self.mean_joints = RunningMean(17, 3)
        self.mean_rotations = RunningMean(24, 3, 3)
        self.mean_betas = RunningMean(10)

    def check_data(self, data: MotionDataModule) -> None:
        """Refuse labels of another body, whose betas and vertices mean nothing to this one, and data of 2D alone."""
        if not (data.carries("joints3d") or data.carries("smpl_pose")):
            raise InputError(
                f"no clip of {data.dataset} has joints3d or smpl_pose for the mesh head: it is 2D only, or "
                "data.init_args.move makes it so"
            )
        for name in data.bodies:
            if name != self.body.name:
                raise InputError(
                    f"the data poses the body {name!r}, the mesh head {self.body.name!r}: "
                    "give data.init_args and the head's init_args the same body_path"
                )

    def forward(self, representation: Float[Tensor, "B F J dim_rep"], batch: Batch) -> Prediction:
        """``rotations`` (B, F, 24, 3, 3) parent-relative, root in the camera frame; ``betas`` (B, 10);
        ``joints`` (B, F, 17, 3) and the loss's ``vertices`` (B, F, V', 3), hip-relative in metres.
        """
        tokens = representation.flatten(-2)  # (B, F, J dim_rep)
        residual = self.to_rotations(tokens).unflatten(-1, (24, 3, 2))
        rest = torch.eye(3, device=tokens.device, dtype=self.upright.dtype).repeat(24, 1, 1)
        rest = torch.cat([self.upright[None], rest[1:]])
        rotations = roma.special_gramschmidt(rest[..., :2] + residual)
        valid = batch["valid"][..., None]
        summary = (tokens * valid).sum(1) / valid.sum(1)
        betas = self.to_betas(summary)
        return self._posed(rotations, betas)

    def loss(self, prediction: Prediction, batch: Batch) -> dict[str, Tensor]:
        """L1 on joints and their velocities where the sample has joints, on the body where it has body labels."""
        valid, has_smpl = batch["valid"], batch["has_smpl"]
        has_joints, has_body = valid & batch["has_joints3d"][:, None], valid & has_smpl[:, None]
        labels = {"joints3d": has_joints, "smpl_pose": has_body, "betas": has_smpl}
        batch = batch | {name: known(batch[name], counted) for name, counted in labels.items()}
        joints = self._target_joints(batch)
        rotations = _label_rotations(batch)
        with torch.no_grad():
            vertices = self._pose(rotations, batch["betas"], self.loss_vertices).vertices
        pairs = consecutive(has_joints)
        velocity = velocity_error(prediction["joints"], joints, batch["dt"], pairs).abs().mean((-1, -2))
        terms = {
            "joints": masked_mean(_l1(prediction["joints"], joints), has_joints),
            "velocity": masked_mean(velocity, pairs),
            "rotations": masked_mean((prediction["rotations"] - rotations).abs().mean((-1, -2, -3)), has_body),
            "betas": masked_mean((prediction["betas"] - batch["betas"]).abs().mean(-1), has_smpl),
            "vertices": masked_mean(_l1(prediction["vertices"], vertices), has_body),
        }
        return {name: self.weights[name] * term for name, term in terms.items()}

    def mirror(self, prediction: Prediction) -> Prediction:
        """Sides swapped, rotations about y and z turned round; the same shape."""
        signs = prediction["rotations"].new_tensor([-1.0, 1.0, 1.0])
        swapped = prediction["rotations"][..., list(SMPL24.mirror), :, :]
        return {"rotations": swapped * signs[:, None] * signs, "betas": prediction["betas"]}

    def from_mean(self, mean: Prediction) -> Prediction:
        """The rotations nearest to means of rotation matrices, and the body posed by them."""
        rotations = roma.special_procrustes(mean["rotations"])
        return self._posed(rotations, mean["betas"])

    def metrics(self) -> MetricCollection:
        """Joint and vertex errors in mm, acceleration errors in m/s² and mm/frame²."""
        return MetricCollection({**joint_metrics(), "mpve": MPVE()})

    def comparison(self, prediction: Prediction, batch: Batch) -> dict[str, Tensor]:
        """Joints with the capture's and all vertices with the label's, each relative to its own hips."""
        return {
            "predicted": prediction["joints"],
            "target": self._target_joints(batch),
            "predicted_vertices": self._pose(prediction["rotations"], prediction["betas"], None).vertices,
            "target_vertices": self._pose(_label_rotations(batch), batch["betas"], None).vertices,
            "valid": batch["valid"] & batch["has_joints3d"][:, None],
            "valid_vertices": batch["valid"] & batch["has_smpl"][:, None],
            "dt": batch["dt"],
        }

    def observe(self, batch: Batch) -> None:
        """Mean hip-relative joints, rotation matrices and shape, in camera coordinates."""
        has_body = batch["valid"] & batch["has_smpl"][:, None]
        self.mean_joints.observe(self._target_joints(batch)[batch["valid"] & batch["has_joints3d"][:, None]])
        self.mean_rotations.observe(_label_rotations(batch)[has_body])
        self.mean_betas.observe(batch["betas"][batch["has_smpl"]])

    def baseline(self, batch: Batch) -> Prediction:
        """The mean joints of the training set, and the body posed by its mean rotations and shape."""
        rotations = roma.special_procrustes(self.mean_rotations.value)
        return {
            "rotations": rotations.expand(*batch["dt"].shape, 24, 3, 3),
            "betas": self.mean_betas.value.expand_as(batch["betas"]),
            "joints": self.mean_joints.value.expand_as(batch["joints3d"]),
        }

    @torch.no_grad()
    def panels(self, prediction: Prediction, batch: Batch, count: int) -> list[Panel]:
        """Bodies, true and predicted."""
        places = shown_frames(batch, count)
        chosen, frames = torch.tensor(places, device=batch["dt"].device).T
        true = self._pose(_label_rotations(batch)[chosen, frames, None], batch["betas"][chosen], None).vertices
        rotations = prediction["rotations"][chosen, frames, None]
        predicted = self._pose(rotations, prediction["betas"][chosen], None).vertices
        joints = self._target_joints(batch)
        return [
            replace(
                joint_panel(batch, place, prediction["joints"][place], joints[place]),
                true_vertices=true[i, 0].cpu().numpy() if batch["has_smpl"][place[0]] else None,
                predicted_vertices=predicted[i, 0].float().cpu().numpy(),
            )
            for i, place in enumerate(places)
        ]

    def _target_joints(self, batch: Batch) -> Float[Tensor, "B F 17 3"]:
        return batch["joints3d"] - _hip_centre(batch["joints3d"])

    def _posed(self, rotations: Float[Tensor, "B F 24 3 3"], betas: Float[Tensor, "B 10"]) -> Prediction:
        """What `forward` returns."""
        posed = self._pose(rotations, betas, self.loss_vertices)
        return {"rotations": rotations, "betas": betas, "joints": posed.joints17, "vertices": posed.vertices}

    def _pose(
        self, rotations: Float[Tensor, "B F 24 3 3"], betas: Float[Tensor, "B 10"], vertex_ids: Tensor | None
    ) -> BodyOutput:
        """Pose the body with the middle of its hips at the origin."""
        posed = self.body(rotations, betas[:, None], rotations.new_zeros(*rotations.shape[:2], 3), vertex_ids)
        root = _hip_centre(posed.joints17)
        return BodyOutput(posed.joints24 - root, posed.joints17 - root, posed.vertices - root)


def _hip_centre(joints: Float[Tensor, "*B 17 3"]) -> Float[Tensor, "*B 1 3"]:
    return joints[..., HIPS, :].mean(-2, keepdim=True)


def _regressor(inputs: int, hidden: int, outputs: int, dropout: float) -> nn.Sequential:
    """LayerNorm -> hidden -> outputs; starts near zero, so that the first prediction is the rest pose."""
    last = nn.Linear(hidden, outputs)
    nn.init.normal_(last.weight, std=0.01)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.LayerNorm(inputs), nn.Dropout(dropout), nn.Linear(inputs, hidden), nn.GELU(), last)


def _label_rotations(batch: Batch) -> Float[Tensor, "B F 24 3 3"]:
    return roma.rotvec_to_rotmat(batch["smpl_pose"])


def _l1(predicted: Float[Tensor, "B F P 3"], target: Float[Tensor, "B F P 3"]) -> Float[Tensor, "B F"]:
    return (predicted - target).abs().mean((-1, -2))
