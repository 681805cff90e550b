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


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("shape", [(2, 4), (2, 6), (1, 5), (3, 5), (5,)])
def test_intervals_and_masks_of_other_frames_are_refused(backbone: nn.Module, shape: tuple[int, ...]) -> None:
    keypoints, dt = torch.rand(2, 5, 17, 3), torch.full((2, 5), 0.02)
    told = re.escape(f"has shape {shape}, keypoints (2, 5, 17, 3): give a value for each frame of each clip, (2, 5)")
    for even in (torch.full(shape, 0.02), torch.linspace(0.02, 0.04, shape[-1]).expand(shape)):
        with pytest.raises(InputError, match=f"dt {told}"):
            backbone(keypoints, even)
        if isinstance(backbone, HumMUSS):
            with pytest.raises(InputError, match=f"dt {told}"):
                backbone.advance(keypoints, even, backbone.init_state(2))
    with pytest.raises(InputError, match=f"valid {told}"):
        backbone(keypoints, dt, torch.ones(shape, dtype=torch.bool))


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("clips", [1, 3])
def test_intervals_of_other_clips_are_refused_in_a_stream(clips: int) -> None:
    backbone = BACKBONES["hummuss"]()
    with pytest.raises(InputError, match=re.escape(f"dt has shape ({clips},), keypoints (2, 17, 3)")):
        backbone.step(torch.rand(2, 17, 3), torch.full((clips,), 0.02), backbone.init_state(2))


def test_a_stream_of_no_clips_is_refused() -> None:
    backbone = BACKBONES["hummuss"]()
    with pytest.raises(InputError, match=re.escape("(0, 17, 3): give at least one frame")):
        backbone.step(torch.rand(0, 17, 3), torch.ones(0), backbone.init_state(0))
