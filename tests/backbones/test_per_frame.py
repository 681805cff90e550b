"""The floor sees one frame at a time."""

import pytest
import torch

from hummuss import InputError, PerFrame
from hummuss.backbones.cost import cost
from hummuss.backbones.per_frame import _about_their_middle


def test_neither_time_nor_the_other_frames_change_a_frame() -> None:
    backbone = PerFrame(dim=8, depth=2, dim_rep=6).double()
    keypoints, dt = torch.randn(2, 5, 17, 3).double(), torch.rand(2, 5).double() + 0.01
    whole = backbone(keypoints, dt, torch.ones(2, 5, dtype=torch.bool))
    assert whole.shape == (2, 5, 17, 6)
    alone = torch.cat([backbone(keypoints[:, [frame]], 3 * dt[:, [frame]]) for frame in range(5)], 1)
    torch.testing.assert_close(whole, alone, rtol=1e-12, atol=1e-12)


def test_padding_reaches_neither_outputs_nor_gradients() -> None:
    backbone = PerFrame(dim=8, depth=1).double()
    keypoints, dt = torch.rand(2, 5, 17, 3).double(), torch.ones(2, 5).double()
    valid = torch.arange(5).expand(2, 5) < 3
    found = []
    for anything in (0.0, float("nan"), float("inf")):
        keypoints[:, 3:] = anything
        y = backbone(keypoints, dt, valid)[valid]
        found.append([y, *torch.autograd.grad(y.square().sum(), list(backbone.parameters()))])
    alone = backbone(keypoints[:, :3], dt[:, :3]).flatten(0, 1)
    expected = [alone, *torch.autograd.grad(alone.square().sum(), list(backbone.parameters()))]
    for values in found:
        for got, want in zip(values, expected, strict=True):
            torch.testing.assert_close(got, want, rtol=1e-10, atol=1e-10)


def test_every_joint_sees_every_joint() -> None:
    backbone = PerFrame(dim=8, depth=1)
    keypoints = torch.randn(1, 1, 17, 3, requires_grad=True)
    backbone(keypoints, torch.ones(1, 1))[0, 0, 5].sum().backward()
    assert keypoints.grad is not None
    assert (keypoints.grad[0, 0].abs().sum(-1) > 0).all()


def test_multiply_adds_are_counted_by_hand() -> None:
    dim, width = 8, 64
    expected = 54 * width + 2 * 2 * width * width + width * 17 * dim
    assert cost(PerFrame(dim=dim, depth=2), 5).multiply_adds == expected


def test_a_pose_looks_alike_wherever_it_is_and_however_large() -> None:
    keypoints = torch.rand(1, 1, 17, 3).double() + 0.1
    keypoints[0, 0, 3] = 0  # not detected
    moved = keypoints.clone()
    moved[..., :2] = (3 * keypoints[..., :2] + torch.tensor([0.5, -2.0])) * (keypoints[..., 2:] > 0)
    one, other = (_about_their_middle(points)[0, 0] for points in (keypoints, moved))
    torch.testing.assert_close(one[:51], other[:51], rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(3 * one[53], other[53], rtol=1e-10, atol=1e-10)
    assert (one[9:12] == 0).all()


def test_other_layouts_are_refused() -> None:
    with pytest.raises(InputError, match="expected 17 joints"):
        PerFrame(dim=8)(torch.zeros(1, 1, 16, 3), torch.ones(1, 1))
