"""The HumMUSS backbone: two streams of alternating spatial and temporal gated state space blocks.

Source: HumMUSS (CVPR 2024). Defaults the paper does not state are ours, see docs/architecture.md.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from hummuss.backbones.gdssm import GDSSM
from hummuss.backbones.inputs import blank_padding, check_inputs, check_order
from hummuss.backbones.intervals import Intervals, check_dt, index_intervals, prepare_intervals
from hummuss.backbones.joint_attention import JointAttention
from hummuss.backbones.layer import Block, SpatiotemporalLayer
from hummuss.backbones.memory import Memory
from hummuss.backbones.norms import make_norm
from hummuss.backbones.options import check_counts, check_range
from hummuss.backbones.ssm import Kept, make_together
from hummuss.backbones.stochastic_depth import rates_by_depth
from hummuss.errors import InputError

MIXINGS = ("ssm", "attention")
SPATIAL_STEPS = (0.05, 1.0)
# Where training makes the kernels of all layers at once. A GPU's small operators cost their launch, and these are a
# fifth as many; a processor would lose the caches in which each layer's stay (docs/architecture.md).
TOGETHER_ON = ("cuda",)

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
        norm: ``layer`` or ``rms``, in front of every block and of the projection to the representation.
        drop_path: stochastic depth, see `StochasticDepth`: of the first blocks 0, growing linearly to this of the last.
        joint_order: the layout's joints in the order in which the spatial blocks go along them; the layout's own by
            default. Inputs, outputs and the joint embedding keep the layout's.
        spatial_mixing: ``ssm``, or ``attention`` for `JointAttention` in the place of the spatial blocks: modes, init,
            directions and gate are then those of time alone.

    Raises:
        InputError: an option that is none of its values, sizes that do not divide, a joint_order that is no
            permutation, or settings of spatial state space layers where attention stands in for them.

    >>> backbone = HumMUSS(dim=16, depth=1)
    >>> backbone(torch.rand(2, 9, 17, 3), torch.full((2, 9), 0.04)).shape
    torch.Size([2, 9, 17, 16])
    """

    _order: Tensor | None  # (J,): the layout's joints in the order of the spatial blocks
    _places: Tensor | None  # (J,): where each of the layout's joints stands in it

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
        spatial_steps: tuple[float, float] = SPATIAL_STEPS,
        init: str = "legs",
        reference_fps: float = 50.0,
        bandlimit: float | None = None,
        causal: bool = False,
        dropout: float = 0.0,
        joints: int = 17,
        directions: str = "product",
        gate: str = "product",
        fusion: str = "softmax",
        norm: str = "layer",
        drop_path: float = 0.0,
        joint_order: tuple[int, ...] | None = None,
        spatial_mixing: str = "ssm",
    ) -> None:
        super().__init__()
        check_counts(depth=depth, joints=joints)
        # By the names that they have here; blocks refuse the others.
        check_counts(temporal_reduction=temporal_reduction, spatial_reduction=spatial_reduction)
        check_range("temporal_steps", temporal_steps)
        check_range("spatial_steps", spatial_steps)
        if spatial_mixing not in MIXINGS:
            raise InputError(f"spatial_mixing {spatial_mixing!r} is none of {', '.join(MIXINGS)}")
        if joint_order is not None:
            check_order(joint_order, joints)
        self.dim_rep = dim_rep or dim
        self.causal = causal
        self.joints = joints
        common: dict[str, Any] = {"dim": dim, "expansion": expansion, "dropout": dropout, "norm": norm}
        gated = {**common, "modes": modes, "init": init, "directions": directions, "gate": gate}
        temporal = {**gated, "reduction": temporal_reduction, "step_range": temporal_steps}
        temporal |= {"bandlimit": bandlimit, "causal": causal, "reference_fps": reference_fps}
        spatial = {**gated, "reduction": spatial_reduction, "step_range": spatial_steps, "reference_fps": 1.0}
        make_spatial: Callable[..., Block] = partial(GDSSM, **spatial)
        if spatial_mixing == "attention":
            if (spatial_reduction, spatial_steps, joint_order) != (1, SPATIAL_STEPS, None):
                raise InputError(
                    f"spatial_reduction {spatial_reduction}, spatial_steps {spatial_steps}, joint_order {joint_order}: "
                    "spatial_mixing 'attention' has none of them, leave them as they are by default"
                )
            make_spatial = partial(JointAttention, **common)
        self.lift = nn.Linear(3, dim)
        # Large enough that joints do not look alike (at 0.02 some runs never leave the pose in which all joints
        # coincide), small enough not to drown the input; docs/architecture.md has the figures.
        self.joint_embedding = nn.Parameter(0.1 * torch.randn(joints, dim))
        layers = nn.ModuleList(
            SpatiotemporalLayer(dim, make_spatial, partial(GDSSM, **temporal), fusion, rates)
            for rates in rates_by_depth(drop_path, depth)
        )
        self.layers = cast(list[SpatiotemporalLayer], layers)
        self.norm = make_norm(norm, dim)
        self.project = nn.Linear(dim, self.dim_rep)
        order = None if joint_order is None else torch.tensor(joint_order)
        self.register_buffer("_order", order, persistent=False)
        self.register_buffer("_places", None if order is None else order.argsort(), persistent=False)
        self._memory = Memory()

    def forward(
        self,
        keypoints: Float[Tensor, "B F J 3"],
        dt: Float[Tensor, "B F"],
        valid: Bool[Tensor, "B F"] | None = None,
    ) -> Float[Tensor, "B F J dim_rep"]:
        """Normalised keypoints with confidence, and seconds since each previous frame -> representation.

        Raises:
            InputError: another number of joints than the model has, no frame, a clip without a valid one, a dt that is
                not positive, or dt or valid of other frames than the keypoints.
        """
        return self._run(keypoints, dt, valid)

    def init_state(self, batch_size: int) -> State:
        """The state of a causal model before the first frame; its size never grows."""
        self._check_causal()
        return [
            tuple(block.ssms[0].init_state(batch_size, self.joints) for block in layer.temporal_blocks)
            for layer in self.layers
        ]

    def step(
        self, keypoints: Float[Tensor, "B J 3"], dt: Float[Tensor, "B"], state: State
    ) -> tuple[Float[Tensor, "B J dim_rep"], State]:
        """Advance a causal model by one frame; outputs equal those of `forward` on the whole clip.

        Where time stamps are nearly even, `forward` takes their mean for all of them (`prepare_intervals`) and a stream
        each as it is: outputs then differ by about as little as the time stamps do.

        Raises:
            InputError: as in `forward`, a model that is not causal, or a state that is none of this model and as many
                clips; the state is then as it was.
        """
        self._check_causal()
        check_inputs(keypoints, self.joints, dt)
        self._check_state(state, len(keypoints))
        dt = self._prepare_frame(dt)
        joints_kept, kept = self._recall(dt)
        joints = index_intervals(keypoints)._replace(kept=joints_kept)
        x = self._enter(keypoints)
        after: State = []
        for layer, before in zip(self.layers, state, strict=True):
            x, updated = layer.step(x, joints, dt, before, kept)
            after.append(updated)
        return self._leave(x), after

    def advance(
        self, keypoints: Float[Tensor, "B F J 3"], dt: Float[Tensor, "B F"], state: State
    ) -> tuple[Float[Tensor, "B F J dim_rep"], State]:
        """`step` for F frames at once: a causal model's clip in pieces of any length, in the memory of one of them.

        Outputs equal those of `forward` on the whole clip; of nearly even time stamps each piece takes its own mean. In
        training stochastic depth, which `step` does not have, is drawn anew for each piece.

        Raises:
            InputError: as in `forward`, a model that is not causal, or a state that is none of this model and as many
                clips.

        >>> causal = HumMUSS(dim=16, depth=1, causal=True)
        >>> clip, dt = torch.rand(2, 9, 17, 3), torch.full((2, 9), 0.04)
        >>> first, state = causal.advance(clip[:, :5], dt[:, :5], causal.init_state(2))
        >>> then, state = causal.advance(clip[:, 5:], dt[:, 5:], state)
        >>> bool(torch.allclose(torch.cat([first, then], 1), causal(clip, dt), atol=1e-4))
        True
        """
        self._check_causal()
        self._check_state(state, len(keypoints))
        blocks = [layer.temporal_blocks for layer in self.layers]
        carried: dict[nn.Module, Tensor] = {}
        for own, before in zip(blocks, state, strict=True):
            carried.update(zip(own, before, strict=True))
        representation = self._run(keypoints, dt, None, carried)
        return representation, [tuple(carried[block] for block in own) for own in blocks]

    def _check_causal(self) -> None:
        if not self.causal:
            raise InputError("only a causal HumMUSS has a state to go on from: build it with causal=True")

    def _check_state(self, state: State, batch_size: int) -> None:
        if torch.compiler.is_compiling() or torch.jit.is_tracing():  # an exported step knows no number of clips
            return
        given = [[tuple(part.shape) for part in parts] for parts in state]
        expected = [
            [(batch_size, self.joints, 2, *block.ssms[0].log_decay.shape) for block in layer.temporal_blocks]
            for layer in self.layers
        ]
        if given != expected:
            raise InputError(
                f"the state is of {len(given)} layers, its parts {sorted({part for own in given for part in own})}; "
                f"{batch_size} clips and this model have {len(expected)}, {expected[0][0]}: begin with "
                f"init_state({batch_size}) and hand on what is returned"
            )

    def _run(
        self,
        keypoints: Float[Tensor, "B F J 3"],
        dt: Float[Tensor, "B F"],
        valid: Bool[Tensor, "B F"] | None,
        carried: dict[nn.Module, Tensor] | None = None,
    ) -> Float[Tensor, "B F J dim_rep"]:
        """All frames at once, from the beginning or from what earlier ones have left in ``carried``, which follows."""
        check_inputs(keypoints, self.joints, dt, valid)
        time, joints = self._prepare_time(dt, valid), index_intervals(keypoints)
        at_once = keypoints.device.type in TOGETHER_ON and torch.is_grad_enabled()
        joints_kept, time_kept = self._make_together(joints, time) if at_once else self._recall(time.even)
        joints, time = joints._replace(kept=joints_kept), time._replace(kept=time_kept, carried=carried)
        x = self._enter(blank_padding(keypoints, time.valid))
        for layer in self.layers:
            x = layer(x, joints, time)
        return self._leave(x)

    def _enter(self, keypoints: Float[Tensor, "*B J 3"]) -> Float[Tensor, "*B J d"]:
        """Lifted joints, each marked as the one it is, in the order in which the layers have them."""
        if self._order is None:
            return self.lift(keypoints) + self.joint_embedding
        return self.lift(keypoints[..., self._order, :]) + self.joint_embedding[self._order]

    def _leave(self, x: Float[Tensor, "*B J d"]) -> Float[Tensor, "*B J dim_rep"]:
        """The representation, in the layout's order again."""
        y = torch.tanh(self.project(self.norm(x)))
        return y if self._places is None else y[..., self._places, :]

    @torch.compiler.disable
    def _prepare_time(self, dt: Float[Tensor, "B F"], valid: Bool[Tensor, "B F"] | None) -> Intervals:
        """What reads values, once per forward pass and outside what `torch.compile` compiles."""
        if torch.is_grad_enabled():
            self._memory.forget()  # training has better use for the room
        time = prepare_intervals(dt, valid)
        if time.even is not None:
            return time
        blocks = (block for layer in self.layers for block in layer.temporal_blocks)
        # Either direction by its own intervals: the last frame's backward one is the first frame's forward one.
        scanned = (own for block in blocks for own in zip(block.ssms, (time.forward, time.backward), strict=False))
        return time._replace(chunk=min(ssm.scan_chunk(intervals) for ssm, intervals in scanned))

    @torch.compiler.disable
    def _prepare_frame(self, dt: Float[Tensor, "B"]) -> Float[Tensor, "G"]:
        """The same for a frame: one interval where all clips share it."""
        if torch.compiler.is_compiling() or torch.jit.is_tracing():  # here only in export: there are no values yet
            return dt
        check_dt(dt, torch.ones_like(dt, dtype=torch.bool))
        return dt[:1] if bool((dt == dt[0]).all()) else dt

    def _make_together(self, joints: Intervals, time: Intervals) -> tuple[Kept, Kept | None]:
        """What the convolutions along either axis take beside their input, for this pass alone."""
        spatial = [block for layer in self.layers for block in layer.spatial_blocks]
        temporal = [block for layer in self.layers for block in layer.temporal_blocks]
        return _make_axis(spatial, joints), None if time.even is None else _make_axis(temporal, time)

    def _recall(self, dt: Float[Tensor, "G"] | None) -> tuple[Kept | None, Kept | None]:
        """What earlier passes kept for the joints, and for time if all clips share the interval dt."""
        if torch.is_grad_enabled() or torch.compiler.is_compiling() or torch.jit.is_tracing():
            return None, None
        self._memory.follow(ssm for layer in self.layers for block in layer.blocks for ssm in block.ssms)
        joints = self._memory.of("joints", 1.0)
        return joints, None if dt is None or len(dt) > 1 else self._memory.of("time", float(dt))


def _make_axis(blocks: Sequence[Block], intervals: Intervals) -> Kept:
    """What all convolutions along an evenly spaced axis take beside their input."""
    assert intervals.even is not None
    kept: Kept = {}
    for direction in range(2):
        ssms = [block.ssms[direction] for block in blocks if direction < len(block.ssms)]
        if ssms:
            frames = intervals.forward.shape[-1]
            kept |= make_together(ssms, frames, intervals.even, direction == 1, intervals.chunk)
    return kept
