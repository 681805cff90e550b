"""A causal backbone shown its clips frame by frame, with a carried state."""

from typing import Any, Protocol, cast, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hummuss.backbones.inputs import check_valid
from hummuss.errors import InputError
from hummuss.heads.base import Batch


@runtime_checkable
class CausalBackbone(Protocol):
    """What a causal backbone has beside `forward`."""

    def init_state(self, batch_size: int) -> Any: ...

    def step(self, keypoints: Tensor, dt: Tensor, state: Any) -> tuple[Tensor, Any]: ...


def stream(
    backbone: nn.Module, keypoints: Float[Tensor, "B F J 3"], dt: Float[Tensor, "B F"]
) -> Float[Tensor, "B F J dim_rep"]:
    """Run a causal backbone frame by frame; equal to its offline pass at every frame before padding.

    Raises:
        InputError: a backbone that is not causal.

    >>> from hummuss import HumMUSS
    >>> causal = HumMUSS(dim=8, depth=1, causal=True)
    >>> stream(causal, torch.rand(1, 5, 17, 3), torch.full((1, 5), 0.04)).shape
    torch.Size([1, 5, 17, 8])
    """
    causal = causal_backbone(backbone)
    state = causal.init_state(len(dt))
    steps = []
    for frame, interval in zip(keypoints.unbind(1), dt.unbind(1), strict=True):
        representation, state = causal.step(frame, interval, state)
        steps.append(representation)
    return torch.stack(steps, 1)


def streamed(backbone: nn.Module, batch: Batch) -> Float[Tensor, "B F J dim_rep"]:
    """The representation of clips, frame by frame, whichever side padding is on; zeros there."""
    check_valid(batch["valid"])
    padding = ~batch["valid"]
    clips = torch.arange(len(padding), device=padding.device)[:, None]
    order = padding.byte().argsort(dim=1, stable=True)  # all clips begin at once, padding comes last
    keypoints = batch["keypoints"].masked_fill(padding[..., None, None], 0.0)
    dt = batch["dt"].masked_fill(padding, 1.0)
    in_order = stream(backbone, keypoints[clips, order], dt[clips, order])
    representation = torch.empty_like(in_order)
    representation[clips, order] = in_order
    return representation.masked_fill(padding[..., None, None], 0.0)


def goes_on(backbone: nn.Module) -> bool:
    """Whether a backbone can be shown a clip piece by piece, as `HumMUSS.advance` can if it is causal."""
    return getattr(backbone, "causal", False) and hasattr(backbone, "advance")


def causal_backbone(backbone: nn.Module) -> CausalBackbone:
    """The same backbone, which can stream.

    Raises:
        InputError: it is not causal.
    """
    if not getattr(backbone, "causal", False):
        raise InputError(
            f"{type(backbone).__name__} needs the frames to come: only a causal model can stream "
            "(train one with configs/backbone/hummuss-causal.yaml), others predict whole clips"
        )
    return cast(CausalBackbone, backbone)
