"""Attention along the joints, in the place of spatial state space layers."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from hummuss import HumMUSS, InputError
from hummuss.backbones.cost import cost
from hummuss.backbones.intervals import index_intervals
from hummuss.backbones.joint_attention import JointAttention
from hummuss.backbones.ssm import DiagonalSSM
from hummuss.callbacks.state_space import layer_values


def make(**options) -> HumMUSS:
    torch.manual_seed(0)
    return HumMUSS(**{"dim": 16, "depth": 2, "modes": 3, "spatial_mixing": "attention"} | options).double().eval()


def clip() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    return torch.rand(2, 9, 17, 3).double(), torch.full((2, 9), 0.02).double()


def test_a_block_is_its_formula() -> None:
    """Against torch's own attention with the same weights."""
    torch.manual_seed(0)
    block, x = JointAttention(16, expansion=2.0).double(), torch.randn(2, 3, 17, 16).double()
    attention = nn.MultiheadAttention(16, num_heads=8, batch_first=True).double()
    weights = {"in_proj_weight": block.attn.qkv.weight, "in_proj_bias": block.attn.qkv.bias}
    weights |= {f"out_proj.{name}": value for name, value in block.attn.proj.named_parameters()}
    attention.load_state_dict(weights)
    y = x.flatten(0, 1)
    z = F.layer_norm(y, (16,))
    y = y + attention(z, z, z)[0]
    first, second = block.mlp.fc1, block.mlp.fc2
    assert first.out_features == 32
    y = y + F.gelu(F.layer_norm(y, (16,)) @ first.weight.T + first.bias) @ second.weight.T + second.bias
    torch.testing.assert_close(block(x, index_intervals(x[..., :3])), y.view(x.shape), rtol=1e-10, atol=1e-10)


def test_it_sees_all_joints_of_one_frame() -> None:
    torch.manual_seed(0)
    block, x = JointAttention(8).double(), torch.randn(1, 3, 17, 8).double()
    joints = index_intervals(x[..., :3])
    changed = x.clone()
    changed[0, 1, 4] = torch.randn(8)
    other = (block(changed, joints) - block(x, joints)).abs().amax(-1)[0]
    assert (other[1] > 0).all()
    assert (other[[0, 2]] == 0).all()
    order = torch.randperm(17)
    torch.testing.assert_close(block(x[:, :, order], joints), block(x, joints)[:, :, order], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("expansion", [1.0, 4.0])  # those of configs/size
def test_it_costs_as_many_multiply_adds_as_the_gated_block(expansion: float) -> None:
    dim, joints, frames = 64, 17, 81
    with_attention, gated = (
        cost(HumMUSS(dim, depth=1, expansion=expansion, spatial_mixing=kind), frames) for kind in ("attention", "ssm")
    )
    blocks, matrices = 2, 2 + 3 * expansion
    # The same products, but for the impulse responses: one each of two directions, ceil(sqrt(17)) squared by 2 M.
    kernels = blocks * 2 * dim * 5**2 * 2 * 16 / frames
    assert gated.multiply_adds - with_attention.multiply_adds == pytest.approx(kernels)
    assert kernels < 0.01 * blocks * joints * (matrices * dim**2 + 2 * joints * dim)


def test_padding_is_not_looked_at() -> None:
    backbone, (keypoints, dt) = make(), clip()
    expected = backbone(keypoints[:, :6], dt[:, :6])
    keypoints[:, 6:] = float("nan")
    found = backbone(keypoints, dt, torch.arange(9).expand(2, 9) < 6)
    torch.testing.assert_close(found[:, :6], expected, rtol=1e-10, atol=1e-10)


def test_state_space_layers_are_those_of_time_and_their_matrices_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    backbone, (keypoints, dt) = make(causal=True), clip()
    assert {key.partition("/")[0] for key in layer_values(backbone)} == {"time"}
    made: list[DiagonalSSM] = []
    original = DiagonalSSM._discretise
    monkeypatch.setattr(DiagonalSSM, "_discretise", lambda self, dt: made.append(self) or original(self, dt))
    with torch.inference_mode():
        first = backbone(keypoints, dt)
        assert len(made) == 4  # two layers of two blocks along time, with one direction each
        torch.testing.assert_close(backbone(keypoints, dt), first)
        assert len(made) == 4
    expected = backbone(keypoints, dt)  # with gradients on, nothing is kept
    torch.testing.assert_close(first, expected.detach(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dim": 12}, "dim 12 is not a multiple of the 8 heads"),
        ({"expansion": 0.5}, r"expansion 0.5 leaves no multiply-adds .* more than 2/3"),
        ({"joint_order": tuple(range(17))}, "joint_order .*: spatial_mixing 'attention' has none of them"),
        ({"spatial_steps": (0.1, 1.0)}, r"spatial_steps \(0.1, 1.0\).*: spatial_mixing 'attention' has none of them"),
        ({"spatial_reduction": 2}, "spatial_reduction 2.*: spatial_mixing 'attention' has none of them"),
    ],
)
def test_what_it_cannot_do_is_refused(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make(**options)
