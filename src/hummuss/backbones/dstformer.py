"""The attention baseline: MotionBERT's DSTformer, two streams of spatial and temporal self-attention.

Source: MotionBERT (ICCV 2023). Modules and parameters bear the names of its published checkpoints.
"""

from os import PathLike
from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from hummuss.backbones.inputs import blank_padding, check_inputs, check_valid
from hummuss.backbones.motionbert import check_names, read_sizes, read_state
from hummuss.backbones.options import check_counts, check_positive, check_probabilities
from hummuss.errors import InputError

EPS = 1e-6  # of every LayerNorm in MotionBERT's networks


class DSTformer(nn.Module):
    """2D keypoints over time -> motion representation, by attention with learned positions.

    It has no notion of time: ``dt`` is taken for the backbones' common interface and never looked at, and a clip has
    at most `max_frames` frames.

    Args:
        dim: d, channels of the residual stream.
        depth: pairs of blocks, one of either stream.
        dim_rep: channels of the motion representation; dim by default.
        num_heads: attention heads; they divide dim.
        mlp_ratio: hidden width of the MLPs in multiples of dim.
        joints: J, joints of the input layout.
        max_frames: frames that have a positional embedding.
        dropout: on the output of every attention and MLP.
        head: also hold `head`, Linear(dim_rep -> 3), which `forward` does not use; see `from_motionbert`.

    >>> backbone = DSTformer(dim=16, depth=1)
    >>> backbone(torch.rand(2, 9, 17, 3), torch.full((2, 9), 0.04)).shape
    torch.Size([2, 9, 17, 16])
    """

    def __init__(
        self,
        dim: int = 256,
        depth: int = 5,
        dim_rep: int | None = None,
        num_heads: int = 8,
        mlp_ratio: float = 4.0,
        joints: int = 17,
        max_frames: int = 243,
        dropout: float = 0.0,
        head: bool = False,
    ) -> None:
        super().__init__()
        check_counts(dim=dim, depth=depth, num_heads=num_heads, joints=joints, max_frames=max_frames)
        check_positive(mlp_ratio=mlp_ratio)
        check_probabilities(dropout=dropout)
        if dim % num_heads:
            raise InputError(f"dim {dim} is not a multiple of num_heads {num_heads}: change either")
        self.dim_rep = dim_rep or dim
        self.joints = joints
        self.max_frames = max_frames
        self.joints_embed = nn.Linear(3, dim)
        self.pos_embed = nn.Parameter(torch.empty(1, joints, dim))
        self.temp_embed = nn.Parameter(torch.empty(1, max_frames, 1, dim))
        hidden = round(mlp_ratio * dim)
        self.blocks_st = nn.ModuleList(Block(dim, num_heads, hidden, dropout, False) for _ in range(depth))
        self.blocks_ts = nn.ModuleList(Block(dim, num_heads, hidden, dropout, True) for _ in range(depth))
        self.ts_attn = nn.ModuleList(nn.Linear(2 * dim, 2) for _ in range(depth))
        self.norm = nn.LayerNorm(dim, EPS)
        self.pre_logits = nn.Sequential()
        self.pre_logits.add_module("fc", nn.Linear(dim, self.dim_rep))
        self.pre_logits.add_module("act", nn.Tanh())
        if head:
            self.head = nn.Linear(self.dim_rep, 3)
        self._initialise()

    def _initialise(self) -> None:
        """MotionBERT's initialisation; both streams start with weight one half."""
        nn.init.trunc_normal_(self.pos_embed, std=0.02)
        nn.init.trunc_normal_(self.temp_embed, std=0.02)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)
        for fuse in cast(list[nn.Linear], self.ts_attn):
            nn.init.zeros_(fuse.weight)
            nn.init.constant_(fuse.bias, 0.5)

    def forward(
        self,
        keypoints: Float[Tensor, "B F J 3"],
        dt: Float[Tensor, "B F"],
        valid: Bool[Tensor, "B F"] | None = None,
    ) -> Float[Tensor, "B F J dim_rep"]:
        """Normalised keypoints with confidence -> representation; dt, in seconds, is ignored.

        Padding changes nothing at valid frames: no frame attends to it, and positions count from a clip's first valid
        frame.

        Raises:
            InputError: another number of joints than the model has, no frame, more frames than it has positions, a clip
                with no valid frame, or dt or valid of other frames than the keypoints.
        """
        check_inputs(keypoints, self.joints, dt, valid)
        if keypoints.shape[1] > self.max_frames:
            raise InputError(
                f"a clip of {keypoints.shape[1]} frames is longer than the {self.max_frames} that this DSTformer has "
                "positions for: cut it into windows, or train a model with a larger max_frames"
            )
        positions, attended = self._place(keypoints, valid)
        x = self.joints_embed(blank_padding(keypoints, valid)) + self.pos_embed + positions
        for spatial_first, temporal_first, fuse in zip(self.blocks_st, self.blocks_ts, self.ts_attn, strict=True):
            first, second = spatial_first(x, attended), temporal_first(x, attended)
            weight = fuse(torch.cat([first, second], -1)).softmax(-1)
            x = weight[..., :1] * first + weight[..., 1:] * second
        return self.pre_logits(self.norm(x))

    def _place(
        self, keypoints: Float[Tensor, "B F J 3"], valid: Bool[Tensor, "B F"] | None
    ) -> tuple[Float[Tensor, "#B F 1 d"], Bool[Tensor, "N 1 1 F"] | None]:
        """Each frame's positional embedding, and the frames that those of each of the N = B J tracks attend to."""
        frames = keypoints.shape[1]
        # Unmasked attention has faster kernels; batches without padding, nearly all of them, are worth one look.
        if valid is None or bool(valid.all()):
            return self.temp_embed[:, :frames], None
        check_valid(valid)
        first = valid.byte().argmax(-1, keepdim=True)
        position = (torch.arange(frames, device=valid.device) - first).clamp(min=0)
        return self.temp_embed[0, position], valid.repeat_interleave(self.joints, 0)[:, None, None]

    @classmethod
    def from_motionbert(cls, path: str | PathLike[str], num_heads: int = 8) -> "DSTformer":
        """The backbone of one of MotionBERT's published ``.bin`` files, in eval mode, every weight accounted for.

        Pose and pretraining files hold it whole. Action and mesh files hold a task network round it, whose further
        parts (``head.*`` beside ``backbone.*``) are left out: they read MotionBERT's representation for tasks that
        have heads of their own here.

        ``forward`` gives the representation. MotionBERT's own 3D pose is ``backbone.head(backbone(keypoints, dt))``,
        (B, F, J, 3): x and y in the normalised units of its inputs, z in the same scale, none of them metres. Nothing
        here trains that layer, so it comes frozen.

        Args:
            path: the file.
            num_heads: attention heads, which the file does not tell; both published models have 8.

        Raises:
            InputError: a file that is missing or no such checkpoint, names or shapes other than a DSTformer's, or a
                number of heads that does not divide the file's width.
        """
        state = read_state(path)
        try:
            with torch.device("meta"):  # sizes alone: every weight comes from the file
                backbone = cls(**read_sizes(state), num_heads=num_heads)
            check_names(state, backbone.state_dict())
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        backbone.load_state_dict(state, assign=True)
        if "head.weight" in state:
            backbone.head.requires_grad_(False)
        return backbone.eval()


class Block(nn.Module):
    """Attention and MLP over the joints of each frame, and over the frames of each joint; pre-norm, residual.

    Args:
        dim, num_heads, hidden, dropout: as in `DSTformer`; hidden is the MLPs' width in channels.
        temporal_first: which axis comes first.
    """

    def __init__(self, dim: int, num_heads: int, hidden: int, dropout: float, temporal_first: bool) -> None:
        super().__init__()
        self.norm1_s, self.norm1_t = nn.LayerNorm(dim, EPS), nn.LayerNorm(dim, EPS)
        self.attn_s, self.attn_t = Attention(dim, num_heads), Attention(dim, num_heads)
        self.norm2_s, self.norm2_t = nn.LayerNorm(dim, EPS), nn.LayerNorm(dim, EPS)
        self.mlp_s, self.mlp_t = MLP(dim, hidden), MLP(dim, hidden)
        self.dropout = nn.Dropout(dropout)
        self.temporal_first = temporal_first

    def forward(
        self, x: Float[Tensor, "B F J d"], attended: Bool[Tensor, "N 1 1 F"] | None
    ) -> Float[Tensor, "B F J d"]:
        if self.temporal_first:
            return self._spatial(self._temporal(x, attended))
        return self._temporal(self._spatial(x), attended)

    def _spatial(self, x: Float[Tensor, "B F J d"]) -> Float[Tensor, "B F J d"]:
        y = x.flatten(0, 1)  # (B F, J, d)
        y = y + self.dropout(self.attn_s(self.norm1_s(y), None))
        y = y + self.dropout(self.mlp_s(self.norm2_s(y)))
        return y.view(x.shape)

    def _temporal(
        self, x: Float[Tensor, "B F J d"], attended: Bool[Tensor, "N 1 1 F"] | None
    ) -> Float[Tensor, "B F J d"]:
        y = x.transpose(1, 2).flatten(0, 1)  # (B J, F, d), the one copy
        y = y + self.dropout(self.attn_t(self.norm1_t(y), attended))
        y = y + self.dropout(self.mlp_t(self.norm2_t(y)))
        return y.unflatten(0, (x.shape[0], x.shape[2])).transpose(1, 2)


class Attention(nn.Module):
    """Multi-head self-attention within each of N sequences; keys that are not attended to are masked."""

    def __init__(self, dim: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: Float[Tensor, "N L d"], attended: Bool[Tensor, "N 1 1 L"] | None) -> Float[Tensor, "N L d"]:
        q, k, v = self.qkv(x).unflatten(-1, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)  # (N, heads, L, d/heads)
        # Four dimensions: with more, the kernels that do not store the L x L matrix silently stay unused.
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=attended)
        return self.proj(y.transpose(1, 2).flatten(2))


class MLP(nn.Module):
    """Two layers with a GELU between."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, dim)

    def forward(self, x: Float[Tensor, "N L d"]) -> Float[Tensor, "N L d"]:
        return self.fc2(F.gelu(self.fc1(x)))
