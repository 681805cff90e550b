"""Stochastic depth: whole clips, in training alone, more often the deeper."""

import copy
from itertools import product

import pytest
import torch

from hummuss import HumMUSS, InputError
from hummuss.backbones.gdssm import GDSSM
from hummuss.backbones.intervals import index_intervals
from hummuss.backbones.joint_attention import JointAttention

BLOCKS = {
    "gated": lambda rate: GDSSM(8, modes=2, drop_path=rate),
    "attention": lambda rate: JointAttention(8, drop_path=rate),
}


def make(**options) -> HumMUSS:
    torch.manual_seed(0)
    return HumMUSS(**{"dim": 8, "depth": 2, "modes": 2} | options).double()


def clip(batch: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    return torch.rand(batch, 6, 17, 3).double(), torch.full((batch, 6), 0.02).double()


@pytest.mark.parametrize("fusion", ["softmax", "none"])
def test_rates_grow_linearly_from_nothing(fusion: str) -> None:
    layers = make(depth=3, drop_path=0.5, fusion=fusion).layers
    streams = [[block for layer in layers for block in (layer.spatial_first, layer.temporal_last)]]
    if fusion != "none":
        streams.append([block for layer in layers for block in (layer.temporal_first, layer.spatial_last)])
    for stream in streams:
        assert [block.stochastic_depth.rate for block in stream] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5])


@pytest.mark.parametrize("kind", BLOCKS)
def test_a_clip_passes_the_block_by_or_has_more_of_it(kind: str) -> None:
    torch.manual_seed(0)
    block, x = BLOCKS[kind](0.25).double(), torch.randn(400, 3, 5, 8).double()
    joints = index_intervals(x[..., :3])
    whole = block.eval()(x, joints)
    found = block.train()(x, joints)
    passed = (found == x).flatten(1).all(1)
    assert 0.18 < passed.double().mean() < 0.32  # 0.25, with a standard deviation of 0.022
    torch.testing.assert_close(found[~passed], (x + (whole - x) / 0.75)[~passed], rtol=1e-12, atol=1e-12)


def test_each_clip_of_a_backbone_is_that_of_one_with_some_blocks_for_all_its_frames() -> None:
    backbone = make(drop_path=0.6, fusion="none")  # blocks one behind the other, with rates 0, 0.2, 0.4 and 0.6
    keypoints, dt = clip(batch=16)
    choices, expected = list(product((0, 1), repeat=3)), []
    for kept in choices:
        like = copy.deepcopy(backbone).eval()
        blocks = [like.layers[0].temporal_last, like.layers[1].spatial_first, like.layers[1].temporal_last]
        for block, share, rate in zip(blocks, kept, (0.2, 0.4, 0.6), strict=True):
            for parameter in block.project_out.parameters():
                parameter.data *= share / (1 - rate)
        expected.append(like(keypoints, dt))
    found = backbone.train()(keypoints, dt)
    near = torch.stack([(found - one).abs().amax((1, 2, 3)) < 1e-10 for one in expected])
    assert (near.sum(0) == 1).all()
    kept = torch.tensor(choices)[near.byte().argmax(0)]  # (clips, blocks)
    assert ((kept.sum(0) > 0) & (kept.sum(0) < 16)).all(), "each block is drawn clip by clip"


@pytest.mark.parametrize("spatial_mixing", ["ssm", "attention"])
def test_inference_and_streams_drop_nothing(spatial_mixing: str) -> None:
    options = {"causal": True, "spatial_mixing": spatial_mixing}
    plain, backbone = make(**options).eval(), make(**options, drop_path=0.9)
    keypoints, dt = clip()
    expected = plain(keypoints, dt)
    assert torch.equal(backbone.eval()(keypoints, dt), expected)
    backbone.train()
    state, outputs = backbone.init_state(2), []
    for k in range(keypoints.shape[1]):
        y, state = backbone.step(keypoints[:, k], dt[:, k], state)
        outputs.append(y)
    torch.testing.assert_close(torch.stack(outputs, 1), expected, rtol=1e-10, atol=1e-10)


def test_without_it_nothing_is_drawn() -> None:
    backbone, (keypoints, dt) = make().train(), clip()
    before = torch.get_rng_state()
    backbone(keypoints, dt)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("rate", [-0.1, 1.0, 1.2, float("nan")])
def test_rates_that_are_none_are_refused(rate: float) -> None:
    for made in (lambda: make(depth=5, drop_path=rate), lambda: GDSSM(8, drop_path=rate)):
        with pytest.raises(InputError, match=f"drop_path is {rate}: give the probability"):
            made()
