"""Gated diagonal state space block (GDSSM): what takes the place of attention.

    z = norm(x),  v = gelu(z W_v),  f = gelu(z W_f),  b = gelu(z W_b)
    u = gelu((SSM_forward(f) * SSM_backward(b)) W_cb)          causal: u = gelu(SSM_forward(f) W_cf)
    out = x + dropout((u * v) W_o)

Source: HumMUSS (CVPR 2024), section on gated diagonal SSMs; docs/mathematics.md. Either product can be replaced, to
measure what it is good for.
"""

from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from hummuss.backbones.intervals import Intervals
from hummuss.backbones.norms import make_norm
from hummuss.backbones.options import check_counts, check_positive, check_probabilities, check_range
from hummuss.backbones.ssm import INITS, DiagonalSSM, Kept
from hummuss.backbones.stochastic_depth import StochasticDepth
from hummuss.errors import InputError

DIRECTIONS = ("product", "sum")
GATES = ("product", "sum", "none")


class GDSSM(nn.Module):
    """Residual block that mixes along one axis; sequences (joints or frames) run in parallel.

    Args:
        dim: d, channels of the residual stream.
        expansion: e, width of the gate in multiples of d.
        reduction: k, the SSM runs on d / k channels.
        modes, init, step_range, reference_fps, bandlimit: see `DiagonalSSM`.
        causal: only the forward direction.
        dropout: on the block's output.
        directions: how the two directions are combined, ``product`` or ``sum``; causal blocks have only one.
        gate: how u and v are: ``product``, ``sum``, or ``none`` for u alone; the block then has no W_v.
        norm: of the block's input, see `make_norm`.
        drop_path: probability that a clip passes the block by in training, see `StochasticDepth`.

    Raises:
        InputError: a dim that reduction does not divide, an unknown init, norm or way to combine, an expansion that
            leaves no channel, a dropout outside [0, 1] or a drop_path outside [0, 1), or what `DiagonalSSM` refuses.
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
        directions: str = "product",
        gate: str = "product",
        norm: str = "layer",
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        # Also what `DiagonalSSM` refuses by itself: its file stands alone, without the error that commands tell.
        check_counts(dim=dim, reduction=reduction, modes=modes)
        check_positive(reference_fps=reference_fps, bandlimit=bandlimit)
        check_range("step_range", step_range)
        check_probabilities(dropout=dropout)
        if dim % reduction:
            raise InputError(f"dim {dim} is not a multiple of reduction {reduction}")
        if init not in (*INITS, "random"):
            raise InputError(f"init {init!r} is none of {', '.join(INITS)}, random")
        if directions not in DIRECTIONS:
            raise InputError(f"directions {directions!r} is none of {', '.join(DIRECTIONS)}")
        if gate not in GATES:
            raise InputError(f"gate {gate!r} is none of {', '.join(GATES)}")
        self.directions, self.gate = directions, gate
        inner, wide = dim // reduction, int(dim * expansion)
        if wide < 1:
            raise InputError(f"expansion {expansion} leaves no channel of {dim}: give more")
        count = 1 if causal else 2
        self.norm = make_norm(norm, dim)
        if gate != "none":
            self.to_value = nn.Linear(dim, wide)  # W_v
        self.to_sequences = nn.Linear(dim, count * inner)  # W_f and W_b one above the other
        ssms = [DiagonalSSM(inner, modes, init, reference_fps, bandlimit, step_range) for _ in range(count)]
        self.ssms = cast(list[DiagonalSSM], nn.ModuleList(ssms))
        self.mix = nn.Linear(inner, wide)  # W_cb, or W_cf when causal
        self.project_out = nn.Linear(wide, dim)
        self.dropout = nn.Dropout(dropout)
        self.stochastic_depth = StochasticDepth(drop_path)

    def forward(self, x: Float[Tensor, "B N L d"], intervals: Intervals) -> Float[Tensor, "B N L d"]:
        """Mix along L; the N parallel sequences of a batch entry share its intervals.

        Of ``intervals.carried`` it takes the block's state and leaves there the one after the last frame.
        """
        return x + self.stochastic_depth(self.residual(x, intervals))

    def residual(self, x: Float[Tensor, "B N L d"], intervals: Intervals) -> Float[Tensor, "B N L d"]:
        """What `forward` adds to x where it drops nothing."""
        z = self.norm(x)
        sequences = F.gelu(_channels_first(self.to_sequences, z))  # (2 H, B, N, L)
        if intervals.valid is not None:
            sequences = sequences * intervals.valid[:, None]
        mixed, *backward = (self._run(i, u, intervals) for i, u in enumerate(sequences.chunk(len(self.ssms))))
        if backward:
            mixed = mixed * backward[0] if self.directions == "product" else mixed + backward[0]
        return self._close(z, self.mix(mixed.flatten(1).T).view(*z.shape[:-1], -1))

    def _run(self, direction: int, u: Float[Tensor, "H B N L"], intervals: Intervals) -> Float[Tensor, "H B N L"]:
        """One direction of the SSM, by convolution where the batch is evenly spaced."""
        ssm, reverse = self.ssms[direction], direction == 1
        dt = intervals.backward if reverse else intervals.forward
        if intervals.even is None:
            y = ssm.scan_rows(u, dt, reverse, intervals.chunk)
        else:
            y = ssm.convolve_rows(u, intervals.even, reverse, intervals.chunk, intervals.kept)
            dt = intervals.even[:, None].expand(-1, u.shape[-1])
        if intervals.carried is None:
            return y
        entered, intervals.carried[self] = ssm.carry_rows(u, dt, intervals.carried[self])
        return y + entered

    def step(
        self,
        x: Float[Tensor, "B N d"],
        dt: Float[Tensor, "G"],
        state: Float[Tensor, "B N 2 H M"],
        kept: Kept | None = None,
    ) -> tuple[Float[Tensor, "B N d"], Float[Tensor, "B N 2 H M"]]:
        """Advance a causal block by one frame; outputs equal `forward`'s frame by frame. It drops no clip."""
        z = self.norm(x)
        mixed, state = self.ssms[0].step(F.gelu(self.to_sequences(z)), dt, state, kept)
        return x + self._close(z, self.mix(mixed)), state

    def _close(self, z: Float[Tensor, "*B d"], mixed: Float[Tensor, "*B gate"]) -> Float[Tensor, "*B d"]:
        """Gate what was mixed and project it."""
        gated = F.gelu(mixed)
        if self.gate != "none":
            value = F.gelu(self.to_value(z))
            gated = gated * value if self.gate == "product" else gated + value
        return self.dropout(self.project_out(gated))


def _channels_first(linear: nn.Linear, z: Float[Tensor, "*B d"]) -> Float[Tensor, "H *B"]:
    """A linear layer whose output has its channels first: the matrix product transposes at no cost."""
    rows = torch.addmm(linear.bias[:, None], linear.weight, z.flatten(0, -2).T)
    return rows.view(-1, *z.shape[:-1])
