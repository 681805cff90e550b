"""MotionBERT's checkpoint files: names, shapes, published sizes, and what is refused."""

import random
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from hummuss import DSTformer, InputError


def layout(dim: int, depth: int, dim_rep: int, mlp_ratio: float, joints=17, frames=243) -> dict[str, tuple[int, ...]]:
    """Names and shapes in MotionBERT's public state dicts."""
    hidden = int(mlp_ratio * dim)
    shapes: dict[str, tuple[int, ...]] = {"temp_embed": (1, frames, 1, dim), "pos_embed": (1, joints, dim)}

    def linear(name: str, before: int, after: int) -> None:
        shapes.update({f"{name}.weight": (after, before), f"{name}.bias": (after,)})

    def norm(name: str) -> None:
        shapes.update({f"{name}.weight": (dim,), f"{name}.bias": (dim,)})

    linear("joints_embed", 3, dim)
    for stream in ("blocks_st", "blocks_ts"):
        for i in range(depth):
            block = f"{stream}.{i}"
            for axis in "st":
                norm(f"{block}.norm1_{axis}")
                linear(f"{block}.attn_{axis}.qkv", dim, 3 * dim)
                linear(f"{block}.attn_{axis}.proj", dim, dim)
                norm(f"{block}.norm2_{axis}")
                linear(f"{block}.mlp_{axis}.fc1", dim, hidden)
                linear(f"{block}.mlp_{axis}.fc2", hidden, dim)
    for i in range(depth):
        linear(f"ts_attn.{i}", 2 * dim, 2)
    norm("norm")
    linear("pre_logits.fc", dim, dim_rep)
    linear("head", dim_rep, 3)
    return shapes


@pytest.mark.parametrize(
    ("sizes", "millions", "file_mb"),
    [
        ({"dim": 512, "depth": 5, "dim_rep": 512, "mlp_ratio": 2.0}, 42.3, 162),
        ({"dim": 256, "depth": 5, "dim_rep": 512, "mlp_ratio": 4.0}, 16.0, 61),
    ],
    ids=["MotionBERT", "MotionBERT-Lite"],
)
def test_published_models_by_name_shape_and_size(sizes: dict[str, float], millions: float, file_mb: int) -> None:
    with torch.device("meta"):
        backbone = DSTformer(**sizes, head=True)
    assert {name: tuple(value.shape) for name, value in backbone.state_dict().items()} == layout(**sizes)
    total = sum(p.numel() for p in backbone.parameters())
    # The two published figures of the larger model only agree if 42.3 M leaves out the position tables (0.13 M).
    positions = backbone.temp_embed.numel() + backbone.pos_embed.numel()
    assert millions in (round(total / 1e6, 1), round((total - positions) / 1e6, 1))
    assert round(4 * total / 2**20) == file_mb


SMALL = {"dim": 16, "depth": 2, "dim_rep": 24, "mlp_ratio": 2.0, "joints": 17, "frames": 30}


def weights() -> OrderedDict[str, Tensor]:
    torch.manual_seed(0)
    return OrderedDict((name, torch.randn(shape) * 0.3) for name, shape in layout(**SMALL).items())


def training_state() -> dict:
    """What stands beside the weights."""
    parameter = torch.nn.Parameter(torch.zeros(3))
    optimiser = torch.optim.AdamW([parameter])
    parameter.sum().backward()
    optimiser.step()
    return {"epoch": 3, "lr": 5e-4, "optimizer": optimiser.state_dict(), "min_loss": np.float64(37.5)}


def write(path: Path, content: object) -> Path:
    torch.save(content, path)
    return path


def prefixed(state: dict[str, Tensor], prefix: str) -> OrderedDict[str, Tensor]:
    return OrderedDict((prefix + name, value) for name, value in state.items())


@pytest.fixture
def task_parts() -> dict[str, Tensor]:
    return {"head.fc1.weight": torch.zeros(8, 4)}


@pytest.mark.parametrize("module", ["", "module."])
@pytest.mark.parametrize("kind", ["pose", "action", "plain"])
def test_loading_fills_every_weight(kind: str, module: str, tmp_path, task_parts) -> None:
    content = {
        "pose": {"model_pos": prefixed(weights(), module), **training_state()},
        "action": {
            "model": prefixed(prefixed(weights(), "backbone.") | task_parts, module),
            **training_state(),
            "best_acc": np.float32(90),
        },
        "plain": prefixed(weights(), module),
    }[kind]
    backbone = DSTformer.from_motionbert(write(tmp_path / "best_epoch.bin", content), num_heads=4)
    assert not backbone.training
    loaded = backbone.state_dict()
    assert loaded.keys() == weights().keys()
    assert all(torch.equal(loaded[name], value) for name, value in weights().items())
    assert [name for name, p in backbone.named_parameters() if not p.requires_grad] == ["head.weight", "head.bias"]


def test_files_written_with_numpy_1_are_read(tmp_path) -> None:
    path = tmp_path / "best_epoch.bin"
    torch.save({"model_pos": weights(), **training_state()}, path, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes().replace(b"numpy._core.multiarray\n", b"numpy.core.multiarray\n"))
    assert b"numpy.core.multiarray\nscalar" in path.read_bytes()
    assert torch.equal(DSTformer.from_motionbert(path).pos_embed, weights()["pos_embed"])


def refusal(path: Path, **options) -> str:
    with pytest.raises(InputError) as caught:
        DSTformer.from_motionbert(path, **options)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


def test_files_of_another_kind_are_refused(tmp_path) -> None:
    assert "no such file" in refusal(tmp_path / "absent.bin")
    text = tmp_path / "text.bin"
    text.write_text("<html>not found</html>")
    assert "no torch checkpoint" in refusal(text)
    whole = write(tmp_path / "whole.bin", {"model_pos": weights()}).read_bytes()
    (tmp_path / "cut.bin").write_bytes(whole[: len(whole) // 2])
    assert "damaged" in refusal(tmp_path / "cut.bin")
    rng = random.Random(0)
    for number in range(40):
        (tmp_path / "noise.bin").write_bytes(rng.randbytes(200 + number))
        assert "torch checkpoint" in refusal(tmp_path / "noise.bin")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("readme.txt", "no weights")
    assert "damaged" in refusal(tmp_path / "other.zip")
    assert "damaged" in refusal(tmp_path)
    (tmp_path / "empty.bin").touch()
    assert "damaged" in refusal(tmp_path / "empty.bin")
    assert "it holds a Tensor" in refusal(write(tmp_path / "tensor.bin", torch.zeros(1)))


def test_pickled_code_is_refused_by_name(tmp_path) -> None:
    path = write(tmp_path / "code.bin", {"model_pos": weights(), "hook": Path("x")})
    assert "pickled pathlib.PosixPath, which is not loaded" in refusal(path)


def test_checkpoints_of_other_networks_are_refused_by_what_they_hold(tmp_path) -> None:
    found = refusal(write(tmp_path / "a.bin", {"state_dict": weights(), "epoch": 3}))
    assert "its keys are state_dict, epoch" in found
    found = refusal(write(tmp_path / "b.bin", {"model_pos": {"fc.weight": torch.zeros(2)}}))
    assert "the names under 'model_pos' begin with fc.weight" in found
    found = refusal(write(tmp_path / "c.bin", {"model": weights()}))  # no backbone. prefix
    assert "the names under 'model' begin with temp_embed, pos_embed, joints_embed.weight" in found


def test_missing_unexpected_and_misshapen_weights_are_named(tmp_path) -> None:
    for name in ("blocks_ts.1.attn_t.proj.bias", "temp_embed"):
        state = weights()
        del state[name]
        assert name in refusal(write(tmp_path / "lacks.bin", {"model_pos": state}), num_heads=4)
    state = weights() | {"blocks_st.0.ts_attn.weight": torch.zeros(2)}
    found = refusal(write(tmp_path / "more.bin", {"model_pos": state}), num_heads=4)
    assert "has unexpected blocks_st.0.ts_attn.weight" in found
    state = weights() | {"norm.weight": torch.zeros(8)}
    found = refusal(write(tmp_path / "shape.bin", {"model_pos": state}), num_heads=4)
    assert "norm.weight (8,), not (16,)" in found
    state = weights() | {"pos_embed": torch.zeros(17, 16)}
    found = refusal(write(tmp_path / "axes.bin", {"model_pos": state}), num_heads=4)
    assert "pos_embed has shape (17, 16), expected 3 axes" in found


def test_heads_that_do_not_divide_the_width_are_refused(tmp_path) -> None:
    path = write(tmp_path / "best_epoch.bin", {"model_pos": weights()})
    assert "dim 16 is not a multiple of num_heads 5" in refusal(path, num_heads=5)
