"""Multiply-adds, against a count by hand."""

import pytest
import torch

from hummuss import DSTformer, HumMUSS, InputError
from hummuss.backbones.cost import cost, count_operations


def test_attention_is_counted_by_hand() -> None:
    dim, frames, joints = 16, 10, 17
    backbone = DSTformer(dim, depth=1, num_heads=2, mlp_ratio=2.0)
    linear = dim * 3 * dim + dim * dim + 2 * dim * 2 * dim  # qkv, proj, the MLP's two
    attention = 2 * dim * (joints + frames)  # per token: scores and weighted sum, over joints and over frames
    per_token = 3 * dim + 2 * (2 * linear + attention) + 2 * 2 * dim + dim * dim  # lift, two streams, fusion, project
    found = cost(backbone, frames)
    assert found.multiply_adds == joints * per_token
    assert found.parameters == sum(parameter.numel() for parameter in backbone.parameters())


@pytest.mark.parametrize(
    ("options", "streams", "gates"),
    [({}, 2, 1), ({"directions": "sum", "gate": "sum"}, 2, 1), ({"gate": "none"}, 2, 0), ({"fusion": "none"}, 1, 1)],
)
def test_state_space_blocks_are_counted_by_hand(options, streams, gates) -> None:
    dim, frames, joints, modes, expansion = 16, 10, 17, 4, 2.0
    backbone = HumMUSS(dim, depth=1, modes=modes, expansion=expansion, temporal_reduction=2, **options)
    gate, half = int(expansion * dim), dim // 2
    spatial = gates * dim * gate + 2 * dim * dim + dim * gate + gate * dim + 2 * joints * dim
    temporal = gates * dim * gate + 2 * half * dim + half * gate + gate * dim + 2 * frames * half
    per_token = 3 * dim + streams * (spatial + temporal) + dim * dim  # the fusion's two vectors are no matrix product
    # The impulse responses, one product per channel and direction of ceil(sqrt(length)) squared by 2 M.
    kernels = streams * (2 * dim * 5**2 + 2 * half * 4**2) * 2 * modes
    assert cost(backbone, frames).multiply_adds == pytest.approx(joints * per_token + kernels / frames, rel=1e-9)


def test_a_scan_of_irregular_intervals_is_counted_by_hand() -> None:
    dim, frames, joints, modes = 16, 10, 17, 4
    backbone = HumMUSS(dim, depth=1, modes=modes, temporal_reduction=2)
    half, even = dim // 2, cost(backbone, frames).multiply_adds
    # Per channel, in one chunk: the map of a chunk, that map on every joint, what is written to the state and read.
    scan = frames * 2 * modes * frames + joints * frames * frames + 2 * joints * frames * 2 * modes
    convolution = joints * frames * frames + 4**2 * 2 * modes  # the map on every joint, and its making
    dt = 0.02 + 0.001 * torch.arange(frames)[None]
    found = cost(backbone, frames, dt).multiply_adds
    assert found - even == pytest.approx(2 * 2 * half * (scan - convolution) / frames, rel=1e-9)


def test_counting_changes_nothing_and_repeats_itself() -> None:
    backbone = HumMUSS(16, depth=1).train()
    with torch.no_grad():
        first = cost(backbone, 27)
        assert cost(backbone, 27) == first
    assert backbone.training
    assert all(parameter.grad is None for parameter in backbone.parameters())


def test_transforms_are_counted_by_hand() -> None:
    rows = torch.rand(3, 200, requires_grad=True)

    def there_and_back() -> torch.Tensor:
        return torch.fft.irfft(torch.fft.rfft(rows, 256), 256)

    one = 2.5 * 256 * 8 * 3  # a real transform of each of three rows, padded to 2^8
    assert count_operations(there_and_back) == 2 * one
    # Back again: from y to its spectrum, real, and from there on, for want of the other half, complex.
    assert count_operations(lambda: there_and_back().sum().backward()) == 3 * one + 2 * one


@pytest.mark.parametrize("kind", [torch.float64, torch.bfloat16])
def test_counting_changes_nothing_whatever_the_type(kind: torch.dtype) -> None:
    backbone = HumMUSS(16, depth=2).to(kind)
    expected = cost(HumMUSS(16, depth=2), 10)
    backbone.layers[0].eval()  # frozen
    before = [module.training for module in backbone.modules()]
    assert cost(backbone, 10) == expected
    assert [module.training for module in backbone.modules()] == before
    with pytest.raises(InputError):
        cost(backbone, 10, torch.full((1, 10), -0.02))
    assert [module.training for module in backbone.modules()] == before
