"""The attention baseline: against a plain float64 reading of its definition, padding, limits, parameter counts."""

import math
import subprocess
import sys

import pytest
import torch
from torch import Tensor

from hummuss import DSTformer, InputError

HEADS = 4


def make(**options) -> DSTformer:
    torch.manual_seed(0)
    sizes = {"dim": 16, "depth": 2, "dim_rep": 24, "num_heads": HEADS, "mlp_ratio": 2.0, "max_frames": 30} | options
    backbone = DSTformer(**sizes).double().eval()
    for parameter in backbone.parameters():  # at initialisation fusion is even and positions nearly absent
        torch.nn.init.normal_(parameter, std=0.3)
    return backbone


def clip(frames=12, batch=2) -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    return torch.rand(batch, frames, 17, 3).double(), torch.full((batch, frames), 0.02).double()


def reference(state: dict[str, Tensor], keypoints: Tensor, heads: int) -> Tensor:
    """One clip (F, J, 3) through the network, one sequence and one head at a time."""

    def linear(x: Tensor, name: str) -> Tensor:
        return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]

    def norm(x: Tensor, name: str) -> Tensor:
        centred = x - x.mean(-1, keepdim=True)
        scale = (centred.square().mean(-1, keepdim=True) + 1e-6).sqrt()
        return centred / scale * state[f"{name}.weight"] + state[f"{name}.bias"]

    def attention(x: Tensor, name: str) -> Tensor:  # (L, d)
        dim = x.shape[1]
        width = dim // heads
        qkv, outputs = linear(x, f"{name}.qkv"), []
        for h in range(heads):
            q, k, v = (qkv[:, part * dim + h * width : part * dim + (h + 1) * width] for part in range(3))
            scores = (q @ k.T / math.sqrt(width)).exp()
            outputs.append(scores / scores.sum(1, keepdim=True) @ v)
        return linear(torch.cat(outputs, 1), f"{name}.proj")

    def mlp(x: Tensor, name: str) -> Tensor:
        hidden = linear(x, f"{name}.fc1")
        return linear(hidden * 0.5 * (1 + torch.erf(hidden / math.sqrt(2))), f"{name}.fc2")

    def half(x: Tensor, block: str, axis: str) -> Tensor:  # (F, J, d)
        along = 1 if axis == "s" else 0
        sequences = x.unbind(1 - along)
        mixed = [attention(norm(s, f"{block}.norm1_{axis}"), f"{block}.attn_{axis}") for s in sequences]
        x = x + torch.stack(mixed, 1 - along)
        return x + mlp(norm(x, f"{block}.norm2_{axis}"), f"{block}.mlp_{axis}")

    frames = keypoints.shape[0]
    x = linear(keypoints, "joints_embed") + state["pos_embed"][0] + state["temp_embed"][0, :frames]
    depth = sum(name.startswith("ts_attn") for name in state) // 2
    for i in range(depth):
        st = half(half(x, f"blocks_st.{i}", "s"), f"blocks_st.{i}", "t")
        ts = half(half(x, f"blocks_ts.{i}", "t"), f"blocks_ts.{i}", "s")
        logits = linear(torch.cat([st, ts], -1), f"ts_attn.{i}").exp()
        alpha = logits / logits.sum(-1, keepdim=True)
        x = alpha[..., 0, None] * st + alpha[..., 1, None] * ts
    return torch.tanh(linear(norm(x, "norm"), "pre_logits.fc"))


def test_forward_equals_the_reference() -> None:
    backbone = make()
    keypoints, dt = clip()
    expected = torch.stack([reference(backbone.state_dict(), one, HEADS) for one in keypoints])
    torch.testing.assert_close(backbone(keypoints, dt), expected, rtol=1e-10, atol=1e-10)


def test_a_loaded_file_equals_the_reference_with_motionberts_read_out(tmp_path) -> None:
    state = make(head=True).float().state_dict()
    torch.save({"model_pos": {f"module.{name}": value for name, value in state.items()}}, tmp_path / "best_epoch.bin")
    backbone = DSTformer.from_motionbert(tmp_path / "best_epoch.bin", num_heads=HEADS).double()
    keypoints, dt = clip()
    exact = {name: value.double() for name, value in state.items()}
    representation = torch.stack([reference(exact, one, HEADS) for one in keypoints])
    pose = representation @ exact["head.weight"].T + exact["head.bias"]
    torch.testing.assert_close(backbone.head(backbone(keypoints, dt)), pose, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("before", "after"), [(0, 7), (5, 0), (3, 4)])
def test_padding_changes_nothing_at_valid_frames(before: int, after: int) -> None:
    backbone = make()
    keypoints, dt = clip()
    padded = torch.rand(2, before + 12 + after, 17, 3).double()
    valid = torch.zeros(padded.shape[:2], dtype=torch.bool)
    padded[0, before : before + 12], valid[0, before : before + 12] = keypoints[0], True
    padded[1, :12], valid[1, :12] = keypoints[1], True  # clips of a batch are padded each in its own way
    padded[~valid] = float("nan")
    y = backbone(padded, torch.ones(padded.shape[:2]).double(), valid)
    expected = backbone(keypoints, dt)
    torch.testing.assert_close(y[0, before : before + 12], expected[0], rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(y[1, :12], expected[1], rtol=1e-10, atol=1e-10)


def test_masked_and_unmasked_attention_agree() -> None:
    backbone = make()
    keypoints, dt = clip()
    valid = torch.ones(dt.shape, dtype=torch.bool)
    assert torch.equal(backbone(keypoints, dt, valid), backbone(keypoints, dt))
    valid[1, 7:] = False  # now all clips of the batch are masked, the first with nothing to hide
    masked = backbone(keypoints, dt, valid)[0]
    torch.testing.assert_close(masked, backbone(keypoints, dt)[0], rtol=1e-10, atol=1e-10)


def test_dt_is_not_looked_at() -> None:
    backbone = make()
    keypoints, dt = clip()
    assert torch.equal(backbone(keypoints, dt), backbone(keypoints, dt * float("nan")))


def test_the_order_of_frames_and_joints_matters() -> None:
    backbone = make()
    keypoints, dt = clip()
    for axis in (1, 2):
        assert not torch.allclose(backbone(keypoints.flip(axis), dt), backbone(keypoints, dt).flip(axis), atol=1e-3)


def test_attention_runs_in_four_dimensions(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, attend = [], torch.nn.functional.scaled_dot_product_attention

    def record(q, k, v, attn_mask=None):
        seen.append(tuple(q.shape))
        return attend(q, k, v, attn_mask=attn_mask)

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", record)
    make(depth=1)(*clip())
    assert sorted(seen) == 2 * [(24, HEADS, 17, 4)] + 2 * [(34, HEADS, 12, 4)]


def test_more_frames_than_positions_are_refused() -> None:
    backbone = make()
    assert backbone(*clip(30)).shape == (2, 30, 17, 24)
    with pytest.raises(InputError, match=r"31 frames is longer than the 30 .* larger max_frames"):
        backbone(*clip(31))


def test_sixteen_joints_are_refused(unchecked) -> None:
    with pytest.raises(InputError, match="expected 17 joints"):
        make()(torch.rand(1, 5, 16, 3).double(), torch.ones(1, 5).double())


def test_a_clip_without_valid_frames_is_refused() -> None:
    keypoints, dt = clip()
    valid = torch.ones(dt.shape, dtype=torch.bool)
    valid[1] = False
    with pytest.raises(InputError, match="clip 1 of the batch has no valid frame"):
        make()(keypoints, dt, valid)


def test_heads_divide_the_width() -> None:
    with pytest.raises(InputError, match="dim 20 is not a multiple of num_heads 8"):
        DSTformer(dim=20)


def test_every_parameter_learns() -> None:
    backbone = make()
    backbone(*clip()).square().sum().backward()
    assert [name for name, p in backbone.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []


def test_streams_start_with_weight_one_half() -> None:
    backbone = DSTformer(dim=16, depth=1)
    fuse = backbone.ts_attn[0]
    assert not fuse.weight.any()
    assert fuse.bias.tolist() == [0.5, 0.5]
    assert float(backbone.temp_embed.detach().std()) == pytest.approx(0.02, rel=0.1)


def test_dropout_is_on_every_attention_and_mlp_in_training_alone() -> None:
    backbone = make(dropout=1.0)
    keypoints, dt = clip()
    assert torch.equal(backbone(keypoints, dt), make()(keypoints, dt))
    embedded = backbone.joints_embed(keypoints) + backbone.pos_embed + backbone.temp_embed[:, :12]
    untouched = backbone.pre_logits(backbone.norm(embedded))
    torch.testing.assert_close(backbone.train()(keypoints, dt), untouched, rtol=1e-10, atol=1e-10)


def test_it_compiles_to_one_graph() -> None:
    # In a process of its own: the shape checks that these tests run under cannot be traced.
    code = """
import torch, hummuss
backbone, batch = hummuss.DSTformer(dim=16, depth=1), (torch.rand(2, 5, 17, 3), torch.ones(2, 5))
compiled = torch.compile(backbone, backend="eager", fullgraph=True)
torch.testing.assert_close(compiled(*batch), backbone(*batch))
"""
    subprocess.run([sys.executable, "-c", code], check=True)
