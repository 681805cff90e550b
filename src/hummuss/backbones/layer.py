"""A layer of the HumMUSS backbone: two streams of a spatial and a temporal block, fused into one.

Source: HumMUSS (CVPR 2024).
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hummuss.backbones.gdssm import GDSSM
from hummuss.backbones.intervals import Intervals
from hummuss.backbones.joint_attention import JointAttention
from hummuss.backbones.ssm import Kept
from hummuss.errors import InputError

FUSIONS = ("softmax", "mean", "none")

Block = GDSSM | JointAttention


class SpatiotemporalLayer(nn.Module):
    """Streams temporal(spatial(x)) and spatial(temporal(x)), fused into one.

    Args:
        dim: channels.
        make_spatial, make_temporal: a block of either axis, given its ``drop_path``.
        fusion: ``softmax`` over the two streams, learned and per token, ``mean`` of them, or ``none``: there is only
            temporal(spatial(x)), half the blocks.
        drop_paths: of the first and of the last block of either stream.

    Raises:
        InputError: unknown fusion.
    """

    def __init__(
        self,
        dim: int,
        make_spatial: Callable[..., Block],
        make_temporal: Callable[..., GDSSM],
        fusion: str,
        drop_paths: tuple[float, float],
    ) -> None:
        super().__init__()
        if fusion not in FUSIONS:
            raise InputError(f"fusion {fusion!r} is none of {', '.join(FUSIONS)}")
        self.fusion = fusion
        first, last = drop_paths
        self.spatial_first = make_spatial(drop_path=first)
        self.temporal_last = make_temporal(drop_path=last)
        if fusion != "none":
            self.temporal_first = make_temporal(drop_path=first)
            self.spatial_last = make_spatial(drop_path=last)
        if fusion == "softmax":
            self.fuse = nn.Linear(2 * dim, 2)
            nn.init.zeros_(self.fuse.weight)  # both streams start with weight one half
            nn.init.zeros_(self.fuse.bias)

    @property
    def temporal_blocks(self) -> tuple[GDSSM, ...]:
        """The blocks that run along time, in the order of a streaming state."""
        return (self.temporal_last,) if self.fusion == "none" else (self.temporal_first, self.temporal_last)

    @property
    def spatial_blocks(self) -> tuple[Block, ...]:
        """The blocks that run along the joints."""
        return (self.spatial_first,) if self.fusion == "none" else (self.spatial_first, self.spatial_last)

    @property
    def blocks(self) -> tuple[Block, ...]:
        """All blocks."""
        return (*self.spatial_blocks, *self.temporal_blocks)

    def forward(self, x: Float[Tensor, "B F J d"], joints: Intervals, time: Intervals) -> Float[Tensor, "B F J d"]:
        spatial_temporal = _over_frames(self.temporal_last, _over_joints(self.spatial_first, x, joints), time)
        if self.fusion == "none":
            return spatial_temporal
        temporal_spatial = _over_joints(self.spatial_last, _over_frames(self.temporal_first, x, time), joints)
        return self._fuse(spatial_temporal, temporal_spatial)

    def step(
        self,
        x: Float[Tensor, "B J d"],
        joints: Intervals,
        dt: Float[Tensor, "G"],
        state: tuple[Tensor, ...],
        kept: Kept | None = None,
    ) -> tuple[Float[Tensor, "B J d"], tuple[Tensor, ...]]:
        frame = _within_frame(self.spatial_first, x, joints)
        spatial_temporal, last = self.temporal_last.step(frame, dt, state[-1], kept)
        if self.fusion == "none":
            return spatial_temporal, (last,)
        temporal_spatial, first = self.temporal_first.step(x, dt, state[0], kept)
        temporal_spatial = _within_frame(self.spatial_last, temporal_spatial, joints)
        return self._fuse(spatial_temporal, temporal_spatial), (first, last)

    def _fuse(self, first: Float[Tensor, "*B d"], second: Float[Tensor, "*B d"]) -> Float[Tensor, "*B d"]:
        """The streams' mean, or weighted by a softmax over two scores, which is a sigmoid of their difference."""
        if self.fusion == "mean":
            return (first + second) / 2
        of_first, of_second = (self.fuse.weight[0] - self.fuse.weight[1]).chunk(2)
        score = first @ of_first + second @ of_second + (self.fuse.bias[0] - self.fuse.bias[1])
        # Under autocast the score is of a lower precision than the streams.
        return torch.lerp(second, first, score.to(first.dtype).sigmoid()[..., None])


def _within_frame(block: Block, x: Float[Tensor, "B J d"], joints: Intervals) -> Float[Tensor, "B J d"]:
    """Run a block along the joints of one frame of a stream, of which nothing is ever dropped."""
    return x + block.residual(x[:, None], joints)[:, 0]


def _over_joints(block: Block, x: Float[Tensor, "B F J d"], joints: Intervals) -> Float[Tensor, "B F J d"]:
    """Run a block along the joints; the frames of a clip are parallel sequences."""
    # The one copy where time has left its joints first, elsewhere a view: without it a layer's gradients would add up
    # in another order, and a seed would not train to the same bits.
    return block(x.flatten(0, 1).unflatten(0, x.shape[:2]), joints)


def _over_frames(block: GDSSM, x: Float[Tensor, "B F J d"], time: Intervals) -> Float[Tensor, "B F J d"]:
    """Run a block along time; the joints of a clip are parallel sequences."""
    return block(x.transpose(1, 2), time).transpose(1, 2)
