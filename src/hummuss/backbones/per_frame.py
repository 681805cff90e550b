"""A plain model that sees every frame by itself: what is gained by looking at motion at all is measured against it."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from hummuss.backbones.inputs import blank_padding, check_inputs

# Channels of a hidden layer per channel of a joint: 1024, as published, for 128.
WIDTH = 8


class PerFrame(nn.Module):
    """2D keypoints of one frame -> motion representation of that frame, by residual blocks over all joints at once.

    Its answer is the same at any frame rate, and jitters as its input does.

    Args:
        dim: channels per joint; hidden layers have eight times as many.
        depth: residual blocks of two linear layers each.
        dim_rep: channels of the motion representation; dim by default.
        dropout: after every hidden layer.
        joints: J, joints of the input layout.

    Source: Martinez et al., "A simple yet effective baseline for 3d human pose estimation" (ICCV 2017), with LayerNorm
    for its BatchNorm, whose statistics would mix the frames of a batch.

    >>> backbone = PerFrame(dim=16, depth=1)
    >>> backbone(torch.rand(2, 9, 17, 3), torch.full((2, 9), 0.04)).shape
    torch.Size([2, 9, 17, 16])
    """

    def __init__(
        self, dim: int = 128, depth: int = 2, dim_rep: int | None = None, dropout: float = 0.0, joints: int = 17
    ) -> None:
        super().__init__()
        self.dim_rep, self.joints = dim_rep or dim, joints
        width = WIDTH * dim

        def hidden(channels: int) -> nn.Sequential:
            return nn.Sequential(nn.Linear(channels, width), nn.LayerNorm(width), nn.GELU(), nn.Dropout(dropout))

        self.lift = hidden(joints * 3 + 3)
        self.blocks = nn.ModuleList(nn.Sequential(hidden(width), hidden(width)) for _ in range(depth))
        self.project = nn.Linear(width, joints * self.dim_rep)

    def forward(
        self,
        keypoints: Float[Tensor, "B F J 3"],
        dt: Float[Tensor, "B F"],
        valid: Bool[Tensor, "B F"] | None = None,
    ) -> Float[Tensor, "B F J dim_rep"]:
        """Normalised keypoints with confidence -> representation; neither dt nor anything at padding is looked at.

        Raises:
            InputError: another number of joints than the model has, no frame, or dt or valid of other frames than the
                keypoints.
        """
        check_inputs(keypoints, self.joints, dt, valid)
        x = self.lift(_about_their_middle(blank_padding(keypoints, valid)))
        for block in self.blocks:
            x = x + block(x)
        return torch.tanh(self.project(x).unflatten(-1, (self.joints, self.dim_rep)))


def _about_their_middle(keypoints: Float[Tensor, "B F J 3"]) -> Float[Tensor, "B F D"]:
    """Detected joints relative to the middle and the extent of all that are, their confidence, and those two.

    D = 3 J + 3. Linear layers see a pose well only if it looks alike wherever the person stands.
    """
    position, confidence = keypoints[..., :2], keypoints[..., 2:]
    seen = (confidence > 0).to(keypoints.dtype)
    count = seen.sum(-2, keepdim=True).clamp(min=1)
    middle = (position * seen).sum(-2, keepdim=True) / count
    away = (position - middle) * seen
    extent = (away.square().sum((-2, -1), keepdim=True) / count).sqrt()
    about = torch.cat([away / extent.clamp(min=1e-6), confidence], -1)
    return torch.cat([about.flatten(-2), middle.flatten(-2), extent.flatten(-2)], -1)
