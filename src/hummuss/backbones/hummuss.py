"""The HumMUSS backbone: two streams of alternating spatial and temporal gated state space blocks.

Source: HumMUSS (CVPR 2024); SPEC section 3. Defaults the paper does not state are ours, see docs/architecture.md.
"""

from typing import Any, cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from hummuss.backbones.gdssm import GDSSM
from hummuss.backbones.inputs import blank_padding, check_joints
from hummuss.backbones.intervals import Intervals, check_dt, index_intervals, prepare_intervals
from hummuss.backbones.memory import Memory
from hummuss.backbones.ssm import Kept
from hummuss.errors import InputError

FUSIONS = ("softmax", "mean", "none")

State = list[tuple[Tensor, ...]]  # of each layer, one tensor for each of its temporal blocks


class HumMUSS(nn.Module):
    """2D keypoints over time -> motion representation, at any frame rate.

    Args:
        dim: d, channels of the residual stream.
        depth: N, spatiotemporal layers.
        dim_rep: channels of the motion representation; dim by default.
        expansion: e, gate width in multiples of d.
        modes: M, complex modes per SSM channel and direction.
        temporal_reduction, spatial_reduction: k of either axis.
        temporal_steps, spatial_steps: range of the initial discretisation steps of either axis.
        init, reference_fps, bandlimit: see `DiagonalSSM`; the band limit concerns time alone.
        causal: temporal blocks look only back; the model then also has `init_state` and `step`.
        dropout: on every block's output.
        joints: J, joints of the input layout.
        directions, gate: how blocks combine what they compute, see `GDSSM`.
        fusion: how a layer's two streams become one, see `SpatiotemporalLayer`; ``none`` leaves only one stream.

    >>> backbone = HumMUSS(dim=16, depth=1)
    >>> backbone(torch.rand(2, 9, 17, 3), torch.full((2, 9), 0.04)).shape
    torch.Size([2, 9, 17, 16])
    """

    def __init__(
        self,
        dim: int = 256,
        depth: int = 5,
        dim_rep: int | None = None,
        expansion: float = 1.0,
        modes: int = 16,
        temporal_reduction: int = 2,
        spatial_reduction: int = 1,
        temporal_steps: tuple[float, float] = (0.02, 0.5),
        spatial_steps: tuple[float, float] = (0.05, 1.0),
        init: str = "legs",
        reference_fps: float = 50.0,
        bandlimit: float | None = None,
        causal: bool = False,
        dropout: float = 0.0,
        joints: int = 17,
        directions: str = "product",
        gate: str = "product",
        fusion: str = "softmax",
    ) -> None:
        super().__init__()
        self.dim_rep = dim_rep or dim
        self.causal = causal
        self.joints = joints
        shared: dict[str, Any] = {
            "dim": dim,
            "expansion": expansion,
            "modes": modes,
            "init": init,
            "dropout": dropout,
            "directions": directions,
            "gate": gate,
        }
        spatial = {
            **shared,
            "reduction": spatial_reduction,
            "step_range": spatial_steps,
            "reference_fps": 1.0,
        }
        temporal = {**shared, "reduction": temporal_reduction, "step_range": temporal_steps}
        temporal |= {"bandlimit": bandlimit, "causal": causal, "reference_fps": reference_fps}
        self.lift = nn.Linear(3, dim)
        # Large enough that joints do not look alike (at 0.02 some runs never leave the pose in which all joints
        # coincide), small enough not to drown the input; docs/architecture.md has the figures.
        self.joint_embedding = nn.Parameter(0.1 * torch.randn(joints, dim))
        layers = nn.ModuleList(SpatiotemporalLayer(dim, spatial, temporal, fusion) for _ in range(depth))
        self.layers = cast(list[SpatiotemporalLayer], layers)
        self.norm = nn.LayerNorm(dim)
        self.project = nn.Linear(dim, self.dim_rep)
        self._memory = Memory()

    def forward(
        self,
        keypoints: Float[Tensor, "B F J 3"],
        dt: Float[Tensor, "B F"],
        valid: Bool[Tensor, "B F"] | None = None,
    ) -> Float[Tensor, "B F J dim_rep"]:
        """Normalised keypoints with confidence, and seconds since each previous frame -> representation.

        Raises:
            InputError: another number of joints than the model has, no frame, or a dt that is not positive.
        """
        check_joints(keypoints, self.joints)
        time, joints = self._prepare_time(dt, valid), index_intervals(keypoints)
        joints_kept, time_kept = self._recall(time.even)
        joints, time = joints._replace(kept=joints_kept), time._replace(kept=time_kept)
        x = self.lift(blank_padding(keypoints, time.valid)) + self.joint_embedding
        for layer in self.layers:
            x = layer(x, joints, time)
        return torch.tanh(self.project(self.norm(x)))

    def init_state(self, batch_size: int) -> State:
        """The state of a causal model before the first frame; its size never grows."""
        if not self.causal:
            raise InputError("only a causal HumMUSS has a state: build it with causal=True")
        return [
            tuple(block.ssms[0].init_state(batch_size, self.joints) for block in layer.temporal_blocks)
            for layer in self.layers
        ]

    def step(
        self, keypoints: Float[Tensor, "B J 3"], dt: Float[Tensor, "B"], state: State
    ) -> tuple[Float[Tensor, "B J dim_rep"], State]:
        """Advance a causal model by one frame; outputs equal those of `forward` on the whole clip.

        Raises:
            InputError: as in `forward`; the state is then as it was.
        """
        check_joints(keypoints, self.joints)
        dt = self._prepare_frame(dt)
        joints_kept, kept = self._recall(dt)
        joints = index_intervals(keypoints)._replace(kept=joints_kept)
        x = self.lift(keypoints) + self.joint_embedding
        after: State = []
        for layer, before in zip(self.layers, state, strict=True):
            x, updated = layer.step(x, joints, dt, before, kept)
            after.append(updated)
        return torch.tanh(self.project(self.norm(x))), after

    @torch.compiler.disable
    def _prepare_time(self, dt: Float[Tensor, "B F"], valid: Bool[Tensor, "B F"] | None) -> Intervals:
        """What reads values, once per forward pass and outside what `torch.compile` compiles."""
        if torch.is_grad_enabled():
            self._memory.forget()  # training has better use for the room
        time = prepare_intervals(dt, valid)
        if time.even is not None:
            return time
        blocks = (block for layer in self.layers for block in layer.temporal_blocks)
        return time._replace(chunk=min(ssm.scan_chunk(time.forward) for block in blocks for ssm in block.ssms))

    @torch.compiler.disable
    def _prepare_frame(self, dt: Float[Tensor, "B"]) -> Float[Tensor, "G"]:
        """The same for a frame: one interval where all clips share it."""
        if torch.compiler.is_compiling() or torch.jit.is_tracing():  # here only in export: there are no values yet
            return dt
        check_dt(dt, torch.ones_like(dt, dtype=torch.bool))
        return dt[:1] if bool((dt == dt[0]).all()) else dt

    def _recall(self, dt: Float[Tensor, "G"] | None) -> tuple[Kept | None, Kept | None]:
        """What earlier passes kept for the joints, and for time if all clips share the interval dt."""
        if torch.is_grad_enabled() or torch.compiler.is_compiling() or torch.jit.is_tracing():
            return None, None
        self._memory.follow(ssm for layer in self.layers for block in layer.blocks for ssm in block.ssms)
        joints = self._memory.of("joints", 1.0)
        return joints, None if dt is None or len(dt) > 1 else self._memory.of("time", float(dt))


class SpatiotemporalLayer(nn.Module):
    """Streams temporal(spatial(x)) and spatial(temporal(x)), fused into one.

    Args:
        dim: channels.
        spatial, temporal: keyword arguments of the `GDSSM` blocks of either axis.
        fusion: ``softmax`` over the two streams, learned and per token, ``mean`` of them, or ``none``: there is only
            temporal(spatial(x)), half the blocks.

    Raises:
        InputError: unknown fusion.
    """

    def __init__(self, dim: int, spatial: dict[str, Any], temporal: dict[str, Any], fusion: str = "softmax") -> None:
        super().__init__()
        if fusion not in FUSIONS:
            raise InputError(f"fusion {fusion!r} is none of {', '.join(FUSIONS)}")
        self.fusion = fusion
        self.spatial_first = GDSSM(**spatial)
        self.temporal_last = GDSSM(**temporal)
        if fusion != "none":
            self.temporal_first = GDSSM(**temporal)
            self.spatial_last = GDSSM(**spatial)
        if fusion == "softmax":
            self.fuse = nn.Linear(2 * dim, 2)
            nn.init.zeros_(self.fuse.weight)  # both streams start with weight one half
            nn.init.zeros_(self.fuse.bias)

    @property
    def temporal_blocks(self) -> tuple[GDSSM, ...]:
        """The blocks that run along time, in the order of a streaming state."""
        return (self.temporal_last,) if self.fusion == "none" else (self.temporal_first, self.temporal_last)

    @property
    def blocks(self) -> tuple[GDSSM, ...]:
        """All blocks."""
        spatial = (self.spatial_first,) if self.fusion == "none" else (self.spatial_first, self.spatial_last)
        return spatial + self.temporal_blocks

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
        frame = _over_joints(self.spatial_first, x[:, None], joints)[:, 0]
        spatial_temporal, last = self.temporal_last.step(frame, dt, state[-1], kept)
        if self.fusion == "none":
            return spatial_temporal, (last,)
        temporal_spatial, first = self.temporal_first.step(x, dt, state[0], kept)
        temporal_spatial = _over_joints(self.spatial_last, temporal_spatial[:, None], joints)[:, 0]
        return self._fuse(spatial_temporal, temporal_spatial), (first, last)

    def _fuse(self, first: Float[Tensor, "*B d"], second: Float[Tensor, "*B d"]) -> Float[Tensor, "*B d"]:
        """The streams' mean, or weighted by a softmax over two scores, which is a sigmoid of their difference."""
        if self.fusion == "mean":
            return (first + second) / 2
        of_first, of_second = (self.fuse.weight[0] - self.fuse.weight[1]).chunk(2)
        score = first @ of_first + second @ of_second + (self.fuse.bias[0] - self.fuse.bias[1])
        # Under autocast the score is of a lower precision than the streams.
        return torch.lerp(second, first, score.to(first.dtype).sigmoid()[..., None])


def _over_joints(block: GDSSM, x: Float[Tensor, "B F J d"], joints: Intervals) -> Float[Tensor, "B F J d"]:
    """Run a block along the joints; all frames of all clips are parallel sequences."""
    return block(x.flatten(0, 1)[None], joints)[0].unflatten(0, x.shape[:2])


def _over_frames(block: GDSSM, x: Float[Tensor, "B F J d"], time: Intervals) -> Float[Tensor, "B F J d"]:
    """Run a block along time; the joints of a clip are parallel sequences."""
    return block(x.transpose(1, 2), time).transpose(1, 2)
