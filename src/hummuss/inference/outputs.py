"""What a model's heads predict of one clip, as arrays under the names that users know."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import roma
import torch
from jaxtyping import Float32

from hummuss.errors import InputError
from hummuss.heads.action import ActionHead
from hummuss.heads.base import Head, Prediction, root_relative
from hummuss.heads.embedding import EmbeddingHead
from hummuss.heads.mesh import MeshHead
from hummuss.inference.strategy import Model


@dataclass(frozen=True)
class Outputs:
    """What the heads of a model say; None where no head says it. `ClipPrediction` tells units and axes."""

    joints3d: Float32[np.ndarray, "F 17 3"] | None = None
    smpl_pose: Float32[np.ndarray, "F 24 3"] | None = None
    betas: Float32[np.ndarray, "10"] | None = None
    body: str | None = None
    actions: dict[str, float] | None = None
    embedding: Float32[np.ndarray, "D"] | None = None


def pick_outputs(model: Model, predictions: Mapping[str, Prediction]) -> Outputs:
    """The outputs of one clip, which is the first row of the predictions.

    Where several heads say the same, the first counts; joints are a pose head's rather than a body's.

    Raises:
        InputError: no head says anything that has a name here.
    """
    heads, found = model.heads, dict[str, Any]()
    for name in reversed(sorted(heads, key=lambda name: isinstance(heads[name], MeshHead))):
        found |= _outputs_of(heads[name], predictions[name])
    if not found:
        raise InputError(
            f"the model predicts neither pose, mesh, action nor embedding, only {', '.join(heads)}: "
            "call it with batches of your own"
        )
    return Outputs(**found)


def _outputs_of(head: Head, prediction: Prediction) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if "joints" in prediction:
        found["joints3d"] = to_array(root_relative(prediction["joints"])[0])
    if isinstance(head, MeshHead):
        found["smpl_pose"] = to_array(roma.rotmat_to_rotvec(prediction["rotations"])[0])
        found["betas"], found["body"] = to_array(prediction["betas"][0]), head.body.name
    if isinstance(head, ActionHead):
        found["actions"] = dict(zip(head.classes, prediction["probabilities"][0].tolist(), strict=True))
    if isinstance(head, EmbeddingHead):
        found["embedding"] = to_array(prediction["embedding"][0])
    return found


def drawn_head(model: Model, predictions: Mapping[str, Prediction]) -> str | None:
    """Name of the head that pictures are made of: a body rather than joints; None where neither is predicted."""
    posing = (name for name in model.heads if "joints" in predictions[name])
    return min(posing, key=lambda name: not isinstance(model.heads[name], MeshHead), default=None)


def to_array(values: torch.Tensor) -> Float32[np.ndarray, "..."]:
    """On the CPU, in float32."""
    return values.float().cpu().numpy()
