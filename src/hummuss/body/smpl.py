"""An SMPL-format body: rotations and shape -> joints and vertices, through smplx."""

from importlib import resources
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from smplx.lbs import batch_rigid_transform
from torch import Tensor, nn

from hummuss.body.smpl_file import BETAS, POSE_FEATURES, load_through_smplx, read_body, read_h36m_regressor

FREE_BODY = "free"
# Values held at once while skinning, beside the result: bounds the memory of posing long clips.
CHUNK_VALUES = 2**24


class BodyOutput(NamedTuple):
    """Posed body in metres: the body's own 24 joints, the 17 of Human3.6M, and the vertices asked for."""

    joints24: Float[Tensor, "*B 24 3"]
    joints17: Float[Tensor, "*B 17 3"]
    vertices: Float[Tensor, "*B V 3"]


class BodyModel(nn.Module):
    """Poses a body of the SMPL format. In rest: T-pose, y up, left = +x, facing +z.

    Nothing of the body enters a checkpoint: its buffers are not persistent, since SMPL files are licensed.

    Args:
        path: body file, ``SMPL_*.pkl`` or ``.npz``; None for the free body shipped with the package.
        h36m_regressor: ``.npy`` file with the (17, V) regressor to Human3.6M's joints; not for the free body.

    Raises:
        InputError: a file that is missing, damaged or not of the SMPL format, or no fitting regressor.
    """

    template: Tensor
    shapedirs: Tensor
    weights: Tensor
    posedirs: Tensor | None
    rest_template: Tensor
    rest_shapedirs: Tensor
    support: Tensor
    h36m_weights: Tensor

    def __init__(self, path: str | None = None, h36m_regressor: str | None = None) -> None:
        super().__init__()
        with resources.as_file(resources.files("hummuss.body") / "free_body.npz") as free:
            file = free if path is None else Path(path)
            arrays = read_body(file)
        if path is None:  # the free body has no pose blend shapes; smplx wants the array all the same
            arrays["posedirs"] = np.zeros((len(arrays["v_template"]), 3, POSE_FEATURES), np.float32)
        self.name = FREE_BODY if path is None else file.stem
        model = load_through_smplx(arrays, file)
        regressor = read_h36m_regressor(arrays, file, h36m_regressor)
        self.faces: np.ndarray = model.faces.astype(np.int64)
        self.parents = model.parents
        self.num_vertices = len(model.v_template)
        shapedirs = model.shapedirs[..., :BETAS]
        buffers = {
            "template": model.v_template,
            "shapedirs": shapedirs,
            "weights": model.lbs_weights,
            # Pose blend shapes as (207, V, 3); None where they are zero, to spare the product.
            "posedirs": model.posedirs.view(POSE_FEATURES, -1, 3) if bool(model.posedirs.any()) else None,
            # Rest joints are linear in the shape: regressing both parts once spares every pose the full mesh.
            "rest_template": model.J_regressor @ model.v_template,
            "rest_shapedirs": torch.einsum("jv,vcs->jcs", model.J_regressor, shapedirs),
            "support": regressor.any(0).nonzero().flatten(),
        }
        buffers["h36m_weights"] = regressor[:, buffers["support"]]
        for name, values in buffers.items():
            self.register_buffer(name, None if values is None else values.detach().clone(), persistent=False)

    def rest_joints(self, betas: Float[Tensor, "*B 10"]) -> Float[Tensor, "*B 24 3"]:
        """J0: the 24 joints of the unposed body, metres."""
        return self.rest_template + torch.einsum("jcs,...s->...jc", self.rest_shapedirs, betas)

    def forward(
        self,
        rotations: Float[Tensor, "*B 24 3 3"],
        betas: Float[Tensor, "*C 10"],
        transl: Float[Tensor, "*B 3"],
        vertex_ids: Tensor | None = None,
    ) -> BodyOutput:
        """Pose the body.

        Args:
            rotations: parent-relative joint rotations, the root's first.
            betas: shape; its leading axes broadcast against the rotations', (B, 1, 10) against (B, F, ...).
            transl: metres, added to everything.
            vertex_ids: which vertices to pose; all of them by default, none for an empty tensor.
        """
        lead = rotations.shape[:-3]
        rest = self.rest_joints(betas).expand(*lead, 24, 3).reshape(-1, 24, 3)
        joints, transforms = batch_rigid_transform(rotations.reshape(-1, 24, 3, 3), rest, self.parents)
        offset = transl.reshape(-1, 1, 3)
        # Translating the 24 transforms spares a pass over the vertices.
        transforms = torch.cat([transforms[:, :, :3, :3], (transforms[:, :, :3, 3] + offset)[..., None]], -1)
        if vertex_ids is None:
            vertices = self._skin(
                rotations, betas, transforms, torch.arange(self.num_vertices, device=rotations.device)
            )
            support = vertices[:, self.support]
        else:
            posed = self._skin(rotations, betas, transforms, torch.cat([self.support, vertex_ids]))
            support, vertices = posed.split([len(self.support), len(vertex_ids)], dim=1)
        # Regress, then translate, also where a regressor's rows do not quite sum to one.
        joints17 = self.h36m_weights @ support + (1 - self.h36m_weights.sum(-1, keepdim=True)) * offset
        return BodyOutput(
            (joints + offset).reshape(*lead, 24, 3),
            joints17.reshape(*lead, 17, 3),
            vertices.reshape(*lead, vertices.shape[1], 3),
        )

    def vertex_subset(self, count: int = 400) -> Tensor:
        """Indices of ``count`` vertices spread evenly over the body, by farthest-point sampling."""
        points = self.template
        chosen = [0]
        distance = (points - points[0]).square().sum(-1)
        for _ in range(min(count, self.num_vertices) - 1):
            chosen.append(int(distance.argmax()))
            distance = torch.minimum(distance, (points - points[chosen[-1]]).square().sum(-1))
        return torch.tensor(sorted(chosen), device=points.device)

    def _skin(
        self,
        rotations: Float[Tensor, "*B 24 3 3"],
        betas: Float[Tensor, "*C 10"],
        transforms: Float[Tensor, "N 24 3 4"],
        ids: Tensor,
    ) -> Float[Tensor, "N v 3"]:
        """Linear blend skinning of some vertices, a bounded number of poses at a time."""
        shaped = self.template[ids] + torch.einsum("vcs,...s->...vc", self.shapedirs[ids], betas)
        # A clip's one shape serves all its frames: keep it as (shapes, v, 3) with N / shapes poses to each.
        lead = rotations.shape[:-3]
        own = (1,) * (len(lead) - betas.dim() + 1) + tuple(betas.shape[:-1])
        axes = max((axis + 1 for axis, size in enumerate(own) if size > 1), default=0)
        shaped = shaped.reshape(*own[:axes], len(ids), 3).expand(*lead[:axes], len(ids), 3).reshape(-1, len(ids), 3)
        shapes, weights = len(shaped), self.weights[ids]
        if self.posedirs is None and shapes < len(transforms):
            return _skin_shared(shaped, weights, transforms)

        posedirs = None if self.posedirs is None else self.posedirs[:, ids]
        shape_of = torch.arange(shapes, device=ids.device).repeat_interleave(len(transforms) // max(1, shapes))
        features = (rotations[..., 1:, :, :] - torch.eye(3).to(rotations)).reshape(-1, POSE_FEATURES)
        per_chunk = max(1, CHUNK_VALUES // (12 * max(1, len(ids))))
        posed = []
        for start in range(0, max(1, len(transforms)), per_chunk):
            part = slice(start, start + per_chunk)
            points = shaped[shape_of[part]]
            if posedirs is not None:
                points = points + torch.einsum("bp,pvc->bvc", features[part], posedirs)
            blended = (weights @ transforms[part].reshape(-1, 24, 12)).unflatten(-1, (3, 4))  # (b, v, 3, 4)
            posed.append((blended[..., :3] * points[..., None, :]).sum(-1) + blended[..., 3])
        return torch.cat(posed)


def _skin_shared(
    points: Float[Tensor, "S v 3"], weights: Float[Tensor, "v 24"], transforms: Float[Tensor, "N 24 3 4"]
) -> Float[Tensor, "N v 3"]:
    """Linear blend skinning where each of S shapes has N / S poses in a row.

    A posed coordinate is a sum over 24 joints x 4 of (weight x homogeneous point) x transform: one matrix
    product, six to eight times as fast as blending a transform for every vertex.
    """
    shapes, count = points.shape[:2]
    rows = transforms.transpose(1, 2).reshape(shapes, -1, 96)  # (S, N / S * 3, 24 * 4)
    homogeneous = torch.nn.functional.pad(points, (0, 1), value=1.0)
    per_chunk = max(1, CHUNK_VALUES // (96 * max(1, count)))
    posed = []
    for start in range(0, shapes, per_chunk):
        part = slice(start, start + per_chunk)
        weighted = (weights[:, :, None] * homogeneous[part, :, None]).reshape(-1, count, 96)
        posed.append((rows[part] @ weighted.mT).reshape(-1, 3, count))
    return (posed[0] if len(posed) == 1 else torch.cat(posed)).mT


def transform_body(
    rotation: Float[Tensor, "*#B 3 3"],
    translation: Float[Tensor, "*#B 3"],
    root: Float[Tensor, "*B 3 3"],
    transl: Float[Tensor, "*B 3"],
    rest_pelvis: Float[Tensor, "3"],
) -> tuple[Float[Tensor, "*B 3 3"], Float[Tensor, "*B 3"]]:
    """Body parameters after the rigid motion x' = rotation x + translation (metres), one for all or each its own.

    The root turns about the rest pelvis J0, which is not the origin: transl' = R (J0 + transl) + t - J0.
    """
    pelvis = (rotation @ (rest_pelvis + transl)[..., None])[..., 0] + translation
    return rotation @ root, pelvis - rest_pelvis
