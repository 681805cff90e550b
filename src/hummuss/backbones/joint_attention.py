"""Attention along the joints, in the place of a spatial state space block: half of a DSTformer block."""

from jaxtyping import Float
from torch import Tensor, nn

from hummuss.backbones.dstformer import MLP, Attention
from hummuss.backbones.intervals import Intervals
from hummuss.backbones.norms import make_norm
from hummuss.backbones.options import check_probabilities
from hummuss.backbones.ssm import DiagonalSSM
from hummuss.backbones.stochastic_depth import StochasticDepth
from hummuss.errors import InputError

HEADS = 8  # as in both of MotionBERT's published models


class JointAttention(nn.Module):
    """Residual block of self-attention and an MLP over the joints of each frame, both behind a norm.

    It has as many multiply-adds as a `GDSSM` of this expansion e over as many joints, without reduction: that has
    2 + 3 e matrices of d x d, attention has 4, and the MLP gets what is left. Its joints' order makes no difference.

    Args:
        dim: d, channels of the residual stream.
        expansion: e; the MLP's hidden width is (3 e / 2 - 1) d.
        dropout: on the output of attention and MLP.
        norm: of either, see `make_norm`.
        drop_path: see `StochasticDepth`; the two are dropped together.

    Raises:
        InputError: a dim that the 8 heads do not divide, an expansion that leaves nothing for the MLP, an unknown
            norm, or a dropout outside [0, 1] or a drop_path outside [0, 1).
    """

    ssms: tuple[DiagonalSSM, ...] = ()  # it has none, and keeps nothing from pass to pass

    def __init__(
        self, dim: int, expansion: float = 1.0, dropout: float = 0.0, norm: str = "layer", drop_path: float = 0.0
    ) -> None:
        super().__init__()
        check_probabilities(dropout=dropout)
        if dim % HEADS:
            raise InputError(f"dim {dim} is not a multiple of the {HEADS} heads of attention along the joints")
        hidden = round((1.5 * expansion - 1) * dim)
        if hidden < 1:
            raise InputError(
                f"expansion {expansion} leaves no multiply-adds for the MLP of attention along the joints: "
                "give more than 2/3"
            )
        self.norm1, self.norm2 = make_norm(norm, dim), make_norm(norm, dim)
        self.attn = Attention(dim, HEADS)
        self.mlp = MLP(dim, hidden)
        self.dropout = nn.Dropout(dropout)
        self.stochastic_depth = StochasticDepth(drop_path)

    def forward(self, x: Float[Tensor, "B N L d"], joints: Intervals) -> Float[Tensor, "B N L d"]:
        """Mix the L joints of each of N frames; there are no intervals between joints that it could look at."""
        return x + self.stochastic_depth(self.residual(x, joints))

    def residual(self, x: Float[Tensor, "B N L d"], joints: Intervals) -> Float[Tensor, "B N L d"]:
        """What `forward` adds to x where it drops nothing."""
        y = x.flatten(0, 1)  # (B N, L, d)
        attended = self.dropout(self.attn(self.norm1(y), None))
        return (attended + self.dropout(self.mlp(self.norm2(y + attended)))).unflatten(0, x.shape[:2])
