"""Gated diagonal state space block (GDSSM): what takes the place of attention.

    z = LayerNorm(x),  v = gelu(z W_v),  f = gelu(z W_f),  b = gelu(z W_b)
    u = gelu((SSM_forward(f) * SSM_backward(b)) W_cb)          causal: u = gelu(SSM_forward(f) W_cf)
    out = x + dropout((u * v) W_o)

Source: HumMUSS (CVPR 2024), section on gated diagonal SSMs; SPEC section 2.
"""

from typing import cast

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from hummuss.backbones.intervals import Intervals
from hummuss.backbones.ssm import DiagonalSSM


class GDSSM(nn.Module):
    """Residual block that mixes along one axis; sequences (joints or frames) run in parallel.

    Args:
        dim: d, channels of the residual stream.
        expansion: e, width of the gate in multiples of d.
        reduction: k, the SSM runs on d / k channels.
        modes, init, step_range, reference_fps, bandlimit: see `DiagonalSSM`.
        causal: only the forward direction.
        dropout: on the block's output.
    """

    def __init__(
        self,
        dim: int,
        expansion: float = 1.0,
        reduction: int = 1,
        modes: int = 16,
        init: str = "legs",
        step_range: tuple[float, float] = (0.02, 0.5),
        reference_fps: float = 50.0,
        bandlimit: float | None = None,
        causal: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if dim % reduction:
            raise ValueError(f"dim {dim} is not a multiple of reduction {reduction}")
        inner, gate = dim // reduction, int(dim * expansion)
        directions = 1 if causal else 2
        self.widths = [gate, *[inner] * directions]
        self.norm = nn.LayerNorm(dim)
        self.project_in = nn.Linear(dim, sum(self.widths))  # W_v, W_f and W_b side by side
        ssms = nn.ModuleList(
            DiagonalSSM(inner, modes, init, reference_fps, bandlimit, step_range) for _ in range(directions)
        )
        self.ssms = cast(list[DiagonalSSM], ssms)
        self.mix = nn.Linear(inner, gate)  # W_cb, or W_cf when causal
        self.project_out = nn.Linear(gate, dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Float[Tensor, "B L N d"], intervals: Intervals) -> Float[Tensor, "B L N d"]:
        """Mix along L; the N parallel sequences of a batch entry share its intervals."""
        value, *inputs = F.gelu(self.project_in(self.norm(x))).split(self.widths, -1)
        if intervals.valid is not None:
            inputs = [sequence * intervals.valid[..., None, None] for sequence in inputs]
        mixed = self._run(0, inputs[0], intervals)
        if len(inputs) == 2:
            mixed = mixed * self._run(1, inputs[1], intervals)
        return x + self.dropout(self.project_out(F.gelu(self.mix(mixed)) * value))

    def _run(self, direction: int, u: Float[Tensor, "B L N H"], intervals: Intervals) -> Float[Tensor, "B L N H"]:
        """One direction of the SSM, by convolution where the batch is evenly spaced."""
        ssm, dt = self.ssms[direction], (intervals.forward, intervals.backward)[direction]
        evaluate = ssm.convolve if intervals.uniform else ssm.scan
        return evaluate(u, dt, reverse=direction == 1)

    def step(
        self, x: Float[Tensor, "B N d"], dt: Float[Tensor, "B"], state: Float[Tensor, "B N H M 2"]
    ) -> tuple[Float[Tensor, "B N d"], Float[Tensor, "B N H M 2"]]:
        """Advance a causal block by one frame; outputs equal `forward`'s frame by frame."""
        value, inputs = F.gelu(self.project_in(self.norm(x))).split(self.widths, -1)
        mixed, state = self.ssms[0].step(inputs, dt, state)
        return x + self.dropout(self.project_out(F.gelu(self.mix(mixed)) * value)), state
