"""What a training begins with: all of the backbone, the heads that are alike, and a line that says so."""

import json
from pathlib import Path

import lightning as L
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from hummuss import HumMUSS, InputError, MotionModule
from hummuss.data import SyntheticDataModule
from hummuss.heads import ActionHead, MeshHead, PoseHead
from hummuss.training.initial_weights import TakenOver, take_over


def module(seed: int, heads=None) -> MotionModule:
    torch.manual_seed(seed)
    backbone = HumMUSS(dim=8, depth=1, modes=2)
    return MotionModule(backbone, heads or {"pose": PoseHead, "action": classes("walk", "run")})


def classes(*names: str):
    return lambda dim: ActionHead(dim, hidden=8, classes=names)


def begin(model: MotionModule, path: Path) -> TakenOver:
    return take_over(model.backbone, dict(model.heads.items()), path)


@pytest.fixture
def earlier(tmp_path: Path) -> tuple[MotionModule, Path]:
    """A module that has seen something, and its run's folder."""
    made = module(0)
    made.heads["pose"].mean_joints.observe(torch.rand(3, 17, 3))
    (tmp_path / "run").mkdir()
    torch.save({"state_dict": made.state_dict()}, tmp_path / "run" / "best.ckpt")
    return made, tmp_path / "run"


def test_backbone_and_like_heads_are_taken_over_and_baselines_are_not(earlier) -> None:
    source, folder = earlier
    new = module(1)
    taken = begin(new, folder)
    assert taken.heads == ["pose", "action"]
    assert taken.anew == {}
    assert taken.left == []
    for name, value in source.named_parameters():
        assert torch.equal(new.get_parameter(name), value), name
    assert new.heads["pose"].mean_joints.count == 0
    said = str(taken)
    assert f"begins with {folder / 'best.ckpt'} (sha256 " in said
    assert f"backbone ({len(source.backbone.state_dict())} tensors), head pose, head action" in said


def test_other_heads_start_anew_and_it_is_said_why(earlier) -> None:
    _, folder = earlier
    heads = {
        "pose": lambda dim: MeshHead(dim, hidden=8, vertex_count=20),
        "mesh": lambda dim: MeshHead(dim, hidden=8, vertex_count=20),
        "action": classes("walk", "jump"),
    }
    new, untouched = module(1, heads), module(1, heads)
    taken = begin(new, folder / "best.ckpt")
    assert taken.heads == []
    assert taken.anew == {
        "pose": "that of the file is another one",
        "mesh": "the file has none of that name",
        "action": "that of the file tells apart other classes",
    }
    assert "head mesh starts anew: the file has none of that name" in str(taken)
    for name, value in untouched.heads.named_parameters():
        assert torch.equal(new.heads.get_parameter(name), value), name


def test_heads_of_the_file_that_the_model_has_not_are_named(earlier) -> None:
    _, folder = earlier
    taken = begin(module(1, {"pose": PoseHead}), folder)
    assert taken.left == ["action"]
    assert str(taken).endswith("; head action of the file is not taken: the model has none")


def test_of_all_runs_of_a_name_the_newest_that_has_weights_is_taken(earlier, tmp_path: Path) -> None:
    source, folder = earlier
    runs = tmp_path / "runs"
    for number in (2, 10, 11):
        (runs / str(number)).mkdir(parents=True)
    torch.save({"state_dict": module(2).state_dict()}, runs / "2" / "best.ckpt")
    (folder / "best.ckpt").rename(runs / "10" / "best.ckpt")
    new = module(1)
    assert begin(new, runs).file == runs / "10" / "best.ckpt"
    assert torch.equal(new.backbone.lift.weight, source.backbone.lift.weight)


def test_a_shared_models_folder_serves_as_well(earlier, tmp_path: Path) -> None:
    source, _ = earlier
    (tmp_path / "shared").mkdir()
    state = {name: value.contiguous().clone() for name, value in source.state_dict().items()}
    save_file(state, tmp_path / "shared" / "model.safetensors")
    new = module(1)
    begin(new, tmp_path / "shared")
    assert torch.equal(new.backbone.lift.weight, source.backbone.lift.weight)


def test_another_backbone_is_refused_by_name(earlier, tmp_path: Path) -> None:
    _, folder = earlier
    new = MotionModule(HumMUSS(dim=8, depth=1, modes=4), {"pose": PoseHead})
    with pytest.raises(InputError, match=r"has in other shapes layers\.0\..*and \d+ more: give the model"):
        begin(new, folder)
    deeper = MotionModule(HumMUSS(dim=8, depth=2, modes=2), {"pose": PoseHead})
    with pytest.raises(InputError, match=r"lacks layers\.1\."):
        begin(deeper, folder)
    with pytest.raises(InputError, match="nothing to begin with at"):
        begin(new, tmp_path / "nowhere")
    (tmp_path / "text.ckpt").write_text("no weights")
    with pytest.raises(InputError, match=r"text\.ckpt is not a checkpoint of `hummuss fit`, or damaged"):
        begin(new, tmp_path / "text.ckpt")
    for content, said in (
        (torch.ones(2), "or damaged"),
        ({"state_dict": {"backbone.a": 3}}, "'backbone.a' is no tensor"),
        # MotionBERT's files have numpy scalars beside the weights.
        (
            {"model_pos": {"module.joints_embed.weight": torch.ones(2, 3)}, "min_loss": np.float64(37.2)},
            "hummuss.DSTformer.from_motionbert reads",
        ),
    ):
        torch.save(content, tmp_path / "other.ckpt")
        with pytest.raises(InputError, match=rf"other\.ckpt is not a checkpoint of `hummuss fit`.* {said}"):
            begin(new, tmp_path / "other.ckpt")


def fit(model: MotionModule, tmp_path: Path, select_on_test: bool = False, **options) -> L.Trainer:
    trainer = L.Trainer(
        max_epochs=1, logger=False, enable_progress_bar=False, accelerator="cpu", default_root_dir=tmp_path,
        num_sanity_val_steps=0, enable_model_summary=False, enable_checkpointing=False, limit_val_batches=0,
    )  # fmt: skip
    data = SyntheticDataModule(
        frames=5, batch_size=2, windows_per_epoch=2, val_windows=2, select_on_test=select_on_test
    )
    trainer.fit(model, data, **options)
    return trainer


def test_a_fit_begins_with_it_unless_it_resumes(earlier, tmp_path: Path, capsys) -> None:
    source, folder = earlier
    torch.manual_seed(1)
    options = {"pretrained": str(folder), "learning_rate": 0.0, "ssm_learning_rate": 0.0}
    new = MotionModule(HumMUSS(dim=8, depth=1, modes=2), {"pose": PoseHead}, **options)
    trainer = fit(new, tmp_path)
    assert "head pose" in capsys.readouterr().out
    for name, value in source.backbone.named_parameters():
        assert torch.equal(new.backbone.get_parameter(name), value), name
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    (folder / "best.ckpt").unlink()
    fit(new, tmp_path, ckpt_path=tmp_path / "last.ckpt", weights_only=True)
    assert "begins with" not in capsys.readouterr().out


@pytest.mark.parametrize(("said", "carried"), [({}, None), ({"selected_on_test": False}, False),
                                                ({"selected_on_test": True}, True)])  # fmt: skip
def test_a_choice_on_the_test_split_is_not_forgotten(earlier, tmp_path: Path, said, carried) -> None:
    source, folder = earlier
    torch.save({"state_dict": source.state_dict()} | said, folder / "best.ckpt")
    new = MotionModule(HumMUSS(dim=8, depth=1, modes=2), {"pose": PoseHead}, pretrained=str(folder))
    fit(new, tmp_path)
    assert new.selected_on_test is carried
    word = {None: "not recorded", True: "yes", False: "no"}[carried]
    card = {"card": {"provenance": {"selected_on_test": word}}}
    (folder / "best.ckpt").unlink()
    (folder / "config.json").write_text(json.dumps(card))
    save_file({name: value.contiguous().clone() for name, value in source.state_dict().items()},
              folder / "model.safetensors")  # fmt: skip
    assert begin(module(1), folder).selected_on_test is carried


def test_a_module_that_is_fitted_again_does_not_forget_it_either(tmp_path: Path) -> None:
    new = module(0, {"pose": PoseHead})
    for chosen, said in ((False, False), (True, True), (False, True)):
        fit(new, tmp_path, select_on_test=chosen)
        assert new.selected_on_test is said


def test_backbone_head_and_state_space_learn_at_their_own_rates() -> None:
    model = MotionModule(
        HumMUSS(dim=8, depth=1, modes=2), {"pose": PoseHead},
        learning_rate=1e-2, backbone_learning_rate=1e-4, ssm_learning_rate=1e-5,
    )  # fmt: skip
    rates = {id(p): group["lr"] for group in model._parameter_groups() for p in group["params"]}
    assert rates[id(model.heads["pose"].project.weight)] == 1e-2
    assert rates[id(model.backbone.lift.weight)] == rates[id(model.backbone.lift.bias)] == 1e-4
    assert rates[id(model.backbone.layers[0].spatial_first.ssms[0].log_step)] == 1e-5
    assert len(rates) == len(list(model.parameters()))
