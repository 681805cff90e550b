"""What every backbone refuses."""

import re

import pytest
import torch
from torch import nn

from hummuss import DSTformer, HumMUSS, InputError, PerFrame

BACKBONES = {
    "hummuss": lambda: HumMUSS(dim=8, depth=1, causal=True),
    "dstformer": lambda: DSTformer(dim=8, depth=1, num_heads=2),
    "per-frame": lambda: PerFrame(dim=8, depth=1),
}


@pytest.fixture(params=BACKBONES)
def backbone(request: pytest.FixtureRequest) -> nn.Module:
    return BACKBONES[request.param]()


@pytest.mark.parametrize(("clips", "frames"), [(0, 5), (2, 0)])
@pytest.mark.parametrize("padded", [False, True])
def test_nothing_is_refused_by_its_shape(backbone: nn.Module, clips: int, frames: int, padded: bool) -> None:
    valid = torch.ones(clips, frames, dtype=torch.bool) if padded else None
    with pytest.raises(InputError, match=re.escape(f"({clips}, {frames}, 17, 3): give at least one frame")):
        backbone(torch.rand(clips, frames, 17, 3), torch.ones(clips, frames), valid)


def test_a_stream_of_no_clips_is_refused() -> None:
    backbone = BACKBONES["hummuss"]()
    with pytest.raises(InputError, match=re.escape("(0, 17, 3): give at least one frame")):
        backbone.step(torch.rand(0, 17, 3), torch.ones(0), backbone.init_state(0))
